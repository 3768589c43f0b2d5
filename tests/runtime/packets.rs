//! Every program of `fixtures/runtime/{xdp,tc}_packets.c` on every frame (`packets/frames.rs`): in the kernel, by `BPF_PROG_TEST_RUN`, and
//! here. The verdict, the packet, the context and what the program noted (`out`: each helper's result) are the same.

use std::io::Write as _;

use crate::kernel;

mod frames;
mod ours;

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
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Kind::Xdp => 24,
            Kind::Tc => 192,
        }
    }

    fn function(self) -> &'static str {
        match self {
            Kind::Xdp => "bpf2native_xdp",
            Kind::Tc => "bpf2native_skb",
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
    Outcome {
        verdict: ran.verdict,
        packet: ran.packet,
        context: kind.shown(&ran.context),
        out: words(&value[..OUT]),
    }
}

fn here(kind: Kind, loaded: &ours::Loaded, program: &str, packet: &[u8]) -> Outcome {
    let out = loaded.variable::<[u8; OUT]>("out");
    // SAFETY: `out` has so many bytes in packets.h.
    unsafe { *out = [0; OUT] };
    let context = loaded.context(kind.function(), packet);
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

fn check(kind: Kind, object: &str, programs: &[&str]) {
    if let Some(reason) = kernel::unavailable() {
        // Past the test harness, which hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "runtime packets: the kernel's side is left out: {reason}");
        assert!(std::env::var_os("CI").is_none(), "{reason}");
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
