//! What maps do that bpf(2) does not show, or shows only with objects of the kernel: callbacks, pointers to values, values of
//! other processors, maps of maps, storage, recorders.
//!
//! The tests share a module, and each has maps or keys of its own.

use crate::map::{OurMap, Seen, address, read, shared};
use crate::maps_random::has_kernel;
use crate::support::maps::KernelMap;
use crate::support::random::Seed;
use crate::support::seeds;

const ENOENT: i64 = -2;
const E2BIG: i64 = -7;
const EEXIST: i64 = -17;
const EINVAL: i64 = -22;

#[test]
fn callbacks_see_each_element_and_may_delete_it() {
    let module = shared();
    let hash = OurMap::new(module, "hash_seen");
    for key in 0..40u32 {
        let value = [u64::from(key) * 3, 0];
        assert_eq!(hash.call("update", [address(&key), address(&value), 0, 0]), 0);
    }
    let mut seen = Seen::new(u64::MAX, 0);
    assert_eq!(hash.call("for_each", [seen.address(), 0, 0, 0]), 40);
    assert_eq!(seen.keys(), (0..40).collect::<Vec<_>>());
    let mut some = Seen::new(7, 0);
    assert_eq!(hash.call("for_each", [some.address(), 0, 0, 0]), 7);
    assert_eq!(hash.call("for_each", [some.address(), 1, 0, 0]), EINVAL);
    let mut deleting = Seen::new(u64::MAX, hash.address as u64);
    assert_eq!(hash.call("for_each", [deleting.address(), 0, 0, 0]), 40);
    assert_eq!(deleting.keys(), seen.keys());
    assert_eq!(hash.keys(), Vec::<Vec<u8>>::new());

    let array = OurMap::new(module, "array_4");
    let mut seen = Seen::new(3, 0);
    assert_eq!(array.call("for_each", [seen.address(), 0, 0, 0]), 3);
    assert_eq!(seen.keys[..3], [0, 1, 2]);
}

#[test]
fn a_pointer_keeps_the_value_that_an_update_replaces() {
    let module = shared();
    let hash = OurMap::new(module, "hash_4");
    let key = 5u32.to_ne_bytes();
    hash.update(Some(&key), &1u64.to_ne_bytes(), 0).unwrap();
    let old = hash.program_lookup(&key).unwrap();
    hash.update(Some(&key), &2u64.to_ne_bytes(), 0).unwrap();
    let new = hash.program_lookup(&key).unwrap();
    assert_eq!((read::<u64>(old), read::<u64>(new)), (1, 2));
    // Values of a per-CPU map and of an array stay where they are.
    for name in ["percpu_hash_4", "array_4"] {
        let map = OurMap::new(module, name);
        let key = 1u32.to_ne_bytes();
        map.call4("update", Some(&key), 7u32.to_ne_bytes().as_mut_ptr(), 0).unwrap();
        let first = map.program_lookup(&key).unwrap();
        map.call4("update", Some(&key), 8u32.to_ne_bytes().as_mut_ptr(), 0).unwrap();
        assert_eq!(map.program_lookup(&key), Some(first), "{name}");
        assert_eq!(read::<u32>(first), 8);
    }
}

#[test]
fn each_processor_has_its_value() {
    let module = shared();
    for name in ["percpu_hash_4", "percpu_array_4", "lru_percpu_hash_4"] {
        let map = OurMap::new(module, name);
        let (key, processors) = (3u32.to_ne_bytes(), map.processors());
        let stride = map.value_length() / processors;
        // A program's update is of its processor; a new element has zeros for the others.
        let value = [9u32; 4];
        map.call4("update", Some(&key), value.as_ptr().cast_mut().cast(), 0).unwrap();
        let all = map.lookup(Some(&key), &[], 0).unwrap();
        assert_eq!(all[..4], 9u32.to_ne_bytes(), "{name}");
        assert!(all[stride..].iter().all(|&byte| byte == 0), "{name}: {all:?}");
        let values: Vec<u8> = (0..processors as u8).flat_map(|processor| vec![processor + 1; stride]).collect();
        map.update(Some(&key), &values, 2).unwrap();
        for processor in 0..processors as u8 {
            let found = map.call("lookup_percpu", [address(&key), u64::from(processor), 0, 0]) as *mut u8;
            assert_eq!(read::<[u8; 4]>(found), [processor + 1; 4], "{name}");
        }
        assert_eq!(map.call("lookup_percpu", [address(&key), processors as u64, 0, 0]), 0);
        assert_eq!(read::<u8>(map.program_lookup(&key).unwrap()), 1, "{name}: processor 0");
    }
}

