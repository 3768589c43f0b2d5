//! Maps: what a definition says, and what the runtime calls their types.
//!
//! In: nothing; `parse/maps.rs` reads definitions, and `parse/descriptors.rs` makes of each the `struct map` of
//! `runtime/runtime.h`. The rule: what a definition says is kept as it is; what it means is the runtime's.

use super::{DataSectionId, Target};

/// The names of `enum bpf_map_type` of the kernel's `include/uapi/linux/bpf.h`, small and without `BPF_MAP_TYPE_`, by number.
const TYPES: [&str; 34] = [
    "unspec",
    "hash",
    "array",
    "prog_array",
    "perf_event_array",
    "percpu_hash",
    "percpu_array",
    "stack_trace",
    "cgroup_array",
    "lru_hash",
    "lru_percpu_hash",
    "lpm_trie",
    "array_of_maps",
    "hash_of_maps",
    "devmap",
    "sockmap",
    "cpumap",
    "xskmap",
    "sockhash",
    "cgroup_storage",
    "reuseport_sockarray",
    "percpu_cgroup_storage",
    "queue",
    "stack",
    "sk_storage",
    "devmap_hash",
    "struct_ops",
    "ringbuf",
    "inode_storage",
    "task_storage",
    "bloom_filter",
    "user_ringbuf",
    "cgrp_storage",
    "arena",
];

/// What the names of the runtime's operations begin with.
const OPERATIONS: &str = "bpf_map_ops_";

/// The symbol of the runtime's operations of the kernel's maps, of all types.
pub const KERNEL_OPERATIONS: &str = "bpf_map_ops_kernel";

/// `BPF_MAP_TYPE_PERF_EVENT_ARRAY`.
pub const PERF_EVENT_ARRAY: u32 = 4;
/// `BPF_MAP_TYPE_RINGBUF`.
pub const RINGBUF: u32 = 27;
/// `BPF_MAP_TYPE_USER_RINGBUF`.
pub const USER_RINGBUF: u32 = 31;

/// A map.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Map {
    /// The symbol's name.
    pub name: String,
    /// The section that holds the definition.
    pub section: DataSectionId,
    /// Byte offset in it.
    pub offset: u64,
    /// Bytes of the definition.
    pub size: u64,
    /// What it is; none if the definition cannot be read.
    pub definition: Option<MapDefinition>,
    /// Initial elements, sorted by index.
    pub values: Vec<MapValue>,
}

/// What a map is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MapDefinition {
    /// `enum bpf_map_type`.
    pub kind: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// The most elements.
    pub max_entries: u32,
    /// `BPF_F_*`.
    pub flags: u32,
    /// The NUMA node to put it on.
    pub numa_node: u32,
    /// `map_extra`.
    pub extra: u64,
    /// `LIBBPF_PIN_*`.
    pub pinning: u32,
    /// Fields of its values that are more than data, sorted by offset.
    pub fields: Vec<MapField>,
    /// What the elements of a map of maps are.
    pub inner: Option<Box<MapDefinition>>,
    /// Byte offset of the initial elements in the definition, which are pointers.
    pub values_at: Option<u64>,
}

impl MapDefinition {
    /// This definition, and that of its elements.
    pub fn with_inner(&self) -> impl Iterator<Item = &MapDefinition> {
        std::iter::successors(Some(self), |definition| definition.inner.as_deref())
    }
}

/// A field of a map's values that is more than data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapField {
    /// What it is.
    pub kind: FieldKind,
    /// Byte offset in the value.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// What a field of a map's values is: `enum field_kind` of `runtime/runtime.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum FieldKind {
    /// `struct bpf_spin_lock`.
    SpinLock = 1,
    /// `struct bpf_timer`.
    Timer,
    /// A pointer to a kernel object.
    Kptr,
    /// `struct bpf_list_head`.
    ListHead,
    /// `struct bpf_rb_root`.
    RbRoot,
    /// `struct bpf_wq`.
    WorkQueue,
    /// `struct bpf_list_node`.
    ListNode,
    /// `struct bpf_rb_node`.
    RbNode,
    /// `struct bpf_refcount`.
    Refcount,
}

impl FieldKind {
    /// The field that a struct of this name is.
    pub fn of_struct(name: &str) -> Option<FieldKind> {
        Some(match name {
            "bpf_spin_lock" => FieldKind::SpinLock,
            "bpf_timer" => FieldKind::Timer,
            "bpf_wq" => FieldKind::WorkQueue,
            "bpf_list_head" => FieldKind::ListHead,
            "bpf_rb_root" => FieldKind::RbRoot,
            "bpf_list_node" => FieldKind::ListNode,
            "bpf_rb_node" => FieldKind::RbNode,
            "bpf_refcount" => FieldKind::Refcount,
            _ => return None,
        })
    }
}

/// An initial element of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MapValue {
    /// Its index.
    pub index: u64,
    /// The map or the function.
    pub target: Target,
}

/// The name of a map type, such as `percpu_hash`.
pub fn type_name(kind: u32) -> Option<&'static str> {
    TYPES.get(kind as usize).copied()
}

/// The symbol of the runtime's operations of a map type: `bpf_map_ops_percpu_hash`, with a number for a type without a name.
pub fn ops_symbol(kind: u32) -> String {
    match type_name(kind) {
        Some(name) => format!("{OPERATIONS}{name}"),
        None => format!("{OPERATIONS}{kind}"),
    }
}

/// The map type whose operations have this symbol.
pub fn of_ops_symbol(symbol: &str) -> Option<u32> {
    let name = symbol.strip_prefix(OPERATIONS)?;
    let known = TYPES.iter().position(|&known| known == name).map(|kind| kind as u32);
    known.or_else(|| name.parse().ok().filter(|&kind| ops_symbol(kind) == symbol))
}

#[cfg(test)]
mod tests {
    use super::{of_ops_symbol, ops_symbol};

    #[test]
    fn operations_are_of_one_type() {
        assert_eq!(ops_symbol(1), "bpf_map_ops_hash");
        assert_eq!(ops_symbol(27), "bpf_map_ops_ringbuf");
        assert_eq!(ops_symbol(33), "bpf_map_ops_arena");
        for kind in 0..100 {
            assert_eq!(of_ops_symbol(&ops_symbol(kind)), Some(kind));
        }
        assert_eq!(of_ops_symbol("bpf_map_ops_1"), None);
        assert_eq!(of_ops_symbol("bpf_maps_first"), None);
    }
}
