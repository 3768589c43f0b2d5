//! Calls through registers, of functions that are known by nothing but their address.
//!
//! | program | CLIF |
//! |---|---|
//! | has no adapters | a call of the address |
//! | has some ([`crate::declarations::adapters`]) | a look at the row that is noted for the address; if it is another one's, a call of `search`; a call of what these say |

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};
use cranelift_frontend::FunctionBuilder;

use super::lifter::Lifter;
use crate::abi::{Abi, ResultWords, WORD};
use crate::declarations::adapters::{Adapters, Column, SLOT, Tables};

/// The byte offset of the note of an address: functions are 16 bytes apart, or about that.
pub fn note_of(tables: &Tables, builder: &mut FunctionBuilder<'_>, address: Value) -> Value {
    let mask = ((1i64 << tables.note_bits) - 1) * SLOT as i64;
    let shifted = builder.ins().ushr_imm_u(address, 1);
    builder.ins().band_imm_s(shifted, mask)
}

impl Lifter<'_, '_> {
    /// Calls an address: nothing says what it takes, so all words go, and as many come back as are read. A function whose
    /// words do not go as they are is called by its adapter.
    pub(super) fn call_address(&mut self, address: Value) -> ResultWords {
        let declarations = self.declarations;
        let (callee, may_be_two) = match &declarations.adapters {
            Some(adapters) => (self.adapter_of(adapters, address), adapters.returns_two_words),
            None => (address, false),
        };
        let abi = match Abi::unknown(declarations.platform) {
            abi if may_be_two || self.is_at(&self.graph.second_results) => abi.returning_two_words(),
            abi => abi,
        };
        let words = self.open_words(&abi);
        let signature = self.builder.import_signature(abi.signature(words.len()));
        let arguments = abi.arguments(self.builder, &words);
        let call = self.builder.ins().call_indirect(signature, callee, &arguments.values);
        let results = self.builder.inst_results(call).to_vec();
        abi.result(self.builder, &results, &words, &arguments)
    }

    /// What to call for an address: itself, or its adapter.
    fn adapter_of(&mut self, adapters: &Adapters, address: Value) -> Value {
        let column = match self.is_at(&self.graph.struct_results) {
            true => Column::InRegisters,
            false => Column::Plain,
        };
        let [found, search, call] = [(); 3].map(|()| self.builder.create_block());
        let callee = self.builder.append_block_param(call, WORD);
        self.builder.set_cold_block(search);
        let flags = MemFlagsData::trusted();
        let rows = self.symbol_value(adapters.tables.rows);
        let notes = self.symbol_value(adapters.tables.notes);
        let note = note_of(&adapters.tables, self.builder, address);
        let at = self.builder.ins().iadd(notes, note);
        let offset = self.builder.ins().load(WORD, flags, at, 0);
        let row = self.builder.ins().iadd(rows, offset);
        let there = self.builder.ins().load(WORD, flags, row, 0);
        let is_there = self.builder.ins().icmp(IntCC::Equal, there, address);
        self.builder.ins().brif(is_there, found, &[], search, &[]);
        self.builder.switch_to_block(found);
        let noted = self.builder.ins().load(WORD, flags, row, column.offset());
        self.builder.ins().jump(call, &[noted.into()]);
        self.builder.switch_to_block(search);
        let column = self.builder.ins().iconst(WORD, i64::from(column.offset()));
        let searched = self.call_function(&adapters.search, &[address, column]).first;
        let searched = searched.expect("the search returns a word");
        self.builder.ins().jump(call, &[searched.into()]);
        self.builder.switch_to_block(call);
        callee
    }
}
