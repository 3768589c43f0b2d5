//! Broken BTF: an error or a result, never a panic, and no more work than the input is long.

use std::fs;

use bpf2native::btf::core::Relocator;
use bpf2native::btf::{Btf, BtfExt, Kind, Prototypes, TypeId};
use object::{Object, ObjectSection};
use proptest::prelude::*;

use crate::seeds;
use crate::work::{allocated, is_in_proportion};

const FIXTURES: &[&str] = &["types.o", "types.be.o", "plain.gcc.o", "core.o", "core.be.o"];

fn sections(name: &str) -> (Vec<u8>, Vec<u8>) {
    let bytes = fs::read(format!("{}/fixtures/btf/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let section = |name| file.section_by_name(name).unwrap().data().unwrap().to_vec();
    (section(".BTF"), section(".BTF.ext"))
}

/// Asks for everything that can be asked for.
fn exercise(btf: &[u8], ext: &[u8]) {
    let Ok(btf) = Btf::parse(btf) else { return };
    let mut prototypes = Prototypes::new(&btf);
    for (id, ty) in btf.types() {
        let _ = (btf.size_of(id), btf.resolve(id), btf.text(id), btf.section_of(id), btf.name(ty.name));
        let _ = prototypes.ctype(id).map(|ty| ty.to_string());
        let _ = prototypes.get(id).map(|prototype| prototype.declare("f"));
    }
    for symbol in btf.symbols() {
        assert!(btf.symbols_named(symbol.name).any(|other| other == symbol));
    }
    if let Ok(ext) = BtfExt::parse(ext, &btf) {
        let _ = (ext.lines(".text"), ext.functions(".text"));
        // Against itself: names and numbers are as broken on the other side.
        let mut relocator = Relocator::new(&btf, &btf).unwrap();
        for section in ["xdp", "raw_tp/x"] {
            for record in ext.core_relocations(section) {
                let _ = relocator.relocate(section, std::slice::from_ref(record), &mut [0x79; 2048]);
            }
        }
    }
}

#[test]
fn truncated_sections_do_no_harm() {
    for name in FIXTURES {
        let (btf, ext) = sections(name);
        exercise(&btf, &ext);
        (0..btf.len()).for_each(|length| exercise(&btf[..length], &ext));
        (0..ext.len()).step_by(7).for_each(|length| exercise(&btf, &ext[..length]));
    }
}

proptest! {
    #![proptest_config(seeds::cases("malformed BTF", 500))]

    #[test]
    fn random_flips_of_bits_do_no_harm(
        name in prop::sample::select(FIXTURES),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        in_ext: bool,
    ) {
        let (mut btf, mut ext) = sections(name);
        let target = if in_ext { &mut ext } else { &mut btf };
        for (index, bits) in flips {
            *index.get_mut(target) ^= bits;
        }
        exercise(&btf, &ext);
    }

    #[test]
    fn random_types_do_no_harm(types in prop::collection::vec(word(), 0..200)) {
        exercise(&raw(&types, b"\0a\0long\0"), &[]);
    }

    #[test]
    fn random_layouts_do_no_harm(
        types in prop::collection::vec(word(), 0..100),
        layout in prop::collection::vec(any::<u8>(), 0..160),
        lie in prop_oneof![9 => Just(0), 1 => any::<u32>()],
    ) {
        let mut bytes = with_layout(&types, b"\0a\0long\0", &layout);
        exercise(&bytes, &[]);
        // And one that is not where the header says.
        let offset = u32::from_le_bytes(bytes[24..28].try_into().unwrap()) ^ lie;
        bytes[24..28].copy_from_slice(&offset.to_le_bytes());
        exercise(&bytes, &[]);
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exercise(&bytes, &bytes);
        let mut bytes = bytes;
        bytes.splice(0..0, [0x9f, 0xeb, 1, 0, 24, 0, 0, 0]);
        exercise(&bytes, &bytes);
    }
}

/// A number that means something in a type section: a name or a small type, or an info word.
fn word() -> impl Strategy<Value = u32> {
    prop_oneof![3 => 0..12u32, 2 => (1..20u32, 0..4u32).prop_map(|(kind, count)| kind << 24 | count), 1 => any::<u32>()]
}

/// A section of these types and strings.
fn raw(types: &[u32], strings: &[u8]) -> Vec<u8> {
    let length = 4 * types.len() as u32;
    let header = [24, 0, length, length, strings.len() as u32];
    let words = header.into_iter().chain(types.iter().copied()).flat_map(u32::to_le_bytes);
    [0x9f, 0xeb, 1, 0].into_iter().chain(words).chain(strings.iter().copied()).collect()
}

/// The same, with a header of 32 bytes, and the lengths of the kinds behind the strings.
fn with_layout(types: &[u32], strings: &[u8], layout: &[u8]) -> Vec<u8> {
    let (length, names) = (4 * types.len() as u32, strings.len() as u32);
    let header = [32, 0, length, length, names, length + names, layout.len() as u32];
    let words = header.into_iter().chain(types.iter().copied()).flat_map(u32::to_le_bytes);
    [0x9f, 0xeb, 1, 0].into_iter().chain(words).chain(strings.iter().chain(layout).copied()).collect()
}

const INT: u32 = 1 << 24;
const PTR: u32 = 2 << 24;
const ARRAY: u32 = 3 << 24;
const STRUCT: u32 = 4 << 24;
const UNION: u32 = 5 << 24;
const FUNC: u32 = 12 << 24;
const FUNC_PROTO: u32 = 13 << 24;

/// Reads types, and asks for what depends on others.
fn ask(bytes: &[u8]) {
    let btf = Btf::parse(bytes).unwrap();
    let mut prototypes = Prototypes::new(&btf);
    for (id, _) in btf.types() {
        let _ = (btf.size_of(id), btf.text(id), prototypes.get(id));
    }
    assert!(btf.symbols().count() <= bytes.len() / 12, "a symbol is a type of at least three words");
}

/// Unions of two of the union before: 2^count paths.
fn doubling(count: usize) -> Vec<u8> {
    let mut types = vec![0, INT, 4, 32];
    for id in 2..count as u32 {
        types.extend([0, UNION | 2, 4, 0, id - 1, 0, 0, id - 1, 0]);
    }
    types.extend([0, FUNC_PROTO, count as u32 - 1]);
    raw(&types, b"\0")
}

/// Functions of two pointers to the function before.
fn functions(count: usize) -> Vec<u8> {
    let mut types = vec![0, FUNC_PROTO, 0];
    for id in (3..2 * count as u32).step_by(2) {
        types.extend([0, PTR, id - 2, 0, FUNC_PROTO | 2, 0, 0, id - 1, 0, id - 1]);
    }
    raw(&types, b"\0")
}

/// Many functions of one very long name, of one type with very many parameters.
fn many(count: usize) -> Vec<u8> {
    let mut types = vec![0, FUNC_PROTO | (3 * count as u32), 0];
    types.extend([1, 0].repeat(3 * count));
    types.extend([1, FUNC, 1].repeat(count));
    raw(&types, &[&[0][..], &vec![b'x'; 50 * count], &[0]].concat())
}

/// Inputs that a careless reader takes forever for, or all memory: four times the input is four times the work.
#[test]
fn hostile_types_cost_no_more_than_their_length() {
    is_in_proportion("doubling", 1000, doubling, |bytes| ask(bytes));
    is_in_proportion("functions", 1000, functions, |bytes| ask(bytes));
    is_in_proportion("many", 5000, many, |bytes| ask(bytes));
}

/// And those that are small: one that takes forever shows itself, and memory is counted.
#[test]
fn small_hostile_types_take_little_memory() {
    // [1] int, [2] int[2^32-1], and a struct of 8 bytes that has it by value.
    let mut absurd_array = vec![0, INT, 4, 32];
    absurd_array.extend([0, ARRAY, 0, 1, 1, u32::MAX]);
    absurd_array.extend([0, STRUCT | 1, 8, 0, 2, 0, 0, FUNC_PROTO, 3]);
    // A struct in itself, and arrays of arrays to no end.
    let cyclic = [0, STRUCT | 1, 4, 0, 1, 0, 0, ARRAY, 0, 2, 2, 0, 0, FUNC_PROTO | 1, 1, 0, 2];
    for (case, types) in [("absurd array", &absurd_array[..]), ("cyclic", &cyclic)] {
        let ((), bytes) = allocated(|| ask(&raw(types, b"\0")));
        assert!(bytes < 1 << 20, "{case}: {bytes} bytes of memory");
    }
}

/// The lengths of kinds 0 to 127, of which only these add something: (kind, of one, of each of the vlen).
fn layout(lengths: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut layout = vec![0; 4 * 128];
    for &(kind, one, each) in lengths {
        layout[4 * kind] = one;
        layout[4 * kind + 1] = each;
    }
    layout
}

/// Kinds that were not thought of yet, among others; the layout says how long they are.
#[test]
fn unknown_kinds_are_skipped_by_the_layout() {
    const UNKNOWN: u32 = 100 << 24;
    // [1] int, [2] of kind 100: a word, and three of 5 bytes with one byte to fill; [3] of kind 127: nothing, though its
    // number of parts is the largest; [4] [2] *, [5] f([1]), [6] f([2]), [7] f([4]), [8] to [10] functions.
    let mut types = vec![1, INT, 4, 32 | 1 << 24];
    types.extend([5, UNKNOWN | 3, 0xffff_fff0, 7, u32::MAX, u32::MAX, u32::MAX, u32::MAX]);
    types.extend([0, 127 << 24 | 0xff_ffff, 0, 0, PTR, 2]);
    for parameter in [1, 2, 4] {
        types.extend([0, FUNC_PROTO | 1, 1, 0, parameter]);
    }
    types.extend([1, FUNC | 1, 5, 5, FUNC | 1, 6, 7, FUNC | 1, 7]);
    let names = b"\0int\0g\0h\0";
    let bytes = with_layout(&types, names, &layout(&[(100, 1, 5)]));
    let short = Btf::parse(&bytes).unwrap_err();
    assert!(short.to_string().contains("type"), "of 20 bytes, 16 are said to be there: {short}");

    let bytes = with_layout(&types, names, &layout(&[(100, 5, 5)]));
    let btf = Btf::parse(&bytes).unwrap();
    exercise(&bytes, &[]);
    let kinds: Vec<Kind> = btf.types().map(|(_, ty)| ty.kind).collect();
    assert_eq!((kinds.len(), kinds[1], kinds[2]), (10, Kind::Unknown { kind: 100 }, Kind::Unknown { kind: 127 }));
    let declared = |name| btf.prototype(btf.function(name).unwrap().id).map(|prototype| prototype.declare(name));
    assert_eq!(declared("int").unwrap(), "int int(int)");
    assert_eq!(declared("h").unwrap(), "int h(g *)");
    let error = declared("g").unwrap_err().to_string();
    assert_eq!(error, "type [2] (`g`) cannot be a parameter or a result");
    assert_eq!(btf.size_of(TypeId(2)).unwrap(), None);

    // A layout that ends before the kind, or that is not there, does not know it.
    for layout in [&layout(&[])[..400], &[]] {
        let error = Btf::parse(&with_layout(&types, names, layout)).unwrap_err().to_string();
        assert_eq!(error, "type [2] at 0x30 has the unknown kind `100`");
    }
    // Entries are of four bytes, in the section.
    let odd = Btf::parse(&with_layout(&types, names, &layout(&[(100, 5, 5)])[..511])).unwrap_err();
    assert_eq!(odd.to_string(), "the layout's length has the impossible value 0x1ff");
    let cut = Btf::parse(&bytes[..bytes.len() - 4]).unwrap_err();
    assert!(cut.to_string().contains("the layout section"), "{cut}");
}

/// More parts than 16 bits count; and as many as 24 bits do, of which there are none.
#[test]
fn numbers_of_parts_have_24_bits() {
    let count = 70_000;
    let mut types = vec![0, INT, 4, 32, 0, 6 << 24 | count, 4];
    types.extend((0..count).flat_map(|value| [1, value]));
    let btf = Btf::parse(&raw(&types, b"\0a\0")).unwrap();
    let all = btf.get(TypeId(2)).unwrap().kind.any_enum().unwrap();
    assert_eq!(btf.enumerators(all).len(), count as usize);
    assert_eq!(btf.enumerators(all).last().unwrap().value, u64::from(count) - 1);
    let absent = raw(&[0, STRUCT | 0xff_ffff, 4], b"\0");
    let unknown = with_layout(&[0, 99 << 24 | 0xff_ffff, 4], b"\0", &layout(&[(99, 255, 255)]));
    for bytes in [absent, unknown] {
        let (error, allocated) = allocated(|| Btf::parse(&bytes).unwrap_err().to_string());
        assert!(error.contains("cut off"), "{error}");
        assert!(allocated < 1 << 20, "{allocated} bytes of memory for parts that are not there");
    }
}
