//! Coverage: counts of programs whose control flow is known, at all levels, as lcov.
//!
//! The sources say what is right: `// runs N` at the end of a line, and `// calls N` at the first line of a function.

use std::collections::BTreeMap;

use bpf2native::config::{OptLevel, Pass, Passes};
use bpf2native::coverage::{BranchCount, Coverage, LineCount};
use bpf2native::internals::coverage::Counted;
use bpf2native::{Config, Jit, Linker, Program};

use crate::native;

const LEVELS: [OptLevel; 3] = [OptLevel::O0, OptLevel::O1, OptLevel::O2];

/// The numbers behind a mark of a source, by line.
fn marks(source: &str, mark: &str) -> BTreeMap<u32, u64> {
    let text = std::fs::read_to_string(native::fixture(source)).unwrap();
    let marked = (1..).zip(text.lines()).filter_map(|(line, text)| {
        let (_, number) = text.split_once(&format!("// {mark} "))?;
        Some((line, number.parse().ok()?))
    });
    marked.collect()
}

/// Runs `main` of an object in this process; what it covered.
fn covered(object: &str, config: &Config) -> Coverage {
    covered_bytes(&std::fs::read(native::fixture(object)).unwrap(), config)
}

/// The same, of an object's bytes.
fn covered_bytes(object: &[u8], config: &Config) -> Coverage {
    let program = Program::from_bytes("covered.o", object).unwrap();
    let module = Jit::new(config.clone().coverage(true)).unwrap().load(&program, &Linker::new()).unwrap();
    // SAFETY: the program is ours, and `main` has this type.
    let main = unsafe { module.func::<(i32, u64), i32>("main").unwrap() };
    assert_eq!(main.call((1, 0)), 0);
    module.coverage().unwrap()
}

/// A source file of a tracefile, as a reader of the format sees it.
#[derive(Debug, Default, PartialEq)]
struct Record {
    functions: BTreeMap<String, (u32, u64)>,
    lines: BTreeMap<u32, u64>,
    /// None: never reached.
    branches: BTreeMap<(u32, u32, u32), Option<u64>>,
}

/// Reads a tracefile and checks that all of it is as `man geninfo` says.
fn parse(text: &str) -> BTreeMap<String, Record> {
    let mut files = BTreeMap::new();
    let mut open: Option<(String, Record, BTreeMap<&str, usize>)> = None;
    for line in text.lines() {
        if line == "end_of_record" {
            let (name, record, sums) = open.take().expect("a record is open");
            let hit = |counts: Vec<Option<u64>>| counts.iter().filter(|count| count.unwrap_or(0) > 0).count();
            let functions: Vec<_> = record.functions.values().map(|(_, count)| Some(*count)).collect();
            let lines: Vec<_> = record.lines.values().map(|count| Some(*count)).collect();
            let branches: Vec<_> = record.branches.values().copied().collect();
            for (all, some, counts) in [("FNF", "FNH", functions), ("LF", "LH", lines), ("BRF", "BRH", branches)] {
                assert_eq!((sums[all], sums[some]), (counts.len(), hit(counts)), "{name}: {all}");
            }
            assert!(files.insert(name, record).is_none());
            continue;
        }
        let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("`{line}` has no `:`"));
        if key == "SF" {
            assert!(open.replace((value.to_owned(), Record::default(), BTreeMap::new())).is_none());
            continue;
        }
        if key == "TN" {
            assert!(open.is_none() && value.is_empty());
            continue;
        }
        let (_, record, sums) = open.as_mut().unwrap_or_else(|| panic!("`{line}` is outside of a record"));
        let fields: Vec<&str> = value.split(',').collect();
        let number = |index: usize| -> u64 { fields[index].parse().unwrap_or_else(|_| panic!("{line}")) };
        match (key, fields.len()) {
            ("FN", 2) => {
                assert!(record.functions.insert(fields[1].to_owned(), (number(0) as u32, 0)).is_none(), "{line}");
            }
            ("FNDA", 2) => record.functions.get_mut(fields[1]).expect("it was named").1 = number(0),
            ("DA", 2) => assert!(record.lines.insert(number(0) as u32, number(1)).is_none(), "{line}"),
            ("BRDA", 4) => {
                let place = (number(0) as u32, number(1) as u32, number(2) as u32);
                let count = (fields[3] != "-").then(|| number(3));
                assert!(record.branches.insert(place, count).is_none(), "{line}");
            }
            ("FNF" | "FNH" | "BRF" | "BRH" | "LF" | "LH", 1) => {
                sums.insert(key, number(0) as usize);
            }
            _ => panic!("`{line}` is no record"),
        }
    }
    assert!(open.is_none(), "the last record ends");
    files
}

