//! Loaded programs.
//!
//! In: what is in memory ([`Loaded`]). Out: [`Module`], which owns it, and its functions, data and counts by name. The rule: a function is
//! given out with a type only where that is the program's own, or the caller's word where the program says none.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use super::entries::{GlobalEntry, Interface, MapEntry};
use super::error::FunctionError;
use super::functions::{OwnedFunction, TypedFunction};
use super::loaded::Loaded;
use super::native::{Arguments, NativeSignature, NativeValue};
use super::process;
use crate::btf::Prototype;
use crate::coverage::Coverage;
use crate::profile::Profile;
use crate::warning::Warning;

/// A program in memory. Dropping it, and all functions that own a part in it ([`Module::func_owned`]), runs the program's
/// destructors, if its constructors have run, and frees the memory: addresses of its functions and data must not be used any more, nor may
/// handlers stay registered that are functions of it (as with `atexit`, `signal` or a thread of the program's own).
///
/// It may be used and dropped in any thread.
pub struct Module {
    loaded: Arc<Loaded>,
}

impl Module {
    pub(super) fn new(loaded: Loaded) -> Module {
        Module { loaded: Arc::new(loaded) }
    }

    /// The warnings of the translation.
    pub fn warnings(&self) -> &[Warning] {
        &self.loaded.warnings
    }

    /// The names of the functions that can be called, sorted, without those of the runtime.
    pub fn function_names(&self) -> impl Iterator<Item = &str> {
        self.loaded.functions.iter().filter(|(_, entry)| !entry.is_of_runtime).map(|(name, _)| name.as_str())
    }

    /// Runs the program's constructors, unless they have run. If another thread runs them just now, waits until they
    /// are done. They get this process's arguments and environment, as those of a library do that it opens.
    ///
    /// # Panics
    ///
    /// If a constructor unwinds: with what it throws, and at each later call.
    ///
    /// # Safety
    ///
    /// The program's code runs: its author must be trusted as that of any native library.
    pub unsafe fn initialise(&self) {
        if self.loaded.initialised.is_completed() {
            return;
        }
        let (count, arguments, environment) = process::arguments();
        // SAFETY: the caller vouches for the program's code; the arguments are never freed.
        unsafe { self.initialise_with(count, arguments, environment) }
    }

    /// As [`Self::initialise`], with other arguments: those of `main`, `argc`, `argv` and `envp`.
    ///
    /// # Panics
    ///
    /// As [`Self::initialise`].
    ///
    /// # Safety
    ///
    /// As [`Self::initialise`]; and the arguments are arrays of strings that end in a null pointer, and stay as long
    /// as the program uses them.
    pub unsafe fn initialise_with(
        &self,
        count: c_int,
        arguments: *const *const c_char,
        environment: *const *const c_char,
    ) {
        let arguments = (count, arguments as u64, environment as u64);
        self.loaded.initialised.call_once(|| {
            for &constructor in &self.loaded.constructors {
                // SAFETY: the address is a function of this module; the caller vouches for what it does.
                unsafe { arguments.call::<()>(constructor as *const u8) }
            }
        });
    }

    /// Runs the program's destructors, if its constructors have run and they have not. `drop` does this too; a
    /// process that leaves through `exit` drops nothing.
    ///
    /// # Safety
    ///
    /// As [`Self::initialise`].
    pub unsafe fn finalise(&self) {
        // SAFETY: as the caller says.
        unsafe { self.loaded.finalise() }
    }

