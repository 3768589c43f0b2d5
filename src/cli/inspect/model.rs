//! What `inspect` shows, as data: its JSON has these fields.
//!
//! In: nothing by itself; `contents.rs` fills them in. Out: JSON and text. The rule: fields may be added, and none is renamed, removed or
//! given another meaning without a new [`SCHEMA`]; names are as in a [`Program`](bpf2native::Program): printable, with escapes.

use serde::Serialize;

/// The version of the schema.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
pub struct Contents {
    pub schema: u32,
    /// `little` or `big`.
    pub byte_order: &'static str,
    pub files: Vec<String>,
    pub sections: Vec<Section>,
    pub functions: Vec<Function>,
    pub imports: Vec<Import>,
    pub maps: Vec<Map>,
    pub helpers: Vec<Helper>,
    pub kfuncs: Vec<Kfunc>,
    pub core_relocations: Vec<CoreRelocation>,
}

#[derive(Serialize)]
pub struct Section {
    pub name: String,
    /// `code`, `data`, `zeros`, `read-only`, `constructors`, `destructors`, `jump table`.
    pub kind: &'static str,
    /// Bytes.
    pub size: u64,
    pub file: String,
}

#[derive(Serialize)]
pub struct Function {
    pub name: String,
    /// `program`: a loader attaches it, as its section says; `function`: others call it.
    pub role: &'static str,
    /// `kernel`, `user`, `both`: who runs it; none in a program without two halves.
    pub half: Option<&'static str>,
    pub section: String,
    pub file: String,
    /// `local`, `global`, `weak`.
    pub binding: &'static str,
    /// 8-byte slots of its instructions.
    pub slots: u64,
    /// Its declaration in C, if its type is known.
    pub declaration: Option<String>,
}

#[derive(Serialize)]
pub struct Import {
    pub name: String,
    pub weak: bool,
    /// `function` or `data`.
    pub kind: &'static str,
    /// `kernel` (`.ksyms`), `kconfig`, or `any`.
    pub of: &'static str,
    /// Its declaration in C, if its type is known.
    pub declaration: Option<String>,
    /// Where the type is from: `BTF`, `DWARF`, `the table of libc`, `the compiler's runtime`.
    pub declared_by: Option<&'static str>,
    /// The translator lifts it inline.
    pub inline: bool,
    pub files: Vec<String>,
}

#[derive(Serialize)]
pub struct Map {
    pub name: String,
    pub section: String,
    /// Byte offset in the section.
    pub offset: u64,
    /// None if the definition cannot be read.
    #[serde(flatten)]
    pub definition: Option<MapContents>,
    /// Initial elements.
    pub values: Vec<MapElement>,
}

#[derive(Serialize)]
pub struct MapContents {
    /// `hash`, `percpu_array`: `enum bpf_map_type`, small; none for a number that has no name.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub type_number: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    /// `BPF_F_NO_PREALLOC` and so on; a number for bits without a name.
    pub flags: Vec<String>,
    pub flag_bits: u32,
    pub numa_node: u32,
    pub map_extra: u64,
    /// `none`, `by name`.
    pub pinning: String,
    /// Fields of the value that are more than data.
    pub fields: Vec<MapField>,
    /// What the elements of a map of maps are.
    pub inner: Option<Box<MapContents>>,
}

#[derive(Serialize)]
pub struct MapField {
    pub kind: String,
    /// Byte offset in the value.
    pub offset: u32,
    pub size: u32,
}

#[derive(Serialize)]
pub struct MapElement {
    pub index: u64,
    /// The map or the function.
    pub name: String,
}

#[derive(Serialize)]
pub struct Helper {
    pub number: u32,
    /// `bpf_map_lookup_elem`; none for a number that the kernel does not have.
    pub name: Option<String>,
    pub callers: Vec<String>,
}

#[derive(Serialize)]
pub struct Kfunc {
    pub name: String,
    pub callers: Vec<String>,
}

#[derive(Serialize)]
pub struct CoreRelocation {
    /// The function; none where there is none.
    pub function: Option<String>,
    pub section: String,
    /// Byte offset of the instruction in the section.
    pub offset: u64,
    /// The instruction's slot in the function.
    pub slot: Option<u64>,
    /// `byte offset`, `field exists`, `type size`, ...
    pub kind: String,
    /// `struct task_struct`.
    #[serde(rename = "type")]
    pub ty: String,
    /// `.comm[0]`; empty for the type itself. None where the access makes no sense.
    pub path: Option<String>,
    /// The access as the object has it: `0:1:2`.
    pub access: String,
}
