//! Accesses of memory that other threads, signal handlers or devices share (`docs/memory-model.md`; `tests/accesses.rs`
//! looks at each access).

use crate::translated::prints;

#[test]
fn what_is_read_twice_is_read_twice() {
    prints(&["reread.o"], "read twice: 5\nread back: 7\nwritten twice: 3\n");
}

#[test]
fn a_seqlock_s_reader_gets_no_halves() {
    prints(&["seqlock.o"], "whole\n");
}
