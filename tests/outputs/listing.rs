//! What `--emit` shows: readable, the same every time, and what is shipped.
//!
//! `tests/listing/*.txt` are listings of one function; `just bless` accepts what is new.

use std::collections::BTreeMap;
use std::path::PathBuf;

use object::{Object, ObjectSection, ObjectSymbol};

/// The command's standard output, in the folder of the fixtures.
fn emit(arguments: &[&str]) -> String {
    crate::native::output(crate::native::bpf2native().current_dir(crate::native::fixture("")).args(arguments))
}

const TARGETS: [(&str, &str); 4] = [
    ("x86_64", "obj/clang22-v4"),
    ("aarch64", "obj/clang22-v4"),
    ("riscv64", "obj/clang22-v4"),
    ("s390x", "obj/clang22-v4-s390x"),
];

#[test]
fn listings_are_as_they_were() {
    let mut listings: Vec<(String, Vec<&str>)> = ["bpf", "clif", "clif-opt"]
        .map(|kind| (kind.to_owned(), vec![kind, "x86_64", "obj/clang22-v4/words.o"]))
        .to_vec();
    let objects = TARGETS.map(|(target, folder)| (target, format!("{folder}/words.o")));
    for (target, object) in &objects {
        listings.push((format!("asm-{target}"), vec!["asm", target, object]));
    }
    let mut differences = String::new();
    for (name, words) in listings {
        let [kind, target, object] = words[..] else { unreachable!("three words each") };
        let actual = emit(&["--emit", kind, "--target", target, "--function", "by_count_then_word", object]);
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/listing/{name}.txt"));
        if std::env::var_os("BPF2NATIVE_BLESS").is_some() {
            std::fs::write(&path, actual).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if actual != expected {
            let diff = similar::TextDiff::from_lines(&expected, &actual);
            differences += &diff.unified_diff().header(&format!("tests/listing/{name}.txt"), "now").to_string();
        }
    }
    assert!(differences.is_empty(), "{differences}\n`just bless` accepts it");
}

/// The bytes that an assembly listing shows, by function.
fn shown_bytes(listing: &str) -> BTreeMap<String, Vec<u8>> {
    let mut functions = BTreeMap::new();
    let mut name = String::new();
    for line in listing.lines() {
        if let Some(heading) = line.strip_prefix("; ") {
            heading.split(' ').next().unwrap().clone_into(&mut name);
            functions.insert(name.clone(), Vec::new());
        } else if let Some((offset, rest)) = line.split_once(":  ")
            && let Ok(offset) = usize::from_str_radix(offset.trim(), 16)
        {
            let bytes: &mut Vec<u8> = functions.get_mut(&name).unwrap();
            assert_eq!(offset, bytes.len(), "{name}: {line}");
            let words = rest.split(' ').take_while(|word| word.len() == 2);
            bytes.extend(words.map_while(|word| u8::from_str_radix(word, 16).ok()));
        }
    }
    functions
}

#[test]
fn what_is_shown_is_what_is_shipped() {
    for (target, folder) in TARGETS {
        for (object, level) in [("words.o", "-O2"), ("json.o", "-O1"), ("switches.o", "-O2"), ("division.o", "-O0")]
        {
            let path = format!("{folder}/{object}");
            let shown = shown_bytes(&emit(&["--emit", "asm", level, "--target", target, &path]));
            let made = tempfile::NamedTempFile::new().unwrap();
            emit(&["-c", level, "--target", target, &path, "-o", made.path().to_str().unwrap()]);
            let bytes = std::fs::read(made.path()).unwrap();
            let file = object::File::parse(&*bytes).unwrap();
            let mut compared = 0;
            for symbol in
                file.symbols().filter(|symbol| symbol.kind() == object::SymbolKind::Text && symbol.size() > 0)
            {
                let section = file.section_by_index(symbol.section_index().unwrap()).unwrap();
                let start = (symbol.address() - section.address()) as usize;
                let code = &section.data().unwrap()[start..][..symbol.size() as usize];
                let name = symbol.name().unwrap();
                assert_eq!(shown.get(name).map(Vec::as_slice), Some(code), "{name} of {path} for {target} {level}");
                compared += 1;
            }
            assert!(compared >= shown.len() && compared > 0, "{path}: {compared} of {}", shown.len());
        }
    }
}

/// Every listing is the same for any number of threads, and each line of BPF and of source is in it.
#[test]
fn listings_are_complete_and_deterministic() {
    for (target, folder) in TARGETS {
        let path = format!("{folder}/json.o");
        for kind in ["bpf", "clif", "clif-opt", "asm"] {
            let arguments = ["--emit", kind, "--target", target, &path];
            let text = emit(&[&arguments[..], &["-j", "1"]].concat());
            assert_eq!(text, emit(&[&arguments[..], &["-j", "2"]].concat()), "{kind} for {target}");
            assert!(text.contains("json.c:"), "{kind} for {target} has no source lines");
            assert!(text.contains("printf"), "{kind} for {target} has no names");
            assert!(!text.contains("userextname") && !text.contains(" u0:"), "{kind} for {target} has numbers");
        }
    }
}

/// Labels are defined once, and branches go to labels.
#[test]
fn branches_go_to_labels() {
    for (target, folder) in TARGETS {
        for object in ["switches.o", "regex.o"] {
            let listing = emit(&["--emit", "asm", "--target", target, &format!("{folder}/{object}")]);
            let mut used = 0;
            for function in listing.split("\n\n") {
                let is_label = |word: &&str| word.strip_prefix('L').is_some_and(|rest| rest.parse::<u32>().is_ok());
                let defined: Vec<&str> =
                    function.lines().filter_map(|line| line.strip_suffix(':')).filter(is_label).collect();
                let mut distinct = defined.clone();
                distinct.dedup();
                assert_eq!(defined, distinct, "{function}");
                for line in function.lines() {
                    let code = line.split("  ; ").next().unwrap();
                    for word in code.split([' ', ',']).filter(is_label) {
                        assert!(defined.contains(&word), "{target}: {line}\n{function}");
                        used += 1;
                    }
                }
            }
            assert!(used > 10, "{object} for {target}: {used}");
        }
    }
}

/// A call of a helper has its name and its number, as in the kernel's verifier log; a number without a name stays alone.
#[test]
fn helpers_have_names() {
    for object in ["xdp.o", "xdp.be.o"] {
        let listing = emit(&["--emit", "bpf", &format!("kernel/{object}")]);
        assert!(listing.contains(":  call bpf_map_lookup_elem#1\n"), "{object}: {listing}");
    }
    // call 212; call 6; exit
    let code = [[0x85, 0, 0, 0, 212, 0, 0, 0], [0x85, 0, 0, 0, 6, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]];
    let program = bpf2native::Program::from_instructions("helpers", code.as_flattened()).unwrap();
    let listing = bpf2native::compare::listing::bpf(&program, None).unwrap();
    let calls: Vec<&str> =
        listing.lines().filter_map(|line| line.split_once("call ")).map(|(_, callee)| callee).collect();
    assert_eq!(calls, ["212", "bpf_trace_printk#6"], "{listing}");
}
