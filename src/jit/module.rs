//! Loaded programs and their functions.
//!
//! In: a finished Cranelift module. Out: [`Module`], which owns the memory, and [`TypedFunction`], which borrows it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{c_char, c_int, c_void};
use std::marker::PhantomData;
use std::sync::{Arc, Once};

use cranelift_jit::JITModule;

use super::dso_handle::DsoHandle;
use super::entries;
use super::entries::{GlobalEntry, Interface, MapEntry, Place};
use super::error::FunctionError;
use super::native::{Arguments, NativeSignature, NativeValue};
use super::observers::Observed;
use super::process;
use super::resolve::Kept;
use crate::btf::Prototype;
use crate::coverage::{Coverage, CoverageMap, Wanted};
use crate::lift::Declarations;
use crate::profile::Profile;
use crate::program::{Binding, DataKind, DataSectionId, Function, FunctionId, Program};
use crate::warning::Warning;

/// A function's address and its C type.
struct Entry {
    address: usize,
    prototype: Option<Arc<Prototype>>,
    /// It came out of the runtime: it can be called, and is not listed.
    is_of_runtime: bool,
}

/// A program in memory. Dropping it, and all functions that own a part in it ([`Module::func_owned`]), runs the program's
/// destructors, if its constructors have run, and frees the memory: addresses of its functions and data must not be used any more, nor may handlers stay registered that are
/// functions of it (as with `atexit`, `signal` or a thread of the program's own).
///
/// It may be used and dropped in any thread.
pub struct Module {
    loaded: Arc<Loaded>,
}

/// What is known of a program whose code is in memory.
pub(super) struct Translated<'a> {
    pub(super) program: &'a Program,
    pub(super) declarations: Declarations,
    /// What its counters mean, if it has some.
    pub(super) counts: Option<(CoverageMap, Wanted)>,
    pub(super) warnings: Vec<Warning>,
}

/// What is in memory, shared by a module and the functions that own a part in it.
struct Loaded {
    /// Only taken by `drop`.
    module: Option<JITModule>,
    functions: BTreeMap<String, Entry>,
    statics: BTreeSet<String>,
    data: BTreeMap<String, Place>,
    globals: BTreeMap<String, GlobalEntry>,
    maps: BTreeMap<String, MapEntry>,
    interface: Interface,
    constructors: Vec<usize>,
    destructors: Vec<usize>,
    initialised: Once,
    finalised: Once,
    /// Dropped before the memory that it describes.
    observed: Option<Observed>,
    /// Dropped before the memory: what is registered with it runs then.
    dso_handle: Option<DsoHandle>,
    /// Dropped after the memory: the destructors may use it.
    _kept: Kept,
    warnings: Vec<Warning>,
    /// What its counters mean, if it has some, what they are for, and where they are.
    counts: Option<(CoverageMap, Wanted, usize)>,
}

// SAFETY: once finished, the code and the tables never change; the Cranelift module is not touched again until it is
// dropped. Whether the program's own functions may be called from several threads is for the caller to know, who
// promises it with each `unsafe` call of `func`.
unsafe impl Sync for Loaded {}

