//! Frames: what is an address in one and what a number, how large they are, how they are aligned.

use crate::translated::prints;

/// Differences and sums of addresses that are addresses again.
#[test]
fn differences_of_addresses() {
    for object in ["frame-difference.O0.o", "frame-difference.O2.o"] {
        prints(&[object], "46 770\n22 18\n191 1934\n1934\n1934\n");
    }
}
