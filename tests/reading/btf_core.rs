//! CO-RE: the instructions of `fixtures/btf/core.c` after relocation to the types of `core_target.c`.
//!
//! `fixtures/btf/core.txt` has the code of each function after that. It is what libbpf 1.1 makes of the same files,
//! but for `enumerator_unsigned`, which libbpf refuses (it sign-extends where clang does not).

use std::error::Error;
use std::fmt::Write;
use std::fs;

use bpf2native::btf::core::{CoreError, Relocator, Warning, WarningReason};
use bpf2native::btf::{Btf, BtfError, BtfExt, CoreRelocation};
use object::{Object, ObjectSection};

const SECTION: &str = "raw_tp/x";

fn read(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/btf/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn section(object: &[u8], name: &str) -> Vec<u8> {
    let file = object::File::parse(object).unwrap();
    file.section_by_name(name).unwrap().data().unwrap().to_vec()
}

/// The code of the object before and after relocation to the target, the warnings, and where its functions start.
#[derive(Clone, Debug)]
struct Relocated {
    before: Vec<u8>,
    after: Vec<u8>,
    warnings: Vec<Warning>,
    functions: Vec<(usize, String)>,
}

fn relocate(object: &str, target: &Btf) -> Result<Relocated, CoreError> {
    let object = read(object);
    let btf = Btf::from_file_bytes(&object).unwrap();
    let ext = BtfExt::parse(&section(&object, ".BTF.ext"), &btf).unwrap();
    let before = section(&object, SECTION);
    let mut after = before.clone();
    let warnings = Relocator::new(&btf, target)?.relocate(SECTION, ext.core_relocations(SECTION), &mut after)?;
    let name = |ty| btf.symbol_at(ty).unwrap().name.to_owned();
    let functions = ext.functions(SECTION).iter().map(|info| (info.offset as usize, name(info.ty))).collect();
    Ok(Relocated { before, after, warnings, functions })
}

impl Relocated {
    /// A line for each function: its code, and its name.
    fn listing(&self) -> String {
        let mut text = String::new();
        let ends = self.functions.iter().skip(1).map(|(start, _)| *start).chain([self.after.len()]);
        for ((start, name), end) in self.functions.iter().zip(ends) {
            for slot in self.after[*start..end].chunks(8) {
                slot.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
                text.push(' ');
            }
            writeln!(text, "{name}").unwrap();
        }
        text
    }
}

#[test]
fn all_kinds_of_relocations() {
    let target = Btf::from_file_bytes(&read("core_target.o")).unwrap();
    let relocated = relocate("core.o", &target).unwrap();
    let expected = String::from_utf8(read("core.txt")).unwrap();
    let actual = relocated.listing();
    if actual != expected {
        let diff = similar::TextDiff::from_lines(&expected, &actual);
        panic!("expected (-) and actual (+)\n{}", diff.unified_diff().context_radius(0));
    }
}

#[test]
fn what_the_target_lacks_is_a_warning() {
    let target = Btf::from_file_bytes(&read("core_target.o")).unwrap();
    let warnings = relocate("core.o", &target).unwrap().warnings;
    let expected = [
        (0x60, "byte offset of struct sample.resized", WarningReason::Resized),
        (0x70, "byte offset of struct sample.missing", WarningReason::Missing),
        (0x80, "byte offset of struct sample.of_other_type", WarningReason::Missing),
        (0x220, "left shift of struct gone.x", WarningReason::Missing),
        (0x378, "enumerator value of enum state::GONE", WarningReason::Missing),
    ];
    for (warning, expected) in warnings.iter().zip(expected) {
        assert_eq!((warning.offset, &*warning.relocation, warning.reason), expected);
    }
    assert_eq!(warnings.len(), expected.len());
    assert_eq!(
        warnings[1].to_string(),
        "section `raw_tp/x` at 0x70: CO-RE relocation `byte offset of struct sample.missing` is not in the target"
    );
}

/// But for bit-fields, which compilers load in other ways.
#[test]
fn relocation_to_itself_changes_nothing() {
    for object in ["core.o", "core.be.o"] {
        let own = Btf::from_file_bytes(&read(object)).unwrap();
        let relocated = relocate(object, &own).unwrap();
        assert!(relocated.warnings.is_empty(), "{:?}", relocated.warnings);
        let before = Relocated { after: relocated.before.clone(), ..relocated.clone() };
        for (before, after) in before.listing().lines().zip(relocated.listing().lines()) {
            assert!(before == after || before.contains(" bits_"), "{object}: {before} became {after}");
        }
    }
}

/// The same functions in the other byte order: field offsets are the same there, bit-fields count from the other end.
#[test]
fn big_endian_objects() {
    let target = Btf::from_file_bytes(&read("core_target.be.o")).unwrap();
    let relocated = relocate("core.be.o", &target).unwrap();
    let listing = relocated.listing();
    for expected in [
        "7901000800000000 9500000000000000 load",
        "7901009800000000 9500000000000000 load_grown",
        "850000000bad2310 9500000000000000 load_missing",
        "b700000000000036 9500000000000000 bits_left",
        "1800000000000001 00000000000000ee 9500000000000000 enumerator_wide",
    ] {
        assert!(listing.lines().any(|line| line == expected), "no `{expected}` in\n{listing}");
    }
    let little = Btf::from_file_bytes(&read("core_target.o")).unwrap();
    assert!(matches!(relocate("core.be.o", &little), Err(CoreError::ByteOrder)));
}

#[test]
fn broken_records_are_errors() {
    let object = read("core.o");
    let btf = Btf::from_file_bytes(&object).unwrap();
    let ty = btf.types().find(|(_, ty)| btf.name(ty.name) == "sample").unwrap().0;
    let code = section(&object, SECTION);
    let cases = [
        ("there is no kind `13`", 13, "0:1", 0),
        ("the type has no such part", 0, "0:99", 0),
        ("the type has no such part", 0, "0:5:4", 0),
        ("the type has no such part", 0, "0:1:1", 0),
        ("the type has no such part", 0, "", 0),
        ("the type has no such part", 0, ":", 0),
        ("the type has no such part", 0, "-1:0", 0),
        ("the type has no such part", 0, "4294967295:13:4294967295:4294967295", 0),
        ("the type has no such part", 8, "0:1", 0),
        ("the type has no such part", 10, "0", 0),
        ("there is no instruction", 0, "0:1", 4),
        ("there is no instruction", 0, "0:1", code.len() as u64),
        ("there is no instruction", 0, "0:1", u64::MAX - 7),
        ("the instruction with the opcode 0x95 cannot be relocated", 0, "0:1", 8),
        ("the instruction has the value 0x8, and should have 0x40", 0, "0:7", 0),
        ("the field cannot be asked for this", 3, "0:5:1", 0),
    ];
    for (expected, kind, access, offset) in cases {
        let record = CoreRelocation { offset, ty, access: access.into(), kind };
        let mut code = code.clone();
        let result = Relocator::new(&btf, &btf).unwrap().relocate(SECTION, &[record], &mut code);
        let error = result.unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), expected, "kind {kind}, access `{access}`");
    }
}

