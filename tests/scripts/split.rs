//! Which half a function belongs to, and what the user half is told of the kernel half: the tables of `runtime/script/script.h`.

use bpf2native::Program;
use bpf2native::parse::{self, Input, Options};
use bpf2native::program::{Contents, DataSectionId, Half, Target};

use object::{Object, ObjectSymbol};

use crate::halves::{compile, compile_text, compilers, kernel_copy, source};
use crate::native::{bpf2native, output};

/// A source of this folder as a program, of which the kernel half is wanted.
fn parsed(object: Vec<u8>) -> Program {
    let mut options = Options::default();
    options.kernel_half = true;
    parse::parse(&[Input { name: "folder/shapes.o".to_owned(), bytes: object }], &options).unwrap()
}

/// Data of a program that other data points to.
struct Memory<'a> {
    program: &'a Program,
    section: DataSectionId,
    start: u64,
}

impl<'a> Memory<'a> {
    /// What the runtime's pointer of a name points to.
    fn of(program: &'a Program, name: &str) -> Memory<'a> {
        let (_, symbol) = program.symbols.iter().find(|(_, symbol)| symbol.name == name).unwrap();
        Memory { program, section: symbol.section, start: symbol.offset }.follow(0).unwrap()
    }

    fn target(&self, offset: u64) -> Option<Target> {
        let relocations = &self.program.data[self.section].relocations;
        relocations.iter().find(|relocation| relocation.offset == self.start + offset).map(|found| found.target)
    }

    fn follow(&self, offset: u64) -> Option<Memory<'a>> {
        match self.target(offset)? {
            Target::Data { section, offset } => {
                Some(Memory { program: self.program, section, start: offset.cast_unsigned() })
            }
            other => panic!("{other:?}"),
        }
    }

    fn bytes(&self) -> &'a [u8] {
        let Contents::Bytes(bytes) = &self.program.data[self.section].contents else { panic!("no bytes") };
        &bytes[self.start as usize..]
    }

    fn text(&self, offset: u64) -> Option<String> {
        let bytes = self.follow(offset)?.bytes();
        let end = bytes.iter().position(|&byte| byte == 0).unwrap();
        Some(String::from_utf8(bytes[..end].to_vec()).unwrap())
    }

    fn word(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.bytes()[offset..offset + 4].try_into().unwrap())
    }

    fn long(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.bytes()[offset..offset + 8].try_into().unwrap())
    }

    /// The elements of a list whose pointer is at an offset, with its length behind.
    fn list(&self, offset: u64) -> Vec<Memory<'a>> {
        let list = self.follow(offset).unwrap();
        let at = |index| Memory { program: self.program, section: list.section, start: list.start + 32 * index };
        (0..self.long(offset as usize + 8)).map(at).collect()
    }
}

#[test]
fn functions_belong_to_who_reaches_them() {
    for compiler in compilers() {
        let program = parsed(compile(compiler, &source("shapes.c"), &["-g"]));
        let halves = program.halves.as_ref().unwrap();
        for (name, half) in [
            ("first", Half::Kernel),
            ("second", Half::Kernel),
            ("third", Half::Kernel),
            ("weighed", Half::Kernel),
            ("count", Half::Kernel),
            ("scaled", Half::Both),
            ("BEGIN", Half::User),
            ("record", Half::User),
            ("tick", Half::User),
            ("END", Half::User),
            ("compared", Half::User),
        ] {
            let (id, _) = program.functions.iter().find(|(_, function)| function.name == name).expect(name);
            assert_eq!(halves.of(id), half, "{compiler}: {name}");
        }
    }
}

