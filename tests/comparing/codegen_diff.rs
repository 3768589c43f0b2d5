//! What `action.yml` runs, as it runs it: the script that compares two versions of a project.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::native;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn git(folder: &Path, arguments: &[&str]) {
    let names = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.com", "-c", "init.defaultBranch=main"];
    native::output(Command::new("git").current_dir(folder).args(names).args(arguments));
}

/// A project of two commits whose build copies an object: the old one, then the new one.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet"]);
    for version in ["old", "new"] {
        let object = native::fixture(&format!("compare/{version}/shop.o"));
        fs::copy(object, folder.path().join("input")).unwrap();
        git(folder.path(), &["add", "."]);
        git(folder.path(), &["commit", "--quiet", "-m", version]);
    }
    folder
}

/// The commands of the action's step of this name.
fn step(name: &str) -> String {
    let action = fs::read_to_string(root().join("action.yml")).unwrap();
    let (_, step) = action.split_once(&format!("- name: {name}\n")).expect("the action has the step");
    let (_, run) = step.split_once("      run: |\n").expect("the step runs something");
    let lines = run.lines().take_while(|line| line.starts_with("        "));
    lines.flat_map(|line| [line.trim_start(), "\n"]).collect()
}

/// Runs the step `Compare` in a project.
fn compare(project: &Path, fail_on: &str) -> Output {
    let summary = project.join("summary");
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &step("Compare")]).current_dir(project);
    command.env("SOURCE", root()).env("BPF2NATIVE", env!("CARGO_BIN_EXE_bpf2native"));
    command.env("BASE", "HEAD~1").env("BUILD", "mkdir -p out && cp input out/shop.o").env("OBJECTS", "out");
    command.env("OPTIONS", "-O1 --target riscv64").env("FAIL_ON", fail_on);
    command.env("OUTPUT", project.join("output")).env("GITHUB_STEP_SUMMARY", summary);
    command.output().unwrap()
}

#[test]
fn the_action_compares_two_commits() {
    if !native::has_tool("git") {
        return;
    }
    let project = project();
    let output = compare(project.path(), "bytes_pct>1000");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| {
        let path: PathBuf = project.path().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let summary = read("summary");
    assert!(summary.contains("`price` | changed") && summary.contains("1 no longer translated"), "{summary}");
    assert_eq!(summary, read("output/summary.md"));
    let page = read("output/index.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("riscv64") && page.contains("\"fn\":\"price\""));
    assert!(page.contains("id=\"t0\""), "the page has no listings");
    for name in ["output/base.json", "output/new.json"] {
        assert!(read(name).contains("\"opt\": \"1\""), "{name}");
    }
    // The base's checkout is gone.
    let trees = native::output(Command::new("git").args(["worktree", "list"]).current_dir(project.path()));
    assert_eq!(trees.lines().count(), 1, "{trees}");
}

#[test]
fn a_function_that_is_no_longer_translated_fails_the_job() {
    if !native::has_tool("git") {
        return;
    }
    let project = project();
    let output = compare(project.path(), "new failure");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("--fail-on holds: new failure"), "{error}");
    assert!(project.path().join("output/index.html").exists());
}

/// Folders and saved reports can be compared without git, and what is wrong is said.
#[test]
fn the_script_takes_folders_and_refuses_nonsense() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(root().join("tools/codegen-diff.sh"));
        command.args(arguments).current_dir(folder.path()).env_remove("GITHUB_STEP_SUMMARY");
        let output = command.env("BPF2NATIVE", env!("CARGO_BIN_EXE_bpf2native")).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (old, new) = (native::fixture("compare/old"), native::fixture("compare/new"));
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    assert_eq!(run(&["--base", old, "--objects", old, "--output", "a"]), (Some(0), String::new()));
    assert_eq!(run(&["--base", "a/new.json", "--objects", new, "--output", "b"]).0, Some(1));
    for (arguments, expected) in [
        (&[][..], "Give --base"),
        (&["--base"], "--base wants a value"),
        (&["--what", "x"], "`--what`"),
        (&["--base", "no-such-commit"], "neither a file nor a commit"),
        (&["--base", old, "--objects", "nowhere"], "there is no report of nowhere"),
        (&["--base", old, "--objects", old, "--build", "exit 3"], "the build failed"),
        (&["--base", old, "--objects", old, "--fail-on", "bytes="], "the comparison failed"),
    ] {
        let (status, error) = run(arguments);
        assert_eq!(status, Some(2), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

/// Each input of the action is described, and used.
#[test]
fn the_actions_inputs_are_used() {
    let action = fs::read_to_string(root().join("action.yml")).unwrap();
    let (_, inputs) = action.split_once("\ninputs:\n").unwrap();
    let (inputs, runs) = inputs.split_once("\nruns:\n").unwrap();
    let names: Vec<&str> = inputs
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
        .filter(|name| !name.starts_with(' '))
        .collect();
    assert!(names.len() > 4, "{names:?}");
    for name in &names {
        assert!(runs.contains(&format!("${{{{ inputs.{name} }}}}")), "`{name}` is not used");
    }
    assert_eq!(inputs.matches("description:").count(), names.len());
    // Inputs reach the shell as variables, never as text of a script.
    for line in runs.lines().filter(|line| line.contains("${{")) {
        let (key, _) = line.trim().split_once(": ").unwrap();
        assert!(
            key.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
                || ["name", "path"].contains(&key),
            "{line}"
        );
    }
}