/// What the marks say of a file that is covered.
fn check_marks(source: &str, record: &Record) {
    let (calls, runs) = (marks(source, "calls"), marks(source, "runs"));
    assert!(calls.len() > 5 && runs.len() > 15, "the marks are found");
    for (line, count) in calls {
        let function = record.functions.values().find(|(at, _)| *at == line);
        assert_eq!(function, Some(&(line, count)), "{source}:{line}");
    }
    for (line, count) in runs {
        assert_eq!(record.lines.get(&line), Some(&count), "{source}:{line}");
    }
}

#[test]
fn counts_are_those_of_the_source_at_all_levels() {
    for level in LEVELS {
        let coverage = covered("coverage/flow.o", Config::new().opt_level(level));
        let files = parse(&coverage.to_lcov());
        assert_eq!(files.keys().collect::<Vec<_>>(), ["./flow.c"]);
        let record = &files["./flow.c"];
        check_marks("coverage/flow.c", record);
        // A branch that goes both ways, one that goes one way, one that is never reached, and a jump through a register.
        let outcomes = |text: &str| -> Vec<Vec<Option<u64>>> {
            let source = std::fs::read_to_string(native::fixture("coverage/flow.c")).unwrap();
            let line = 1 + source.lines().position(|line| line.contains(text)).unwrap() as u32;
            let mut branches: BTreeMap<u32, Vec<Option<u64>>> = BTreeMap::new();
            for (&(_, number, _), &count) in record.branches.range((line, 0, 0)..(line + 1, 0, 0)) {
                branches.entry(number).or_default().push(count);
            }
            branches.into_values().collect()
        };
        assert_eq!(outcomes("if (n & 1)"), [[Some(17), Some(7)]], "{level:?}");
        assert_eq!(outcomes("if (n < 0)"), [[Some(5), Some(0)]], "{level:?}");
        // clang puts all of a function's jumps through registers into one block, without a line of its own.
        let mut jump: BTreeMap<(u32, u32), Vec<Option<u64>>> = BTreeMap::new();
        for (&(line, number, _), &count) in &record.branches {
            jump.entry((line, number)).or_default().push(count);
        }
        assert!(jump.values().any(|outcomes| *outcomes == [Some(3); 3]), "{level:?}: {jump:?}");
    }
}

#[test]
fn levels_and_passes_count_the_same() {
    for object in ["coverage/flow.o", "coverage/flow.O2.o"] {
        let expected = covered(object, Config::new().opt_level(OptLevel::O0));
        for level in LEVELS {
            assert_eq!(covered(object, Config::new().opt_level(level)), expected, "{object} {level:?}");
        }
        for &pass in Pass::ALL {
            for passes in [Passes::NONE.with(pass), Passes::ALL.without(pass)] {
                assert_eq!(covered(object, Config::new().passes(passes)), expected, "{object} {}", pass.name());
            }
        }
        let calls: BTreeMap<&str, u64> =
            expected.files[0].functions.iter().map(|function| (function.name.as_str(), function.count)).collect();
        let known = [("classify", 5), ("collatz", 2), ("fill", 1), ("main", 1), ("state", 9), ("unused", 0)];
        assert_eq!(calls, BTreeMap::from(known), "{object}");
    }
}

