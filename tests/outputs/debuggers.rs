//! What debuggers and profilers show of translated programs: names, source lines, breakpoints.

use std::path::Path;
use std::process::Command;

use crate::native::{bpf2native, fixture, has_tool, output, skip};
use bpf2native::{Config, Jit, Linker};

const PROGRAM: &str = "unwind/crash.o";

/// The line of the source with this comment.
fn line_of(comment: &str) -> usize {
    let source = std::fs::read_to_string(fixture("unwind/crash.c")).unwrap();
    let marker = format!("/* line: {comment} */");
    1 + source.lines().position(|line| line.contains(&marker)).expect("the source has the comment")
}

/// What gdb prints when it runs a program and these commands; none if there is no gdb that may trace.
fn gdb(program: &Path, arguments: &[&str], commands: &[&str]) -> Option<String> {
    if !has_tool("gdb") {
        return None;
    }
    let mut command = Command::new("gdb");
    command.args(["-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set breakpoint pending on"]);
    command.args(["-iex", "set width 0"]).current_dir(fixture("unwind"));
    command.args(commands.iter().flat_map(|command| ["-ex", command]));
    command.arg("--args").arg(program).args(arguments);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if text.contains("Could not trace the inferior process") {
        skip("gdb may not trace processes here");
        return None;
    }
    Some(text)
}

/// The functions, and places if they have any, of the last backtrace in gdb's output, from `give_up` on.
fn frames(text: &str) -> Vec<String> {
    let start = text.rfind("#0").unwrap_or_else(|| panic!("no backtrace in:\n{text}"));
    let frames = text[start..].lines().filter(|line| line.starts_with('#')).map(|line| {
        let frame = line.split_once("  ").map_or(line, |(_, frame)| frame);
        frame.split_once(" in ").map_or(frame, |(_, frame)| frame).to_owned()
    });
    frames.skip_while(|frame| !frame.starts_with("give_up")).take(3).collect()
}

fn translate(folder: &Path, flags: &[&str]) -> std::path::PathBuf {
    let executable = folder.join("crash");
    output(bpf2native().args(flags).arg(fixture(PROGRAM)).arg("-o").arg(&executable));
    executable
}

/// The frames with their lines.
fn frames_with_lines() -> Vec<String> {
    let frame = |function, comment| format!("{function} () at ./crash.c:{}", line_of(comment));
    vec![frame("give_up", "abort"), frame("work", "give_up"), frame("main", "work")]
}

#[test]
fn gdb_names_the_functions_of_an_executable() {
    let folder = tempfile::tempdir().unwrap();
    let executable = translate(folder.path(), &[]);
    let Some(text) = gdb(&executable, &[], &["run", "bt"]) else { return };
    assert_eq!(frames(&text), ["give_up ()", "work ()", "main ()"], "{text}");
}

#[test]
fn gdb_shows_the_lines_of_an_executable() {
    let folder = tempfile::tempdir().unwrap();
    let executable = translate(folder.path(), &["-g"]);
    let Some(text) = gdb(&executable, &[], &["run", "bt"]) else { return };
    assert_eq!(frames(&text), frames_with_lines(), "{text}");
}

#[test]
fn gdb_stops_at_a_line_of_an_executable() {
    let folder = tempfile::tempdir().unwrap();
    let executable = translate(folder.path(), &["-g"]);
    let (by_line, by_name) = (format!("break crash.c:{}", line_of("work")), "break work");
    let Some(text) = gdb(&executable, &[], &[&by_line, by_name, "run", "continue", "bt"]) else { return };
    assert!(text.contains(&format!("Breakpoint 1, main () at ./crash.c:{}", line_of("work"))), "{text}");
    assert!(text.contains("Breakpoint 2, work () at ./crash.c:"), "{text}");
    // The folder that the files' names are relative to is where gdb runs, so it shows the text.
    assert!(text.contains("return work(argc + 9) + 1;"), "{text}");
}

#[test]
fn gdb_names_the_functions_of_a_program_in_memory() {
    let (program, object) = (Path::new(env!("CARGO_BIN_EXE_bpf2native")), fixture(PROGRAM));
    let Some(text) = gdb(program, &["run", object.to_str().unwrap()], &["run", "bt"]) else { return };
    assert_eq!(frames(&text), ["give_up ()", "work ()", "main ()"], "{text}");
}

#[test]
fn gdb_shows_and_stops_at_the_lines_of_a_program_in_memory() {
    let (program, object) = (Path::new(env!("CARGO_BIN_EXE_bpf2native")), fixture(PROGRAM));
    let by_line = format!("break crash.c:{}", line_of("work"));
    let arguments = ["run", "-g", object.to_str().unwrap()];
    let Some(text) = gdb(program, &arguments, &[&by_line, "run", "delete", "continue", "bt"]) else { return };
    let stopped = format!("Breakpoint 1, main () at ./crash.c:{}", line_of("work"));
    assert!(text.contains(&stopped), "{text}");
    assert_eq!(frames(&text), frames_with_lines(), "{text}");
}

