//! Adapters: what a call through a register calls in place of a function whose words do not go as they are (floats,
//! structs, `__int128`; of an import on riscv64 and s390x, narrow integers).
//!
//! Owns [`Adapters`], which says what there is and where: `declare/adapters.rs` finds out, calls use it (`lift/pointers.rs`), and
//! `emit/adapters` makes its code and data.
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

use cranelift_module::FuncId;

use super::callee::{Callee, DATA, DataReference, FUNCTIONS};
use crate::abi::{Abi, Platform};
use crate::program::{Program, Target, names};

/// The bytes of a word.
pub const SLOT: usize = 8;
/// The bytes of a row.
pub const ROW: usize = 3 * SLOT;

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
    pub(crate) words: usize,
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

/// How an adapter calls its function.
pub(crate) fn called(callee: &Callee, column: Column) -> Abi {
    let in_registers = callee.in_registers.as_deref().filter(|_| column == Column::InRegisters);
    let abi = in_registers.unwrap_or(&callee.abi).clone();
    // Of a symbol whose result nothing says, a caller may read two words.
    if callee.replaceable { abi.returning_two_words() } else { abi }
}

/// How an adapter is called, by calls that pass up to so many words.
pub(crate) fn adapter_abi(platform: Platform, called: &Abi, words: usize) -> Abi {
    let abi = Abi::raw(platform, called.accepted(words.max(called.words(0))));
    if called.returned_words() == 2 { abi.returning_two_words() } else { abi }
}
