//! Where a program has the writers of its counts (`writer.c`, `profile.c`).
//!
//! In: a program. Out: the files that are writers: those with a table that the translator fills in.

use crate::program::{FileId, Program};

/// The sections of the writers' tables, each of three pointers: the counters, the words, the path.
pub(super) const COVERAGE_TABLE: &str = ".data.bpf2native_coverage";
pub(super) const PROFILE_TABLE: &str = ".data.bpf2native_profile";

/// The files of a program that have a writer in them.
pub(super) fn files_of_writers(program: &Program) -> Vec<FileId> {
    let tables =
        program.data.iter().filter(|(_, data)| [COVERAGE_TABLE, PROFILE_TABLE].contains(&data.name.as_str()));
    tables.map(|(_, data)| data.file).collect()
}
