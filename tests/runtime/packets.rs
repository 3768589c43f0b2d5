//! Every program of `fixtures/runtime/{xdp,tc,cgroup}_packets.c` on every frame (`packets/frames.rs`): in the kernel, by
//! `BPF_PROG_TEST_RUN`, and here; and those of `xdp_maps.c`, one frame after the other. The verdict, the packet, the context
//! and what the program noted (`out`: each helper's result) are the same, and at the end what is in the maps.

use std::io::Write as _;

use crate::kernel;
use crate::map::OurMap;
use crate::support::random::Seed;
use crate::support::seeds;

pub mod frames;
pub mod ours;

/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;

/// 32 words that programs write to.
const OUT: usize = 256;

/// What is compared.
#[derive(Debug, PartialEq)]
struct Outcome {
    verdict: u32,
    packet: Vec<u8>,
    /// Of XDP the length of its metadata; of others mark, priority, devices, cb, time stamp and length on the wire.
    context: Vec<u64>,
    out: Vec<u64>,
}

#[derive(Clone, Copy)]
enum Kind {
    Xdp,
    Tc,
    /// Packets begin at the network header.
    Cgroup,
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Kind::Xdp => 24,
            Kind::Tc | Kind::Cgroup => 192,
        }
    }

    fn function(self) -> &'static str {
        match self {
            Kind::Xdp => "bpf2native_xdp",
            Kind::Tc | Kind::Cgroup => "bpf2native_skb",
        }
    }

    /// What of a context is compared.
    fn shown(self, context: &[u8]) -> Vec<u64> {
        let word = |at: usize| u64::from(u32::from_ne_bytes(context[at..at + 4].try_into().unwrap()));
        let xdp = || vec![word(0).wrapping_sub(word(8))];
        let tc = || [8, 32, 36, 40, 48, 52, 56, 60, 64, 152, 156, 160, 164].map(word).to_vec();
        match self {
            Kind::Xdp => xdp(),
            Kind::Tc => tc(),
            // The kernel measures the packet with a header that it puts before it again.
            Kind::Cgroup => tc()[..10].to_vec(),
        }
    }
}

fn words(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap())).collect()
}

fn in_kernel(kind: Kind, loaded: &kernel::Loaded, packet: &[u8]) -> Outcome {
    let bss = loaded.map(".bss").expect("`out` is zero at first");
    bss.update(&[0; 4], &vec![0; bss.value_size]).unwrap();
    let mut context = vec![0; kind.size()];
    if let Kind::Xdp = kind {
        // data_end: all of it is linear.
        context[4..8].copy_from_slice(&(packet.len() as u32).to_ne_bytes());
    }
    let ran = loaded.run(packet, &context).expect("BPF_PROG_TEST_RUN");
    let value = bss.lookup(&[0; 4]).unwrap();
    let before = if let Kind::Cgroup = kind { ETHERNET } else { 0 };
    Outcome {
        verdict: ran.verdict,
        packet: ran.packet[before..].to_vec(),
        context: kind.shown(&ran.context),
        out: words(&value[..OUT]),
    }
}

fn here(kind: Kind, loaded: &ours::Loaded, program: &str, packet: &[u8]) -> Outcome {
    let out = loaded.variable::<[u8; OUT]>("out");
    // SAFETY: `out` has so many bytes in packets.h.
    unsafe { *out = [0; OUT] };
    let context = loaded.context(kind.function(), packet);
    if let Kind::Cgroup = kind {
        assert_eq!(loaded.run("bpf2native_skb_network", context), 0);
    }
    let verdict = loaded.run(program, context);
    // SAFETY: the context has so many bytes, and its packet lies below 4 GiB.
    let (bytes, out) = unsafe { (std::slice::from_raw_parts(context, kind.size()).to_vec(), *out) };
    let mut packet = loaded.packet(context);
    if let Kind::Xdp = kind {
        // The kernel gives back metadata and all.
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (data, meta) = (word(0), word(8));
        // SAFETY: metadata lies before the packet, in its memory.
        let before = unsafe { std::slice::from_raw_parts(meta as *const u8, data - meta) };
        packet = [before, &packet].concat();
    }
    loaded.free(context);
    Outcome { verdict, packet, context: kind.shown(&bytes), out: words(&out) }
}