    /// The function of this name, as one that takes `A` and returns `R`. Its type is checked once, here, where the
    /// program has BTF.
    ///
    /// # Errors
    ///
    /// [`FunctionError`] if there is none, if it is static, if it has another type, or if the types need BTF and there
    /// is none.
    ///
    /// # Panics
    ///
    /// As [`Self::initialise`].
    ///
    /// # Safety
    ///
    /// The program's code runs, its constructors now and the function when it is called: its author must be trusted
    /// as that of any native library, and where there is no BTF the type must be right.
    pub unsafe fn func<A: Arguments, R: NativeValue>(
        &self,
        name: &str,
    ) -> Result<TypedFunction<'_, A, R>, FunctionError> {
        let entry = self.loaded.functions.get(name).ok_or_else(|| self.missing(name))?;
        let signature = NativeSignature { parameters: A::types(), result: R::TYPE };
        let wanted = || signature.declare(name);
        match &entry.prototype {
            Some(declared) if !signature.calls(declared) => {
                let declared = declared.declare(name);
                return Err(FunctionError::Type { name: name.to_owned(), declared, wanted: wanted() });
            }
            None if signature.needs_type() => {
                return Err(FunctionError::Untyped { name: name.to_owned(), wanted: wanted() });
            }
            _ => {}
        }
        // SAFETY: the caller vouches for the program's code.
        unsafe { self.initialise() };
        // SAFETY: the type was compared with what the program says, and the caller vouches for the rest.
        Ok(unsafe { TypedFunction::new(&self.loaded, entry.address) })
    }

    /// As [`Self::func`], as a function that keeps the module: it can be in a struct beside it, or outlive it.
    ///
    /// ```
    /// use bpf2native::jit::OwnedFunction;
    /// use bpf2native::{Config, Jit, Linker, Module, Program};
    ///
    /// struct Plugin {
    ///     module: Module,
    ///     answer: OwnedFunction<(u64,), u64>,
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // r0 = r1; r0 += 1; exit
    /// let code = [
    ///     [0xbf, 0x10, 0, 0, 0, 0, 0, 0],
    ///     [0x07, 0, 0, 0, 1, 0, 0, 0],
    ///     [0x95, 0, 0, 0, 0, 0, 0, 0],
    /// ];
    /// let program = Program::from_instructions("answer", code.as_flattened())?;
    /// let module = Jit::new(&Config::new())?.load(&program, &Linker::new())?;
    /// // SAFETY: the function takes a number and returns one.
    /// let answer = unsafe { module.func_owned("main")? };
    /// let plugin = Plugin { module, answer };
    /// assert_eq!(plugin.answer.call((41,)), 42);
    /// assert!(plugin.module.warnings().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Self::func`].
    ///
    /// # Panics
    ///
    /// As [`Self::initialise`].
    ///
    /// # Safety
    ///
    /// As [`Self::func`].
    pub unsafe fn func_owned<A: Arguments, R: NativeValue>(
        &self,
        name: &str,
    ) -> Result<OwnedFunction<A, R>, FunctionError> {
        // SAFETY: as the caller says.
        let function = unsafe { self.func::<A, R>(name)? };
        Ok(OwnedFunction::new(function, self.loaded.clone()))
    }

    /// The C type of a function, if the object says it.
    pub fn prototype(&self, name: &str) -> Option<Arc<Prototype>> {
        self.loaded.functions.get(name)?.prototype.clone()
    }

    /// What ran of it so far, and how often; none if it was not translated to be counted ([`Config::coverage`]).
    ///
    /// Functions of it may run meanwhile: each count is one that was right at some time.
    ///
    /// [`Config::coverage`]: crate::Config::coverage
    pub fn coverage(&self) -> Option<Coverage> {
        let (map, wanted, _) = self.loaded.counts.as_ref()?;
        wanted.coverage.then(|| map.coverage(&self.counters()))
    }

    /// How often its blocks ran so far; none if it was not translated for that ([`Config::profile_generate`]). As for
    /// [`Self::coverage`], functions of it may run meanwhile.
    ///
    /// [`Config::profile_generate`]: crate::Config::profile_generate
    pub fn profile(&self) -> Option<Profile> {
        let (map, wanted, _) = self.loaded.counts.as_ref()?;
        wanted.profile.then(|| map.profile(&self.counters()))
    }

    /// The values of its counters.
    fn counters(&self) -> Vec<u64> {
        let Some((map, _, start)) = &self.loaded.counts else { return Vec::new() };
        let counter = |index: usize| {
            let counter = (*start as *const u64).wrapping_add(index);
            // SAFETY: the section has so many counters, and lives as long as the module. The program's threads may count
            // at the same time, each with a store of the whole counter.
            unsafe { counter.read_volatile() }
        };
        (0..map.counters()).map(counter).collect()
    }

    pub(super) fn missing(&self, name: &str) -> FunctionError {
        FunctionError::of_absent(name, &self.loaded.statics, self.function_names().map(str::to_owned))
    }

    /// The address of a function, for native code that wants a pointer. It is good as long as the module lives. The
    /// program's constructors may not have run yet ([`Self::initialise`]).
    pub fn function_address(&self, name: &str) -> Option<*const c_void> {
        self.loaded.functions.get(name).map(|entry| entry.address as *const c_void)
    }

    /// The maps, by name.
    pub(super) fn maps(&self) -> &BTreeMap<String, MapEntry> {
        &self.loaded.maps
    }

    /// The runtime's functions for who embeds it.
    pub(super) fn interface(&self) -> &Interface {
        &self.loaded.interface
    }

    /// The global variables, by name.
    pub(super) fn globals(&self) -> &BTreeMap<String, GlobalEntry> {
        &self.loaded.globals
    }

    /// The address of global data. It is good as long as the module lives.
    pub fn data_address(&self, name: &str) -> Option<*mut c_void> {
        self.loaded.data.get(name).map(|place| place.address() as *mut c_void)
    }
}
