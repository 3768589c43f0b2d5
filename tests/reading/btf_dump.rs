//! What is read of real objects: types as `bpftool btf dump file X.o format raw` prints them (`fixtures/btf/*.raw`
//! is its output), prototypes as C, and the records of `.BTF.ext`.

use std::fmt::Write;
use std::fs;

use bpf2native::btf::{Aggregate, Btf, BtfExt, CType, Int, Kind, Linkage, Prototypes, SymbolKind, Type};
use bpf2native::program::Endianness;
use object::{Object, ObjectSection};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/btf/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn btf(name: &str) -> Btf {
    Btf::from_file_bytes(&fixture(name)).unwrap()
}

fn ext(name: &str) -> BtfExt {
    let bytes = fixture(name);
    let file = object::File::parse(&*bytes).unwrap();
    let section = file.section_by_name(".BTF.ext").unwrap();
    BtfExt::parse(section.data().unwrap(), &btf(name)).unwrap()
}

#[test]
fn types_are_those_that_bpftool_prints() {
    for name in ["types", "types.be", "plain.gcc"] {
        let expected = String::from_utf8(fixture(&format!("{name}.raw"))).unwrap();
        assert_same(&raw(&btf(&format!("{name}.o"))), &expected, name);
    }
}

fn assert_same(actual: &str, expected: &str, name: &str) {
    if actual != expected {
        let diff = similar::TextDiff::from_lines(expected, actual);
        panic!("{name}: bpftool's dump (-) is not ours (+)\n{}", diff.unified_diff().context_radius(2));
    }
}

#[test]
fn both_byte_orders_say_the_same() {
    assert_eq!(btf("types.o").endianness(), Endianness::Little);
    assert_eq!(btf("types.be.o").endianness(), Endianness::Big);
    assert_eq!(raw(&btf("types.o")), raw(&btf("types.be.o")));
    assert_eq!(ext("types.o").lines("xdp"), ext("types.be.o").lines("xdp"));
}

#[test]
fn functions_have_their_c_types() {
    let expected = [
        "void qsort(void *, unsigned long, unsigned long, int (*)(const void *, const void *))",
        "void (*signal(int, void (*)(int)))(int)",
        "double pow(double, double)",
        "float half(float)",
        "_Bool flags(char, char, unsigned char, short, unsigned short)",
        "int mix(unsigned long, struct pair, union either, FILE *)",
        "int matrix(int (*)[3], char *const *, int *)",
        "struct pair *many(struct nested *, volatile int *)",
        "int wide(__int128)",
        "int large(struct big_one *, struct bits *, struct flexible *)",
        "int kernel_function(int)",
        "int printf(const char *, ...)",
        "int compare(const void *, const void *)",
        "int hidden(struct nested *)",
        "int entry(void *)",
    ];
    for name in ["types.o", "types.be.o"] {
        let btf = btf(name);
        let mut prototypes = Prototypes::new(&btf);
        for expected in expected {
            let name =
                expected.split(['(']).find_map(|part| part.rsplit([' ', '*']).next().filter(|s| !s.is_empty()));
            let symbol = btf.function(name.unwrap()).unwrap_or_else(|| panic!("{expected}"));
            assert_eq!(prototypes.get(symbol.id).unwrap().declare(symbol.name), expected);
        }
    }
    let gcc = btf("plain.gcc.o");
    for expected in ["_Bool flag(_Bool, char, unsigned char, unsigned int)", "int printf(const char *, ...)"] {
        let name = expected.split([' ', '(']).nth(1).unwrap();
        assert_eq!(gcc.prototype(gcc.function(name).unwrap().id).unwrap().declare(name), expected);
    }
}

#[test]
fn structs_are_taken_apart() {
    let int = |bytes, signed| CType::Int { bytes, signed };
    let float = |bytes| CType::Float { bytes };
    let pair = |at| [(at, int(4, true)), (at + 4, float(4))];
    let name = CType::Pointer("const char".into());
    let nested = [&pair(0)[..], &pair(8), &[(16, int(1, true)), (16, int(2, true)), (24, name)]].concat();
    let either = [(0, float(8)), (0, int(4, true)), (4, int(4, true)), (4, float(4))].to_vec();
    // The smallest aligned integer of a bit-field: a in bits 0..3, b in 3..10, c in 10..30, d in 30, e in 64..104.
    let bits = [(0, int(1, false)), (0, int(2, false)), (0, int(4, true)), (3, CType::Bool), (8, int(8, true))];
    let cases = [
        ("struct nested", 32, nested),
        ("union either", 8, either),
        ("struct bits", 16, bits.to_vec()),
        ("struct big_one", 65, Vec::new()),
        ("struct flexible", 4, vec![(0, int(4, true))]),
    ];
    let btf = btf("types.o");
    let mut prototypes = Prototypes::new(&btf);
    for (name, size, scalars) in cases {
        let (id, _) = btf.types().find(|(id, ty)| ty.kind.composite().is_some() && btf.text(*id) == name).unwrap();
        let CType::Aggregate(aggregate) = prototypes.ctype(id).unwrap() else { panic!("`{name}`") };
        let has_union = ["struct nested", "union either"].contains(&name);
        let has_array = has_union || name == "struct flexible";
        let (name, is_complex) = (name.to_owned(), false);
        assert_eq!(*aggregate, Aggregate { name, size, scalars, has_union, has_array, is_complex });
    }
}

