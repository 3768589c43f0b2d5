//! Adapters: what a call through a register calls in place of a function whose words do not go as they are (floats,
//! structs, `__int128`; of an import on riscv64 and s390x, narrow integers).
//!
//! In: a program, what of it is selected, its names in a Cranelift module. Out: [`Adapters`], which says what there is and
//! where; calls use it (`lift/pointers.rs`), and `emit/adapters` makes its code and data.
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
//! | table | a word each | filled |
//! |---|---|---|
//! | rows | three for each function: its address, its adapter, its adapter for structs in registers; the first row is zeros | by relocations; read-only then |
//! | places | the offset of a row, by the address in it; behind the last one, whether all rows have their place | by `search` |
//! | notes | the offset of a row, by an address; behind them a row for each, of an address that is called as it is | by `search` |
//!
//! Offsets are in bytes, from the first row: 0 stands for no row, and the row there is one of no function.
//!
//! The rule: a function's address stays what it is for everybody. Native code calls it by C's convention, compares it, and
//! hands it back; `&sin` is the library's own. So addresses are known only when the program is linked and loaded, by
//! relocations, and `search` fills its hash table when it is called for the first time.
//!
//! The code grows with the calls plus the functions, not with their product.

use std::ops::RangeInclusive;

use cranelift_module::{FuncId, Module, ModuleError};

use super::declarations::{Callee, DATA, DataReference, Declarations, FUNCTIONS, Imported};
use crate::abi::{Abi, Platform, REGISTER_WORDS};
use crate::decode::insn::{Callee as BpfCallee, Insn};
use crate::graph::Graph;
use crate::program::{Program, Target, names};
use crate::select::Selection;

/// The bytes of a word.
pub const SLOT: usize = 8;
/// The bytes of a row.
pub const ROW: usize = 3 * SLOT;
/// The binary logarithm of how many notes there are.
const NOTE_BITS: RangeInclusive<u32> = 6..=12;
/// What `search` takes: the address, and the [`Column`] of the row.
const SEARCH_WORDS: usize = 2;

/// What a module makes of declarations.
type Declared<T> = Result<T, Box<ModuleError>>;

/// Which adapter of a function is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Of a caller that passes the address of a struct result.
    Plain,
    /// Of a caller that has such a struct in registers.
    InRegisters,
}

impl Column {
    /// Where it is in a row, in bytes.
    pub fn offset(self) -> i32 {
        match self {
            Column::Plain => SLOT as i32,
            Column::InRegisters => 2 * SLOT as i32,
        }
    }
}

/// The functions that calls through registers have to know, and how they find them.
#[derive(Clone, Debug)]
pub struct Adapters {
    /// Those functions, in the order of the rows.
    pub adapted: Vec<Adapted>,
    /// Finds what to call for an address.
    pub search: Callee,
    /// Some adapter returns two words.
    pub returns_two_words: bool,
    /// The tables.
    pub tables: Tables,
    /// The most words that a call through a register passes.
    words: usize,
}

/// A function that has an adapter.
#[derive(Clone, Debug)]
pub struct Adapted {
    /// The function.
    pub target: Target,
    /// Its adapter.
    pub plain: FuncId,
    /// The one for callers that have the struct in registers that it returns: another, or the same.
    pub in_registers: FuncId,
}

/// The tables, and their sizes.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Addresses and adapters.
    pub rows: DataReference,
    /// Rows by address.
    pub places: DataReference,
    /// Rows that were found.
    pub notes: DataReference,
    /// The binary logarithm of how many places there are: at least half of them stay empty.
    pub place_bits: u32,
    /// The same of notes.
    pub note_bits: u32,
}

impl Tables {
    fn declare(rows: usize, addresses: usize, module: &mut dyn Module, is_near: bool) -> Declared<Tables> {
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

    /// Where it stands, among the places, whether all rows have theirs.
    pub fn filled_offset(&self) -> usize {
        SLOT << self.place_bits
    }

    /// Where, among the notes, the first one's row is.
    pub fn note_rows_offset(&self) -> usize {
        SLOT << self.note_bits
    }

    /// The bytes of the places.
    pub fn place_bytes(&self) -> usize {
        self.filled_offset() + SLOT
    }

    /// The bytes of the notes.
    pub fn note_bytes(&self) -> usize {
        self.note_rows_offset() + (ROW << self.note_bits)
    }
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
    ) -> Declared<Option<Adapters>> {
        let targets = adapted(program, selection, declarations);
        if targets.is_empty() || !has_calls_of_addresses(selection, declarations) {
            return Ok(None);
        }
        let platform = declarations.platform;
        let words = REGISTER_WORDS + stack_arguments(selection);
        let mut new_function = |abi: &Abi| -> Declared<FuncId> {
            Ok(module.declare_anonymous_function(&abi.signature(abi.words(0)))?)
        };
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
        let search =
            Callee { id, abi, in_registers: None, colocated: is_near, replaceable: false, c_function: None };
        let addresses = addressed(program, selection).count();
        let tables = Tables::declare(adapters.len(), addresses, module, is_near)?;
        Ok(Some(Adapters { adapted: adapters, search, returns_two_words, tables, words }))
    }

    /// How the adapter of a function calls it, and how it is called itself: with the words that its function takes; one that
    /// takes any number gets as many as any call has.
    pub fn abis(&self, platform: Platform, callee: &Callee, column: Column) -> (Abi, Abi) {
        let called = called(callee, column);
        let own = adapter_abi(platform, &called, self.words);
        (called, own)
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
        let rows = (1 + self.adapted.len()) * ROW;
        (rows + self.tables.place_bytes() + self.tables.note_bytes() + 3 * SLOT) as u64
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
fn called(callee: &Callee, column: Column) -> Abi {
    let in_registers = callee.in_registers.as_deref().filter(|_| column == Column::InRegisters);
    let abi = in_registers.unwrap_or(&callee.abi).clone();
    // Of a symbol whose result nothing says, a caller may read two words.
    if callee.replaceable { abi.returning_two_words() } else { abi }
}

fn adapter_abi(platform: Platform, called: &Abi, words: usize) -> Abi {
    let abi = Abi::raw(platform, called.accepted(words.max(called.words(0))));
    if called.returned_words() == 2 { abi.returning_two_words() } else { abi }
}
