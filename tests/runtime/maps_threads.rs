//! Maps under several threads, and how long look-ups take.

use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::map::{OurMap, address, shared};
use crate::maps_random::has_kernel;
use crate::support::bpf;
use crate::support::maps::KernelMap;
use crate::support::random::Seed;
use crate::support::say;

const THREADS: usize = 4;

/// Each thread has keys of its own, in a table that is full with those of all: what it wrote it finds, whatever happens to
/// the rest of the bucket.
#[test]
fn threads_find_what_they_wrote() {
    let map = OurMap::new(shared(), "shared_hash");
    let own = map.kind().max_entries as usize / THREADS;
    let work = |thread: usize| {
        let mut seed = Seed::new(thread as u64);
        let mut expected: Vec<Option<[u64; 2]>> = vec![None; own];
        for step in 0..20_000u64 {
            let which = seed.below(own);
            let key = ((which * THREADS + thread) as u32).to_ne_bytes();
            match seed.below(3) {
                0 => {
                    let value = [step, !step];
                    assert_eq!(map.call("update", [address(&key), address(&value), 0, 0]), 0);
                    expected[which] = Some(value);
                }
                1 => {
                    let deleted = map.call("delete", [address(&key), 0, 0, 0]);
                    assert_eq!(deleted == 0, expected[which].take().is_some());
                }
                _ => {
                    let found = map.program_lookup(&key).map(crate::map::read::<[u64; 2]>);
                    assert_eq!(found, expected[which], "thread {thread}, step {step}");
                }
            }
        }
        expected.iter().flatten().count()
    };
    let left: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(map.keys().len(), left);
}

#[test]
fn threads_evict_and_the_bound_holds() {
    let map = OurMap::new(shared(), "shared_lru");
    let bound = map.kind().max_entries as usize;
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let mut seed = Seed::new(thread as u64);
                for _ in 0..20_000 {
                    let key = seed.below(4 * bound) as u64;
                    match seed.below(4) {
                        0 => drop(map.delete(Some(&key.to_ne_bytes()))),
                        1 => drop(map.program_lookup(&key.to_ne_bytes())),
                        _ => assert_eq!(map.call("update", [address(&key), address(&key), 0, 0]), 0),
                    }
                }
            });
        }
    });
    for key in 0..bound as u64 {
        assert_eq!(map.call("update", [address(&key), address(&key), 0, 0]), 0);
    }
    let mut keys = map.keys();
    assert_eq!(keys.len(), bound, "nothing is lost, and nothing is there beyond the bound");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), bound);
}

#[test]
fn threads_add_under_a_lock() {
    let map = OurMap::new(shared(), "shared_locked");
    let key = 3u32;
    map.update(Some(&key.to_ne_bytes()), &[0; 16], 0).unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(move || (0..20_000).for_each(|_| assert_eq!(map.call("locked_add", [3, 1, 0, 0]), 0)));
        }
    });
    let sum = 20_000 * THREADS as u64;
    let value = map.lookup(Some(&key.to_ne_bytes()), &[], 4).unwrap();
    assert_eq!((&value[..4], &value[8..]), (&(sum as u32).to_ne_bytes()[..], &sum.to_ne_bytes()[..]));
}

/// Records of each thread come in its order, and all of them.
#[test]
fn threads_share_a_ring_buffer() {
    const RECORDS: u64 = 20_000;
    let ring = OurMap::new(shared(), "shared_ring");
    let writing = AtomicUsize::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS as u64 {
            let writing = &writing;
            scope.spawn(move || {
                for number in 0..RECORDS {
                    let record = [thread, number];
                    // Lengths differ, so that records come to lie everywhere.
                    let length = 16 - (number % 3);
                    while ring.call("ring_output", [address(&record), length, 0, 0]) != 0 {
                        thread::yield_now();
                    }
                }
                writing.fetch_sub(1, Ordering::Release);
            });
        }
        let mut next = [0; THREADS];
        loop {
            let ended = writing.load(Ordering::Acquire) == 0;
            let record = ring.call("bpf2native_ring_next", [0; 4]) as *const u64;
            if record.is_null() {
                if ended {
                    break;
                }
                thread::yield_now();
                continue;
            }
            // SAFETY: a record has 14 bytes at least, and room for 16; it stays until the next call.
            let [thread, number] = unsafe { record.cast::<[u64; 2]>().read() };
            let expected = &mut next[thread as usize];
            assert_eq!(number & 0xffff_ffff_ffff, *expected & 0xffff_ffff_ffff, "thread {thread}");
            *expected += 1;
        }
        assert_eq!(next, [RECORDS; THREADS]);
    });
}

