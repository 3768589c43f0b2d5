//! Random sequences of operations on the kernel's maps and on the runtime's: the same results, errors and values, and the
//! same order of keys where the kernel's has nothing random in it.
//!
//! `BPF2NATIVE_RANDOM_SEED` and `BPF2NATIVE_RANDOM_PROGRAMS` as in `semantics/isa_random.rs`: a program is a sequence of
//! [`STEPS`] operations on each map.

use crate::map::{OurMap, module};
use crate::native::skip;
use crate::pair::{Pair, types};
use crate::support::maps::{self, KernelMap};
use crate::support::random::Seed;
use crate::support::seeds;

/// Operations on a map.
const STEPS: usize = 400;

/// Maps whose values bpf(2) gives by the kernel's objects: other tests have them.
const OTHERS: [&str; 20] = [
    "events",
    "xskmap",
    "sockmap",
    "sockhash",
    "sockets",
    "cgroup_storage",
    "percpu_cgroup_storage",
    "sk_storage",
    "inode_storage",
    "task_storage",
    "cgrp_storage",
    "prog_array",
    "cgroups",
    "outer_array",
    "outer_hash",
    // With 64 elements, the kernel's lists of free ones are too short for what it does to be foreseen.
    "shared_lru",
    "small_lru",
    "large_4",
    "large_8",
    "large_16",
];

/// Whether bpf(2) works here.
pub fn has_kernel() -> bool {
    let kind = maps::Kind { kind: 2, key_size: 4, value_size: 4, max_entries: 1, flags: 0, extra: 0 };
    let created = KernelMap::create(&kind, None, None, 1);
    if let Err(error) = &created {
        skip(&format!("bpf(2) makes no maps: {error}"));
    }
    created.is_ok()
}

#[test]
fn random_operations_are_as_on_the_kernels_maps() {
    if !has_kernel() {
        return;
    }
    let btf = maps::load_types(&types()).unwrap();
    let module = module();
    for seed in seeds::of("map operations", 16) {
        let (mut done, mut different) = (0, Vec::new());
        for map in OurMap::all(&module) {
            let name = map.name();
            if name.starts_with("bad_") || OTHERS.contains(&name.as_str()) {
                continue;
            }
            let mut pair = Pair::new(map, Some(&btf)).unwrap_or_else(|error| panic!("{name}: the kernel: {error}"));
            map.reset();
            let mut seed = Seed::new(seed ^ done);
            let difference = (0..STEPS).find_map(|_| pair.step(&mut seed).err());
            different.extend(difference);
            done += 1;
        }
        assert!(different.is_empty(), "{}", different.join("\n"));
        assert!(done > 40, "{done} maps");
    }
}

#[test]
fn maps_that_the_kernel_does_not_make_are_not_made() {
    if !has_kernel() {
        return;
    }
    let module = module();
    let mut different = Vec::new();
    let bad = OurMap::all(&module).into_iter().filter(|map| map.name().starts_with("bad_"));
    let mut count = 0;
    for map in bad {
        count += 1;
        let kernel = KernelMap::create(&map.kind(), None, None, 1).map(drop);
        let ours = map.created();
        if ours != kernel || ours.is_ok() {
            different.push(format!("{}: {ours:?}, the kernel: {kernel:?}", map.name()));
        }
    }
    assert!(count > 40);
    assert!(different.is_empty(), "{}", different.join("\n"));
}
