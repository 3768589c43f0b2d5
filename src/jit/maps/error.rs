//! Errors of maps and of global variables.

use std::fmt;

/// Why a map cannot be used so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// There is no such map.
    #[error("the program has no map `{name}`; {}", known(maps))]
    Missing {
        /// The name.
        name: String,
        /// The maps that there are.
        maps: Vec<String>,
    },
    /// The map's definition is not known, or the runtime's functions are not there.
    #[error(
        "map `{name}` is plain data: the program calls no helper of the runtime that could use it, or was read without the \
         runtime and its interface (`parse::Options`), or a function of its own has the name of one of these"
    )]
    NoRuntime {
        /// The map.
        name: String,
    },
    /// Keys or values have another size.
    #[error("the {what} of map `{name}` have {has} bytes, and `{ty}` has {wanted}")]
    Size {
        /// The map.
        name: String,
        /// `keys` or `values`.
        what: &'static str,
        /// Bytes that they have.
        has: u32,
        /// The Rust type that was asked for.
        ty: &'static str,
        /// Its bytes.
        wanted: usize,
    },
    /// The map is used in another way.
    #[error("map `{name}` is of type `{kind}`: use `Module::{method}`")]
    Kind {
        /// The map.
        name: String,
        /// Its type.
        kind: String,
        /// The method for maps of this type.
        method: &'static str,
    },
    /// The map does not do that, as the kernel's would not.
    #[error("cannot {operation} map `{name}`, of type `{kind}`: {}", reason(*errno))]
    Refused {
        /// The map.
        name: String,
        /// Its type.
        kind: String,
        /// What was tried, such as `insert into`.
        operation: &'static str,
        /// The kernel's number for the reason.
        errno: i32,
    },
    /// A per-CPU map was given another number of values than there are processors.
    #[error("map `{name}` has a value for each of {processors} processors, and {values} are given")]
    Processors {
        /// The map.
        name: String,
        /// Processors of the runtime.
        processors: usize,
        /// Values that were given.
        values: usize,
    },
}

/// Why a global variable cannot be used so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobalError {
    /// There is no such variable.
    #[error(
        "the program has no variable `{name}` that others can see (a `static` one is not seen); {}",
        known(variables)
    )]
    Missing {
        /// The name.
        name: String,
        /// The variables that there are.
        variables: Vec<String>,
    },
    /// It has another size.
    #[error("variable `{name}` has {has} bytes, and `{ty}` has {wanted}")]
    Size {
        /// The variable.
        name: String,
        /// Its bytes.
        has: u64,
        /// The Rust type that was asked for.
        ty: &'static str,
        /// Its bytes.
        wanted: usize,
    },
    /// It is constant.
    #[error(
        "variable `{name}` is constant: to set a `const volatile` one, read the program with \
         `parse::Options::writable_constants`; other constants are known to the compiler, which does not read them"
    )]
    Constant {
        /// The variable.
        name: String,
    },
}

fn known(names: &[String]) -> String {
    if names.is_empty() { "it has none".to_owned() } else { format!("it has `{}`", names.join("`, `")) }
}

/// What the kernel's number means for a map.
fn reason(errno: i32) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let text = match errno {
            1 => "its flags forbid that (BPF_F_RDONLY, BPF_F_WRONLY)",
            2 => "there is no such element (ENOENT)",
            7 => "it is full, or the index is past its end (E2BIG): see its max_entries",
            12 => "there is no memory (ENOMEM)",
            16 => "it is in use just now (EBUSY)",
            17 => "there is such an element already (EEXIST)",
            22 => "the kernel allows no such operation, flags or key for this type (EINVAL)",
            28 => "it is full (ENOSPC)",
            95 | 524 => "maps of this type do not have the operation",
            _ => return write!(f, "error {errno}"),
        };
        f.write_str(text)
    })
}
