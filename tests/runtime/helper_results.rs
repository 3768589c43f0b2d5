//! Helpers and kfuncs: the programs of `fixtures/runtime/helpers`.
//!
//! Each of [`PROGRAMS`] runs in the kernel (`BPF_PROG_TEST_RUN`) and here, in memory and as an executable for each machine, and finds the same
//! results, which `NAME.txt` keeps for where the kernel cannot be asked: `BPF2NATIVE_BLESS=1` writes the kernel's there. Those of [`OWN`] say
//! themselves whether they found what they should. `docs/helpers.md` has a row for each function.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bpf2native::internals::abi::helpers;

use crate::kernel;
use crate::native::{bpf2native, fixture, has_tool, output};

/// What the kernel runs a program as.
#[derive(Clone, Copy)]
enum Kind {
    Syscall,
    Tc,
    /// Of tc, and it looks at its packet.
    Packet,
}

impl Kind {
    /// The object that runs it here.
    fn driver(self) -> &'static str {
        match self {
            Kind::Syscall | Kind::Tc => "driver",
            Kind::Packet => "driver_skb",
        }
    }
}

const PROGRAMS: [(&str, Kind); 16] = [
    ("connections", Kind::Tc),
    ("control", Kind::Syscall),
    ("cpumask", Kind::Syscall),
    ("dynptr", Kind::Tc),
    ("dynptr_packet", Kind::Packet),
    ("elements", Kind::Syscall),
    ("format", Kind::Syscall),
    ("list", Kind::Tc),
    ("locks", Kind::Tc),
    ("number", Kind::Syscall),
    ("percpu_object", Kind::Tc),
    ("probe_read", Kind::Syscall),
    ("rbtree", Kind::Tc),
    ("show", Kind::Syscall),
    ("string", Kind::Syscall),
    ("timer", Kind::Syscall),
];

const OWN: [&str; 8] =
    ["own_functions", "own_kernel", "own_network", "own_object", "own_state", "own_tcp", "own_text", "own_timer"];

/// What a program of [`OWN`] prints when all is right.
const RIGHT: &str = "as it should be\n";

fn file(name: &str) -> PathBuf {
    fixture("runtime/helpers").join(name)
}