#[test]
fn a_full_lru_map_forgets_what_was_not_used() {
    let module = shared();
    for (name, key_size) in [("lru_hash_4", 4), ("lru_hash_own", 8), ("lru_percpu_hash_4", 4), ("small_lru", 8)] {
        let map = OurMap::new(module, name);
        let bound = map.kind().max_entries as usize;
        let value = vec![1; map.value_length()];
        let key = |number: usize| number.to_le_bytes()[..key_size].to_vec();
        for number in 0..10 * bound {
            map.update(Some(&key(number)), &value, 0).unwrap();
            // In use all the time.
            assert!(map.program_lookup(&key(0)).is_some(), "{name}: after {number}");
        }
        let keys = map.keys();
        assert_eq!(keys.len(), bound, "{name}");
        let mut sorted = keys.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), bound, "{name}: each once");
        assert!(keys.contains(&key(10 * bound - 1)), "{name}: the last");
    }
}

#[test]
fn values_with_a_lock_are_updated_around_it() {
    let module = shared();
    let map = OurMap::new(module, "hash_locked");
    let key = 1u32.to_ne_bytes();
    let value = |first: u32, second: u64| {
        let mut value = [0xff; 16];
        value[..4].copy_from_slice(&first.to_ne_bytes());
        value[8..].copy_from_slice(&second.to_ne_bytes());
        value
    };
    map.update(Some(&key), &value(1, 2), 4).unwrap();
    assert_eq!(read::<[u32; 2]>(map.program_lookup(&key).unwrap()), [1, 0], "the lock is free");
    let at = map.program_lookup(&key).unwrap();
    map.update(Some(&key), &value(3, 4), 4).unwrap();
    assert_eq!(map.program_lookup(&key), Some(at), "with BPF_F_LOCK it is written in place");
    assert_eq!(map.call("locked_add", [1, 10, 0, 0]), 0);
    let mut expected = value(13, 14);
    expected[4..8].fill(0);
    assert_eq!(map.lookup(Some(&key), &[], 4).unwrap(), expected);
}

#[test]
fn stack_ids_are_of_one_stack() {
    let module = shared();
    let stacks = OurMap::new(module, "stacks");
    let id = stacks.call("stackid", [0, 0, 0, 0]);
    assert!((0..16).contains(&id));
    assert_eq!(stacks.call("stackid", [0, 0, 0, 0]), id);
    assert_eq!(stacks.call("stackid", [1 << 20, 0, 0, 0]), EINVAL);
    let key = (id as u32).to_ne_bytes();
    let trace = stacks.lookup(Some(&key), &[], 0).unwrap();
    assert_ne!(trace[..8], [0; 8]);
    assert_eq!(trace[8..], [0; 72]);
    assert_eq!(stacks.keys(), [key]);
    stacks.delete(Some(&key)).unwrap();
    assert_eq!(stacks.delete(Some(&key)), Err(ENOENT));
}

#[test]
fn storage_belongs_to_an_address() {
    let module = shared();
    for name in ["sk_storage", "task_storage"] {
        let map = OurMap::new(module, name);
        let (owner, other) = (0x1234_5678_9abcu64, 0x10u64);
        let value = [5u32; 3];
        assert_eq!(map.call("storage_get", [owner, 0, 0, 0]), 0);
        assert_eq!(map.call("storage_get", [0, 0, 1, 0]), 0);
        assert_eq!(map.call("storage_get", [owner, 0, 2, 0]), 0);
        let made = map.call("storage_get", [owner, address(&value), 1, 0]) as *mut u8;
        assert_eq!(read::<[u32; 3]>(made), value);
        let zero = map.call("storage_get", [other, 0, 1, 0]) as *mut u8;
        assert_eq!(read::<[u32; 3]>(zero), [0; 3]);
        assert_eq!(map.call("storage_get", [owner, 0, 1, 0]) as *mut u8, made, "it stays");
        assert_eq!(map.lookup(Some(&owner.to_ne_bytes()), &[], 0).unwrap(), [5u32.to_ne_bytes(); 3].concat());
        assert_eq!(map.call("storage_delete", [owner, 0, 0, 0]), 0);
        assert_eq!(map.call("storage_delete", [owner, 0, 0, 0]), ENOENT);
        assert_eq!(map.call("storage_delete", [0, 0, 0, 0]), EINVAL);
        assert_eq!(map.call("storage_get", [owner, 0, 0, 0]), 0);
    }
    for name in ["cgroup_storage", "percpu_cgroup_storage"] {
        let map = OurMap::new(module, name);
        let value = map.call("local_storage", [0; 4]) as *mut u32;
        // SAFETY: the value has 12 bytes.
        unsafe { value.write(77) };
        assert_eq!(map.call("local_storage", [0; 4]) as *mut u32, value);
        let [key] = map.keys().try_into().unwrap();
        assert_eq!(map.lookup(Some(&key), &[], 0).unwrap()[..4], 77u32.to_ne_bytes(), "{name}");
    }
}

