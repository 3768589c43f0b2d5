//! What `bpf_throw` throws, on its way to the program (`select/exceptions.rs`).
//!
//! In: a call after which something may have been thrown. Out: code that asks, and leaves the function.

use super::lifter::Lifter;
use crate::abi::WORD;
use crate::decode::insn::Reg;
use crate::graph::Catch;
use crate::program::{Exceptions, FunctionId};
use cranelift_codegen::ir::{InstBuilder, Value};

impl Lifter<'_, '_> {
    /// A program that catches begins.
    pub(super) fn enter_program(&mut self) {
        if let Some(exceptions) = self.exceptions_of_program() {
            self.call_own(exceptions.enter, &[]);
        }
    }

    /// It ends.
    pub(super) fn leave_program(&mut self) {
        if let Some(exceptions) = self.exceptions_of_program() {
            self.call_own(exceptions.leave, &[]);
        }
    }

    /// After a call: leaves the function if something was thrown.
    pub(super) fn pass_on(&mut self) {
        let Some(exceptions) = &self.program.exceptions else { return };
        if !self.is_at(&self.graph.throwing) {
            return;
        }
        let pending = self.call_own(exceptions.pending, &[]);
        let (thrown, next) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(thrown);
        self.builder.ins().brif(pending, thrown, &[], next, &[]);
        self.builder.switch_to_block(thrown);
        let zero = self.builder.ins().iconst(WORD, 0);
        let result = match self.graph.catches {
            Some(Catch::Program) => {
                let cookie = self.call_own(exceptions.caught, &[]);
                match exceptions.callback(self.graph.function) {
                    Some(callback) => self.call_own(callback, &[cookie]),
                    None => cookie,
                }
            }
            Some(Catch::Stray) => self.call_own(exceptions.stray, &[]),
            None => zero,
        };
        self.return_words(|_, reg| if reg == Reg::R0 { result } else { zero });
        self.builder.switch_to_block(next);
    }

    fn exceptions_of_program(&self) -> Option<&Exceptions> {
        self.program.exceptions.as_ref().filter(|_| self.graph.catches == Some(Catch::Program))
    }

    /// Calls a function of the program; its result, or 0.
    fn call_own(&mut self, function: FunctionId, words: &[Value]) -> Value {
        let declarations = self.declarations;
        let result = self.call_function(declarations.function(function), words).first;
        result.unwrap_or_else(|| self.builder.ins().iconst(WORD, 0))
    }
}
