//! Objects for the kernel, translated for every target and read back: symbols, sections, relocations, unwind tables.

use std::collections::BTreeMap;
use std::path::Path;

use bpf2native::emit::{self, Purpose};
use bpf2native::parse::{self, Input, Options};
use bpf2native::{Config, Program};
use gimli::{BaseAddresses, EhFrame, RunTimeEndian, UnwindSection};
use object::{BinaryFormat, Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionKind};

/// Every fixture, with the names that it defines for others and those that it leaves undefined.
const FIXTURES: [(&str, &[&str], &[&str]); 6] = [
    ("xdp", &["blocked", "filter", "limit", "packets"], &["bpf_helper_map_lookup_elem"]),
    (
        "tracepoint",
        &["enter", "events", "leave", "slowest", "started"],
        &[
            "bpf_helper_get_current_pid_tgid",
            "bpf_helper_ktime_get_ns",
            "bpf_helper_map_lookup_elem",
            "bpf_helper_map_update_elem",
            "bpf_helper_ringbuf_reserve",
            "bpf_helper_ringbuf_submit",
        ],
    ),
    ("struct_ops", &["acknowledge", "linked", "slow", "start", "threshold"], &[]),
    (
        "externs",
        // A weak value of the kernel's configuration is 0.
        &["CONFIG_PREEMPT", "new_task"],
        &[
            "CONFIG_HZ",
            "LINUX_KERNEL_VERSION",
            "bpf_task_acquire",
            "bpf_task_release",
            "jiffies_64",
            "missing_function",
            "missing_variable",
        ],
    ),
    ("core", &["name", "schedule", "total"], &["bpf_helper_probe_read_kernel"]),
    ("arena", &["arena", "head", "push", "shared_sum", "sum"], &["bpf_arena_alloc_pages"]),
];

const TARGETS: [&str; 8] = [
    "x86_64",
    "aarch64",
    "riscv64",
    "s390x",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
];

fn fixture(name: &str) -> Program {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel").join(name);
    let input = Input { name: path.display().to_string(), bytes: std::fs::read(&path).unwrap() };
    parse::parse(&[input], &Options::without_runtime()).unwrap_or_else(|error| panic!("{error}"))
}

fn translate(name: &str, target: &str) -> Vec<u8> {
    let suffix = if target == "s390x" { "be.o" } else { "o" };
    let program = fixture(&format!("{name}.{suffix}"));
    let config = Config::for_target(target.parse().unwrap());
    let object = emit::object(&program, &config, Purpose::Relocatable, "kernel.o")
        .unwrap_or_else(|error| panic!("{name} for {target}: {error}"));
    assert!(object.warnings.is_empty(), "{name} for {target}: {:?}", object.warnings);
    object.bytes
}