#[test]
fn recorders_keep_what_they_are_told() {
    let module = shared();
    let key = |number: u32| number.to_ne_bytes();
    let value = 70_000u64.to_ne_bytes();
    for (name, absent, outside) in [
        ("xskmap", 0, EINVAL),
        ("sockmap", EINVAL, EINVAL),
        ("sockets", ENOENT, E2BIG),
        ("sockhash", ENOENT, ENOENT),
    ] {
        let map = OurMap::new(module, name);
        let key = |number: u32| [&key(number)[..], &[0; 2]].concat();
        let size = map.kind().value_size as usize;
        assert_eq!(map.update(Some(&key(1)), &value, 2), Err(ENOENT), "{name}");
        assert_eq!(map.update(Some(&key(1)), &value, 3), Err(EINVAL), "{name}");
        map.update(Some(&key(1)), &value, 1).unwrap();
        assert_eq!(map.update(Some(&key(1)), &value, 1), Err(EEXIST), "{name}");
        map.update(Some(&key(1)), &value, 2).unwrap();
        assert_eq!(map.lookup(Some(&key(1)), &[], 0).unwrap(), value[..size], "{name}");
        assert_eq!(map.program_lookup(&key(2)), None, "{name}");
        map.delete(Some(&key(1))).unwrap();
        assert_eq!(map.lookup(Some(&key(1)), &[], 0), Err(ENOENT), "{name}");
        assert_eq!(map.delete(Some(&key(1))).err().unwrap_or(0), absent, "{name}");
        assert_eq!(map.delete(Some(&key(5))), Err(outside), "{name}");
        if name != "sockhash" {
            assert_eq!(map.update(Some(&key(5)), &value, 0), Err(E2BIG), "{name}");
        }
    }
}

#[test]
fn an_arena_is_zeros_until_it_is_written() {
    let module = shared();
    let arena = OurMap::new(module, "arena");
    arena.created().unwrap();
    // `struct arena` of runtime/maps/arena.h is the map's state.
    let state: *mut u8 = read(arena.address.wrapping_add(96));
    let (pages, size) = (read::<*mut u8>(state), read::<u64>(state.wrapping_add(8)));
    assert_eq!((size, pages as u64 % 4096), (100 * 4096, 0));
    for page in 0..100 {
        let at = pages.wrapping_add(page * 4096);
        assert_eq!(read::<u64>(at), 0);
        // SAFETY: the arena has 100 pages.
        unsafe { at.write(page as u8) };
    }
}

#[test]
fn initial_elements_are_there() {
    let module = shared();
    let (array, hash) = (OurMap::new(module, "outer_array"), OurMap::new(module, "outer_hash"));
    let [a, b] = ["inner_a", "inner_b"].map(|name| OurMap::new(module, name).address);
    let found: Vec<Option<*mut u8>> = (0..5u32).map(|key| array.program_lookup(&key.to_ne_bytes())).collect();
    assert_eq!(found, [None, Some(a), None, Some(b), None]);
    assert_eq!(hash.program_lookup(&0u32.to_ne_bytes()), Some(b));
    assert_eq!(hash.program_lookup(&1u32.to_ne_bytes()), None);
    assert_eq!(hash.lookup(Some(&0u32.to_ne_bytes()), &[], 0).unwrap(), (b as u64).to_ne_bytes());
}

/// The kernel's inner maps have numbers, and the runtime's addresses.
#[test]
fn random_maps_of_maps_are_as_the_kernels() {
    if !has_kernel() {
        return;
    }
    let module = shared();
    let names = ["inner_a", "inner_b", "inner_other", "inner_longer"];
    let inner = names.map(|name| OurMap::new(module, name));
    let twins = inner.map(|map| KernelMap::create(&map.kind(), None, None, 1).unwrap());
    for name in ["outer_array", "outer_hash"] {
        let ours = OurMap::new(module, name);
        ours.keys().iter().for_each(|key| drop(ours.delete(Some(key))));
        let kernel = KernelMap::create(&ours.kind(), Some(&twins[0]), None, 1).unwrap();
        for seed in seeds::of(name, 10) {
            let mut seed = Seed::new(seed);
            for step in 0..30 {
                let key = (seed.below(6) as u32).to_ne_bytes();
                let key = Some(&key[..]);
                let (operation, flags) = (seed.below(8), seed.below(4) as u64);
                let which = if seed.below(4) == 0 { seed.below(4) } else { seed.below(2) };
                let results = match operation {
                    0 => (ours.lookup(key, &[], 0).map(drop), kernel.lookup(key, &[], 0).map(drop)),
                    1 => (ours.delete(key), kernel.delete(key)),
                    2 if name == "outer_array" => {
                        assert_eq!(ours.next_key(key), kernel.next_key(key));
                        continue;
                    }
                    3 => (ours.take(key, 0).map(drop), kernel.take(key, 0).map(drop)),
                    _ => {
                        let flags = if operation < 6 { 0 } else { flags };
                        let value = (inner[which].address as u64).to_ne_bytes();
                        let twin = twins[which].descriptor().to_ne_bytes();
                        (ours.update(key, &value, flags), kernel.update(key, &twin, flags))
                    }
                };
                assert_eq!(results.0, results.1, "{name}: step {step}: {operation} {key:?} {which} {flags}");
            }
        }
    }
}
