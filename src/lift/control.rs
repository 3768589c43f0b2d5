//! Jumps and returns (RFC 9669 section 4.3).
//!
//! | BPF | CLIF |
//! |---|---|
//! | `goto`, falling through | `jump` |
//! | `if a cond b` | `icmp`, `brif`; `&` is `band` and `brif` |
//! | `may_goto` | `brif` on the function's loop budget, which each one decrements |
//! | `gotox` | `br_table` over the labels, or by the index of a jump table (`table_jumps.rs`); a compare tree if they are sparse; or `jump` to a block that does it for several |
//! | `exit` | `return` of r0 |
//! | out of the function | a cold block that traps |

use std::collections::HashMap;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Block, BlockCall, Function, Inst, InstBuilder, JumpTableData, Value, types};
use cranelift_frontend::{Switch, Variable};

use super::alu::width_type;
use super::call::trap_code;
use super::lifter::{Lifter, TRAP_NO_LABEL};
use crate::abi::WORD;
use crate::decode::insn::{Cond, Insn, Operand, Reg};
use crate::graph::{Edge, JumpTarget, RegisterJump, Terminator};
use crate::program::Target;

/// From this many labels on, each gets a block of its own in the table. The SSA construction of `cranelift_frontend` walks the
/// whole table for each target that gets a parameter, and such a block gets none.
const LARGE_TABLE: usize = 256;

/// From this many entries on, those without a label trap in blocks of their own. Cranelift makes an empty block for each entry
/// that shares its target, and walks back over all empty blocks before a block when it records where it starts.
const LONG_TABLE: u64 = 256;

/// The most entries for each label of a jump table; beyond, a compare tree is used.
const SPARSEST_TABLE: u64 = 16;

impl Lifter<'_, '_> {
    pub(super) fn trap(&mut self, code: u8) -> Inst {
        self.builder.ins().trap(trap_code(code))
    }

    pub(super) fn edge(&mut self, edge: Edge) -> Block {
        match self.control_flow.edge(edge) {
            Edge::Block(index) => self.entering(index).unwrap_or(self.blocks[index]),
            Edge::Outside => *self.outside.get_or_insert_with(|| self.builder.create_block()),
        }
    }

    /// Ends a block; the jump's operands are in its last instruction.
    pub(super) fn terminator(&mut self, terminator: &Terminator) {
        match terminator {
            Terminator::Goto(edge) => {
                if let Insn::JumpRegister { reg } = self.at.insn {
                    let value = self.get(reg);
                    let variable = self.jump_value();
                    self.builder.def_var(variable, value);
                }
                let target = self.edge(*edge);
                self.builder.ins().jump(target, &[]);
            }
            Terminator::Branch { taken, fallthrough } => {
                let condition = self.condition();
                let (taken, fallthrough) = (self.outcome(0, *taken), self.outcome(1, *fallthrough));
                self.builder.ins().brif(condition, taken, &[], fallthrough, &[]);
            }
            Terminator::Register(jump) => self.jump_register(jump),
            Terminator::Return => self.return_words(|lifter, reg| lifter.get(reg)),
        }
    }

    /// Returns what `word` gives for the registers that the function returns, and asks it for no other: a register that is read here
    /// is live through all loops before.
    pub(super) fn return_words(&mut self, mut word: impl FnMut(&mut Self, Reg) -> Value) {
        let abi = &self.declarations.function(self.graph.function).abi;
        let registers = [Reg::R0, Reg::R2].into_iter().take(abi.returned_words());
        let words: Vec<Value> = registers.map(|reg| word(self, reg)).collect();
        if let Some(function) = self.program.tail_return.filter(|_| self.graph.opens_run) {
            self.call_function(self.declarations.function(function), &[]);
        }
        self.leave_program();
        let results = abi.results(self.builder, &self.entry, &words);
        self.builder.ins().return_(&results);
    }

    /// The condition of the block's last instruction: not zero if it holds.
    pub(super) fn condition(&mut self) -> Value {
        match self.at.insn {
            Insn::Branch { cond, width, dst, src, .. } => {
                if let Some(condition) = self.condition_of_compared(cond, dst, src) {
                    return condition;
                }
                let ty = width_type(width);
                let left = self.operand_at(Operand::Reg(dst), ty);
                let right = self.operand_at(src, ty);
                match compare(cond) {
                    Some(code) => self.builder.ins().icmp(code, left, right),
                    None => self.builder.ins().band(left, right),
                }
            }
            _ => self.use_budget(),
        }
    }

    /// `may_goto`: taken when the budget is exhausted.
    fn use_budget(&mut self) -> Value {
        let variable = self.budget.expect("a function with `may_goto` has a budget");
        let budget = self.builder.use_var(variable);
        let is_exhausted = self.builder.ins().icmp_imm_u(IntCC::Equal, budget, 0);
        let rest = self.builder.ins().iadd_imm_s(budget, -1);
        self.builder.def_var(variable, rest);
        is_exhausted
    }

    /// The variable of jumps through registers that share a block.
    fn jump_value(&mut self) -> Variable {
        *self.jump_value.get_or_insert_with(|| self.builder.declare_var(WORD))
    }

