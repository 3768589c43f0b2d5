//! The programs of `fixtures/runtime/probes.c`, of raw tracepoints: run a few times each, in the kernel by `BPF_PROG_TEST_RUN` and here,
//! they return the same each time, and leave the same in their maps.

use crate::kernel;
use crate::map::OurMap;
use crate::packets::{has_kernel, ours};

/// The programs, each with the map that is compared at the end.
const PROGRAMS: [(&str, Option<&str>); 9] = [
    ("counted", Some("counts")),
    ("summed", None),
    ("step", None),
    ("chained", None),
    ("branched", None),
    ("looped", Some("texts")),
    ("logged", None),
    ("queued", None),
    ("visited", Some("recent")),
];

/// What a program is given, one after the other.
const ARGUMENTS: [[u64; 2]; 12] = [
    [7, 0],
    [7, 1],
    [1 << 40 | 5, 2],
    [9, 3],
    [7, 4],
    [9, 5],
    [11, 6],
    [13, 2],
    [7, 1],
    [u64::MAX, 60],
    [0, 8],
    [5, 7],
];

#[test]
fn probes_do_what_they_do_in_the_kernel() {
    if !has_kernel() {
        return;
    }
    let bytes = std::fs::read("fixtures/runtime/probes.o").unwrap();
    for (program, map) in PROGRAMS {
        let theirs = kernel::Loaded::whole(&bytes, program).unwrap_or_else(|error| panic!("{program}: {error}"));
        let calls = ["bpf2native_map_lookup", "bpf2native_map_update", "bpf2native_map_next_key"];
        let ours = ours::Loaded::new("probes.o", &bytes, &calls);
        let mut results = Vec::new();
        for arguments in ARGUMENTS {
            let mut words = [arguments[0], arguments[1], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let context: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            let expected = theirs.run_syscall(&context).expect("BPF_PROG_TEST_RUN").cast_signed();
            let found = ours.run(program, words.as_mut_ptr().cast()).cast_signed();
            assert_eq!(found, expected, "{program} of {arguments:?}, after {results:?}");
            results.push(found);
        }
        assert!(results.iter().any(|result| *result != results[0]), "{program} returns {results:?}");
        let Some(map) = map else { continue };
        let ours = OurMap::new(&ours.module, map);
        let mut elements: Vec<_> =
            ours.keys().into_iter().map(|key| (key.clone(), ours.lookup(Some(&key), &[], 0).unwrap())).collect();
        elements.sort();
        assert_eq!(elements, theirs.map(map).unwrap().elements(), "{program}: {map}");
    }
}