#[test]
fn symbols_have_their_kind_linkage_and_section() {
    use {Linkage::*, SymbolKind::*};
    let btf = btf("types.o");
    let expected = [
        ("printf", Function, Extern, None),
        ("hidden", Function, Static, None),
        ("entry", Function, Global, None),
        ("kernel_function", Function, Extern, Some(".ksyms")),
        ("configuration", Variable, Extern, Some(".kconfig")),
        ("map", Variable, Global, Some(".maps")),
        ("counter", Variable, Static, Some(".bss")),
        ("exported", Variable, Global, Some(".bss")),
    ];
    for (name, kind, linkage, section) in expected {
        let symbols: Vec<_> = btf.symbols_named(name).collect();
        let [symbol] = symbols[..] else { panic!("`{name}`: {symbols:?}") };
        assert_eq!((symbol.name, symbol.kind, symbol.linkage), (name, kind, linkage));
        assert_eq!(btf.section_of(symbol.id), section, "`{name}`");
    }
    assert_eq!(btf.symbols_named("no such name").count(), 0);
    assert_eq!(btf.function("map"), None);
    assert_eq!(btf.variable("printf"), None);
}

#[test]
fn instructions_have_functions_and_lines() {
    let (btf, ext) = (btf("types.o"), ext("types.o"));
    let starts = ext.functions(".text").iter().map(|info| (info.offset, btf.symbol_at(info.ty).unwrap().name));
    assert_eq!(starts.map(|(_, name)| name).collect::<Vec<_>>(), ["compare", "user_of_all", "hidden"]);
    assert_eq!(ext.functions("xdp").len(), 1);
    assert!(ext.functions("no such section").is_empty());
    let lines = ext.lines(".text");
    assert!(lines.is_sorted_by_key(|line| line.offset) && lines.iter().all(|line| line.offset % 8 == 0));
    let first = &lines[0];
    assert_eq!((&*first.file, first.offset), ("./types.c", 0));
    let source = String::from_utf8(fixture("types.c")).unwrap();
    for line in lines {
        assert_eq!(source.lines().nth(line.line as usize - 1), Some(&*line.text));
    }
    let xdp = ext.functions("xdp")[0];
    assert_eq!((xdp.offset, btf.symbol_at(xdp.ty).unwrap().name), (0, "entry"));
}

#[test]
fn gcc_records_co_re_only() {
    let ext = ext("plain.gcc.o");
    let [relocation] = ext.core_relocations("xdp") else { panic!("{ext:?}") };
    assert_eq!((&*relocation.access, relocation.kind, relocation.offset), ("0:1", 0, 0));
    assert!(ext.lines(".text").is_empty() && ext.functions(".text").is_empty());
}

/// As `bpftool btf dump file X format raw`.
fn raw(btf: &Btf) -> String {
    let mut out = String::new();
    for (id, ty) in btf.types() {
        let word = kind_word(ty.kind);
        write!(out, "{id} {word} '{}'", or_anonymous(btf.name(ty.name))).unwrap();
        raw_type(btf, ty, &mut out);
        out.push('\n');
    }
    out
}

fn or_anonymous(name: &str) -> &str {
    if name.is_empty() { "(anon)" } else { name }
}

fn linkage(linkage: Linkage) -> &'static str {
    match linkage {
        Linkage::Static => "static",
        Linkage::Global => "global",
        Linkage::Extern => "extern",
    }
}

