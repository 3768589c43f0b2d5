//! What programs put out and tests read, and the other way: ring buffers, user ring buffers, perf events.

use crate::map::{OurMap, Seen, address, shared};

const E2BIG: i64 = -7;
const EAGAIN: i64 = -11;
const EINVAL: i64 = -22;
const ENOSPC: i64 = -28;

#[test]
fn ring_buffers_are_read_in_order() {
    let module = shared();
    let ring = OurMap::new(module, "ring");
    let query = |what| ring.call("ring_query", [what, 0, 0, 0]);
    let next = || {
        let mut length = 0u32;
        let record = ring.call("bpf2native_ring_next", [address(&length), 0, 0, 0]) as *mut u8;
        length = std::hint::black_box(length);
        // SAFETY: the record is of that length.
        (!record.is_null()).then(|| unsafe { std::slice::from_raw_parts(record, length as usize) }.to_vec())
    };
    assert_eq!((query(0), query(1), query(2), query(3), query(4)), (0, 4096, 0, 0, 0));
    assert_eq!(next(), None);
    let output = |text: &str, flags| ring.call("ring_output", [address(text), text.len() as u64, flags, 0]);
    assert_eq!((output("one", 0), output("twelve bytes", 2), output("", 1), output("x", 4)), (0, 0, 0, EINVAL));
    // Each has 8 bytes before it, and is rounded up to 8.
    assert_eq!((query(0), query(3)), (16 + 24 + 8, 48));
    let reserved = ring.call("ring_reserve", [8, 0, 0, 0]) as *mut u8;
    assert_eq!(ring.call("ring_reserve", [8, 1, 0, 0]), 0, "flags");
    assert_eq!(output("after", 0), 0);
    assert_eq!(next().unwrap(), b"one");
    assert_eq!(next().unwrap(), b"twelve bytes");
    assert_eq!(next().unwrap(), b"");
    assert_eq!(next(), None, "what is not submitted yet is waited for");
    // SAFETY: the reservation is of 8 bytes.
    unsafe { reserved.cast::<u64>().write(7) };
    module_call(&ring, "ring_submit", reserved);
    assert_eq!(next().unwrap(), 7u64.to_ne_bytes());
    assert_eq!(next().unwrap(), b"after");
    let dropped = ring.call("ring_reserve", [100, 0, 0, 0]) as *mut u8;
    module_call(&ring, "ring_discard", dropped);
    assert_eq!(next(), None);
    assert_eq!(query(0), 0);

    // Around the end many times, and never more than there is room for.
    for round in 0..50 {
        let text = format!("{round:1000}");
        let written = (0..100).take_while(|_| output(&text, 0) == 0).count();
        assert_eq!(output(&"a".repeat(1000), 0), EAGAIN);
        // Of 1008 bytes; a full ring is never quite full.
        assert_eq!(written, 4);
        (0..written).for_each(|_| assert_eq!(next().unwrap(), text.as_bytes()));
        assert_eq!(next(), None);
    }
    assert_eq!(ring.call("ring_reserve", [4096, 0, 0, 0]), 0, "longer than the ring");
    assert_ne!(ring.call("ring_reserve", [4080, 0, 0, 0]), 0);
}

/// Calls a function that takes a record and flags.
fn module_call(map: &OurMap<'_>, function: &str, record: *mut u8) {
    // SAFETY: the fixture's functions have this type.
    let function = unsafe { map.module.func::<(*mut u8, u64), ()>(function) }.unwrap();
    function.call((record, 0));
}

#[test]
fn a_program_drains_a_user_ring_buffer() {
    let module = shared();
    let ring = OurMap::new(module, "user_ring");
    let write = |value: &[u8]| ring.call("bpf2native_user_ring_write", [address(value), value.len() as u64, 0, 0]);
    let drain = |seen: &mut Seen, flags| ring.call("drain", [seen.address(), flags, 0, 0]);
    let mut seen = Seen::new(u64::MAX, 0);
    assert_eq!((drain(&mut seen, 0), drain(&mut seen, 4)), (0, EINVAL));
    for round in 0..100u32 {
        let mut written = 0u32;
        while write(&[(written + round).to_ne_bytes(); 5].concat()) == 0 {
            written += 1;
        }
        assert_eq!(write(&[0; 20]), ENOSPC);
        assert_eq!(written, 4096 / 32 - 1);
        let mut first = Seen::new(3, 0);
        assert_eq!(drain(&mut first, 0), 3);
        assert_eq!((first.keys[..3].to_vec(), first.sum), (vec![round, round + 1, round + 2], 60));
        let mut rest = Seen::new(u64::MAX, 0);
        assert_eq!(drain(&mut rest, 0), i64::from(written) - 3);
    }
    assert_eq!(write(&[0; 5000]), ENOSPC);
}

#[test]
fn perf_events_are_read_with_their_processor() {
    let module = shared();
    let events = OurMap::new(module, "events");
    let output = |flags: u64, text: &str| {
        let address_of = module.function_address("event").unwrap();
        // SAFETY: the fixture's function takes these five words.
        let event: extern "C" fn(u64, u64, u64, u64, u64) -> i64 = unsafe { std::mem::transmute(address_of) };
        event(0, events.address as u64, flags, address(text), text.len() as u64)
    };
    let next = || {
        let place = [0u32; 2];
        let record = events.call("bpf2native_perf_next", [address(&place), address(&place[1]), 0, 0]) as *const u8;
        let [index, length] = std::hint::black_box(place);
        // SAFETY: the event is of that length.
        (!record.is_null())
            .then(|| (index, unsafe { std::slice::from_raw_parts(record, length as usize) }.to_vec()))
    };
    assert_eq!(output(0xffff_ffff, "here"), 0);
    assert_eq!((output(3, "there"), output(4, "nowhere"), output(1 << 60, "flags")), (0, E2BIG, EINVAL));
    // The context has no packet of the runtime.
    assert_eq!(output(1 << 32, "packet"), EINVAL);
    assert_eq!(next(), Some((0, b"here".to_vec())));
    assert_eq!(next(), Some((3, b"there".to_vec())));
    assert_eq!(next(), None);
    let long = "x".repeat(1 << 16);
    let written = (0..100).take_while(|_| output(0, &long) == 0).count();
    assert_eq!(written, 15, "of 1 MiB");
    assert_eq!(output(0, &long), ENOSPC);
}
