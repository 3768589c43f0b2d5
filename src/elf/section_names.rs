//! Names of sections that are read, and are no part of the program.

/// The sections that are read.
pub(crate) const DWARF: [&str; 6] =
    [".debug_info", ".debug_abbrev", ".debug_str", ".debug_str_offsets", ".debug_line_str", ".debug_line"];

/// Those of them that say where variables are: of versions 4 and 5.
pub(crate) const LOCATIONS: [&str; 3] = [".debug_addr", ".debug_loc", ".debug_loclists"];

/// Whether a section of debuggers' is read.
pub(crate) fn is_dwarf(name: &str) -> bool {
    DWARF.contains(&name) || LOCATIONS.contains(&name)
}

pub(crate) const STACK_SIZES: &str = ".stack_sizes";

/// The section of LLVM's jump tables, and nothing else's.
pub(crate) const JUMP_TABLES: &str = ".jumptables";