/// A kernel program that looks up the keys from 0 to `count`: `words` are the 8-byte words of a key behind its first, or
/// none for a key of 4 bytes.
fn kernel_program(map: &KernelMap, key_size: i16, count: u32) -> Vec<u8> {
    let slot = |opcode: u8, registers: u8, offset: i16, imm: i32| {
        let (offset, imm) = (offset.to_le_bytes(), imm.to_le_bytes());
        [opcode, registers, offset[0], offset[1], imm[0], imm[1], imm[2], imm[3]]
    };
    let store = if key_size == 4 { 0x63 } else { 0x7b };
    let mut code = vec![slot(0xb7, 0x06, 0, 0), slot(0xb7, 0x07, 0, 7), slot(0x7b, 0x7a, -8, 0)];
    let start = code.len();
    code.extend([
        slot(store, 0x6a, -key_size, 0),
        slot(0x18, 0x11, 0, map.descriptor()),
        slot(0, 0, 0, 0),
        slot(0xbf, 0xa2, 0, 0),
        slot(0x07, 0x02, 0, -i32::from(key_size)),
        slot(0x85, 0x00, 0, 1),
        slot(0x07, 0x06, 0, 1),
    ]);
    let back = start as i16 - code.len() as i16 - 1;
    code.extend([slot(0xa5, 0x06, back, count as i32), slot(0xb7, 0, 0, 0), slot(0x95, 0, 0, 0)]);
    code.concat()
}

/// The least of some measurements, in nanoseconds: what others do on the machine only adds to it.
fn least(measure: impl Fn() -> f64) -> f64 {
    (0..20).map(|_| measure()).fold(f64::INFINITY, f64::min)
}

#[test]
fn look_ups_are_as_fast_as_the_kernels() {
    const KEYS: u32 = 1000;
    for (name, function, key_size) in
        [("large_4", "look_4", 4i16), ("large_8", "look_8", 8), ("large_16", "look_16", 16)]
    {
        let ours = OurMap::new(shared(), name);
        let keys = (0..10 * u64::from(KEYS)).map(|number| [number.to_le_bytes(), 7u64.to_le_bytes()].concat());
        let keys: Vec<Vec<u8>> = keys.map(|key| key[..key_size as usize].to_vec()).collect();
        keys.iter().for_each(|key| ours.update(Some(key), &[1; 8], 0).unwrap());
        // SAFETY: the fixture's functions have this type.
        let look = unsafe { shared().func::<(u64, u64), i64>(function) }.unwrap();
        let rounds = 200;
        let ours = least(|| {
            let start = Instant::now();
            assert_eq!(look.call((rounds, u64::from(KEYS))), rounds as i64 * i64::from(KEYS));
            start.elapsed().as_nanos() as f64 / (rounds * u64::from(KEYS)) as f64
        });
        if !has_kernel() {
            say(&format!("look-ups of {key_size}-byte keys: {ours:.1} ns\n"));
            continue;
        }
        let twin = KernelMap::create(&OurMap::new(shared(), name).kind(), None, None, 1).unwrap();
        keys.iter().for_each(|key| twin.update(Some(key), &[1; 8], 0).unwrap());
        let program = bpf::load(&kernel_program(&twin, key_size, KEYS)).unwrap();
        assert!(program.as_raw_fd() >= 0);
        let kernel = least(|| {
            let ran = bpf::test_run(&program, &[0; 64], 200).unwrap();
            f64::from(ran.duration) / f64::from(KEYS)
        });
        say(&format!("look-ups of {key_size}-byte keys: {ours:.1} ns, the kernel's {kernel:.1} ns\n"));
        assert!(ours < 1.5 * kernel, "{key_size}-byte keys: {ours:.1} ns, and the kernel's take {kernel:.1} ns");
    }
}