    /// Lifts a jump through a register.
    fn jump_register(&mut self, jump: &RegisterJump) {
        let mut value = match self.at.insn {
            Insn::JumpRegister { reg } if !jump.is_shared => self.get(reg),
            _ => {
                let variable = self.jump_value();
                self.builder.use_var(variable)
            }
        };
        if let Some(table) = jump.relative_to {
            let table = self.target_address(Target::Data { section: table, offset: 0 });
            value = self.builder.ins().isub(value, table);
        }
        let no_label = self.builder.create_block();
        self.builder.set_cold_block(no_label);
        let counted: HashMap<Edge, Block> = self.register_outcomes(jump).into_iter().collect();
        let leads_to = |lifter: &mut Self, edge| counted.get(&edge).copied().unwrap_or_else(|| lifter.edge(edge));
        if self.by_index && self.jump_by_index(jump, value, no_label, leads_to) {
            self.builder.switch_to_block(no_label);
            self.trap(TRAP_NO_LABEL);
            return;
        }
        let (numbers, section) = (&self.declarations.labels, self.graph.section);
        let stride = numbers.stride(section);
        let number = |offset| numbers.value(section, offset) / stride;
        let (addresses, numbered): (Vec<JumpTarget>, Vec<JumpTarget>) =
            jump.targets.iter().partition(|target| target.is_address);
        let numbers: Vec<u64> = numbered.iter().map(|target| number(target.value)).collect();
        let mut targets: Vec<(u64, Block)> = numbers
            .into_iter()
            .zip(&numbered)
            .map(|(number, target)| (number, leads_to(self, target.edge)))
            .collect();
        let labels: Vec<Block> = targets.iter().map(|target| target.1).collect();
        let is_large = targets.len() >= LARGE_TABLE;
        if is_large {
            targets.iter_mut().for_each(|target| target.1 = self.builder.create_block());
        }
        let (first, last) = match (targets.first(), targets.last()) {
            // Entries for the few numbers before the first label are cheaper than a subtraction before each jump.
            (Some(first), Some(last)) if first.0 <= targets.len() as u64 => (0, last.0),
            (Some(first), Some(last)) => (first.0, last.0),
            _ => (0, 0),
        };
        let mut index = value;
        if first > 0 {
            index = self.builder.ins().iadd_imm_s(index, -((first * stride) as i64));
        }
        // A value that is no multiple of the stride is rotated out of range, so it traps like any other wrong value.
        if stride > 1 {
            index = self.builder.ins().rotr_imm_u(index, i64::from(stride.ilog2()));
        }
        if last - first < SPARSEST_TABLE * targets.len() as u64 {
            self.jump_table(index, first, &targets, no_label);
        } else {
            let mut switch = Switch::new();
            for &(number, block) in &targets {
                switch.set_entry(u128::from(number - first), block);
            }
            switch.emit(self.builder, index, no_label);
        }
        if is_large {
            for (&(_, own), label) in targets.iter().zip(labels) {
                self.builder.seal_block(own);
                self.builder.switch_to_block(own);
                self.builder.ins().jump(label, &[]);
            }
        }
        self.builder.switch_to_block(no_label);
        for target in addresses {
            let address = self.function_address(self.declarations.function(self.graph.function));
            let is_address = self.builder.ins().icmp(IntCC::Equal, value, address);
            let (edge, other) = (leads_to(self, target.edge), self.builder.create_block());
            self.builder.ins().brif(is_address, edge, &[], other, &[]);
            self.builder.switch_to_block(other);
        }
        self.trap(TRAP_NO_LABEL);
    }

    /// A `br_table` over the numbers of labels from `first` on. Its index has 32 bits, so a branch checks all 64 bits first.
    fn jump_table(&mut self, index: Value, first: u64, targets: &[(u64, Block)], no_label: Block) {
        let in_range = self.builder.create_block();
        let size = targets.last().map_or(0, |last| last.0 - first + 1);
        let is_small = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, index, size as i64);
        self.builder.ins().brif(is_small, in_range, &[], no_label, &[]);
        self.builder.switch_to_block(in_range);
        let index = self.builder.ins().ireduce(types::I32, index);
        let mut traps = Vec::new();
        let call = |function: &mut Function, block| {
            BlockCall::new(block, std::iter::empty(), &mut function.dfg.value_lists)
        };
        let default = call(self.builder.func, no_label);
        let mut entries = Vec::with_capacity(size as usize);
        let mut targets = targets.iter().peekable();
        for number in first..first + size {
            let entry = match targets.next_if(|target| target.0 == number) {
                Some(&(_, block)) => call(self.builder.func, block),
                None if size >= LONG_TABLE => {
                    let trap = self.builder.create_block();
                    traps.push(trap);
                    call(self.builder.func, trap)
                }
                // Each has its own list of arguments: registers may be live there.
                None => call(self.builder.func, no_label),
            };
            entries.push(entry);
        }
        let table = self.builder.create_jump_table(JumpTableData::new(default, &entries));
        self.builder.ins().br_table(index, table);
        for block in traps {
            self.builder.seal_block(block);
            self.builder.set_cold_block(block);
            self.builder.switch_to_block(block);
            self.trap(TRAP_NO_LABEL);
        }
    }
}

/// The CLIF condition; none for `&`.
fn compare(cond: Cond) -> Option<IntCC> {
    Some(match cond {
        Cond::Eq => IntCC::Equal,
        Cond::Ne => IntCC::NotEqual,
        Cond::Gt => IntCC::UnsignedGreaterThan,
        Cond::Ge => IntCC::UnsignedGreaterThanOrEqual,
        Cond::Lt => IntCC::UnsignedLessThan,
        Cond::Le => IntCC::UnsignedLessThanOrEqual,
        Cond::SGt => IntCC::SignedGreaterThan,
        Cond::SGe => IntCC::SignedGreaterThanOrEqual,
        Cond::SLt => IntCC::SignedLessThan,
        Cond::SLe => IntCC::SignedLessThanOrEqual,
        Cond::Set => return None,
    })
}
