//! Adapters: what a call through a register calls in place of a function whose words do not go as they are (floats,
//! structs, `__int128`; of an import on riscv64 and s390x, narrow integers).
//!
//! In: a program, what of it is selected, its names in a Cranelift module. Out: [`Adapters`], which lifted calls refer to
//! ([`crate::lift`], `call.rs`), and the functions and data that they are.
//!
//! A call through a register has an address and nothing else. So each function that needs an adapter, and whose address
//! the program takes, has its address in a table, beside that of its adapter, a function that takes five words (and those
//! on the stack) as any BPF function does, and calls that one by its type. A call through a register:
//!
//! | step | where | cost |
//! |---|---|---|
//! | the row that is noted for the address, or for another one | at the call | two loads and a comparison |
//! | if it is for another one: the adapter of the address, or the address itself; that is noted, if there is room | `search`, one for the program | a look into a hash table |
//! | the call of what is found | at the call | |
//!
//! | file | what |
//! |---|---|
//! | `call.rs` | the code of adapters |
//! | `search.rs` | the code of `search`, and how it and calls look for addresses |
//! | `tables.rs` | the data of both |
//!
//! The rule: a function's address stays what it is for everybody. Native code calls it by C's convention, compares it, and
//! hands it back; `&sin` is the library's own. So addresses are known only when the program is linked and loaded, by
//! relocations, and `search` fills its hash table when it is called for the first time.
//!
//! The code grows with the calls plus the functions, not with their product.

mod call;
mod search;
mod tables;

use cranelift_codegen::ir::{Function, UserFuncName, Value};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{FuncId, Module, ModuleError};
use rayon::prelude::*;

use crate::abi::{Abi, Platform, REGISTER_WORDS};
use crate::codegen::{self, CompileError, CompiledFunction};
use crate::config::CodeGenerators;
use crate::decode::insn::{Callee as BpfCallee, Insn};
use crate::graph::Graph;
use crate::lift::{Callee, DATA, DataReference, Declarations, FUNCTIONS, Imported};
use crate::program::{Program, Target, names};
use crate::select::Selection;

pub use search::SearchColumn;

/// What a module makes of declarations and definitions.
type Defined<T> = Result<T, Box<ModuleError>>;

/// The functions that calls through registers have to know, and how they find them.
#[derive(Clone, Debug)]
pub struct Adapters {
    /// Those functions, in the order of the table.
    adapted: Vec<Adapted>,
    /// Finds what to call for an address: two words, the address and a [`SearchColumn`].
    pub search: Callee,
    /// Some adapter returns two words.
    pub returns_two_words: bool,
    tables: tables::Tables,
    /// The most words that a call through a register passes.
    words: usize,
}

/// A function that has an adapter.
#[derive(Clone, Debug)]
struct Adapted {
    target: Target,
    /// Its adapter.
    plain: FuncId,
    /// The one for callers that have the struct in registers that it returns: another, or the same.
    in_registers: FuncId,
}

impl Adapters {
    /// Declares the adapters that the program needs; none if it calls nothing through registers, or takes the address of
    /// no function that needs one. `is_near` says whether own functions and data are reached by relative addresses.
    ///
    /// # Errors
    ///
    /// The module's.
    pub fn declare(
        program: &Program,
        selection: &Selection,
        declarations: &Declarations,
        module: &mut dyn Module,
        is_near: bool,
    ) -> Defined<Option<Adapters>> {
        let targets = adapted(program, selection, declarations);
        if targets.is_empty() || !has_calls_of_addresses(selection, declarations) {
            return Ok(None);
        }
        let platform = declarations.platform;
        let words = REGISTER_WORDS + stack_arguments(selection);
        let mut new_function =
            |abi: &Abi| -> Defined<FuncId> { Ok(module.declare_anonymous_function(&abi.signature(abi.words(0)))?) };
        let mut returns_two_words = false;
        let mut adapters = Vec::with_capacity(targets.len());
        for target in targets {
            let callee = callee(declarations, target);
            let mut adapter = |called: &Abi| {
                returns_two_words |= called.returned_words() == 2;
                new_function(&adapter_abi(platform, called, words))
            };
            let plain = adapter(&called(callee, SearchColumn::Plain))?;
            let in_registers = match callee.in_registers {
                Some(_) => adapter(&called(callee, SearchColumn::InRegisters))?,
                None => plain,
            };
            adapters.push(Adapted { target, plain, in_registers });
        }
        let abi = Abi::raw(platform, search::WORDS);
        let id = new_function(&abi)?;
        let search =
            Callee { id, abi, in_registers: None, colocated: is_near, replaceable: false, c_function: None };
        let tables = tables::Tables::declare(adapters.len(), addresses_taken(program, selection), module, is_near)?;
        Ok(Some(Adapters { adapted: adapters, search, returns_two_words, tables, words }))
    }

    /// The tables in which calls look, before they search: the rows, and the notes.
    pub fn tables(&self) -> [DataReference; 2] {
        [self.tables.rows, self.tables.notes]
    }