impl Module {
    pub(super) fn new(
        Translated { program, declarations, counts, warnings }: Translated<'_>,
        module: JITModule,
        observed: Observed,
        kept: Kept,
        dso_handle: DsoHandle,
    ) -> Module {
        let address = |id| module.get_finalized_function(id) as usize;
        let mut functions = BTreeMap::new();
        for (id, function) in program.functions.iter() {
            let Some(callee) = &declarations.functions[id] else { continue };
            let address = address(callee.id);
            for name in visible_names(function) {
                let is_of_runtime = program.is_runtime_function(id);
                functions.insert(name, Entry { address, prototype: function.prototype.clone(), is_of_runtime });
            }
        }
        let section_address =
            |id: DataSectionId| declarations.data[id].map(|data| module.get_finalized_data(data.id));
        let section = |id| section_address(id).map(|(start, _)| start as usize);
        let function = |id: FunctionId| declarations.functions[id].as_ref().map(|callee| address(callee.id));
        let data = program
            .symbols
            .as_slice()
            .iter()
            .filter_map(|symbol| Some((symbol.name.clone(), Place::of(program, symbol, section, function)?)));
        let data = data.collect();
        let (globals, maps) = (entries::globals(program, section, function), entries::maps(program, section));
        let interface = entries::interface(program, function);
        let pointers = |is_kind: fn(DataKind) -> Option<Option<u16>>| {
            let sections = program.data.iter().filter_map(|(id, data)| Some((is_kind(data.kind)?, id)));
            let mut sections: Vec<_> = sections.collect();
            // Those with a priority come first, in its order (psABI: `.init_array.N` before `.init_array`).
            sections.sort_by_key(|(priority, id)| (priority.is_none(), *priority, *id));
            sections.into_iter().filter_map(|(_, id)| section_address(id)).flat_map(read_pointers).collect()
        };
        let constructors = pointers(|kind| match kind {
            DataKind::Constructors(priority) => Some(priority),
            _ => None,
        });
        let mut destructors: Vec<usize> = pointers(|kind| match kind {
            DataKind::Destructors(priority) => Some(priority),
            _ => None,
        });
        destructors.reverse();
        let counters = program.counters.as_ref().and_then(|counters| section_address(counters.section));
        let counters = counters.map_or(0, |(start, _)| start as usize);
        let loaded = Loaded {
            module: Some(module),
            functions,
            statics: static_names(program),
            data,
            globals,
            maps,
            interface,
            constructors,
            destructors,
            initialised: Once::new(),
            finalised: Once::new(),
            observed: Some(observed),
            dso_handle: Some(dso_handle),
            _kept: kept,
            warnings,
            counts: counts.map(|(map, wanted)| (map, wanted, counters)),
        };
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
        Ok(TypedFunction { address: entry.address as *const u8, module: PhantomData, signature: PhantomData })
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
        let function = TypedFunction { address: function.address, module: PhantomData, signature: PhantomData };
        Ok(OwnedFunction { function, _loaded: self.loaded.clone() })
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

impl Loaded {
    /// Runs the destructors, if the constructors have run and they have not.
    ///
    /// # Safety
    ///
    /// As [`Module::finalise`].
    unsafe fn finalise(&self) {
        if self.initialised.is_completed() {
            self.finalised.call_once(|| {
                for &destructor in &self.destructors {
                    // SAFETY: the address is a function of this module; the caller vouches for what it does.
                    unsafe { ().call::<()>(destructor as *const u8) }
                }
            });
        }
    }
}

/// Why a program has no function of this name that native code can find.
pub(super) fn absent(program: &Program, name: &str) -> FunctionError {
    let functions: BTreeSet<String> = own_functions(program).flat_map(visible_names).collect();
    FunctionError::of_absent(name, &static_names(program), functions)
}

/// The functions that only their own objects can name.
fn static_names(program: &Program) -> BTreeSet<String> {
    let functions = own_functions(program).filter(|function| function.binding == Binding::Local);
    functions.map(|function| function.name.clone()).collect()
}

/// The functions that are not the runtime's.
fn own_functions(program: &Program) -> impl Iterator<Item = &Function> {
    program.functions.iter().filter(|(id, _)| !program.is_runtime_function(*id)).map(|(_, function)| function)
}

/// The names under which a function can be asked for.
fn visible_names(function: &Function) -> Vec<String> {
    let own = (function.binding != Binding::Local).then(|| function.name.clone());
    own.into_iter().chain(function.aliases.iter().map(|(name, ..)| name.clone())).collect()
}

/// The addresses in a section of pointers.
fn read_pointers((start, size): (*const u8, usize)) -> Vec<usize> {
    let pointers = start.cast::<usize>();
    (0..size / size_of::<usize>())
        // SAFETY: the section has `size` bytes, and its relocations have been applied.
        .map(|index| unsafe { pointers.add(index).read_unaligned() })
        .filter(|&address| address != 0)
        .collect()
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: whoever ran the constructors has vouched for the program.
        unsafe { self.finalise() };
        self.dso_handle = None;
        self.observed = None;
        if let Some(module) = self.module.take() {
            // SAFETY: typed functions borrow the module, or have a part in it, so none is left; raw addresses are documented to be good
            // only as long as it lives.
            unsafe { module.free_memory() }
        }
    }
}

/// A function of a loaded program.
#[derive(Clone, Copy)]
pub struct TypedFunction<'m, A, R> {
    address: *const u8,
    module: PhantomData<&'m Module>,
    signature: PhantomData<fn(A) -> R>,
}

// SAFETY: an address of code that does not change, borrowed from a module that is Send and Sync.
unsafe impl<A, R> Send for TypedFunction<'_, A, R> {}
// SAFETY: as above.
unsafe impl<A, R> Sync for TypedFunction<'_, A, R> {}

impl<A: Arguments, R: NativeValue> TypedFunction<'_, A, R> {
    /// Calls the function.
    ///
    /// # Panics
    ///
    /// If a Rust function, a closure or an `extern "C-unwind"` function that the program calls does: the panic passes
    /// through.
    pub fn call(&self, arguments: A) -> R {
        // SAFETY: the address is of a function of a live module; whoever asked for it with this type vouched for it.
        unsafe { arguments.call(self.address) }
    }

    /// Its address, as a C function pointer. It is good as long as the module lives.
    pub fn address(&self) -> *const c_void {
        self.address.cast()
    }
}

/// A function of a loaded program that keeps the program in memory ([`Module::func_owned`]).
#[derive(Clone)]
pub struct OwnedFunction<A, R> {
    function: TypedFunction<'static, A, R>,
    _loaded: Arc<Loaded>,
}

impl<A: Arguments, R: NativeValue> OwnedFunction<A, R> {
    /// Calls the function.
    ///
    /// # Panics
    ///
    /// As [`TypedFunction::call`].
    pub fn call(&self, arguments: A) -> R {
        self.function.call(arguments)
    }

    /// Its address, as a C function pointer. It is good as long as this is there.
    pub fn address(&self) -> *const c_void {
        self.function.address()
    }
}
