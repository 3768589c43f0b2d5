//! Frames: what is an address in one and what a number, how large they are, how they are aligned.

use crate::command::check;
use crate::translated::{in_memory, object, prints};

/// Differences and sums of addresses that are addresses again.
#[test]
fn differences_of_addresses() {
    for object in ["frame-difference.O0.o", "frame-difference.O2.o"] {
        prints(&[object], "46 770\n22 18\n191 1934\n1934\n1934\n");
    }
}

/// Indices with a bias: addresses that are computed, and far below the frame.
#[test]
fn biased_indices() {
    for object in ["frame-bias.small.o", "frame-bias.large.o", "frame-bias.huge.o", "frame-bias.unsaid.o"] {
        prints(&[object], "3 -228\n");
    }
}

/// A frame is as large as the compiler says, not as any address that is computed.
#[test]
fn biased_indices_need_no_frame() {
    let folder = tempfile::tempdir().unwrap();
    let input = object("frame-bias.huge.o");
    let (out, _) = check(folder.path(), &["--emit", "clif", &input, "-o", "-"], 0);
    let slots: Vec<&str> = out.lines().filter(|line| line.contains("explicit_slot")).map(str::trim).collect();
    assert_eq!(slots[0], "ss0 = explicit_slot 64, align = 16", "{out}");
}

/// LLVM keeps 16 bits of an offset from r10. Up to 64 KiB, the frame's size tells what was meant.
#[test]
fn offsets_that_were_cut_off() {
    prints(&["frame-cut.o"], "12 15 2 9\n");
    let refused = [
        ("frame-cut.unsaid.o", "`*(u64 *)(r10 + 32496) = r1` is above the function's stack frame"),
        (
            "frame-cut.large.o",
            "`*(u64 *)(r10 - 24) = r2` may be at several places of the function's stack frame of 66048",
        ),
        ("frame-cut.large-unsaid.o", "`*(u64 *)(r10 - 24) = r2` may be at several places"),
    ];
    for (name, why) in refused {
        let (status, _, error) = in_memory(&[name], &[], &[]);
        assert_ne!(status, 0, "{name}");
        assert!(error.contains("function `main`") && error.contains(why), "{name}: {error}");
        assert!(error.contains("-bpf-stack-size=32768"), "{name}: {error}");
    }
}

/// Locals that are aligned further than native stacks: by DWARF where LLVM made the object, by masks of gcc's.
#[test]
fn alignments_of_variables() {
    for object in ["frame-alignment.o", "frame-alignment.unsaid.o", "frame-alignment.gcc.o"] {
        prints(&[object], "0\n");
    }
}