#[test]
fn the_driver_is_told_what_there_is() {
    for compiler in compilers() {
        let object = compile(compiler, &source("shapes.c"), &["-g"]);
        let copy = kernel_copy(&object).unwrap();
        let program = parsed(object);
        let script = Memory::of(&program, "bpf_script");
        assert_eq!(script.text(64).unwrap(), "shapes");
        assert_eq!(script.long(8), copy.len() as u64);
        assert_eq!(&script.follow(0).unwrap().bytes()[..copy.len()], copy);

        let functions: Vec<(String, u32, u32, Option<String>)> = script
            .list(16)
            .iter()
            .map(|function| {
                let Some(Target::Function(id)) = function.target(16) else { panic!("no function") };
                let name = program.functions[id].name.clone();
                (name, function.word(0), function.word(4), function.text(8))
            })
            .collect();
        let mut expected = [
            ("BEGIN", 2, 1, None),
            ("record", 3, 1, Some("events")),
            ("tick", 4, 0, Some("100ms")),
            ("END", 5, 0, None),
        ]
        .map(|(name, kind, returns, argument)| (name.to_owned(), kind, returns, argument.map(str::to_owned)));
        let mut sorted = functions.clone();
        sorted.sort();
        expected.sort();
        assert_eq!(sorted, expected, "{compiler}");

        let mut sections: Vec<(String, u64, u32)> = script
            .list(32)
            .iter()
            .map(|section| (section.text(0).unwrap(), section.long(16), section.word(24)))
            .collect();
        sections.sort();
        let names: Vec<&str> = sections.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, [".bss", ".data", ".data.extra", ".rodata"], "{compiler}");
        assert_eq!(sections.iter().map(|(.., writable)| *writable).collect::<Vec<_>>(), [1, 1, 1, 0]);
        for (name, size, _) in &sections {
            let (_, data) = program.data.iter().find(|(_, data)| data.name == *name).unwrap();
            assert_eq!(*size, data.contents.len(), "{name}");
        }

        let variables: Vec<(String, u32, u32, u32)> = script
            .list(48)
            .iter()
            .map(|variable| (variable.text(0).unwrap(), variable.word(16), variable.word(20), variable.word(24)))
            .collect();
        let named = |name: &str| variables.iter().find(|(variable, ..)| variable == name).cloned().expect(name);
        assert_eq!(named("target"), ("target".to_owned(), 4, 1, 1));
        assert_eq!(named("word"), ("word".to_owned(), 16, 4, 1));
        assert_eq!(named("hits"), ("hits".to_owned(), 4, 1, 0));
        assert_eq!(named("total"), ("total".to_owned(), 8, 2, 0));
        let keys: Vec<(bool, &String)> =
            variables.iter().map(|(name, .., constant)| (*constant == 0, name)).collect();
        assert!(keys.is_sorted(), "constants first, then by name: {variables:?}");
    }
}

#[test]
fn maps_of_the_kernel_half_are_the_kernels() {
    for compiler in compilers() {
        let program = parsed(compile(compiler, &source("shapes.c"), &["-g"]));
        let mut map = Some(Memory::of(&program, "bpf_maps_first"));
        let mut names = Vec::new();
        while let Some(at) = map {
            names.push(at.text(8).unwrap());
            let Some(Target::Symbol { symbol, .. }) = at.target(0) else { panic!("no operations") };
            assert_eq!(program.symbols[symbol].name, "bpf_map_ops_kernel");
            assert_eq!(at.target(72), None, "the loader sets initial elements");
            map = match at.target(88) {
                Some(Target::Symbol { symbol, .. }) => {
                    let symbol = &program.symbols[symbol];
                    Some(Memory { program: &program, section: symbol.section, start: symbol.offset })
                }
                _ => None,
            };
        }
        names.sort();
        assert_eq!(names, ["counts", "events", "tails"], "{compiler}");
    }
}

/// Sections that both halves have begin on a page of the target, and nothing else is on their pages.
#[test]
fn shared_sections_are_alone_on_their_pages() {
    for compiler in compilers() {
        let folder = tempfile::tempdir().unwrap();
        for (target, order, page) in [
            ("x86_64", "bpfel", 4096),
            ("aarch64", "bpfel", 64 << 10),
            ("riscv64", "bpfel", 4096),
            ("s390x", "bpfeb", 4096),
        ] {
            let path = folder.path().join("shapes.o");
            std::fs::write(&path, compile(compiler, &source("shapes.c"), &["-g", "-target", order])).unwrap();
            let native = folder.path().join(format!("{target}.o"));
            output(bpf2native().arg("-c").arg(&path).args(["--target", target, "-o"]).arg(&native));
            let bytes = std::fs::read(&native).unwrap();
            let file = object::File::parse(&*bytes).unwrap();
            let symbols: Vec<_> = file.symbols().filter(|symbol| symbol.is_definition()).collect();
            let named = |name: &str| symbols.iter().find(|symbol| symbol.name() == Ok(name));
            for (shared, own) in [(".data", "hits"), (".bss", "total"), (".data.extra", "extra")] {
                let start = named(shared).expect(shared);
                assert_eq!(start.address() % page, 0, "{target}: {shared}");
                let variable = named(own).expect(own);
                assert_eq!(variable.address() / page, start.address() / page, "{target}: {own}");
                let size: u64 = match shared {
                    ".data" => 4,
                    ".data.extra" => 4,
                    // `total` and `pointer`, and a megabyte of the user half's.
                    _ => file.symbols().map(|symbol| symbol.size()).max().unwrap(),
                };
                let pages = start.address()..(start.address() + size).next_multiple_of(page);
                for other in symbols.iter().filter(|other| other.section() == start.section()) {
                    let is_inside = (start.address()..start.address() + size).contains(&other.address());
                    assert!(
                        is_inside || !pages.contains(&other.address()),
                        "{target}: {:?} is on a page of {shared}",
                        other.name()
                    );
                }
            }
            assert!(named("main").is_some(), "{target}: the driver's");
            for kernel in ["first", "second", "third", "weighed", "count"] {
                assert!(named(kernel).is_none(), "{target}: {kernel}");
            }
            for user in ["BEGIN", "record", "tick", "END"] {
                assert!(named(user).is_some(), "{target}: {user}");
            }
        }
    }
}

