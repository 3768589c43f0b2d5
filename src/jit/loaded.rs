//! What of a program is in memory, shared by its module and the functions that own a part in it.
//!
//! In: a finished Cranelift module. Out: [`Loaded`]: addresses by name. The rule: the last one to hold it runs the destructors, then takes
//! back what is registered with the process, and then frees the memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Once};

use cranelift_jit::JITModule;

use super::dso_handle::DsoHandle;
use super::entries;
use super::entries::{GlobalEntry, Interface, MapEntry, Place};
use super::error::FunctionError;
use super::native::Arguments;
use super::observers::Observed;
use super::resolve::Kept;
use crate::btf::Prototype;
use crate::coverage::{CoverageMap, Wanted};
use crate::lift::Declarations;
use crate::program::{Binding, DataKind, DataSectionId, Function, FunctionId, Program};
use crate::warning::Warning;

/// A function's address and its C type.
pub(super) struct Entry {
    pub(super) address: usize,
    pub(super) prototype: Option<Arc<Prototype>>,
    /// It came out of the runtime: it can be called, and is not listed.
    pub(super) is_of_runtime: bool,
}

/// What is known of a program whose code is in memory.
pub(super) struct Translated<'a> {
    pub(super) program: &'a Program,
    pub(super) declarations: Declarations,
    /// What its counters mean, if it has some.
    pub(super) counts: Option<(CoverageMap, Wanted)>,
    pub(super) warnings: Vec<Warning>,
}

/// A program in memory, shared by a module and the functions that own a part in it.
pub(super) struct Loaded {
    /// Only taken by `drop`.
    module: Option<JITModule>,
    pub(super) functions: BTreeMap<String, Entry>,
    pub(super) statics: BTreeSet<String>,
    pub(super) data: BTreeMap<String, Place>,
    pub(super) globals: BTreeMap<String, GlobalEntry>,
    pub(super) maps: BTreeMap<String, MapEntry>,
    pub(super) interface: Interface,
    pub(super) constructors: Vec<usize>,
    destructors: Vec<usize>,
    pub(super) initialised: Once,
    finalised: Once,
    /// Dropped before the memory that it describes.
    observed: Option<Observed>,
    /// Dropped before the memory: what is registered with it runs then.
    dso_handle: Option<DsoHandle>,
    /// Dropped after the memory: the destructors may use it.
    _kept: Kept,
    pub(super) warnings: Vec<Warning>,
    /// What its counters mean, if it has some, what they are for, and where they are.
    pub(super) counts: Option<(CoverageMap, Wanted, usize)>,
}

// SAFETY: once finished, the code and the tables never change; the Cranelift module is not touched again until it is
// dropped. Whether the program's own functions may be called from several threads is for the caller to know, who
// promises it with each `unsafe` call of `func`.
unsafe impl Sync for Loaded {}

impl Loaded {
    pub(super) fn new(
        Translated { program, declarations, counts, warnings }: Translated<'_>,
        module: JITModule,
        observed: Observed,
        kept: Kept,
        dso_handle: DsoHandle,
    ) -> Loaded {
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
        Loaded {
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
        }
    }

    /// Runs the destructors, if the constructors have run and they have not.
    ///
    /// # Safety
    ///
    /// As [`Module::finalise`](super::Module::finalise).
    pub(super) unsafe fn finalise(&self) {
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
