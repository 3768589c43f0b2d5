//! Errors of linkers and of loading.

use std::collections::BTreeSet;

use std::fmt;

use crate::codegen::CompileError;
use crate::config::TargetError;
use crate::declare::DeclareError;
use crate::emit::EmitError;
use crate::select::undefined::{self, MissingSymbol};

/// Why a name cannot be registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkerError {
    /// The name is registered already.
    #[error("`{0}` is registered already; call `allow_shadowing` first to replace it")]
    Duplicate(String),
    /// A library cannot be opened.
    #[error("cannot open library `{name}`: {reason}")]
    Library {
        /// As given.
        name: String,
        /// The system's message.
        reason: String,
    },
}

/// Symbols of a program that nothing defines, or that are registered with another type.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unresolved {
    /// Those that nothing defines, in order.
    pub missing: Vec<MissingSymbol>,
    /// Those with another type.
    pub mismatched: Vec<MismatchedSymbol>,
}

/// A symbol that is registered with another type than the program declares.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MismatchedSymbol {
    /// Its name.
    pub name: String,
    /// The program's declaration; none without BTF.
    pub declared: Option<String>,
    /// The registered function's type.
    pub registered: String,
}

impl std::error::Error for Unresolved {}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if !self.missing.is_empty() {
            undefined::write_all(f, &self.missing)?;
            write!(f, "\nregister them, give the objects that define them, or name their library with `-l`")?;
            separator = "\n";
        }
        for MismatchedSymbol { name, declared, registered } in &self.mismatched {
            match declared {
                Some(declared) => write!(
                    f,
                    "{separator}`{name}` is declared as `{declared}`, and is registered as `{registered}`"
                )?,
                None => write!(
                    f,
                    "{separator}`{name}` is registered as `{registered}`, and the program does not say that it passes \
                     floating-point numbers to it: compile it with -g"
                )?,
            }
            separator = "\n";
        }
        Ok(())
    }
}

/// Why a program cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The configuration is for another machine.
    #[error("the target is {target}, and only {host} code runs in this process")]
    NotHost {
        /// What was asked for.
        target: String,
        /// This machine.
        host: String,
    },
    /// Symbols that nothing defines.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// A function or data cannot be translated.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The program does not fit the address space that near calls reach.
    #[error("the program needs {0} bytes of memory, more than the 1 GiB that code in one process may have")]
    TooLarge(u64),
    /// A data section wants a larger alignment than a page.
    #[error("data section `{name}` is aligned to {align} bytes, more than a page")]
    Alignment {
        /// The section.
        name: String,
        /// Bytes.
        align: u64,
    },
    /// The system gives no memory.
    #[error("cannot get {size} bytes of memory: {reason}")]
    Memory {
        /// Bytes.
        size: u64,
        /// The system's message.
        reason: String,
    },
    /// There is no such root.
    #[error(transparent)]
    Root(#[from] FunctionError),
    /// The names for `perf` cannot be written.
    #[error("cannot write the names of functions to `{}` for perf: {source}", path.display())]
    PerfMap {
        /// Where they go.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl From<TargetError> for LoadError {
    fn from(error: TargetError) -> Self {
        LoadError::Emit(error.into())
    }
}

impl From<CompileError> for LoadError {
    fn from(error: CompileError) -> Self {
        LoadError::Emit(error.into())
    }
}

impl From<DeclareError> for LoadError {
    fn from(error: DeclareError) -> Self {
        LoadError::Emit(error.into())
    }
}

/// Why a function cannot be got from a module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// There is no such function.
    #[error("the program has no function `{name}`; {}", known(functions))]
    Missing {
        /// The name.
        name: String,
        /// The functions that exist.
        functions: Vec<String>,
    },
    /// The function is `static`: only its own object can name it.
    #[error("`{0}` is static: take the `static` away for native code to find it")]
    Static(String),
    /// The function has another type.
    #[error("`{name}` is declared as `{declared}`, and cannot be called as `{wanted}`")]
    Type {
        /// The function.
        name: String,
        /// Its C type, from BTF.
        declared: String,
        /// The type that was asked for.
        wanted: String,
    },
    /// The function has no known type, and floating-point numbers need one.
    #[error(
        "nothing says that `{name}` is `{wanted}`: compile it with -g, as floating-point numbers need its type"
    )]
    Untyped {
        /// The function.
        name: String,
        /// The type that was asked for.
        wanted: String,
    },
}

impl FunctionError {
    /// Why there is no function of this name, where there are these.
    pub(super) fn of_absent(
        name: &str,
        statics: &BTreeSet<String>,
        functions: impl IntoIterator<Item = String>,
    ) -> FunctionError {
        if statics.contains(name) {
            return FunctionError::Static(name.to_owned());
        }
        FunctionError::Missing { name: name.to_owned(), functions: functions.into_iter().collect() }
    }
}

/// The functions that can be asked for.
fn known(functions: &[String]) -> String {
    if functions.is_empty() { "it has none".to_owned() } else { format!("it has `{}`", functions.join("`, `")) }
}
