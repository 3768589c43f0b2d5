//! The data of adapters.
//!
//! In: addresses, as ids in a Cranelift module. Out: data of the module.
//!
//! | table | a word each | filled |
//! |---|---|---|
//! | rows | three for each function: its address, its adapter, its adapter for structs in registers; the first row is zeros | by relocations; read-only then |
//! | places | the byte offset of a row; behind the last one, whether all rows have their place | by `search` |
//! | notes | the offset of a row; behind them a row for each, of an address that is called as it is | by `search` |

use std::ops::RangeInclusive;

use cranelift_module::{DataDescription, FuncId, Module, ModuleRelocTarget};

use super::Defined;
use crate::lift::{DataReference, FUNCTIONS};

/// The bytes of a word.
pub(super) const SLOT: usize = 8;
/// The bytes of a row.
pub(super) const ROW: usize = 3 * SLOT;
/// The binary logarithm of how many notes there are.
const NOTE_BITS: RangeInclusive<u32> = 6..=12;

/// The tables, and their sizes.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub rows: DataReference,
    pub places: DataReference,
    pub notes: DataReference,
    /// The binary logarithm of how many places there are.
    pub place_bits: u32,
    /// The same of notes.
    pub note_bits: u32,
}

impl Tables {
    /// Declares tables for so many rows, of a program that takes so many addresses of functions.
    pub fn declare(rows: usize, addresses: usize, module: &mut dyn Module, is_near: bool) -> Defined<Tables> {
        let mut data = |is_writable| -> Defined<DataReference> {
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
    pub fn filled_offset(&self) -> i64 {
        (SLOT << self.place_bits) as i64
    }

    /// Where, among the notes, the first one's row is.
    pub fn note_rows_offset(&self) -> i64 {
        (SLOT << self.note_bits) as i64
    }

    /// The sizes in bytes: of the rows, the places and the notes.
    fn sizes(&self, rows: usize) -> [usize; 3] {
        [(1 + rows) * ROW, (SLOT << self.place_bits) + SLOT, (SLOT + ROW) << self.note_bits]
    }

    /// The memory that they need, with what aligns them.
    pub fn bytes(&self, rows: usize) -> u64 {
        self.sizes(rows).iter().map(|size| (size + SLOT) as u64).sum()
    }

    /// Defines the tables; a row has a function, its adapter, and its adapter for structs in registers.
    pub fn define(&self, rows: impl ExactSizeIterator<Item = [FuncId; 3]>, module: &mut dyn Module) -> Defined<()> {
        let [row_bytes, place_bytes, note_bytes] = self.sizes(rows.len());
        let mut description = DataDescription::new();
        description.set_align(SLOT as u64);
        for (slot, id) in (ROW / SLOT..).zip(rows.flatten()) {
            let global = description.import_global_value(ModuleRelocTarget::user(FUNCTIONS, id.as_u32()));
            description.write_data_addr((slot * SLOT) as u32, global, 0);
        }
        description.define(vec![0; row_bytes].into_boxed_slice());
        module.define_data(self.rows.id, &description)?;
        for (table, bytes) in [(self.places, place_bytes), (self.notes, note_bytes)] {
            let mut description = DataDescription::new();
            description.set_align(SLOT as u64);
            description.define_zeroinit(bytes);
            module.define_data(table.id, &description)?;
        }
        Ok(())
    }
}