fn for_all(check: impl Fn(&str, &object::File<'_>, &str)) {
    for (name, ..) in FIXTURES {
        for target in TARGETS {
            let object = translate(name, target);
            check(name, &object::File::parse(&*object).unwrap(), &format!("{name} for {target}"));
        }
    }
}

/// A global symbol's name, as C has it.
fn c_name<'a>(file: &object::File<'_>, name: &'a str) -> &'a str {
    match file.format() {
        BinaryFormat::MachO => name.strip_prefix('_').unwrap_or_else(|| panic!("`{name}` has no underscore")),
        _ => name,
    }
}

#[test]
fn symbols_are_defined_or_left_to_the_linker() {
    for_all(|name, file, what| {
        let (_, defined, undefined) = FIXTURES.iter().find(|(fixture, ..)| *fixture == name).unwrap();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut found = (Vec::new(), Vec::new());
        for symbol in file.symbols().filter(|symbol| symbol.is_global()) {
            let name = c_name(file, symbol.name().unwrap());
            // The licence is of the header; COFF has a definition beside each weak reference.
            if name == "terms" || name.starts_with(".weak.") {
                continue;
            }
            *seen.entry(name).or_default() += 1;
            // A weak reference of COFF is a definition where what is beside it lies in a section.
            let beside = format!(".weak.{name}.");
            let is_weak_definition = file.symbols().any(|symbol| {
                symbol.section_index().is_some() && symbol.name().is_ok_and(|name| name.starts_with(&beside))
            });
            let is_defined = symbol.is_definition() || is_weak_definition;
            let list = if is_defined { &mut found.0 } else { &mut found.1 };
            list.push(name);
        }
        found.0.sort_unstable();
        found.1.sort_unstable();
        assert_eq!(found.0, *defined, "{what}");
        assert_eq!(found.1, *undefined, "{what}");
        assert!(seen.values().all(|&count| count == 1), "{what}: {seen:?}");
    });
}

#[test]
fn relocations_lie_in_their_sections_and_have_targets() {
    for_all(|name, file, what| {
        let mut count = 0;
        for section in file.sections() {
            for (offset, relocation) in section.relocations() {
                assert!(offset < section.size(), "{what}: {offset:#x} in {:?}", section.name());
                if let RelocationTarget::Symbol(index) = relocation.target() {
                    file.symbol_by_index(index).unwrap();
                }
                count += usize::from(section.kind() != SectionKind::Text);
            }
        }
        // Two tables of three pointers to programs.
        let pointers = if name == "struct_ops" { 6 } else { 0 };
        assert!(count >= pointers, "{what}: {count} relocations of data");
    });
}

/// The functions that the unwind table of an ELF or Mach-O object covers.
fn covered(file: &object::File<'_>, section: &object::Section<'_, '_>) -> usize {
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let data = section.data().unwrap();
    let mut frames = EhFrame::new(data, endian);
    frames.set_address_size(8);
    let bases = BaseAddresses::default().set_eh_frame(0).set_text(0);
    let mut entries = frames.entries(&bases);
    let mut count = 0;
    while let Some(entry) = entries.next().unwrap() {
        if let gimli::CieOrFde::Fde(partial) = entry {
            let fde = partial.parse(EhFrame::cie_from_offset).unwrap();
            let mut instructions = fde.instructions(&frames, &bases);
            while instructions.next().unwrap().is_some() {}
            assert!(fde.len() > 0);
            count += 1;
        }
    }
    count
}

#[test]
fn unwind_tables_cover_every_function() {
    for (name, ..) in FIXTURES {
        for target in TARGETS {
            let functions = fixture(&format!("{name}.o")).functions.len();
            let bytes = translate(name, target);
            let file = object::File::parse(&*bytes).unwrap();
            let by_name = |name: &str| file.sections().find(|section| section.name() == Ok(name));
            let count = match file.format() {
                BinaryFormat::Elf => covered(&file, &by_name(".eh_frame").unwrap()),
                BinaryFormat::MachO => covered(&file, &by_name("__eh_frame").unwrap()),
                _ => {
                    let entry = if target.starts_with("x86_64") { 12 } else { 8 };
                    by_name(".pdata").unwrap().size() as usize / entry
                }
            };
            assert_eq!(count, functions, "{name} for {target}");
        }
    }
}

/// `r10 = 0` after a branch that is never taken, and r15, as programs have them that test a verifier.
#[test]
fn what_a_verifier_refuses_traps_in_objects_only() {
    let code = [
        [0xb7, 0, 0, 0, 0, 0, 0, 0],
        [0x15, 0, 2, 0, 0, 0, 0, 0],
        [0xb7, 0x0a, 0, 0, 0, 0, 0, 0],
        [0xbf, 0xf0, 0, 0, 0, 0, 0, 0],
        [0x95, 0, 0, 0, 0, 0, 0, 0],
    ];
    let program = Program::from_instructions("bad", code.as_flattened()).unwrap();
    let config = Config::default();
    let warnings = emit::object(&program, &config, Purpose::Relocatable, "bad").unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].text().contains("writes r10") && warnings[1].text().contains("r15"), "{warnings:?}");
    for purpose in [Purpose::Executable, Purpose::SharedLibrary] {
        let refused = emit::object(&program, &config, purpose, "bad").unwrap_err();
        assert!(refused.to_string().contains("writes r10"), "{refused}");
    }
}
