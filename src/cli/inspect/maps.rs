//! Maps, as `inspect` shows them.
//!
//! In: the maps of a program. Out: [`Map`]s, with names in place of numbers where the kernel has some.

use bpf2native::Program;
use bpf2native::program::maps::{self, MapDefinition};
use bpf2native::program::{FieldKind, Target};

use super::model::{Map, MapContents, MapElement, MapField};

/// `BPF_F_*` of `map_flags`, from bit 0 on (the kernel's `include/uapi/linux/bpf.h`).
const FLAGS: [&str; 20] = [
    "NO_PREALLOC",
    "NO_COMMON_LRU",
    "NUMA_NODE",
    "RDONLY",
    "WRONLY",
    "STACK_BUILD_ID",
    "ZERO_SEED",
    "RDONLY_PROG",
    "WRONLY_PROG",
    "CLONE",
    "MMAPABLE",
    "PRESERVE_ELEMS",
    "INNER_MAP",
    "LINK",
    "PATH_FD",
    "VTYPE_BTF_OBJ_FD",
    "TOKEN_FD",
    "SEGV_ON_FAULT",
    "NO_USER_CONV",
    "RB_OVERWRITE",
];

/// `enum libbpf_pin_type`.
const PINNING: [&str; 2] = ["none", "by name"];

/// The maps of a program.
pub fn of(program: &Program) -> Vec<Map> {
    let map = |map: &bpf2native::program::Map| Map {
        name: map.name.clone(),
        section: program.data[map.section].name.clone(),
        offset: map.offset,
        definition: map.definition.as_ref().map(contents),
        values: map.values.iter().map(|value| element(program, value)).collect(),
    };
    program.maps.iter().map(map).collect()
}

fn contents(definition: &MapDefinition) -> MapContents {
    let MapDefinition { kind, key_size, value_size, max_entries, flags, numa_node, extra, pinning, .. } =
        *definition;
    let field = |field: &bpf2native::program::MapField| MapField {
        kind: field_kind(field.kind).to_owned(),
        offset: field.offset,
        size: field.size,
    };
    MapContents {
        kind: maps::type_name(kind).map(str::to_owned),
        type_number: kind,
        key_size,
        value_size,
        max_entries,
        flags: flag_names(flags),
        flag_bits: flags,
        numa_node,
        map_extra: extra,
        pinning: PINNING.get(pinning as usize).map_or_else(|| pinning.to_string(), |&name| name.to_owned()),
        fields: definition.fields.iter().map(field).collect(),
        inner: definition.inner.as_deref().map(|inner| Box::new(contents(inner))),
    }
}

/// The names of flags; bits without a name are a number.
fn flag_names(flags: u32) -> Vec<String> {
    let named = (0..).zip(FLAGS).filter(|(bit, _)| flags & 1 << bit != 0);
    let mut names: Vec<String> = named.map(|(_, name)| format!("BPF_F_{name}")).collect();
    let rest = flags >> FLAGS.len() << FLAGS.len();
    if rest != 0 {
        names.push(format!("{rest:#x}"));
    }
    names
}

fn field_kind(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::SpinLock => "bpf_spin_lock",
        FieldKind::Timer => "bpf_timer",
        FieldKind::Kptr => "kptr",
        FieldKind::ListHead => "bpf_list_head",
        FieldKind::RbRoot => "bpf_rb_root",
        FieldKind::WorkQueue => "bpf_wq",
        FieldKind::ListNode => "bpf_list_node",
        FieldKind::RbNode => "bpf_rb_node",
        FieldKind::Refcount => "bpf_refcount",
        _ => "unknown",
    }
}

fn element(program: &Program, value: &bpf2native::program::MapValue) -> MapElement {
    let name = match value.target {
        Target::Function(function) => program.functions[function].name.clone(),
        Target::Import { import, .. } => program.imports[import].name.clone(),
        Target::Symbol { symbol, .. } => program.symbols[symbol].name.clone(),
        Target::Data { section, offset } => {
            let at = |map: &&bpf2native::program::Map| {
                map.section == section && i64::try_from(map.offset).is_ok_and(|at| at == offset)
            };
            program.maps.iter().find(at).map(|map| map.name.clone()).unwrap_or_default()
        }
        Target::Label { .. } | Target::Absolute(_) => String::new(),
    };
    MapElement { index: value.index, name }
}
