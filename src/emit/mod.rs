//! The **emit** phase: machine code and data into a Cranelift module, and into object files.
//!
//! | file | out |
//! |---|---|
//! | `driver.rs` | the order of all phases, up to machine code |
//! | `define.rs` | functions and data in a Cranelift module, for memory and for objects alike |
//! | `translation.rs` | machine code for an object |
//! | `object.rs` | an object file |
//! | `profile.rs` | sections for profile runtimes and llvm-cov |
//! | `groups.rs` | COMDAT groups |
//! | `unwind.rs` | `.eh_frame`, `.pdata` |
//! | `debug.rs` | DWARF line tables |
//! | `relocate.rs` | sections with relocations, as `unwind.rs` and `debug.rs` write them |
//! | `preserving.rs` | what is called in place of functions that hardly any call reaches |
//! | `adapters/` | what calls through registers call in place of functions with floats or structs |
//! | `synthetic.rs` | functions that the translator adds: a script's `main`, `bpf_script_print` |

pub(crate) mod adapters;
pub(crate) mod debug;
mod define;
pub(crate) mod driver;
mod groups;
mod object;
mod preserving;
mod profile;
mod relocate;
mod synthetic;
pub(crate) mod translation;
pub(crate) mod unwind;

pub(crate) use define::define;
#[cfg(feature = "cache")]
pub use object::object_with_cache;
pub use object::{Object, object};
pub use translation::Purpose;
pub(crate) use translation::trapped;
#[cfg(feature = "compare")]
pub(crate) use translation::{Declared, declared, translate};

pub use crate::abi::AbiError;
pub use crate::codegen::CompileError;
pub use crate::declare::DeclareError;
pub use crate::graph::GraphError;
pub use crate::lift::LiftError;
pub use crate::select::entry::EntryPoints;

use crate::config::TargetError;

/// Why a program cannot be emitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// There is no such target.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Names or types cannot be declared.
    #[error(transparent)]
    Declare(#[from] DeclareError),
    /// A function cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The objects' byte order is not the target's.
    #[error("the objects are {objects}-endian and {target} is not: compile them with `-target {cure}`")]
    Endianness {
        /// `little` or `big`.
        objects: &'static str,
        /// The target.
        target: String,
        /// `bpfel` or `bpfeb`.
        cure: &'static str,
    },
    /// The module refuses a definition.
    #[error("cannot define `{name}`: {reason}")]
    Define {
        /// The function or data section.
        name: String,
        /// The module's message.
        reason: String,
    },
    /// There are no line tables for the target's object format.
    #[error("there is no debug information for {target}: `-g` makes it for ELF targets only")]
    Debug {
        /// The target.
        target: String,
    },
    /// The object cannot be written.
    #[error("cannot write the object: {0}")]
    Write(String),
}

/// Checks that code for `triple` can use the program's data as it is.
///
/// # Errors
///
/// [`EmitError::Endianness`] if not.
pub(crate) fn check_endianness(
    program: &crate::program::Program,
    triple: &target_lexicon::Triple,
) -> Result<(), EmitError> {
    use crate::program::Endianness;
    let is_big = triple.endianness().is_ok_and(|endianness| endianness == target_lexicon::Endianness::Big);
    match (program.endianness, is_big) {
        (Endianness::Little, false) | (Endianness::Big, true) => Ok(()),
        (Endianness::Little, true) => {
            Err(EmitError::Endianness { objects: "little", target: triple.to_string(), cure: "bpfeb" })
        }
        (Endianness::Big, false) => {
            Err(EmitError::Endianness { objects: "big", target: triple.to_string(), cure: "bpfel" })
        }
    }
}
