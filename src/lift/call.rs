//! Calls (RFC 9669 section 4.3.1).
//!
//! | BPF | callee |
//! |---|---|
//! | `call` of a function of the program | that function, direct |
//! | `call` of an undefined symbol | that symbol, by its C prototype |
//! | `call n` | the program's function for helper n, or else the symbol of its link name ([`helpers`]) |
//! | `call kfunc n` | the symbol `bpf_kfunc_<n>` |
//! | `call 0xbad2310` | none: a CO-RE relocation that the target's BTF does not satisfy; traps |
//! | `callx r` | the address in the register: of r1 to r5 those in that may have a value (`graph/defined.rs`), one word out, or two if r2 is read then; by an adapter where the address is of a known function with floats or structs (`pointers.rs`) |
//! | `r0 = *(uN *)skb[...]` | `bpf_load_packet(r6, offset, bytes)`; if that is negative, the function returns 0 |
//!
//! A call of a compiler-runtime function is lifted inline (see [`super::libcalls`]), and some of C's functions
//! ([`super::memory_calls`], [`super::float_calls`], [`super::integer_calls`]).
//!
//! A call leaves its result in r0, the second word of one that has two in r2, and 0 in the others of r1 to r5.
//!
//! Helper 12 finds the function that goes on in place of the caller's rest: `f = bpf_helper_tail_call(r1, r2, r3)`, and if there
//! is one, `return f(r1)`. In between, the runtime hears that `f` has returned (`bpf_tail_return`), since a run of them ends when none
//! is open. A function that somebody defines by the name `bpf_tail_call` is a helper as others: it returns.
//!
//! There are no other tail calls: Cranelift's `return_call` is for functions of its own convention (`CallConv::Tail`) on both sides, and
//! functions here have C's, since native code calls them. clang turns tail recursion into a loop before it is BPF.
//!
//! A function that may return twice (setjmp) restores the machine's callee-saved registers when it does, but not
//! the spill slots that the register allocator reuses. So around such a call r6 to r9 live in a stack slot of their
//! own, and the function that calls it is compiled without code motion ([`super::Lifted::returns_twice`]).

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, StackSlot, StackSlotData, StackSlotKind, Value};

use super::error::LiftError;
use super::lifter::{Lifter, TRAP_NO_CALLEE, TRAP_POISONED};
use super::variadic;
use crate::abi::helpers::{self, LOAD_PACKET};
use crate::abi::libc::InPlace;
use crate::abi::{Abi, REGISTER_WORDS, ResultWords, WORD};
use crate::declarations::Imported;
use crate::decode::insn::{self, Insn, Reg, Size};
use crate::graph::{Graph, Instruction};
use crate::program::{FunctionId, Program, Target};
use crate::resolution::Resolution;

/// The helper that a CO-RE relocation which cannot be satisfied turns its instruction into.
const POISON: u32 = crate::btf::core::POISON as u32;

/// r0 after a tail call that found nothing: the kernel leaves it undefined.
const NO_PROGRAM: i64 = -1;

/// Whether an instruction may have [`runtime_symbols`]; most have none.
pub(crate) fn may_need_runtime(insn: Insn) -> bool {
    matches!(insn, Insn::Call(_) | Insn::LoadPacket { .. } | Insn::LoadImm { .. })
}

/// The names of the symbols that an instruction calls without a relocation.
pub(crate) fn runtime_symbols(insn: Insn) -> Vec<String> {
    use insn::WideImm::{MapByFd, MapByIndex, MapValueByFd, MapValueByIndex, Variable};
    let names: &[&str] = match insn {
        Insn::Call(insn::Callee::Helper(POISON)) => &[],
        Insn::Call(insn::Callee::Helper(number)) => return vec![helpers::symbol(number)],
        Insn::Call(insn::Callee::Kfunc(id)) => return vec![kfunc_symbol(id)],
        Insn::LoadPacket { .. } => &[LOAD_PACKET],
        Insn::LoadImm { value: MapByFd(_), .. } => &["bpf_map_by_fd"],
        Insn::LoadImm { value: MapByIndex(_), .. } => &["bpf_map_by_idx"],
        Insn::LoadImm { value: MapValueByFd(..), .. } => &["bpf_map_by_fd", "bpf_map_val"],
        Insn::LoadImm { value: MapValueByIndex(..), .. } => &["bpf_map_by_idx", "bpf_map_val"],
        Insn::LoadImm { value: Variable(_), .. } => &["bpf_var_addr"],
        _ => &[],
    };
    names.iter().map(|&name| name.to_owned()).collect()
}

