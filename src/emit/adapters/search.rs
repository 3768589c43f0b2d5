//! The code of `search`: from an address to what is called for it.
//!
//! The first call fills the places. Threads (and signal handlers) may do so at once: each puts all rows in the same order,
//! by compare-and-swap, a place never changes once it is taken, and so all put a row in the same place. Who has gone
//! through all rows says so behind it (release), and who does not see that (acquire) goes through them.
//!
//! A note is one aligned word, and the row that it leads to has the address with which it is compared before it is believed:
//! so it does not matter which thread wrote it, nor when. Rows do not change: those of functions are read-only, and one of a
//! note belongs to who has put its address there by compare-and-swap, and is whole before a note leads to it (release; a load
//! whose address depends on another load comes after that on all machines).
//!
//! A weak function that is not there has the address 0, which gets no place, and is called as it is.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{ExternalName, GlobalValueData, InstBuilder, MemFlagsData, UserExternalName, Value};
use cranelift_frontend::FunctionBuilder;

use crate::abi::WORD;
use crate::declarations::adapters::{Adapters, ROW, SLOT, Tables};
use crate::lift::{DATA, DataReference, note_of};

/// A hash is the upper bits of the product with 2^64 divided by the golden ratio.
const HASH: u64 = 0x9e37_79b9_7f4a_7c15;

/// Makes `search` of its two words: an address, and the offset of a [`Column`].
///
/// [`Column`]: crate::declarations::adapters::Column
pub(super) fn build(builder: &mut FunctionBuilder<'_>, adapters: &Adapters, words: &[Value]) {
    let (address, column) = (words[0], words[1]);
    let tables = &adapters.tables;
    let search = Search {
        rows: data_address(builder, tables.rows),
        places: data_address(builder, tables.places),
        notes: data_address(builder, tables.notes),
        tables,
    };
    let [fill, find] = [(); 2].map(|()| builder.create_block());
    builder.set_cold_block(fill);
    let filled = builder.ins().iadd_imm_s(search.places, tables.filled_offset() as i64);
    let is_filled = builder.ins().atomic_load(WORD, MemFlagsData::trusted(), filled);
    builder.ins().brif(is_filled, find, &[], fill, &[]);

    builder.switch_to_block(fill);
    search.fill(builder, adapters.adapted.len());
    let one = builder.ins().iconst(WORD, 1);
    builder.ins().atomic_store(MemFlagsData::trusted(), one, filled);
    builder.ins().jump(find, &[]);

    builder.switch_to_block(find);
    search.find(builder, address, column);
}

/// The addresses of the tables.
struct Search<'a> {
    rows: Value,
    places: Value,
    notes: Value,
    tables: &'a Tables,
}