/// Registers that loops advance tell counts by themselves: by 1, by 2, downwards, in 32 bits and around their end.
#[test]
fn loops_count_what_the_source_says() {
    for object in ["coverage/loops.o", "coverage/loops.v2.o"] {
        let expected = covered(object, Config::new().opt_level(OptLevel::O0));
        check_marks("coverage/loops.c", &parse(&expected.to_lcov())["./loops.c"]);
        for level in LEVELS {
            assert_eq!(covered(object, Config::new().opt_level(level)), expected, "{object} {level:?}");
        }
        for &pass in Pass::ALL {
            for passes in [Passes::NONE.with(pass), Passes::ALL.without(pass)] {
                assert_eq!(covered(object, Config::new().passes(passes)), expected, "{object} {}", pass.name());
            }
        }
    }
}

/// A line that was never reached has branches that were not either: `-`.
#[test]
fn branches_that_are_not_reached_have_no_counts() {
    let program = Program::from_files([native::fixture("coverage/flow.o")]).unwrap();
    let module = Jit::new(Config::new().coverage(true)).unwrap().load(&program, &Linker::new()).unwrap();
    let files = parse(&module.coverage().unwrap().to_lcov());
    let record = &files["./flow.c"];
    assert!(record.branches.len() > 10 && record.branches.values().all(Option::is_none));
    assert!(
        record.lines.values().chain(record.functions.values().map(|(_, count)| count)).all(|&count| count == 0)
    );
}

#[test]
fn what_is_not_asked_for_is_not_counted() {
    let program = Program::from_files([native::fixture("coverage/flow.o")]).unwrap();
    let module = Jit::new(&Config::new()).unwrap().load(&program, &Linker::new()).unwrap();
    assert!(module.coverage().is_none());
}

#[test]
fn runs_are_merged_also_as_text() {
    let once = covered("coverage/flow.o", &Config::new());
    let other: Coverage = serde_json::from_str(&serde_json::to_string(&once).unwrap()).unwrap();
    assert_eq!(once, other);
    let mut sum = Coverage::default();
    sum.merge(&once);
    assert_eq!(sum, once);
    sum.merge(&covered("coverage/threads.o", &Config::new()));
    sum.merge(&other);
    assert_eq!(sum.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["./flow.c", "./threads.c"]);
    let (once, twice) = (&once.files[0], &sum.files[0]);
    assert_eq!(once.lines.len(), twice.lines.len());
    for (once, twice) in once.lines.iter().zip(&twice.lines) {
        assert_eq!((once.line, 2 * once.count), (twice.line, twice.count));
    }
    for (once, twice) in once.branches.iter().zip(&twice.branches) {
        assert!(once.outcomes.iter().zip(&twice.outcomes).all(|(once, twice)| 2 * once == *twice));
    }
}

/// Threads that count at once may lose counts, and make none.
#[test]
fn threads_count() {
    let coverage = covered("coverage/threads.o", &Config::new());
    let file = &coverage.files[0];
    let step = file.functions.iter().find(|function| function.name == "step").unwrap();
    assert!((20_000..=80_000).contains(&step.count), "{step:?}");
    let work = file.functions.iter().find(|function| function.name == "work").unwrap();
    assert!((1..=4).contains(&work.count), "{work:?}");
}

#[test]
fn run_writes_a_tracefile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flow.info");
    let object = native::fixture("coverage/flow.o");
    let run = |file: &std::path::Path| {
        native::output(native::bpf2native().args(["run", "--coverage"]).arg(file).arg(&object))
    };
    assert_eq!(run(&path), "28467\n");
    let text = std::fs::read_to_string(&path).unwrap();
    check_marks("coverage/flow.c", &parse(&text)["./flow.c"]);
    run(&folder.path().join("a%pb"));
    let names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "flow.info")
        .collect();
    assert!(matches!(&names[..], [name] if name[1..name.len() - 1].parse::<u32>().is_ok()), "{names:?}");
    // A function alone.
    let path = folder.path().join("unused.info");
    let mut command = native::bpf2native();
    command.args(["run", "--entry", "unused", "--coverage"]).arg(&path).arg(&object);
    native::output(command.stdin(std::process::Stdio::null()));
    let files = parse(&std::fs::read_to_string(&path).unwrap());
    assert_eq!(files["./flow.c"].functions["unused"].1, 1);
}