/// Whether the kernel runs programs here; if not, says so, and fails where `CI` is set.
pub fn has_kernel() -> bool {
    if let Some(reason) = kernel::unavailable() {
        // Past the test harness, which hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "runtime packets: the kernel's side is left out: {reason}");
        assert!(std::env::var_os("CI").is_none(), "{reason}");
        return false;
    }
    true
}

fn check(kind: Kind, object: &str, programs: &[&str]) {
    if !has_kernel() {
        return;
    }
    let bytes = std::fs::read(format!("fixtures/runtime/{object}")).unwrap();
    let loaded = ours::Loaded::new(object, &bytes, &[]);
    let mut failures = Vec::new();
    for program in programs {
        let in_the_kernel = match kernel::Loaded::new(&bytes, program) {
            Ok(loaded) => loaded,
            Err(error) => {
                failures.push(format!("{program}: {error}"));
                continue;
            }
        };
        for (name, packet) in frames::all() {
            let (expected, found) =
                (in_kernel(kind, &in_the_kernel, &packet), here(kind, &loaded, program, &packet));
            failures.extend(difference(&format!("{program}, {name}"), &expected, &found));
        }
    }
    assert!(failures.is_empty(), "{} differences\n{}", failures.len(), failures.join("\n"));
}

/// The first difference, of the parts one by one.
fn difference(what: &str, kernel: &Outcome, here: &Outcome) -> Option<String> {
    if kernel == here {
        return None;
    }
    let mut text = format!("{what}:");
    if kernel.verdict != here.verdict {
        text += &format!("\n  verdict {} in the kernel, {} here", kernel.verdict, here.verdict);
    }
    if kernel.context != here.context {
        text += &format!("\n  context {:x?} in the kernel\n       {:x?} here", kernel.context, here.context);
    }
    for (index, (kernel, here)) in kernel.out.iter().zip(&here.out).enumerate().filter(|(_, (a, b))| a != b) {
        text += &format!(
            "\n  out[{index}] {kernel:#x} ({kernel}) in the kernel, {here:#x} ({here}) here",
            kernel = *kernel as i64,
            here = *here as i64
        );
    }
    if kernel.packet != here.packet {
        let at = kernel.packet.iter().zip(&here.packet).position(|(a, b)| a != b);
        let (lengths, at) = ((kernel.packet.len(), here.packet.len()), at.unwrap_or(0));
        let piece = |packet: &[u8]| format!("{:02x?}", packet.iter().skip(at).take(24).collect::<Vec<_>>());
        text += &format!(
            "\n  packet: {lengths:?} bytes; from {at} on {} in the kernel\n    {} here",
            piece(&kernel.packet),
            piece(&here.packet)
        );
    }
    Some(text)
}

#[test]
fn xdp_programs_do_what_they_do_in_the_kernel() {
    let programs = [
        "icmp_reply",
        "encapsulate",
        "decapsulate",
        "trim_tail",
        "grow_tail",
        "limits",
        "metadata",
        "bytes",
        "tag",
        "untag",
        "route",
        "balance",
        "sums",
        "mtu",
        "fib_errors",
        "fields",
    ];
    check(Kind::Xdp, "xdp_packets.o", &programs);
}

#[test]
fn tc_programs_do_what_they_do_in_the_kernel() {
    let programs = [
        "classify",
        "nat",
        "replace_errors",
        "bytes",
        "translate",
        "change_tail",
        "change_head",
        "adjust_room",
        "tunnel_room",
        "vlan_push",
        "vlan_pop",
        "congested",
        "change_type",
        "tunnel_key",
        "hash",
        "stamp",
        "sum_state",
        "redirect",
        "pull",
        "legacy",
        "clamp",
        "mtu",
        "sockets",
    ];
    check(Kind::Tc, "tc_packets.o", &programs);
}

#[test]
fn programs_of_control_groups_do_what_they_do_in_the_kernel() {
    check(Kind::Cgroup, "cgroup_packets.o", &["seen", "police", "encapsulate"]);
}

