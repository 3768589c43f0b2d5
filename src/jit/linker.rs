//! What the undefined symbols of a program are in this process.
//!
//! In: what the embedder registered, libraries, and whether the process's own symbols may be used. Out: an address
//! for each name, or one error that lists all names without one.
//!
//! The order: registered, then what the objects define, then libraries in the order they were added, then the
//! process (and so libc). A weak symbol that nothing defines is 0.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CString, c_char, c_void};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::native::{NativeFunction, NativeSignature};
use crate::abi::helpers;
use crate::btf::Prototype;
use crate::graph::Graph;
use crate::lift::libcalls;
use crate::program::Program;
use crate::select::{Selection, Usage};

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
        /// The system's words.
        reason: String,
    },
}

/// Symbols of a program that nothing defines, or that are defined with another type.
#[derive(Debug)]
pub struct Unresolved {
    /// Names, and who refers to them.
    pub missing: Vec<(String, Vec<String>)>,
    /// Names, what the program declares, and what is registered.
    pub mismatched: Vec<(String, String, String)>,
}

impl std::error::Error for Unresolved {}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if !self.missing.is_empty() {
            write!(f, "{} undefined symbol(s):", self.missing.len())?;
            for (name, users) in &self.missing {
                write!(f, "\n  `{name}`, which {} refers to", users.join(", "))?;
            }
            write!(f, "\nregister them, give the objects that define them, or name their library with `-l`")?;
            separator = "\n";
        }
        for (name, declared, registered) in &self.mismatched {
            write!(f, "{separator}`{name}` is declared as `{declared}` and registered as `{registered}`")?;
            separator = "\n";
        }
        Ok(())
    }
}

#[derive(Clone)]
struct Registered {
    address: usize,
    signature: Option<NativeSignature>,
}

/// What undefined symbols refer to.
#[derive(Clone)]
pub struct Linker {
    registered: BTreeMap<String, Registered>,
    libraries: Vec<Arc<libloading::Library>>,
    process: bool,
    shadowing: bool,
}

impl Default for Linker {
    fn default() -> Self {
        Self::new()
    }
}

impl Linker {
    /// A linker that finds the symbols of the process, libc's among them.
    pub fn new() -> Linker {
        Linker { registered: BTreeMap::new(), libraries: Vec::new(), process: true, shadowing: false }
    }

    /// Leaves out libc and the rest of the process: only what is registered, and the given libraries, can be called.
    pub fn no_libc(mut self) -> Linker {
        self.process = false;
        self
    }