#[test]
fn a_tracefile_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let object = native::fixture("coverage/flow.o");
    let absent = folder.path().join("absent/flow.info");
    let output = native::bpf2native().args(["run", "--coverage"]).arg(&absent).arg(&object).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"28467\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("absent/flow.info"), "{said}");
    // Never over an input.
    let output = native::bpf2native().args(["run", "--coverage"]).arg(&object).arg(&object).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// An executable for a target, which writes its coverage to `own.info`.
fn build(folder: &std::path::Path, target: &str, object: &str, arguments: &[&str]) -> std::path::PathBuf {
    let output = folder.join(format!("program-{target}"));
    let mut command = native::bpf2native();
    command.current_dir(folder).args(["--target", target, "--coverage", "own.info", "-o"]).arg(&output);
    native::output(command.args(arguments).arg(native::fixture(object)));
    output
}

#[test]
fn executables_write_what_is_read_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let expected = folder.path().join("expected.info");
    let object = native::fixture("coverage/flow.o");
    native::output(native::bpf2native().args(["run", "--coverage"]).arg(&expected).arg(object));
    let expected = std::fs::read_to_string(expected).unwrap();
    let host = Config::new().get_target().machine();
    let targets = [("x86_64", "flow.o"), ("aarch64", "flow.o"), ("riscv64", "flow.o"), ("s390x", "flow.be.o")];
    let mut ran = 0;
    for (target, object) in targets {
        let mut command = if target == host {
            std::process::Command::new(folder.path().join(format!("program-{target}")))
        } else {
            let emulator = format!("qemu-{target}");
            let linker = format!("{target}-linux-gnu-gcc");
            if !native::has_tool(&emulator) || !native::has_tool(&linker) {
                continue;
            }
            let mut command = std::process::Command::new(emulator);
            command.arg("-L").arg(format!("/usr/{target}-linux-gnu"));
            command.arg(folder.path().join(format!("program-{target}")));
            command
        };
        for level in ["-O0", "-O2"] {
            build(folder.path(), target, &format!("coverage/{object}"), &[level]);
            assert_eq!(native::output(command.current_dir(folder.path())), "28467\n");
            let written = folder.path().join("own.info");
            assert_eq!(std::fs::read_to_string(&written).unwrap(), expected, "{target} {level}");
            std::fs::remove_file(written).unwrap();
        }
        ran += 1;
    }
    assert!(ran > 0);
}

#[test]
fn executables_write_where_the_environment_says() {
    let folder = tempfile::tempdir().unwrap();
    let host = Config::new().get_target().machine();
    let program = build(folder.path(), &host, "coverage/flow.o", &[]);
    let mut command = std::process::Command::new(program);
    command.current_dir(folder.path()).env("BPF2NATIVE_COVERAGE", "other-%p-%p.info");
    native::output(&mut command);
    let names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".info"))
        .collect();
    let [name] = &names[..] else { panic!("{names:?}") };
    let middle = name.strip_prefix("other-").and_then(|name| name.strip_suffix(".info")).unwrap();
    let (one, other) = middle.split_once('-').unwrap();
    assert!(one == other && one.parse::<u32>().is_ok(), "{name}");
    check_marks("coverage/flow.c", &parse(&std::fs::read_to_string(folder.path().join(name)).unwrap())["./flow.c"]);
    // A file that cannot be written is said, and the program's status stays its own.
    let output = command.env("BPF2NATIVE_COVERAGE", "absent/x.info").output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("absent/x.info: "));
}