fn raw_type(btf: &Btf, ty: &Type, out: &mut String) {
    match ty.kind {
        Kind::Int(Int { bytes, bits, bit_offset, signed, character, boolean }) => {
            let encoding = match (signed, character, boolean) {
                (false, false, false) => "(none)",
                (true, false, false) => "SIGNED",
                (false, true, false) => "CHAR",
                (false, false, true) => "BOOL",
                _ => "UNKN",
            };
            write!(out, " size={bytes} bits_offset={bit_offset} nr_bits={bits} encoding={encoding}").unwrap();
        }
        Kind::Pointer(of)
        | Kind::Typedef(of)
        | Kind::Volatile(of)
        | Kind::Const(of)
        | Kind::Restrict(of)
        | Kind::TypeTag(of) => write!(out, " type_id={}", of.0).unwrap(),
        Kind::Array(array) => {
            let (element, index) = (array.element.0, array.index.0);
            write!(out, " type_id={element} index_type_id={index} nr_elems={}", array.count).unwrap();
        }
        Kind::Struct(composite) | Kind::Union(composite) => {
            write!(out, " size={} vlen={}", composite.bytes, composite.members.len()).unwrap();
            for member in btf.members(composite) {
                let name = or_anonymous(btf.name(member.name));
                write!(out, "\n\t'{name}' type_id={} bits_offset={}", member.ty.0, member.bit_offset).unwrap();
                if member.bit_size != 0 {
                    write!(out, " bitfield_size={}", member.bit_size).unwrap();
                }
            }
        }
        Kind::Enum(all) | Kind::Enum64(all) => {
            let encoding = if all.signed { "SIGNED" } else { "UNSIGNED" };
            write!(out, " encoding={encoding} size={} vlen={}", all.bytes, all.enumerators.len()).unwrap();
            let suffix = match (ty.kind, all.signed) {
                (Kind::Enum(_), _) => "",
                (_, true) => "LL",
                (_, false) => "ULL",
            };
            for enumerator in btf.enumerators(all) {
                let (name, value) = (btf.name(enumerator.name), enumerator.value);
                let value = if all.signed { (value as i64).to_string() } else { value.to_string() };
                write!(out, "\n\t'{name}' val={value}{suffix}").unwrap();
            }
        }
        Kind::Forward { union } => write!(out, " fwd_kind={}", if union { "union" } else { "struct" }).unwrap(),
        Kind::Function { prototype, linkage: of } => {
            write!(out, " type_id={} linkage={}", prototype.0, linkage(of)).unwrap();
        }
        Kind::FunctionPrototype(function) => {
            write!(out, " ret_type_id={} vlen={}", function.result.0, function.parameters.len()).unwrap();
            for parameter in btf.parameters(function) {
                let name = or_anonymous(btf.name(parameter.name));
                write!(out, "\n\t'{name}' type_id={}", parameter.ty.0).unwrap();
            }
        }
        Kind::Variable { ty, linkage: of } => write!(out, " type_id={}, linkage={}", ty.0, linkage(of)).unwrap(),
        Kind::DataSection { bytes, entries } => {
            write!(out, " size={bytes} vlen={}", entries.len()).unwrap();
            for entry in btf.section_entries(entries) {
                let symbol = btf.symbol_at(entry.ty).unwrap();
                let kind = if symbol.kind == SymbolKind::Function { "FUNC" } else { "VAR" };
                let (ty, offset, bytes, name) = (entry.ty.0, entry.offset, entry.bytes, symbol.name);
                write!(out, "\n\ttype_id={ty} offset={offset} size={bytes} ({kind} '{name}')").unwrap();
            }
        }
        Kind::Float { bytes } => write!(out, " size={bytes}").unwrap(),
        Kind::DeclTag { ty, component } => {
            let component = component.map_or(-1, i64::from);
            write!(out, " type_id={} component_idx={component}", ty.0).unwrap();
        }
        Kind::Void | Kind::Unknown { .. } => {}
    }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Void => "VOID",
        Kind::Int(_) => "INT",
        Kind::Pointer(_) => "PTR",
        Kind::Array(_) => "ARRAY",
        Kind::Struct(_) => "STRUCT",
        Kind::Union(_) => "UNION",
        Kind::Enum(_) => "ENUM",
        Kind::Enum64(_) => "ENUM64",
        Kind::Forward { .. } => "FWD",
        Kind::Typedef(_) => "TYPEDEF",
        Kind::Volatile(_) => "VOLATILE",
        Kind::Const(_) => "CONST",
        Kind::Restrict(_) => "RESTRICT",
        Kind::Function { .. } => "FUNC",
        Kind::FunctionPrototype(_) => "FUNC_PROTO",
        Kind::Variable { .. } => "VAR",
        Kind::DataSection { .. } => "DATASEC",
        Kind::Float { .. } => "FLOAT",
        Kind::DeclTag { .. } => "DECL_TAG",
        Kind::TypeTag(_) => "TYPE_TAG",
        Kind::Unknown { .. } => "UNKNOWN",
    }
}
