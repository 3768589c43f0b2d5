//! Names of sections that are read, and are no part of the program.

/// The sections that are read.
pub(crate) const DWARF: [&str; 6] =
    [".debug_info", ".debug_abbrev", ".debug_str", ".debug_str_offsets", ".debug_line_str", ".debug_line"];

pub(crate) const STACK_SIZES: &str = ".stack_sizes";

/// The section of LLVM's jump tables, and nothing else's.
pub(crate) const JUMP_TABLES: &str = ".jumptables";