    /// Lets a name be registered again; the last registration holds.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Linker {
        self.shadowing = allow;
        self
    }

    /// Registers a native function. Its type is checked against the program's, where the program has BTF.
    ///
    /// # Errors
    ///
    /// [`LinkerError::Duplicate`] if the name is taken.
    pub fn func<F: NativeFunction>(&mut self, name: &str, function: F) -> Result<&mut Linker, LinkerError> {
        self.register(name, function.address() as usize, Some(F::signature()))
    }

    /// Registers the address of a function or of data.
    ///
    /// # Errors
    ///
    /// [`LinkerError::Duplicate`] if the name is taken.
    ///
    /// # Safety
    ///
    /// The address must be of what the program takes it for, as long as a module uses it.
    pub unsafe fn symbol(&mut self, name: &str, address: *const c_void) -> Result<&mut Linker, LinkerError> {
        self.register(name, address as usize, None)
    }

    fn register(
        &mut self,
        name: &str,
        address: usize,
        signature: Option<NativeSignature>,
    ) -> Result<&mut Linker, LinkerError> {
        if !self.shadowing && self.registered.contains_key(name) {
            return Err(LinkerError::Duplicate(name.to_owned()));
        }
        self.registered.insert(name.to_owned(), Registered { address, signature });
        Ok(self)
    }

    /// Adds a shared library, by its path or by the name that the system's loader knows.
    ///
    /// # Errors
    ///
    /// [`LinkerError::Library`] if it cannot be opened.
    ///
    /// # Safety
    ///
    /// The library's constructors run now, and its destructors when the last user is dropped.
    pub unsafe fn library(&mut self, path: impl AsRef<Path>) -> Result<&mut Linker, LinkerError> {
        let path = path.as_ref();
        // SAFETY: the caller vouches for the library's constructors and destructors.
        let opened = unsafe { libloading::Library::new(path) };
        let library = opened.map_err(|error| LinkerError::Library {
            name: path.display().to_string(),
            reason: error.to_string(),
        })?;
        self.libraries.push(Arc::new(library));
        Ok(self)
    }

    /// The libraries, to be kept open by the modules that use them.
    pub(super) fn libraries(&self) -> &[Arc<libloading::Library>] {
        &self.libraries
    }

    fn find(&self, name: &str) -> Option<usize> {
        if let Some(registered) = self.registered.get(name) {
            return Some(registered.address);
        }
        let c_name = CString::new(name).ok()?;
        for library in &self.libraries {
            // SAFETY: the symbol is only looked at as an address; whoever calls it vouches for its type.
            let address = unsafe { library.get::<*const c_void>(c_name.as_bytes_with_nul()) }
                // SAFETY: the address is not used while the library may be closed: modules keep it open.
                .ok()
                .and_then(|symbol| unsafe { symbol.try_as_raw_ptr() });
            if let Some(address) = address {
                return Some(address as usize);
            }
        }
        if !self.process {
            return None;
        }
        process_symbol(&c_name)
    }

    /// The address of every undefined symbol of `program`; 0 for a weak one that nothing defines.
    pub(super) fn resolve(
        &self,
        program: &Program,
        selection: &Selection,
    ) -> Result<BTreeMap<String, usize>, Unresolved> {
        let mut resolved = BTreeMap::new();
        let mut unresolved = Unresolved { missing: Vec::new(), mismatched: Vec::new() };
        for (id, import) in program.imports.iter() {
            let usage = selection.imports[id];
            let is_inline = !usage.addressed && libcalls::named(&import.name).is_some();
            if usage == Usage::default() || is_inline {
                continue;
            }
            match self.find(&import.name) {
                Some(address) => {
                    self.check(&import.name, import.prototype.as_deref(), &mut unresolved);
                    resolved.insert(import.name.clone(), address);
                }
                None if import.weak => {
                    resolved.insert(import.name.clone(), 0);
                }
                None => {
                    let users = import.files.iter().map(|&file| program.files[file].clone()).collect();
                    unresolved.missing.push((import.name.clone(), users));
                }
            }
        }
        for name in selection.runtime.keys() {
            if resolved.contains_key(name) || program.function_named(name).is_some() {
                continue;
            }
            match self.find(name).or_else(|| own_symbol(name)) {
                Some(address) => {
                    resolved.insert(name.clone(), address);
                }
                None => {
                    let users = runtime_users(program, &selection.graphs, name);
                    unresolved.missing.push((name.clone(), users));
                }
            }
        }
        if unresolved.missing.is_empty() && unresolved.mismatched.is_empty() {
            Ok(resolved)
        } else {
            Err(unresolved)
        }
    }

    fn check(&self, name: &str, declared: Option<&Prototype>, unresolved: &mut Unresolved) {
        let registered = self.registered.get(name).and_then(|registered| registered.signature.as_ref());
        if let (Some(declared), Some(registered)) = (declared, registered)
            && !registered.matches(declared)
        {
            let row = (name.to_owned(), declared.declare(name), registered.to_string());
            unresolved.mismatched.push(row);
        }
    }
}

/// The origin's `print(format, size, ...)`: `printf` without the size of the format.
extern "C" fn print(format: *const c_char, _size: u64, a: u64, b: u64, c: u64) -> u64 {
    // SAFETY: the program vouches for its format and arguments, as every caller of printf does.
    unsafe { libc::printf(format, a, b, c) as u64 }
}

/// Functions that the translator has itself, for names that nothing else defines.
fn own_symbol(name: &str) -> Option<usize> {
    (name == helpers::symbol(helpers::PRINT)).then_some(print as *const c_void as usize)
}

/// The functions that call a symbol by number.
fn runtime_users(program: &Program, graphs: &[Graph], name: &str) -> Vec<String> {
    let calls = |graph: &&Graph| {
        let instructions = graph.instructions.iter().filter(|instruction| instruction.target.is_none());
        instructions
            .flat_map(|instruction| crate::lift::call::runtime_symbols(instruction.insn))
            .any(|symbol| symbol == name)
    };
    let users: BTreeSet<String> = graphs
        .iter()
        .filter(calls)
        .map(|graph| program.place(graph.section, Some(graph.function), program.functions[graph.function].start))
        .map(|place| format!("{} (function `{}`)", place.file, place.function.unwrap_or_default()))
        .collect();
    users.into_iter().collect()
}

/// A symbol of the process: of the program itself and of the libraries that it has loaded.
#[cfg(unix)]
fn process_symbol(name: &std::ffi::CStr) -> Option<usize> {
    // SAFETY: `name` is a C string; dlsym only looks it up.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!address.is_null()).then_some(address as usize)
}

/// A symbol of the process.
#[cfg(windows)]
fn process_symbol(name: &std::ffi::CStr) -> Option<usize> {
    let libraries = [
        libloading::os::windows::Library::this().ok(),
        libloading::os::windows::Library::open_already_loaded("ucrtbase.dll").ok(),
    ];
    libraries.into_iter().flatten().find_map(|library| {
        // SAFETY: the symbol is only looked at as an address.
        let symbol = unsafe { library.get::<*const c_void>(name.to_bytes_with_nul()) }.ok()?;
        symbol.as_raw_ptr().map(|address| address as usize)
    })
}