impl Search<'_> {
    /// Gives each row a place.
    fn fill(&self, builder: &mut FunctionBuilder<'_>, rows: usize) {
        let flags = MemFlagsData::trusted();
        let [(each, row), (next, done)] = [(); 2].map(|()| {
            let block = builder.create_block();
            (block, builder.append_block_param(block, WORD))
        });
        let ([put, taken, end], probe) = ([(); 3].map(|()| builder.create_block()), builder.create_block());
        let hash = builder.append_block_param(probe, WORD);
        for block in [each, next, put, taken, end, probe] {
            builder.set_cold_block(block);
        }
        // The first row has nothing: its offset is what an empty place has.
        let first = builder.ins().iconst(WORD, ROW as i64);
        builder.ins().jump(each, &[first.into()]);

        builder.switch_to_block(each);
        let address = self.load(builder, self.rows, row);
        builder.ins().brif(address, put, &[], next, &[row.into()]);
        builder.switch_to_block(put);
        let start = self.hash(builder, address);
        builder.ins().jump(probe, &[start.into()]);

        builder.switch_to_block(probe);
        let place = self.place(builder, hash);
        let empty = builder.ins().iconst(WORD, 0);
        let old = builder.ins().atomic_cas(flags, place, empty, row);
        builder.ins().brif(old, taken, &[], next, &[row.into()]);
        builder.switch_to_block(taken);
        // By this row; or by another one of the same function, which is as good.
        let there = self.load(builder, self.rows, old);
        let is_there = builder.ins().icmp(IntCC::Equal, there, address);
        let following = self.following(builder, hash);
        builder.ins().brif(is_there, next, &[row.into()], probe, &[following.into()]);

        builder.switch_to_block(next);
        let following = builder.ins().iadd_imm_s(done, ROW as i64);
        let is_last = builder.ins().icmp_imm_s(IntCC::Equal, done, (rows * ROW) as i64);
        builder.ins().brif(is_last, end, &[], each, &[following.into()]);
        builder.switch_to_block(end);
    }

    /// Returns what is called for an address.
    fn find(&self, builder: &mut FunctionBuilder<'_>, address: Value, column: Value) {
        let flags = MemFlagsData::trusted();
        let [look, found, put, leave, none] = [(); 5].map(|()| builder.create_block());
        let probe = builder.create_block();
        let hash = builder.append_block_param(probe, WORD);
        let start = self.hash(builder, address);
        builder.ins().jump(probe, &[start.into()]);

        // At least half of the places are empty.
        builder.switch_to_block(probe);
        let place = self.place(builder, hash);
        let row = builder.ins().load(WORD, flags, place, 0);
        builder.ins().brif(row, look, &[], none, &[]);
        builder.switch_to_block(look);
        let there = self.load(builder, self.rows, row);
        let is_there = builder.ins().icmp(IntCC::Equal, there, address);
        let following = self.following(builder, hash);
        builder.ins().brif(is_there, found, &[], probe, &[following.into()]);

        builder.switch_to_block(found);
        let there = builder.ins().iadd(self.rows, row);
        let at = builder.ins().iadd(there, column);
        let adapter = builder.ins().load(WORD, flags, at, 0);
        let note = note_of(self.tables, builder, address);
        let at = builder.ins().iadd(self.notes, note);
        let old = builder.ins().load(WORD, flags, at, 0);
        builder.ins().brif(old, leave, &[], put, &[]);
        builder.switch_to_block(put);
        builder.ins().store(flags, row, at, 0);
        builder.ins().jump(leave, &[]);
        builder.switch_to_block(leave);
        builder.ins().return_(&[adapter]);

        builder.switch_to_block(none);
        self.note(builder, address);
        builder.ins().return_(&[address]);
    }

    /// Notes that an address is called as it is, unless another one has the place. It is not 0: calls of that are searched
    /// for only where there is a note already.
    fn note(&self, builder: &mut FunctionBuilder<'_>, address: Value) {
        let flags = MemFlagsData::trusted();
        let [free, own, end] = [(); 3].map(|()| builder.create_block());
        let note = note_of(self.tables, builder, address);
        let at = builder.ins().iadd(self.notes, note);
        let old = builder.ins().load(WORD, flags, at, 0);
        builder.ins().brif(old, end, &[], free, &[]);

        builder.switch_to_block(free);
        // A note has 8 bytes, and its row three times that.
        let row = builder.ins().imul_imm_s(note, (ROW / SLOT) as i64);
        let row = builder.ins().iadd(self.notes, row);
        let row = builder.ins().iadd_imm_s(row, self.tables.note_rows_offset() as i64);
        let empty = builder.ins().iconst(WORD, 0);
        let old = builder.ins().atomic_cas(flags, row, empty, address);
        builder.ins().brif(old, end, &[], own, &[]);
        builder.switch_to_block(own);
        for column in 1..ROW / SLOT {
            builder.ins().store(flags, address, row, (column * SLOT) as i32);
        }
        let offset = builder.ins().isub(row, self.rows);
        builder.ins().atomic_store(flags, offset, at);
        builder.ins().jump(end, &[]);
        builder.switch_to_block(end);
    }

    fn load(&self, builder: &mut FunctionBuilder<'_>, table: Value, offset: Value) -> Value {
        let at = builder.ins().iadd(table, offset);
        builder.ins().load(WORD, MemFlagsData::trusted(), at, 0)
    }

    fn hash(&self, builder: &mut FunctionBuilder<'_>, address: Value) -> Value {
        let factor = builder.ins().iconst(WORD, HASH.cast_signed());
        let product = builder.ins().imul(address, factor);
        builder.ins().ushr_imm_u(product, i64::from(u64::BITS - self.tables.place_bits))
    }

    /// The place of a hash.
    fn place(&self, builder: &mut FunctionBuilder<'_>, hash: Value) -> Value {
        let offset = builder.ins().ishl_imm_u(hash, i64::from(SLOT.ilog2()));
        builder.ins().iadd(self.places, offset)
    }

    /// The next one.
    fn following(&self, builder: &mut FunctionBuilder<'_>, hash: Value) -> Value {
        let following = builder.ins().iadd_imm_s(hash, 1);
        builder.ins().band_imm_s(following, (1i64 << self.tables.place_bits) - 1)
    }
}

fn data_address(builder: &mut FunctionBuilder<'_>, data: DataReference) -> Value {
    let name = UserExternalName { namespace: DATA, index: data.id.as_u32() };
    let name = ExternalName::user(builder.func.declare_imported_user_function(name));
    let data = GlobalValueData::Symbol { name, offset: 0.into(), colocated: data.colocated, tls: false };
    let global = builder.create_global_value(data);
    builder.ins().symbol_value(WORD, global)
}