#[test]
fn lines_do_not_depend_on_the_number_of_threads() {
    let objects = ["1", "4"].map(|threads| {
        let folder = tempfile::tempdir().unwrap();
        let object = folder.path().join("crash.native.o");
        output(bpf2native().args(["-g", "-j", threads, "-c"]).arg(fixture(PROGRAM)).arg("-o").arg(&object));
        std::fs::read(object).unwrap()
    });
    assert!(objects[0] == objects[1]);
    let text = String::from_utf8_lossy(&objects[0]);
    assert!(!text.contains(env!("CARGO_MANIFEST_DIR")), "an object does not say where it was made");
}

#[test]
fn every_elf_target_has_lines() {
    use gimli::{EndianSlice, RunTimeEndian, SectionId};
    use object::{Object, ObjectSection};
    for target in ["x86_64", "aarch64", "riscv64"] {
        let folder = tempfile::tempdir().unwrap();
        let object = folder.path().join("crash.native.o");
        output(bpf2native().args(["-g", "--target", target, "-c"]).arg(fixture(PROGRAM)).arg("-o").arg(&object));
        let bytes = std::fs::read(object).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        let section = |id: SectionId| {
            let section = file.section_by_name(id.name());
            let data = section.map_or(&[][..], |section| section.data().unwrap());
            Ok::<_, gimli::Error>(EndianSlice::new(data, RunTimeEndian::Little))
        };
        let info = file.section_by_name(".debug_info").unwrap();
        assert!(info.relocations().count() > 0, "{target}: the linker must set the addresses");
        let dwarf = gimli::Dwarf::load(section).unwrap();
        let unit = dwarf.unit(dwarf.units().next().unwrap().expect("there is a unit")).unwrap();
        let mut rows = unit.line_program.unwrap().rows();
        let mut lines = std::collections::BTreeSet::new();
        while let Some((_, row)) = rows.next_row().unwrap() {
            lines.extend(row.line().map(|line| line.get() as usize));
        }
        for comment in ["abort", "give_up", "work", "puts"] {
            assert!(lines.contains(&line_of(comment)), "{target}: no row for {comment} in {lines:?}");
        }
    }
}

#[test]
fn lines_that_are_not_there_are_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let object = folder.path().join("types.native.o");
    let mut command = bpf2native();
    command.args(["-g", "-c"]).arg(fixture("api/types.plain.o")).arg("-o").arg(object);
    let output = command.output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{message}");
    assert!(
        message.contains("warning: there are no source lines to keep: compile the objects with -g"),
        "{message}"
    );
}

#[test]
fn lines_are_for_elf() {
    let folder = tempfile::tempdir().unwrap();
    for target in ["aarch64-apple-darwin", "x86_64-pc-windows-msvc"] {
        let mut command = bpf2native();
        command
            .args(["-g", "--target", target, "-c"])
            .arg(fixture(PROGRAM))
            .arg("-o")
            .arg(folder.path().join("x.o"));
        let output = command.output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        let expected = format!("there is no debug information for {target}: `-g` makes it for ELF targets only");
        assert!(message.contains(&expected), "{message}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn perf_finds_names_when_it_is_asked_for() {
    let run = |flags: &[&str]| {
        let mut child = bpf2native().arg("run").args(flags).arg(fixture(PROGRAM)).spawn().unwrap();
        let map = std::path::PathBuf::from(format!("/tmp/perf-{}.map", child.id()));
        assert!(!child.wait().unwrap().success(), "the program aborts");
        let text = std::fs::read_to_string(&map).ok();
        let _ = std::fs::remove_file(map);
        text
    };
    assert_eq!(run(&[]), None);
    let map = run(&["--perf-map"]).expect("the map is written");
    let rows: Vec<Vec<&str>> = map.lines().map(|line| line.split(' ').collect()).collect();
    let names: Vec<&str> = rows.iter().map(|row| row[2]).collect();
    assert_eq!(names, ["work", "give_up", "main"]);
    for row in &rows {
        let [start, size] = [0, 1].map(|index| u64::from_str_radix(row[index], 16).unwrap());
        assert!(start > 0 && size > 0, "{row:?}");
    }
}

/// What the translator adds has a name too: for calls through pointers, and of closures with state.
#[test]
#[cfg(target_os = "linux")]
fn perf_finds_adapters_and_thunks() {
    let state = 1;
    let mut linker = Linker::new();
    linker.func("callback", move |value: i64| value + state).unwrap();
    linker.func("touch", |_bytes: u64, _size: i64| ()).unwrap();
    let config = Config::new().perf_map(true).clone();
    let module = Jit::new(&config).unwrap().load(&crate::native::program("unwind/unwind.o"), &linker).unwrap();
    let map = format!("/tmp/perf-{}.map", std::process::id());
    let text = std::fs::read_to_string(&map).unwrap();
    std::fs::remove_file(map).unwrap();
    let names: Vec<&str> = text.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    for name in ["through", "through.adapter", "search_adapter", "callback.thunk"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    assert!(!names.contains(&"touch.thunk"), "a closure without state needs none");
    drop(module);
}