/// What a tail call calls when the function that it found has returned, if it calls anything.
pub(crate) fn tail_return(program: &Program, call: &Instruction) -> Option<FunctionId> {
    let is_tail_call = call.insn == Insn::Call(insn::Callee::Helper(helpers::TAIL_CALL));
    let of_runtime = matches!(call.target, Some(Target::Function(id)) if program.is_runtime_function(id));
    program.tail_return.filter(|_| is_tail_call && of_runtime)
}

fn kfunc_symbol(id: u32) -> String {
    format!("bpf_kfunc_{id}")
}

/// Whether the function calls one that may return twice.
pub(super) fn returns_twice(resolution: &Resolution, graph: &Graph) -> bool {
    let mut calls = graph.instructions.iter().filter(|instruction| matches!(instruction.insn, Insn::Call(_)));
    calls.any(|call| resolution.facts_of(call.target).returns_twice)
}

impl Lifter<'_, '_> {
    pub(super) fn call(&mut self, callee: insn::Callee) -> Result<(), LiftError> {
        let declarations = self.declarations;
        let result = match (callee, self.at.target) {
            (insn::Callee::Helper(helpers::TAIL_CALL), target)
                if self.resolution.finds_tail_call(self.program, target) =>
            {
                let found = target.and_then(|target| declarations.callee(target));
                self.tail_call(found.unwrap_or_else(|| &declarations.runtime[&helpers::symbol(helpers::TAIL_CALL)]))
            }
            (insn::Callee::Array(array), _) => return self.call_array(array),
            (insn::Callee::Register(reg), _) => {
                let address = self.get(reg);
                self.call_address(address)
            }
            (_, Some(Target::Function(function))) => {
                let passed = self.stack_arguments.len();
                let callee = declarations.function(function);
                let expected = callee.abi.words(0).saturating_sub(REGISTER_WORDS);
                if expected > passed {
                    let function = &self.program.functions[function];
                    let place = self.program.place(self.graph.section, Some(self.graph.function), self.at.offset);
                    let callee = function.name.clone();
                    return Err(LiftError::StackArguments { place, callee, expected, passed });
                }
                self.call_with_registers(callee)
            }
            (_, Some(Target::Import { import, .. })) => match &declarations.imports[import] {
                Imported::Function(callee) => {
                    match callee.c_function.and_then(|call| self.in_place(call, callee)) {
                        Some(result) => result,
                        None => self.call_import(callee, self.program.imports[import].weak),
                    }
                }
                Imported::Inline(libcall) => self.inline(*libcall),
                Imported::Unused => unreachable!("an import that is called"),
                // Declared as data because of another object's reference, yet called: by address.
                Imported::Data(_) => {
                    let address = self.target_address(Target::Import { import, addend: 0 });
                    self.call_address(address)
                }
            },
            (_, Some(target)) => {
                let address = self.target_address(target);
                self.call_address(address)
            }
            (insn::Callee::Helper(POISON), None) => one(self.trap_here(TRAP_POISONED)),
            (insn::Callee::Helper(number), None) => {
                self.call_with_registers(&declarations.runtime[&helpers::symbol(number)])
            }
            (insn::Callee::Kfunc(id), None) => self.call_with_registers(&declarations.runtime[&kfunc_symbol(id)]),
            (insn::Callee::Local(_), None) => unreachable!("the graph phase gives every local call a target"),
        };
        self.pass_on();
        self.clobber(result);
        Ok(())
    }

    /// Does a call of one of C's functions in place, if it can be.
    fn in_place(&mut self, call: InPlace, callee: &super::Callee) -> Option<ResultWords> {
        match call {
            InPlace::Memory(call) => self.memory_call(call).map(one),
            InPlace::Float(call) => self.float_call(call, callee),
            InPlace::Absolute(bits) => self.absolute(bits).map(one),
        }
    }