fn expected(name: &str) -> String {
    let path = file(&format!("{name}.txt"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines that differ.
fn assert_same(name: &str, side: &str, found: &str, expected: &str) {
    let (found, expected): (Vec<&str>, Vec<&str>) = (found.lines().collect(), expected.lines().collect());
    let differ = |at: &usize| found.get(*at) != expected.get(*at);
    let lines = (0..found.len().max(expected.len())).filter(differ).take(10);
    let texts: Vec<String> =
        lines.map(|at| format!("result {at}: {:?}, not {:?}", found.get(at), expected.get(at))).collect();
    assert!(texts.is_empty(), "{name}.c, {side} (line: value):\n{}", texts.join("\n"));
}

/// What the program finds in the kernel, as `driver.c` prints it.
fn in_kernel(name: &str, kind: Kind) -> String {
    let bytes = std::fs::read(file(&format!("{name}.o"))).unwrap();
    let loaded = kernel::Loaded::new(&bytes, "program").unwrap_or_else(|error| panic!("{name}: {error}"));
    let returned = match kind {
        Kind::Syscall => loaded.run_syscall(&[0; 128]).unwrap(),
        Kind::Tc | Kind::Packet => loaded.run(&[2; 64], &[0; 192]).unwrap().verdict,
    };
    let map = loaded.map(".data.results").expect("results are in a section of their own");
    let value = map.lookup(&[0; 4]).unwrap();
    let word = |at: usize| i64::from_ne_bytes(value[8 * at..8 * at + 8].try_into().unwrap());
    let lines = (0..word(0) as usize).map(|at| format!("{}: {}\n", word(1 + 2 * at), word(2 + 2 * at)));
    lines.chain([format!("returned {}\n", returned.cast_signed())]).collect()
}

#[test]
fn the_kernel_finds_what_is_expected() {
    if let Some(reason) = kernel::unavailable() {
        // Past the test harness, which hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "runtime helpers: the kernel's side is left out: {reason}");
        assert!(std::env::var_os("CI").is_none(), "{reason}");
        return;
    }
    for (name, kind) in PROGRAMS {
        let found = in_kernel(name, kind);
        if std::env::var_os("BPF2NATIVE_BLESS").is_some() {
            std::fs::write(file(&format!("{name}.txt")), &found).unwrap();
        }
        assert_same(name, "in the kernel", &found, &expected(name));
    }
}

#[test]
fn programs_find_the_same_here() {
    for (name, kind) in PROGRAMS {
        let object = |name: &str| file(&format!("{name}.o"));
        let found = output(bpf2native().arg("run").args([object(kind.driver()), object(name)]));
        assert_same(name, "in memory", &found, &expected(name));
    }
}

#[test]
fn what_a_test_sets_and_what_time_does() {
    for name in OWN {
        assert_eq!(output(bpf2native().arg("run").arg(file(&format!("{name}.o")))), RIGHT, "{name}");
    }
}

/// Makes an executable of objects for a machine, and runs it.
fn on_machine(machine: &str, objects: &[PathBuf], folder: &Path) -> String {
    let executable = folder.join("program");
    let mut build = bpf2native();
    build.args(["--target", machine, "-o"]).arg(&executable).args(objects);
    output(build.args(["--linker", &format!("{machine}-linux-gnu-gcc")]));
    let mut run = Command::new(format!("qemu-{machine}"));
    output(run.args(["-L", &format!("/usr/{machine}-linux-gnu")]).arg(&executable))
}

fn check_machine(machine: &str, suffix: &str) {
    if !has_tool(&format!("{machine}-linux-gnu-gcc")) || !has_tool(&format!("qemu-{machine}")) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let object = |name: &str| file(&format!("{name}{suffix}"));
    for (name, kind) in PROGRAMS {
        let found = on_machine(machine, &[object(kind.driver()), object(name)], folder.path());
        assert_same(name, machine, &found, &expected(name));
    }
    for name in OWN {
        assert_eq!(on_machine(machine, &[object(name)], folder.path()), RIGHT, "{name}");
    }
}

#[test]
fn programs_find_the_same_on_aarch64() {
    check_machine("aarch64", ".o");
}

#[test]
fn programs_find_the_same_on_riscv64() {
    check_machine("riscv64", ".o");
}

#[test]
fn programs_find_the_same_on_s390x() {
    check_machine("s390x", ".be.o");
}

/// Functions of the runtime that no program calls by its name in C.
const INTERNAL: [&str; 8] = [
    "bpf_script",
    "bpf_map_ops_",
    "bpf_maps_first",
    "bpf_contexts_",
    "bpf_tail_",
    "bpf_throw_",
    "bpf_load_packet",
    "bpf2native_",
];

/// The helpers and kfuncs that an archive of the runtime defines, by the names that programs use.
fn defined(archive: &str) -> BTreeSet<String> {
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("runtime").join(archive)).unwrap();
    let read = object::read::archive::ArchiveFile::parse(&*bytes).unwrap();
    let symbols = read.symbols().unwrap().expect("an archive with an index");
    let names = symbols.map(|symbol| String::from_utf8(symbol.unwrap().name().to_vec()).unwrap());
    let names = names.filter(|name| !INTERNAL.iter().any(|internal| name.starts_with(internal)));
    names.map(|name| name.replacen("bpf_helper_", "bpf_", 1)).collect()
}

#[test]
fn each_function_has_a_row_in_the_documentation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/helpers.md");
    let text = std::fs::read_to_string(path).unwrap();
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let rows: Vec<String> = cells.clone().map(|(name, _)| name.to_owned()).collect();
    for (name, rest) in cells {
        // A kfunc has no number.
        let number = rest.split('|').nth(1).and_then(|cell| cell.trim().parse().ok());
        let link_name = name.replacen("bpf_", "bpf_helper_", 1);
        assert_eq!(number, helpers::of_symbol(&link_name), "{name}");
    }
    let documented: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), documented.len(), "a function has two rows");
    for archive in ["runtime.le.a", "runtime.be.a"] {
        let defined = defined(archive);
        let without_row: Vec<&String> = defined.difference(&documented).collect();
        let without_function: Vec<&String> = documented.difference(&defined).collect();
        assert!(
            without_row.is_empty() && without_function.is_empty(),
            "{archive}: docs/helpers.md lacks {without_row:?}, and has {without_function:?}, which the runtime has not"
        );
    }
}