    /// The row that may be that of an address, where the [`Self::tables`] are at these addresses: if its first word is the
    /// address, then what is called for it stands [`SearchColumn::row_offset`] bytes behind.
    pub fn noted(&self, builder: &mut FunctionBuilder<'_>, tables: [Value; 2], address: Value) -> Value {
        search::noted(&self.tables, builder, tables, address)
    }

    /// What lifted functions refer to, as Cranelift numbers it, with names for listings.
    pub fn references(&self) -> [((u32, u32), &'static str); 3] {
        [
            ((FUNCTIONS, self.search.id.as_u32()), "search_adapter"),
            ((DATA, self.tables.rows.id.as_u32()), "adapters"),
            ((DATA, self.tables.notes.id.as_u32()), "adapters_found"),
        ]
    }

    /// The functions, with names for symbol tables.
    pub fn names(&self, program: &Program) -> Vec<(FuncId, String)> {
        let mut all = vec![(self.search.id, "search_adapter".to_owned())];
        for adapted in &self.adapted {
            let name = match adapted.target {
                Target::Function(id) => &program.functions[id].name,
                Target::Import { import, .. } => &program.imports[import].name,
                _ => continue,
            };
            let name = names::raw(name);
            all.push((adapted.plain, format!("{name}.adapter")));
            if adapted.in_registers != adapted.plain {
                all.push((adapted.in_registers, format!("{name}.adapter.registers")));
            }
        }
        all
    }

    /// The memory that the tables need, with what aligns them.
    pub fn bytes(&self) -> u64 {
        self.tables.bytes(self.adapted.len())
    }

    /// Compiles the adapters, and the search.
    ///
    /// # Errors
    ///
    /// [`CompileError`] when Cranelift refuses one.
    pub fn functions(
        &self,
        declarations: &Declarations,
        generators: &CodeGenerators,
    ) -> Result<Vec<CompiledFunction>, CompileError> {
        let adapters = self.adapted.iter().flat_map(|adapted| {
            let Adapted { target, plain, in_registers } = *adapted;
            let callee = callee(declarations, target);
            let other = (plain != in_registers).then_some((in_registers, callee, SearchColumn::InRegisters));
            [(plain, callee, SearchColumn::Plain)].into_iter().chain(other)
        });
        let adapters: Vec<(FuncId, &Callee, SearchColumn)> = adapters.collect();
        let platform = generators.platform();
        let compile = |&(id, callee, column): &(FuncId, &Callee, SearchColumn)| {
            let called = called(callee, column);
            let own = adapter_abi(platform, &called, self.words);
            function(generators, id, &own, |builder, words| call::build(builder, callee, &called, words))
        };
        let search = function(generators, self.search.id, &self.search.abi, |builder, words| {
            search::build(builder, &self.tables, self.adapted.len(), words);
        });
        let adapters = adapters.par_iter().map(compile).collect::<Result<Vec<_>, _>>()?;
        Ok(std::iter::once(search?).chain(adapters).collect())
    }

    /// Defines the tables.
    ///
    /// # Errors
    ///
    /// The module's.
    pub fn define(&self, declarations: &Declarations, module: &mut dyn Module) -> Defined<()> {
        let rows = self.adapted.iter().map(|adapted| {
            let address = match adapted.target {
                Target::Function(id) => declarations.address_of(id),
                target => callee(declarations, target),
            };
            [address.id, adapted.plain, adapted.in_registers]
        });
        self.tables.define(rows, module)
    }
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

fn addresses_taken(program: &Program, selection: &Selection) -> usize {
    addressed(program, selection).count()
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

/// How an adapter calls its function.
fn called(callee: &Callee, column: SearchColumn) -> Abi {
    let in_registers = callee.in_registers.as_deref().filter(|_| column == SearchColumn::InRegisters);
    let abi = in_registers.unwrap_or(&callee.abi).clone();
    // Of a symbol whose result nothing says, a caller may read two words.
    if callee.replaceable { abi.returning_two_words() } else { abi }
}

/// How an adapter is called: with the words that its function takes; one that takes any number gets as many as any call has.
fn adapter_abi(platform: Platform, called: &Abi, words: usize) -> Abi {
    let abi = Abi::raw(platform, called.accepted(words.max(called.words(0))));
    if called.returned_words() == 2 { abi.returning_two_words() } else { abi }
}

/// Compiles a function of words, whose CLIF `body` makes of its parameters.
fn function(
    generators: &CodeGenerators,
    id: FuncId,
    abi: &Abi,
    body: impl FnOnce(&mut FunctionBuilder<'_>, &[Value]),
) -> Result<CompiledFunction, CompileError> {
    let mut context = FunctionBuilderContext::new();
    let name = UserFuncName::user(FUNCTIONS, id.as_u32());
    let mut function = Function::with_name_signature(name, abi.signature(abi.words(0)));
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    let parameters = builder.block_params(block).to_vec();
    body(&mut builder, &parameters);
    builder.seal_all_blocks();
    builder.finalize(generators.main.frontend_config());
    codegen::synthetic(&*generators.main, id, function)
}