    /// Calls what the callee finds, with the same context, and returns its result; goes on if there is nothing.
    fn tail_call(&mut self, callee: &super::Callee) -> ResultWords {
        let declarations = self.declarations;
        let zero = self.builder.ins().iconst(WORD, 0);
        let address = self.call_with_registers(callee).first.unwrap_or(zero);
        let (found, next) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(address, found, &[], next, &[]);
        self.builder.switch_to_block(found);
        let result = self.call_address(address);
        if let Some(function) = tail_return(self.program, &self.at) {
            self.call_function(declarations.function(function), &[]);
        }
        self.return_words(|lifter, reg| {
            let word = if reg == Reg::R0 { result.first } else { result.second };
            word.unwrap_or_else(|| lifter.builder.ins().iconst(WORD, 0))
        });
        self.builder.switch_to_block(next);
        one(self.builder.ins().iconst(WORD, NO_PROGRAM))
    }

    /// The words that a call passes: r1 to r5, then the stack arguments.
    pub(super) fn argument_words(&mut self, count: usize) -> Vec<Value> {
        let registers = Reg::arguments().map(|reg| self.registers[reg.index()]);
        let variables: Vec<_> = registers.chain(self.stack_arguments.iter().copied()).take(count).collect();
        let mut words: Vec<Value> = variables.into_iter().map(|variable| self.builder.use_var(variable)).collect();
        while words.len() < count {
            words.push(self.builder.ins().iconst(WORD, 0));
        }
        words
    }

    /// The words that a call passes; if nothing says how many, of r1 to r5 those that may have a value. Behind a `...`, all go.
    pub(super) fn open_words(&mut self, abi: &Abi) -> Vec<Value> {
        let on_stack = self.stack_argument_count();
        let count = abi.words(on_stack);
        let passed = self.graph.passed.binary_search_by_key(&self.at.offset, |passed| passed.0);
        let count = match passed {
            Ok(found) if on_stack == 0 && abi.accepted(0) == 0 => self.graph.passed[found].1.min(count),
            _ => count,
        };
        self.argument_words(count)
    }

    pub(super) fn stack_argument_count(&self) -> u16 {
        self.stack_arguments.len() as u16
    }

    pub(super) fn call_with_registers(&mut self, callee: &super::Callee) -> ResultWords {
        let in_registers = callee.in_registers.as_deref().filter(|_| self.is_at(&self.graph.struct_results));
        let abi = in_registers.unwrap_or(&callee.abi);
        let words = self.open_words(abi);
        if abi.returned_words() == 1 && callee.replaceable && self.is_at(&self.graph.second_results) {
            // A symbol whose result type is not known.
            return self.call_by(callee, &abi.clone().returning_two_words(), &words);
        }
        self.call_by(callee, abi, &words)
    }

    /// Whether the instruction is at one of these offsets, which are in order.
    pub(super) fn is_at(&self, offsets: &[u64]) -> bool {
        offsets.binary_search(&self.at.offset).is_ok()
    }

    /// Calls a function with these words. It may be the program's own function of that name and take other arguments: missing ones
    /// are 0, and excess ones are not passed.
    pub(super) fn call_function(&mut self, callee: &super::Callee, words: &[Value]) -> ResultWords {
        let mut words = words.to_vec();
        let count = callee.abi.accepted(words.len());
        words.truncate(count);
        while words.len() < count {
            words.push(self.builder.ins().iconst(WORD, 0));
        }
        self.call_by(callee, &callee.abi, &words)
    }

    /// Calls a function with the words that `abi` takes.
    fn call_by(&mut self, callee: &super::Callee, abi: &Abi, words: &[Value]) -> ResultWords {
        let reference = self.function_reference(callee, abi.signature(words.len()));
        let arguments = abi.arguments(self.builder, words);
        let call = self.builder.ins().call(reference, &arguments.values);
        let results = self.builder.inst_results(call).to_vec();
        abi.result(self.builder, &results, words, &arguments)
    }

    /// Traps; what follows is unreachable, and gets any value.
    pub(super) fn trap_here(&mut self, code: u8) -> Value {
        self.trap(code);
        let unreachable = self.builder.create_block();
        self.builder.switch_to_block(unreachable);
        self.builder.ins().iconst(WORD, 0)
    }

