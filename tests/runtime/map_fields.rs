//! Fields of `struct bpf_map`, read by CO-RE (`fixtures/runtime/map_fields.c`): the kernel's maps have the same in them.

use std::path::Path;

use crate::kernel;
use crate::native::{bpf2native, fixture, output, skip};
use crate::packets::has_kernel;

/// What `map_fields_main.c` prints.
pub const PRINTED: &str = "2 4 2 7 0 1 8 24 100 1 1 24 1 8 1 0 \n";

#[test]
fn the_kernels_maps_have_the_same() {
    if !has_kernel() {
        return;
    }
    let object = std::fs::read(fixture("runtime/map_fields.o")).unwrap();
    let loaded = kernel::Loaded::new(&object, "fields").unwrap();
    loaded.run(&[0; 14], &[0; 192]).unwrap();
    let value = loaded.map(".bss").unwrap().lookup(&[0; 4]).unwrap();
    let words = value.chunks_exact(8).take(16).map(|word| u64::from_ne_bytes(word.try_into().unwrap()));
    let text: String = words.map(|word| format!("{word} ")).collect();
    assert_eq!(text + "\n", PRINTED);
}

/// Also where the other types are fitted to a kernel's, whose maps are other structs.
#[test]
fn a_kernels_types_do_not_matter() {
    let types = "/sys/kernel/btf/vmlinux";
    if !Path::new(types).exists() {
        return skip("this kernel has no BTF");
    }
    let objects = ["map_fields_main", "map_fields"].map(|name| fixture(&format!("runtime/{name}.o")));
    assert_eq!(output(bpf2native().args(["run", "--btf", types]).args(objects)), PRINTED);
}
