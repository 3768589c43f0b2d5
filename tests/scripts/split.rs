//! Which half a function belongs to, and what the user half is told of the kernel half: the tables of `runtime/script/script.h`.

use bpf2native::Program;
use bpf2native::parse::{self, Input, Options};
use bpf2native::program::{Contents, DataSectionId, Half, Target};

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

#[test]
fn shared_sections_are_alone_on_their_pages() {
    use object::{Object, ObjectSymbol};
    for compiler in compilers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shapes.o");
        std::fs::write(&path, compile(compiler, &source("shapes.c"), &["-g"])).unwrap();
        for (target, page) in [("x86_64", 4096), ("aarch64", 64 << 10), ("riscv64", 4096)] {
            let native = folder.path().join(format!("{target}.o"));
            output(bpf2native().arg("-c").arg(&path).args(["--target", target, "-o"]).arg(&native));
            let bytes = std::fs::read(&native).unwrap();
            let file = object::File::parse(&*bytes).unwrap();
            let symbol = |name: &str| file.symbols().find(|symbol| symbol.name() == Ok(name)).expect(name);
            for name in [".data", ".bss", ".data.extra"] {
                let start = symbol(name);
                let shared = [".data", ".bss", ".data.extra"].map(|name| symbol(name).address());
                assert_eq!(start.address() % page, 0, "{target}: {name}");
                for other in file.symbols().filter(|other| other.section() == start.section()) {
                    let distance = other.address() / page;
                    let is_within = shared.iter().any(|shared| shared / page == distance);
                    let own = program_symbols(&file, start.address(), page);
                    assert!(
                        !is_within || distance != start.address() / page || own.contains(&other.name().unwrap())
                    );
                }
            }
            assert!(file.symbols().any(|symbol| symbol.name() == Ok("main") && symbol.is_definition()), "{target}");
            for kernel in ["first", "second", "third", "weighed", "count"] {
                assert!(!file.symbols().any(|symbol| symbol.name() == Ok(kernel)), "{target}: {kernel}");
            }
        }
    }
}

/// The names of symbols on one page.
fn program_symbols<'a>(file: &'a object::File<'a>, start: u64, page: u64) -> Vec<&'a str> {
    use object::{Object, ObjectSymbol};
    let on_page = file.symbols().filter(|symbol| (start..start + page).contains(&symbol.address()));
    on_page.filter_map(|symbol| symbol.name().ok()).collect()
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