    /// Calls an undefined symbol; a weak one that is not there traps.
    fn call_import(&mut self, callee: &super::Callee, weak: bool) -> ResultWords {
        if weak && let Some(target) = self.at.target {
            let address = self.target_address(target);
            self.builder.ins().trapz(address, trap_code(TRAP_NO_CALLEE));
        }
        let copy = self.change_format();
        let result = self.call_import_with_format(callee);
        self.free_format(copy);
        result
    }

    fn call_import_with_format(&mut self, callee: &super::Callee) -> ResultWords {
        if let Some(function) = variadic::needed(self.program, self.resolution, self.before, &self.at) {
            let words = self.argument_words(callee.abi.words(self.stack_argument_count()));
            return self.call_v_form(function, &words);
        }
        if !self.resolution.facts_of(self.at.target).returns_twice {
            return self.call_with_registers(callee);
        }
        let saved = self.save_registers();
        let result = self.call_with_registers(callee);
        self.restore_registers(saved);
        result
    }

    /// Calls a function of the runtime that is no BPF call: r1 to r5 stay.
    pub(super) fn call_runtime(&mut self, name: &str, words: &[Value]) -> Value {
        let declarations = self.declarations;
        let result = self.call_function(&declarations.runtime[name], words).first;
        result.expect("functions of the runtime return a word")
    }

    /// The registers after a call.
    pub(super) fn clobber(&mut self, result: ResultWords) {
        let zero = self.builder.ins().iconst(WORD, 0);
        self.set(Reg::R0, result.first.unwrap_or(zero));
        for reg in Reg::arguments() {
            self.set(reg, zero);
        }
        if let Some(second) = result.second {
            self.set(Reg::R2, second);
        }
    }

    /// Saves r6 to r9 to a slot. Each call has its own: the registers may have other values at the next one.
    fn save_registers(&mut self) -> StackSlot {
        let size = Reg::callee_saved().len() as u32 * WORD.bytes();
        let slot = self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3));
        for (index, reg) in Reg::callee_saved().enumerate() {
            let value = self.get(reg);
            let address = self.builder.ins().stack_addr(WORD, slot, index as i32 * WORD.bytes() as i32);
            self.builder.ins().store(MemFlagsData::new(), value, address, 0);
        }
        slot
    }

    /// Restores r6 to r9; stack arguments are 0 after a call.
    fn restore_registers(&mut self, slot: StackSlot) {
        for (index, reg) in Reg::callee_saved().enumerate() {
            let address = self.builder.ins().stack_addr(WORD, slot, index as i32 * WORD.bytes() as i32);
            let value = self.builder.ins().load(WORD, MemFlagsData::new(), address, 0);
            self.set(reg, value);
        }
        let zero = self.builder.ins().iconst(WORD, 0);
        for variable in self.stack_arguments.clone() {
            self.builder.def_var(variable, zero);
        }
    }

    pub(super) fn load_packet(&mut self, size: Size, index: Option<Reg>, offset: i32) {
        let context = self.get(Reg::R6);
        let mut position = self.builder.ins().iconst(WORD, i64::from(offset));
        if let Some(index) = index {
            let index = self.get(index);
            position = self.builder.ins().iadd(index, position);
        }
        let bytes = self.builder.ins().iconst(WORD, i64::from(size.bytes()));
        let value = self.call_runtime(LOAD_PACKET, &[context, position, bytes]);
        let (failed, loaded) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(failed);
        let is_negative = self.builder.ins().icmp_imm_s(IntCC::SignedLessThan, value, 0);
        self.builder.ins().brif(is_negative, failed, &[], loaded, &[]);
        self.builder.switch_to_block(failed);
        self.return_words(|lifter, _| lifter.builder.ins().iconst(WORD, 0));
        self.builder.switch_to_block(loaded);
        self.clobber(one(value));
    }
}

/// A result of one word.
fn one(word: Value) -> ResultWords {
    ResultWords { first: Some(word), second: None }
}

pub(super) fn trap_code(code: u8) -> cranelift_codegen::ir::TrapCode {
    cranelift_codegen::ir::TrapCode::unwrap_user(code)
}
