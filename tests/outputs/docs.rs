//! The worked examples of the documentation: each `console` block's commands are run, one after the other in one folder,
//! and print what stands there. `just bless` accepts what is new.

use std::fs;
use std::path::Path;
use std::process::Command;

use bpf2native::config::Pass;
use bpf2native::internals::pipeline::{self, Stage};

/// Runs a command line in a folder that has `bpf2native` in its path; what it prints.
fn run(command: &str, folder: &Path) -> String {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    let bin = Path::new(env!("CARGO_BIN_EXE_bpf2native")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{}:{}:{path}", folder.join("bin").display(), bin.display(), tools.display());
    let output = Command::new("bash")
        .args(["-c", command])
        .current_dir(folder)
        .env("PATH", path)
        .env("LC_ALL", "C")
        // Where `cflags` puts the headers.
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env_remove("CI")
        .env_remove("BPF2NATIVE")
        .env_remove("GITHUB_STEP_SUMMARY")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(text(&output.stderr), "", "`{command}` complains");
    let lines = text(&output.stdout);
    lines.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// The document with the output of its commands as it is now, and how many there are.
fn made(document: &str, folder: &Path) -> (String, usize) {
    let (mut made, mut commands) = (String::new(), 0);
    let mut is_console = false;
    for line in document.lines() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if let (true, Some(command)) = (is_console, line.strip_prefix("$ ")) {
            made += &format!("{line}\n{}", run(command, folder));
            commands += 1;
            continue;
        } else if is_console {
            continue;
        }
        made += &format!("{line}\n");
    }
    (made, commands)
}

#[test]
fn the_example_of_comparing_code_generation_is_true() {
    if !cfg!(target_arch = "x86_64") {
        crate::native::skip("the example is of x86-64");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for side in ["old", "new"] {
        fs::create_dir(folder.path().join(side)).unwrap();
        let object = format!("{side}/shop.o");
        fs::copy(crate::native::fixture("compare").join(&object), folder.path().join(&object)).unwrap();
    }
    check("docs/comparing-codegen.md", folder.path(), 10);
}

/// Checks that a page is what its commands make of it, or writes it; it has more than so many of them.
fn check(page: &str, folder: &Path, least: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let document = fs::read_to_string(&path).unwrap();
    let (made, commands) = made(&document, folder);
    assert!(commands > least, "{commands} commands");
    if std::env::var_os("BPF2NATIVE_BLESS").is_some() {
        fs::write(&path, made).unwrap();
        return;
    }
    let diff = similar::TextDiff::from_lines(&document, &made);
    let diff = diff.unified_diff().header(page, "now").to_string();
    assert!(diff.is_empty(), "{diff}\n`just bless` accepts it");
}

#[test]
fn the_examples_of_running_kernel_programs_are_true() {
    if !cfg!(target_endian = "little") {
        crate::native::skip("the object is little-endian");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for file in ["firewall.o", "packets.pcap"] {
        fs::copy(crate::native::fixture("runtime").join(file), folder.path().join(file)).unwrap();
    }
    check("docs/running-kernel-programs.md", folder.path(), 10);
}

#[test]
fn the_example_of_inspect_is_true() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(crate::native::fixture("kernel/xdp.o"), folder.path().join("xdp.o")).unwrap();
    check("docs/inspect.md", folder.path(), 0);
}

/// A folder for an example that is compiled, where it can be.
fn folder_of_example() -> Option<tempfile::TempDir> {
    if !cfg!(target_arch = "x86_64") {
        crate::native::skip("the example is of x86-64");
        return None;
    }
    crate::native::has_tool("clang-22").then(|| folder_with_clang("clang-22"))
}

#[test]
fn the_example_of_testing_is_true() {
    let Some(folder) = folder_of_example() else { return };
    copy_files("examples/testing", folder.path());
    check("docs/testing-bpf.md", folder.path(), 6);
}

#[test]
fn the_example_of_profiles_is_true() {
    let Some(folder) = folder_of_example() else { return };
    // The source that the page shows.
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/profile.md")).unwrap();
    let (_, text) = page.split_once("$ cat filter.c\n").unwrap();
    fs::write(folder.path().join("filter.c"), text.split("$ ").next().unwrap()).unwrap();
    check("docs/profile.md", folder.path(), 6);
}

#[test]
fn the_examples_of_scripts_are_true() {
    use crate::native::bpf;
    if !bpf::has_tracing() || !bpf::has_libbpf_headers() || !crate::native::has_tool("clang-22") {
        return;
    }
    let folder = folder_with_clang("clang-22");
    copy_files("examples/scripts", folder.path());
    // The sources that the page shows.
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scripts.md")).unwrap();
    for file in ["writes.c", "wrong.c"] {
        let (_, text) = page.split_once(&format!("$ cat {file}\n")).unwrap();
        fs::write(folder.path().join(file), text.split("$ ").next().unwrap()).unwrap();
    }
    check("docs/scripts.md", folder.path(), 10);
}

/// The script of the README, as its readers paste it.
#[test]
fn the_script_of_the_readme_works() {
    use crate::native::bpf;
    if !bpf::has_tracing() || !bpf::has_libbpf_headers() || !crate::native::has_tool("clang-19") {
        return;
    }
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, section) = page.split_once("\n## Scripts").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (commands, _) = block.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let printed = run(commands, folder.path());
    assert_eq!(printed.lines().filter(|line| line.ends_with(" system calls of ls")).count(), 2, "{printed}");
}

/// Recipes and documents call scripts by their paths.
#[test]
fn scripts_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    let mut folders = ["tools", ".ci", "runtime", "fixtures", "fuzz", "src/coverage"]
        .map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .to_vec();
    let (mut scripts, mut refused) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_dir() {
                folders.push(file.path());
            } else if fs::read(file.path()).unwrap().starts_with(b"#!") {
                scripts += 1;
                if file.metadata().unwrap().permissions().mode() & 0o111 != 0o111 {
                    refused.push(file.path());
                }
            }
        }
    }
    assert!(scripts >= 10, "{scripts} scripts");
    assert!(refused.is_empty(), "these cannot be run: {refused:?}");
}

