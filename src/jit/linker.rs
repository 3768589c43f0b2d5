//! Resolution of undefined symbols in this process.
//!
//! In: what the embedder registered, libraries, and whether the process's own symbols may be used. Out: what a name
//! refers to, [`Found`]. `resolve.rs` asks for all names of a program.
//!
//! The order: registered, then libraries in the order they were added, then the process (and so libc). Names that
//! the program's objects define are not looked up.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_void};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::LinkerError;
use super::host::{Code, HostFunction, NativeFunction};
use super::native::NativeSignature;
use super::{process, search};
use crate::abi::helpers;
use crate::abi::libc::Definer;
use crate::program::names;

/// Parts of the C library, which is in the process; their own files may be linker scripts, or missing.
const PROCESS_LIBRARIES: [&str; 6] = ["c", "m", "dl", "pthread", "rt", "util"];

/// What is registered under a name.
#[derive(Clone)]
enum Registered {
    /// Data, or a function whose type is not checked.
    Address(usize),
    Function(HostFunction),
}

/// What a name refers to.
pub(super) enum Found<'a> {
    /// What is at an address.
    Address(usize),
    /// A function of the embedder.
    Function(&'a HostFunction),
}

/// What undefined symbols refer to: what is registered, then libraries in the order they were added, then this
/// process, libc and libm among it.
///
/// ```
/// use std::ffi::{c_char, c_int};
///
/// fn host_log(_text: *const c_char) -> c_int {
///     0
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut linker = bpf2native::Linker::new();
/// linker.func("host_log", host_log)?;
/// assert!(linker.func("host_log", host_log).is_err());
/// # Ok(())
/// # }
/// ```
///
/// A linker can be used for any number of programs, from any thread. Names that a program defines itself are not
/// looked up; if one is registered, that is a warning ([`Module::warnings`](super::Module::warnings)).
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

    /// Excludes libc and the rest of the process: only registered functions and the given libraries can be called. Weak
    /// symbols that only libc defines are then 0.
    ///
    /// This limits what a program calls by name. It is no sandbox: the program's memory is the process's.
    pub fn no_libc(mut self) -> Linker {
        self.process = false;
        self
    }

    /// Lets a name be registered again; the last registration holds.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Linker {
        self.shadowing = allow;
        self
    }

    /// Registers a function of Rust, a closure, or a pointer to a C function ([`NativeFunction`] has them all). When a
    /// program is loaded, its type is checked against the program's declaration, where the program has BTF: the number of
    /// parameters, and size and kind of each and of the result. Signedness does not matter, and a pointer is a 64-bit
    /// integer.
    ///
    /// The state of a closure lives as long as the linker, its clones, and the modules that were loaded with it and refer to
    /// the name. Programs may call it from any thread, and take its address, which is good as long as the module:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicI64, Ordering};
    ///
    /// use bpf2native::{Config, Jit, Linker, Program};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sum = Arc::new(AtomicI64::new(0));
    /// let state = sum.clone();
    /// let mut linker = Linker::new();
    /// linker.func("add", move |value: i64| state.fetch_add(value, Ordering::Relaxed) + value)?;
    ///
    /// // long call_add(long value) { return add(value); }
    /// let program = Program::from_files(["fixtures/api/closures.o"])?;
    /// let module = Jit::new(&Config::new())?.load_reachable(&program, &linker, ["call_add"])?;
    /// // SAFETY: the object is trusted.
    /// let call_add = unsafe { module.func::<(i64,), i64>("call_add")? };
    /// assert_eq!((call_add.call((40,)), call_add.call((2,))), (40, 42));
    /// assert_eq!(sum.load(Ordering::Relaxed), 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A panic of a Rust function, of a closure or of an `extern "C-unwind"` function passes through the program to whoever
    /// called it; one of an `extern "C"` function ends the process.
    ///
    /// # Errors
    ///
    /// [`LinkerError::Duplicate`] if the name is taken.
    pub fn func<Kind>(
        &mut self,
        name: &str,
        function: impl NativeFunction<Kind>,
    ) -> Result<&mut Linker, LinkerError> {
        self.register(name, Registered::Function(function.into_host_function()))
    }

    /// Registers the address of data, or of a function whose type is not checked, such as one with `...`.
    ///
    /// # Errors
    ///
    /// [`LinkerError::Duplicate`] if the name is taken.
    ///
    /// # Safety
    ///
    /// The address must be of what the program takes it for, as long as a module uses it.
    pub unsafe fn symbol(&mut self, name: &str, address: *const c_void) -> Result<&mut Linker, LinkerError> {
        self.register(name, Registered::Address(address as usize))
    }

    fn register(&mut self, name: &str, registered: Registered) -> Result<&mut Linker, LinkerError> {
        if !self.shadowing && self.registered.contains_key(name) {
            return Err(LinkerError::Duplicate(name.to_owned()));
        }
        self.registered.insert(name.to_owned(), registered);
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

    /// Adds what a linker finds for `-lNAME`: a shared library, an archive, or what a linker script names, in these
    /// folders (those of `-L`) and in the linker's own. The C library, which is in the process, is not opened again.
    ///
    /// # Errors
    ///
    /// [`LinkerError::Library`] if there is none, or it cannot be opened.
    ///
    /// # Safety
    ///
    /// As [`Self::library`].
    pub unsafe fn named_library(&mut self, name: &str, folders: &[PathBuf]) -> Result<&mut Linker, LinkerError> {
        if PROCESS_LIBRARIES.contains(&name) {
            return Ok(self);
        }
        for found in search::find(name, folders)? {
            // SAFETY: the caller vouches for the library's constructors and destructors.
            unsafe { self.library(found.path())? };
        }
        Ok(self)
    }

    /// The libraries, to be kept open by the modules that use them.
    pub(super) fn libraries(&self) -> &[Arc<libloading::Library>] {
        &self.libraries
    }

    /// The names that are registered, and the C types of those that have one.
    pub(super) fn registered(&self) -> impl Iterator<Item = (&str, Option<&NativeSignature>)> {
        self.registered.keys().map(|name| (name.as_str(), self.signature(name)))
    }

    /// The C type that a name is registered with.
    pub(super) fn signature(&self, name: &str) -> Option<&NativeSignature> {
        match self.registered_for(name)? {
            Registered::Function(function) => Some(&function.signature),
            Registered::Address(_) => None,
        }
    }

    /// This linker, with a default for a name that is not registered.
    pub(super) fn with_default(&self, name: &str, address: usize) -> Linker {
        let mut linker = self.clone();
        linker.registered.entry(name.to_owned()).or_insert(Registered::Address(address));
        linker
    }

    /// What is registered for a name: for a helper's link name, first what its name in C is registered with.
    fn registered_for(&self, name: &str) -> Option<&Registered> {
        let helper = || self.registered.get(&helpers::c_name(helpers::of_symbol(name)?)?);
        helper().or_else(|| self.registered.get(name))
    }

    /// Whether something is registered that takes the place of the runtime's function of this name.
    pub(super) fn replaces(&self, name: &str) -> bool {
        self.registered_for(name).is_some()
    }

    /// What a name refers to.
    pub(super) fn find(&self, name: &str) -> Option<Found<'_>> {
        match self.registered_for(name) {
            Some(&Registered::Address(address)) => Some(Found::Address(address)),
            Some(Registered::Function(function)) => Some(Found::Function(function)),
            None => self.find_elsewhere(name).map(Found::Address),
        }
    }

    /// What a name refers to that is not registered.
    fn find_elsewhere(&self, name: &str) -> Option<usize> {
        let c_name = CString::new(&*names::raw(name)).ok()?;
        let in_library = |library: &Arc<libloading::Library>| {
            // SAFETY: the symbol is only looked at as an address; whoever calls it vouches for its type.
            let symbol = unsafe { library.get::<*const c_void>(c_name.as_bytes_with_nul()) }.ok()?;
            // SAFETY: the address is not used while the library may be closed: modules keep it open.
            unsafe { symbol.try_as_raw_ptr() }.map(|address| address as usize)
        };
        self.libraries.iter().find_map(in_library).or_else(|| match self.process {
            true => process::symbol(&c_name).or_else(|| own_symbol(name)),
            false => None,
        })
    }

    /// The definition of a name that the program does not define.
    pub(super) fn definer(&self, name: &str) -> Definer {
        let address = match self.find(name) {
            Some(Found::Address(address)) => Some(address),
            Some(Found::Function(function)) => match function.code {
                Code::Address(address) => Some(address),
                Code::Entry { .. } => None,
            },
            None => None,
        };
        match address {
            Some(address) if process::is_of_c_library(name, address) => Definer::Libc,
            _ if self.replaces(name) => Definer::Embedder,
            _ => Definer::Library,
        }
    }

    /// Whether the process has a name that this linker excludes.
    pub(super) fn forbids(&self, name: &str) -> bool {
        let in_process = || CString::new(&*names::raw(name)).is_ok_and(|name| process::symbol(&name).is_some());
        !self.process && in_process()
    }
}

/// The origin's `print(format, size, ...)`: `printf` without the size of the format.
extern "C" fn print(format: *const c_char, _size: u64, a: u64, b: u64, c: u64) -> u64 {
    // SAFETY: the program vouches for its format and arguments, as every caller of printf does.
    unsafe { libc::printf(format, a, b, c) as u64 }
}

/// Functions of the translator itself, for names that nothing else defines.
fn own_symbol(name: &str) -> Option<usize> {
    (name == helpers::symbol(helpers::PRINT)).then_some(print as *const c_void as usize)
}