/// What has no coverage option has no part of it.
#[test]
fn text_has_no_coverage() {
    let object = native::fixture("coverage/flow.o");
    let output = native::bpf2native().args(["--emit", "asm", "--coverage", "x.info"]).arg(object).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// A tail call that finds a program does not come back to what follows it.
#[test]
fn what_follows_a_tail_call_runs_when_it_comes_back() {
    for level in LEVELS {
        let coverage = covered("coverage/tail.o", Config::new().opt_level(level));
        let files = parse(&coverage.to_lcov());
        let record = &files["./tail.c"];
        for (line, count) in marks("coverage/tail.c", "runs") {
            assert_eq!(record.lines.get(&line), Some(&count), "{level:?}: line {line}");
        }
        let calls: Vec<(&str, u64)> =
            record.functions.iter().map(|(name, (_, count))| (name.as_str(), *count)).collect();
        assert_eq!(calls, [("jump", 5), ("main", 1), ("target", 3)], "{level:?}");
        assert!(files.keys().all(|name| !name.contains("runtime")), "the runtime is not covered");
    }
}

/// An object whose sections of these names have others, so that nobody reads them.
fn without(object: &str, section: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(native::fixture(object)).unwrap();
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, section).collect();
    assert!(!places.is_empty(), "{object} has `{section}`");
    places.into_iter().for_each(|place| bytes[place + 1] = b'X');
    bytes
}

/// Functions with their counts, lines and branches, but for the first lines of functions: `.BTF.ext` has where a declaration begins,
/// and DWARF where a body does.
fn inside(coverage: &Coverage) -> (Vec<(&str, u64)>, Vec<&LineCount>, &[BranchCount]) {
    let [file] = &coverage.files[..] else { panic!("{coverage:?}") };
    assert!(file.functions.len() > 5 && file.lines.len() > 20 && file.branches.len() > 5, "{file:?}");
    let is_first = |line: &LineCount| file.functions.iter().any(|function| function.line == line.line);
    let functions = file.functions.iter().map(|function| (function.name.as_str(), function.count)).collect();
    (functions, file.lines.iter().filter(|line| !is_first(line)).collect(), &file.branches)
}

/// Without `.BTF.ext`, and without any BTF, DWARF says the same lines.
#[test]
fn lines_of_dwarf_alone_are_those_of_btf() {
    for (object, source) in [("coverage/flow.o", "./flow.c"), ("coverage/flow.O2.o", "./flow.c")] {
        let expected = covered(object, &Config::new());
        for section in [".BTF.ext", ".BTF"] {
            let found = covered_bytes(&without(object, section), &Config::new());
            assert_eq!(found.files.len(), 1);
            assert_eq!(found.files[0].name, source);
            assert_eq!(inside(&found), inside(&expected), "{object} without {section}");
        }
    }
    // And in the other byte order.
    let program = |bytes: &[u8]| Program::from_bytes("flow.be.o", bytes).unwrap();
    let uncovered = |bytes: &[u8]| Counted::new(&program(bytes)).coverage(&[]);
    let expected = uncovered(&std::fs::read(native::fixture("coverage/flow.be.o")).unwrap());
    for section in [".BTF.ext", ".BTF"] {
        let found = uncovered(&without("coverage/flow.be.o", section));
        assert_eq!(inside(&found), inside(&expected), "without {section}");
    }
}

/// gcc's DWARF, which its objects have alone.
#[test]
fn lines_of_gcc() {
    let (calls, runs) = (marks("coverage/gcc.c", "calls"), marks("coverage/gcc.c", "runs"));
    assert!(calls.len() == 4 && runs.len() == 13, "the marks are found");
    for object in ["coverage/gcc.O0.gcc.o", "coverage/gcc.O2.gcc.o"] {
        let files = parse(&covered(object, &Config::new()).to_lcov());
        let record = &files["./gcc.c"];
        let found: BTreeMap<&str, u64> =
            record.functions.iter().map(|(name, (_, count))| (name.as_str(), *count)).collect();
        assert_eq!(
            found,
            BTreeMap::from([("classify", 5), ("collatz", 2), ("main", 1), ("unused", 0)]),
            "{object}"
        );
        if object.contains("O0") {
            for (line, count) in runs.iter().chain(&calls) {
                assert_eq!(record.lines.get(line), Some(count), "gcc.c:{line}");
            }
        }
    }
}