/// Copies the files of one of the project's folders.
fn copy_files(from: &str, to: &Path) {
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(from)).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// A folder that has the command `clang` of this compiler in `bin`: documents call it by its plain name.
fn folder_with_clang(compiler: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let clang = String::from_utf8(Command::new("which").arg(compiler).output().unwrap().stdout).unwrap();
    fs::create_dir(folder.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(clang.trim(), folder.path().join("bin/clang")).unwrap();
    folder
}

/// The tables of `docs/passes.md`, one for each stage.
fn tables_of_passes() -> String {
    let mut text = String::new();
    for stage in Stage::ALL {
        text += &format!(
            "## {}\n\n| pass | what it does | needs | asks for | keeps blocks | runs after |\n",
            capitalised(stage)
        );
        text += "|---|---|---|---|---|---|\n";
        for row in pipeline::rows().into_iter().filter(|row| row.stage == stage) {
            let list = |words: Vec<String>| if words.is_empty() { String::new() } else { words.join("; ") };
            let name = |pass: Pass| format!("`{}`", pass.name());
            let is_own = row.passes.len() == 1 && row.passes[0].0.name() != row.name;
            let (names, about) = match is_own {
                true => (
                    row.name.to_owned(),
                    format!("what {} needs: accesses that it may not merge are kept apart", name(row.passes[0].0)),
                ),
                false => (
                    row.passes.iter().map(|&(pass, _)| name(pass)).collect::<Vec<_>>().join(", "),
                    row.passes.iter().map(|&(pass, _)| pass.about()).collect::<Vec<_>>().join("; "),
                ),
            };
            let needs = row.passes.iter().filter(|(_, needs)| !needs.is_empty()).map(|(pass, needs)| {
                let whose = if row.passes.len() > 1 { format!("{}: ", name(*pass)) } else { String::new() };
                format!("{whose}{}", needs.join(", "))
            });
            let after = row.after.iter().map(|&(pass, why)| match pass == Pass::Egraph {
                true => format!("sequence points: {why}"),
                false => format!("{}: {why}", name(pass)),
            });
            let keeps = row.keeps_cfg.map_or("", |keeps| if keeps { "yes" } else { "no" });
            let analyses = row.analyses.iter().map(|&analysis| analysis.to_owned()).collect();
            text += &format!(
                "| {names} | {about} | {} | {} | {keeps} | {} |\n",
                list(needs.collect()),
                list(analyses),
                list(after.collect())
            );
        }
        text.push('\n');
    }
    format!("{}\n", text.trim_end())
}

fn capitalised(stage: Stage) -> String {
    let about = stage.about();
    format!("{}{}", about[..1].to_uppercase(), &about[1..])
}

#[test]
fn the_page_of_passes_is_that_of_the_pipeline() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/passes.md");
    let document = fs::read_to_string(&path).unwrap();
    let head = document.split("## ").next().unwrap_or_default();
    let made = format!("{head}{}", tables_of_passes());
    if std::env::var_os("BPF2NATIVE_BLESS").is_some() {
        fs::write(&path, made).unwrap();
        return;
    }
    assert_eq!(document, made, "`just bless` writes the tables anew");
}
