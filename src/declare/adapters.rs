//! Which functions need adapters ([`crate::declarations::adapters`]), and their names in the module.
//!
//! In: a program, what of it is selected, its declarations. Out: [`Adapters`], if there are any.

use std::ops::RangeInclusive;

use cranelift_module::{FuncId, Module, ModuleError};

use crate::abi::{Abi, REGISTER_WORDS};
use crate::declarations::adapters::{Adapted, Adapters, Column, Tables, adapter_abi, called};
use crate::declarations::{Callee, DataReference, Declarations, Imported};
use crate::decode::insn::{Callee as BpfCallee, Insn};
use crate::graph::Graph;
use crate::program::{Program, Target};
use crate::select::Selection;

/// The binary logarithm of how many notes there are.
const NOTE_BITS: RangeInclusive<u32> = 6..=12;
/// What `search` takes: the address, and the [`Column`] of the row.
const SEARCH_WORDS: usize = 2;

/// What a module makes of declarations.
type Declared<T> = Result<T, Box<ModuleError>>;

/// Declares the adapters that the program needs; none if it calls nothing through registers, or takes the address of
/// no function that needs one. `is_near` says whether own functions and data are reached by relative addresses.
///
/// # Errors
///
/// The module's.
pub(super) fn declare(
    program: &Program,
    selection: &Selection,
    declarations: &Declarations,
    module: &mut dyn Module,
    is_near: bool,
) -> Declared<Option<Adapters>> {
    let targets = adapted(program, selection, declarations);
    if targets.is_empty() || !has_calls_of_addresses(selection, declarations) {
        return Ok(None);
    }
    let platform = declarations.platform;
    let words = REGISTER_WORDS + stack_arguments(selection);
    let mut new_function =
        |abi: &Abi| -> Declared<FuncId> { Ok(module.declare_anonymous_function(&abi.signature(abi.words(0)))?) };
    let mut returns_two_words = false;
    let mut adapters = Vec::with_capacity(targets.len());
    for target in targets {
        let callee = callee(declarations, target);
        let mut adapter = |called: &Abi| {
            returns_two_words |= called.returned_words() == 2;
            new_function(&adapter_abi(platform, called, words))
        };
        let plain = adapter(&called(callee, Column::Plain))?;
        let in_registers = match callee.in_registers {
            Some(_) => adapter(&called(callee, Column::InRegisters))?,
            None => plain,
        };
        adapters.push(Adapted { target, plain, in_registers });
    }
    let abi = Abi::raw(platform, SEARCH_WORDS);
    let id = new_function(&abi)?;
    let search = Callee { id, abi, in_registers: None, colocated: is_near, replaceable: false, c_function: None };
    let addresses = addressed(program, selection).count();
    let tables = tables(adapters.len(), addresses, module, is_near)?;
    Ok(Some(Adapters { adapted: adapters, search, returns_two_words, tables, words }))
}

/// Declares the tables.
fn tables(rows: usize, addresses: usize, module: &mut dyn Module, is_near: bool) -> Declared<Tables> {
    let mut data = |is_writable| -> Declared<DataReference> {
        Ok(DataReference { id: module.declare_anonymous_data(is_writable, false)?, colocated: is_near })
    };
    let bits = |count: usize| (2 * count).next_power_of_two().ilog2();
    Ok(Tables {
        rows: data(false)?,
        places: data(true)?,
        notes: data(true)?,
        place_bits: bits(rows),
        note_bits: bits(addresses).clamp(*NOTE_BITS.start(), *NOTE_BITS.end()),
    })
}

/// The functions that need an adapter: their address is taken, and their words do not go as they are.
fn adapted(program: &Program, selection: &Selection, declarations: &Declarations) -> Vec<Target> {
    // How calls see them that have structs in registers, if there are any.
    let in_registers = selection.graphs.iter().any(|graph| !graph.struct_results.is_empty());
    let is_adapted = |&target: &Target| {
        // BPF functions extend what they are given themselves.
        let is_import = matches!(target, Target::Import { .. });
        declarations.callee(target).is_some_and(|callee| {
            let abis = [Some(&callee.abi), callee.in_registers.as_deref().filter(|_| in_registers)];
            abis.into_iter().flatten().any(|abi| !abi.is_plain() || (is_import && abi.wants_extension()))
        })
    };
    addressed(program, selection).filter(is_adapted).collect()
}

/// What has its address taken: functions, then imports.
fn addressed<'a>(program: &'a Program, selection: &'a Selection) -> impl Iterator<Item = Target> + 'a {
    let functions = program.functions.iter().filter(|(_, function)| function.address_taken);
    let functions = functions.map(|(id, _)| Target::Function(id));
    let imports = program.imports.ids().filter(|&id| selection.imports[id].addressed);
    functions.chain(imports.map(|import| Target::Import { import, addend: 0 }))
}

/// Whether anything calls an address.
fn has_calls_of_addresses(selection: &Selection, declarations: &Declarations) -> bool {
    let is_call = |insn: Insn, target: Option<Target>| match (insn, target) {
        (Insn::Call(BpfCallee::Register(_)), _) => true,
        (Insn::Call(_), None | Some(Target::Function(_))) => false,
        (Insn::Call(_), Some(Target::Import { import, .. })) => {
            matches!(declarations.imports[import], Imported::Data(_))
        }
        (Insn::Call(_), Some(_)) => true,
        _ => false,
    };
    let calls = |graph: &Graph| graph.instructions.iter().any(|at| is_call(at.insn, at.target));
    selection.graphs.iter().any(calls)
}

/// The most stack arguments of a function's calls.
fn stack_arguments(selection: &Selection) -> usize {
    let instructions = selection.graphs.iter().flat_map(|graph| &graph.instructions);
    let positions = instructions.filter_map(|instruction| match instruction.insn {
        Insn::StoreStackArgument { position, .. } => Some(usize::from(position)),
        _ => None,
    });
    positions.max().unwrap_or(0)
}

fn callee(declarations: &Declarations, target: Target) -> &Callee {
    declarations.callee(target).expect("what has an adapter is a function")
}