/// Against the types of the kernel that runs here: offsets are what they are, the rest has to be found.
#[test]
fn the_running_kernel_is_a_target() {
    const KERNEL: &str = "/sys/kernel/btf/vmlinux";
    let bytes = match fs::read(KERNEL) {
        Ok(bytes) => bytes,
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("not tested for want of {KERNEL}: {error}");
            return;
        }
        Err(error) => panic!("{KERNEL}: {error}"),
    };
    let kernel = Btf::from_file_bytes(&bytes).unwrap();
    assert!(kernel.types().count() > 10_000 && kernel.symbols().count() > 1_000);
    let relocated = relocate("core.o", &kernel).unwrap();
    assert!(relocated.warnings.iter().any(|warning| warning.relocation.ends_with("enum state::GONE")));
}

/// Types that go on from those of a base, as a kernel module's do: `struct gone { int added; int x; }`, whose name is
/// the only new string.
fn split(base: &[u8]) -> Vec<u8> {
    let word = |offset: usize| u32::from_le_bytes(base[offset..offset + 4].try_into().unwrap());
    let strings = &base[24 + word(16) as usize..][..word(20) as usize];
    let at = |name: &str| {
        let name = format!("\0{name}\0");
        strings.windows(name.len()).position(|window| window == name.as_bytes()).unwrap() as u32 + 1
    };
    let whole = Btf::parse(base).unwrap();
    let int = whole.types().find(|(_, ty)| whole.name(ty.name) == "int").unwrap().0;
    let types = [strings.len() as u32, 4 << 24 | 2, 8, at("added"), int.0, 0, at("x"), int.0, 32];
    let header = [24, 0, 36, 36, 5];
    let words = header.iter().chain(&types).flat_map(|word: &u32| word.to_le_bytes());
    [0x9f, 0xeb, 1, 0].into_iter().chain(words).chain(*b"gone\0").collect()
}

