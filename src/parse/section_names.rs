//! Names of sections that are read, and are no part of the program.

/// The sections that are read.
pub(super) const DWARF: [&str; 5] =
    [".debug_info", ".debug_abbrev", ".debug_str", ".debug_str_offsets", ".debug_line_str"];

pub(super) const STACK_SIZES: &str = ".stack_sizes";

/// The section of LLVM's jump tables, and nothing else's.
pub(super) const JUMP_TABLES: &str = ".jumptables";