/// Programs with maps: `elements` are there before the first frame, and `maps` are compared after the last one.
fn check_maps(program: &str, elements: &[(&str, &[u8], &[u8])], maps: &[&str]) {
    if !has_kernel() {
        return;
    }
    let bytes = std::fs::read("fixtures/runtime/xdp_maps.o").unwrap();
    let calls = ["bpf2native_map_lookup", "bpf2native_map_update", "bpf2native_map_next_key"];
    let (theirs, ours) =
        (kernel::Loaded::new(&bytes, program).unwrap(), ours::Loaded::new("xdp_maps.o", &bytes, &calls));
    for &(map, key, value) in elements {
        theirs.map(map).unwrap().update(key, value).unwrap();
        OurMap::new(&ours.module, map).update(Some(key), value, 0).unwrap();
    }
    let mut failures = Vec::new();
    for (name, packet) in frames::all() {
        let (expected, found) = (in_kernel(Kind::Xdp, &theirs, &packet), here(Kind::Xdp, &ours, program, &packet));
        failures.extend(difference(&format!("{program}, {name}"), &expected, &found));
    }
    assert!(failures.is_empty(), "{} differences\n{}", failures.len(), failures.join("\n"));
    for map in maps {
        let ours = OurMap::new(&ours.module, map);
        // A device map has all its keys, and not something at each.
        let element = |key: Vec<u8>| ours.lookup(Some(&key), &[], 0).map(|value| (key, value)).ok();
        let mut elements: Vec<_> = ours.keys().into_iter().filter_map(element).collect();
        elements.sort();
        let expected = theirs.map(map).unwrap().elements();
        assert_eq!(elements, expected, "{program}: {map}");
        assert!(expected.iter().any(|(_, value)| value.iter().any(|&byte| byte != 0)), "{map} was not used");
    }
}

#[test]
fn a_firewall_drops_and_counts_as_in_the_kernel() {
    let elements: [(&str, &[u8], &[u8]); 2] =
        [("blocked", &[192, 0, 2, 1], &[0; 8]), ("blocked", &[192, 0, 2, 9], &7u64.to_ne_bytes())];
    check_maps("firewall", &elements, &["blocked", "protocols"]);
    check_maps("firewall", &elements[1..], &["blocked", "protocols"]);
}

#[test]
fn flows_are_counted_as_in_the_kernel() {
    check_maps("account", &[], &["flows"]);
}

#[test]
fn redirections_by_maps_are_the_kernels() {
    let loopback = 1u32.to_ne_bytes();
    let elements: [(&str, &[u8], &[u8]); 2] =
        [("devices", &[0; 4], &loopback), ("devices", &2u32.to_ne_bytes(), &loopback)];
    check_maps("steer", &elements, &["devices"]);
}

/// Frames with some bytes changed, so that sums, lengths and types are any.
fn mutated(seed: &mut Seed) -> Vec<u8> {
    let frames = frames::all();
    let mut packet = seed.pick(&frames).1.clone();
    for _ in 0..seed.below(8) {
        let at = seed.below(packet.len());
        let any = seed.next() as u8;
        packet[at] = *seed.pick(&[0, 1, 0x45, 0x7f, 0x80, 0xfe, 0xff, any]);
    }
    // Programs read at fixed places, and the kernel takes no packet without an Ethernet header.
    packet.truncate(64 + seed.below(packet.len()));
    packet
}

#[test]
fn random_packets_are_treated_as_in_the_kernel() {
    if !has_kernel() {
        return;
    }
    let xdp = ["icmp_reply", "decapsulate", "trim_tail", "bytes", "untag", "route", "balance", "sums"];
    let tc = [
        "classify",
        "nat",
        "replace_errors",
        "bytes",
        "translate",
        "adjust_room",
        "tunnel_room",
        "vlan_push",
        "vlan_pop",
        "congested",
        "legacy",
        "clamp",
    ];
    let seeds: Vec<u64> = seeds::of("packets", 150).collect();
    for (kind, object, programs) in [(Kind::Xdp, "xdp_packets.o", &xdp[..]), (Kind::Tc, "tc_packets.o", &tc)] {
        let bytes = std::fs::read(format!("fixtures/runtime/{object}")).unwrap();
        let ours = ours::Loaded::new(object, &bytes, &[]);
        for program in programs {
            let theirs = kernel::Loaded::new(&bytes, program).unwrap();
            for &seed in &seeds {
                let packet = mutated(&mut Seed::new(seed));
                let (expected, found) = (in_kernel(kind, &theirs, &packet), here(kind, &ours, program, &packet));
                let difference = difference(&format!("{program}, seed {seed}: {packet:02x?}"), &expected, &found);
                assert!(difference.is_none(), "{}", difference.unwrap_or_default());
            }
        }
    }
}