#[test]
fn split_types_go_on_from_their_base() {
    let base = section(&read("core_target.o"), ".BTF");
    let (whole, split) = (Btf::parse(&base).unwrap(), split(&base));
    let both = Btf::parse_split(&split, &whole).unwrap();
    let (last, ty) = both.types().last().unwrap();
    assert_eq!((both.text(last), both.types().count()), ("struct gone".to_owned(), whole.types().count() + 1));
    let names: Vec<&str> =
        both.members(ty.kind.composite().unwrap()).iter().map(|member| both.name(member.name)).collect();
    assert_eq!(names, ["added", "x"]);
    assert_eq!(both.symbols().count(), whole.symbols().count());
    assert!(both.variable("all").is_some());

    let warnings = |target: &Btf| {
        let warnings = relocate("core.o", target).unwrap().warnings;
        warnings.into_iter().map(|warning| warning.relocation.clone()).collect::<Vec<_>>()
    };
    let (without, with) = (warnings(&whole), warnings(&both));
    assert!(without.iter().any(|relocation| relocation.contains("struct gone.x")), "{without:?}");
    assert!(!with.iter().any(|relocation| relocation.contains("struct gone.x")), "{with:?}");
    assert_eq!(with.len() + 1, without.len());
}

#[test]
fn split_types_want_their_base() {
    let base = section(&read("core_target.o"), ".BTF");
    let (whole, split) = (Btf::parse(&base).unwrap(), split(&base));
    let error = |result: Result<Btf, BtfError>| result.unwrap_err().to_string();
    assert_eq!(
        error(Btf::parse(&split)),
        "the types go on from those of another BTF: this is split BTF, without its base"
    );
    assert_eq!(
        error(Btf::parse_split(&base, &whole)),
        "the types do not go on from those of another BTF: there is no base to it"
    );
    let big = Btf::parse(&section(&read("core_target.be.o"), ".BTF")).unwrap();
    assert_eq!(error(Btf::parse_split(&split, &big)), "the base is in the other byte order");
    // Another base has not so many strings.
    let other = Btf::parse(&section(&read("plain.gcc.o"), ".BTF")).unwrap();
    assert!(error(Btf::parse_split(&split, &other)).starts_with("no string begins at"));
    // Cut off, at each byte.
    for length in 0..split.len() {
        assert!(Btf::parse_split(&split[..length], &whole).is_err(), "{length}");
    }
}

/// The modules of the kernel that runs, if it has any.
#[test]
fn kernel_modules_go_on_from_the_kernel() {
    let Ok(files) = fs::read_dir("/sys/kernel/btf") else { return };
    let Ok(kernel) = fs::read("/sys/kernel/btf/vmlinux") else { return };
    let kernel = Btf::parse(&kernel).unwrap();
    for file in files.map(|file| file.unwrap()).filter(|file| file.file_name() != "vmlinux").take(5) {
        let bytes = fs::read(file.path()).unwrap();
        assert!(matches!(Btf::parse(&bytes), Err(BtfError::NeedsBase)), "{file:?}");
        let module = Btf::parse_split(&bytes, &kernel).unwrap();
        assert!(module.types().count() > kernel.types().count(), "{file:?}");
    }
}