#[test]
fn inspect_says_which_half_it_is() {
    for compiler in compilers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shapes.o");
        std::fs::write(&path, compile(compiler, &source("shapes.c"), &["-g"])).unwrap();
        let text = output(bpf2native().arg("inspect").arg(&path));
        for (function, half) in [("third(", "kernel"), ("END(", "user"), ("scaled(", "both")] {
            let line = text.lines().find(|line| line.contains(function) && line.contains("slots")).expect(function);
            assert!(line.contains(half), "{compiler}: {line}");
        }
        let json = output(bpf2native().args(["inspect", "--json"]).arg(&path));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let functions = json["functions"].as_array().unwrap();
        let half = |name: &str| {
            let function = functions.iter().find(|function| function["name"] == name).expect(name);
            function["half"].as_str().map(str::to_owned)
        };
        assert_eq!(half("first").as_deref(), Some("kernel"));
        assert_eq!(half("scaled").as_deref(), Some("both"));
        assert_eq!(half("record").as_deref(), Some("user"));

        let plain = compile_text(compiler, "int main(void) { return 0; }", &["-g"]);
        std::fs::write(&path, plain).unwrap();
        let json = output(bpf2native().args(["inspect", "--json"]).arg(&path));
        assert!(json.contains("\"half\": null"), "{json}");
    }
}

/// A constant that only the user half reads can be set, and a function is the script's by its section though it is static.
#[test]
fn what_the_user_half_has_alone_is_listed_too() {
    let text = r#"
        #include <linux/bpf.h>
        #include <bpf/bpf_helpers.h>
        int printf(const char *format, ...);
        const volatile int wanted = 3;
        int plain = 4;
        SEC("xdp") int pass(struct xdp_md *context) { return 2; }
        static __attribute__((used)) SEC("TIMER/20ms") void tick(void) { printf("%d %d\n", wanted, plain); }
        char LICENSE[] SEC("license") = "GPL";
    "#;
    for compiler in compilers() {
        let program = parsed(compile_text(compiler, text, &["-g"]));
        let script = Memory::of(&program, "bpf_script");
        let texts = |at| script.list(at).iter().map(|entry| entry.text(0).unwrap()).collect::<Vec<_>>();
        assert_eq!(texts(32), [""; 0], "{compiler}: nothing is shared");
        assert_eq!(texts(48), ["wanted"], "{compiler}");
        let functions = script.list(16);
        assert_eq!(functions.len(), 1, "{compiler}");
        assert_eq!((functions[0].word(0), functions[0].text(8).as_deref()), (4, Some("20ms")), "{compiler}");
    }
}

/// Options of scripts are for scripts; `--no-kernel` leaves BEGIN and END.
#[test]
fn options_of_scripts_are_for_scripts() {
    let script = r#"
        #include <linux/bpf.h>
        #include <bpf/bpf_helpers.h>
        int printf(const char *format, ...);
        struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, long); } sums SEC(".maps");
        SEC("xdp") int pass(struct xdp_md *context) { return 2; }
        int BEGIN(void) { int key = 0; long value = 7; return bpf_map_update_elem(&sums, &key, &value, 0); }
        void END(void) { int key = 0; long *value = bpf_map_lookup_elem(&sums, &key); printf("%ld\n", value ? *value : -1); }
        char LICENSE[] SEC("license") = "GPL";
    "#;
    for compiler in compilers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script.o");
        std::fs::write(&path, compile_text(compiler, script, &["-g"])).unwrap();
        let out = output(bpf2native().args(["run", "--no-kernel"]).arg(&path));
        assert_eq!(
            out,
            "7
",
            "{compiler}"
        );
        let native = folder.path().join("script");
        output(bpf2native().arg("--no-kernel").arg(&path).arg("-o").arg(&native));
        assert_eq!(
            output(&mut std::process::Command::new(&native)),
            "7
",
            "{compiler}"
        );

        for options in [&["-v"][..], &["--duration", "1s"], &["--set", "x=1"], &["-a"], &["-p", "1"], &["-i", "lo"]]
        {
            let ran = bpf2native().args(["run", "--no-kernel"]).args(options).arg(&path).output().unwrap();
            assert_eq!(ran.status.code(), Some(2), "{compiler}: {options:?}");
            let said = String::from_utf8(ran.stderr).unwrap();
            assert!(said.contains("are for scripts with a kernel half"), "{said}");
        }
        let ran = bpf2native().args(["run", "--entry", "pass", "-v"]).arg(&path).output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{compiler}");
        // One function of a script is called as that of any other object.
        let out = output(bpf2native().args(["run", "--entry", "pass", "--packet", "00"]).arg(&path));
        assert!(out.contains("XDP_PASS"), "{out}");
    }
}
