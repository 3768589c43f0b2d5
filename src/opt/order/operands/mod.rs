//! Operands that nobody needs afterwards: instructions of x86-64 compute in place of the first one.
//!
//! Where that is needed again, Cranelift's allocator copies it first, although the second one would have been free to be written over, or
//! those who need it could just as well have come before.
//!
//! | what | file |
//! |---|---|
//! | which operand an instruction writes over, and the register that a value is in | `in_place.rs` |
//! | which values are needed afterwards, and by whom | `uses.rs` |
//!
//! In: a function after Cranelift's optimiser, and its loops. Out: the same, in which each instruction that would copy an operand
//! 1. has its operands exchanged, if it commutes and the other one is not needed afterwards; or else
//! 2. comes behind the last use of an operand, if nothing in between needs its result; or else
//! 3. comes behind the only use of an operand that follows it, since that comes right before it: it is pure, or no instruction in between
//!    has an order to be kept, and its operands are there by then.
//!
//! An operand is not needed afterwards if it is not used behind the instruction in its block, nor in any other block, and was
//! made in the innermost loop around it, so that no other iteration reads it. There are values of which that is not said, and it could be.
//!
//! Sound: `&`, `|`, `^` and `*` commute; values are computed before they are used; what is not pure keeps its order. No more values live
//! anywhere than before: where an instruction moves down, its result begins later for an operand that ends later, and where a use moves up,
//! its result is there in place of the operand.
//!
//! Measured, in instructions of the code of 56 programs, of exchanging: `flow_hash` 0.92, `mergesort`, `chacha20`, `blake2s` and `siphash`
//! 0.97, `utf8` 0.98; none has more. Executed, of moving, of 134 programs: `siphash` 0.95 of the instructions and 0.64 of the moves between
//! registers, `prng` 0.96 and 0.88, `flow_hash` 0.97 and 0.57, `list` and `base64` 0.98 and 0.87, `bitboard`, `sha512` and `run_levels`
//! 0.99; `bitset` 1.004, none else more. With BMI 2, `flow_hash` 0.97 and 0.51, `siphash` 0.98 and 0.62; none more.
//!
//! Tried, and not kept: operands that are made in the same block alone, for which one walk would do (`flow_hash` has 15 % more
//! instructions); counters and addresses as all others: they were copied once for each round (`transpose`, `matmul_i32` and others, 1.03 to 1.08).
//!
//! Two walks over the instructions, in which each moves once at most.

mod in_place;
mod uses;

use std::cmp::Ordering;

use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, Opcode, Value};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use crate::config::TargetFacts;
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::operands::{defining_block, each_operand};
use in_place::{InPlace, in_place, same_register};
use uses::Uses;

/// Runs the pass.
pub(super) fn run(function: &mut Function, loops: &LoopAnalysis, facts: &TargetFacts) {
    let uses = Uses::new(function);
    let mut walk = Walk { function, loops, facts, uses, ordered: 0, moved: EntitySet::new() };
    let mut next_block = walk.function.layout.entry_block();
    while let Some(block) = next_block {
        next_block = walk.function.layout.next_block(block);
        let mut next = walk.function.layout.last_inst(block);
        while let Some(inst) = next {
            next = walk.visit(block, inst);
        }
    }
}

/// A walk over blocks, over each from its end up.
struct Walk<'f> {
    function: &'f mut Function,
    loops: &'f LoopAnalysis,
    facts: &'f TargetFacts,
    uses: Uses,
    /// How many instructions that keep their order were seen.
    ordered: u32,
    /// Those that were moved, which stay then.
    moved: EntitySet<Inst>,
}

/// What becomes of an instruction.
enum Placed {
    /// It stays where it is, and writes over this register if that is not needed behind it.
    Here(Option<Value>),
    /// It went behind all uses of this register, which it writes over.
    Below(Value),
    /// This use of the register that it writes over came in front of it.
    Behind(Inst, Value),
}

impl Walk<'_> {
    /// Looks at an instruction; the next one that is to be looked at.
    fn visit(&mut self, block: Block, inst: Inst) -> Option<Inst> {
        let next = self.function.layout.prev_inst(inst);
        let placed = match in_place(&self.function.dfg, inst, self.facts) {
            InPlace::No => Placed::Here(None),
            InPlace::IfLast(operand) => Placed::Here(Some(self.uses.register(operand))),
            InPlace::Of(operands) => self.place(block, inst, operands),
        };
        let (register, next) = match placed {
            Placed::Here(register) => (register, next),
            Placed::Behind(user, register) => (Some(register), Some(user)),
            Placed::Below(register) => {
                self.uses.add_below(self.function, block, inst, register);
                return next;
            }
        };
        self.ordered += u32::from(!is_pure(&self.function.dfg, inst));
        self.uses.add(&self.function.dfg, block, inst, register, self.ordered);
        next
    }

    /// Finds an operand that an instruction can compute in place of without a copy, and makes it the first one.
    fn place(&mut self, block: Block, inst: Inst, operands: [Option<Value>; 2]) -> Placed {
        let registers = operands.map(|operand| {
            operand.map(|operand| self.uses.register(operand)).filter(|&register| self.is_local(register, block))
        });
        for (index, register) in registers.into_iter().enumerate() {
            if let Some(register) = register.filter(|&register| !self.uses.is_used_behind(register, block)) {
                self.make_first(inst, index);
                return Placed::Here(Some(register));
            }
        }
        for (index, register) in registers.into_iter().enumerate() {
            let Some(register) = register else { continue };
            let Some(user) = self.uses.last_that_keeps(register) else { continue };
            let placed = if self.move_behind(block, inst, user) {
                Placed::Below(register)
            } else if self.move_in_front(block, user, inst, register) {
                Placed::Behind(user, register)
            } else {
                continue;
            };
            self.make_first(inst, index);
            return placed;
        }
        Placed::Here(None)
    }

    /// Whether no other block uses a register's value, and no other iteration reads what this one reads.
    fn is_local(&self, register: Value, block: Block) -> bool {
        self.uses.is_used_in_one_block(register)
            && self.loops.innermost_loop(block).is_none_or(|around| {
                defining_block(self.function, register)
                    .is_some_and(|made_in| self.loops.is_in_loop(made_in, around))
            })
    }

    fn make_first(&mut self, inst: Inst, index: usize) {
        if index == 1 {
            self.function.dfg.inst_args_mut(inst).swap(0, 1);
        }
    }

    /// Moves an instruction right behind a use of its operand, if nothing in between uses its result, or writes over another operand.
    fn move_behind(&mut self, block: Block, inst: Inst, user: Inst) -> bool {
        let function = &mut self.function.stencil;
        let (dfg, layout) = (&function.dfg, &mut function.layout);
        let reader = self.uses.first_reader(dfg.first_result(inst));
        let is_behind = |reader: Inst| {
            layout.inst_block(reader) != Some(block) || layout.pp_cmp(user, reader) == Ordering::Less
        };
        let Some(after) = layout.next_inst(user).filter(|_| reader.is_none_or(is_behind)) else { return false };
        let is_written_over = |&operand: &Value| {
            let last = self.uses.last_in_place(self.uses.register(operand), block);
            last.is_some_and(|last| layout.pp_cmp(last, user) == Ordering::Less)
        };
        if !is_pure(dfg, inst)
            || !is_movable(dfg, user)
            || dfg.inst_args(inst).iter().any(is_written_over)
            || !self.moved.insert(inst)
        {
            return false;
        }
        layout.remove_inst(inst);
        layout.insert_inst(inst, after);
        true
    }

    /// Moves the only use of a register behind an instruction right before that, if its operands are there.
    fn move_in_front(&mut self, block: Block, user: Inst, inst: Inst, register: Value) -> bool {
        let function = &mut self.function.stencil;
        let (dfg, layout) = (&function.dfg, &mut function.layout);
        let keeps_order = is_pure(dfg, user) || self.uses.is_next_in_order(register, self.ordered);
        if !self.uses.is_used_once(register) || !keeps_order || !is_movable(dfg, user) {
            return false;
        }
        let made_behind = |value: Value| {
            let made = dfg.value_def(value).inst().filter(|&made| layout.inst_block(made) == Some(block));
            made.filter(|&made| layout.pp_cmp(made, inst) != Ordering::Less)
        };
        // Constants and conversions come along.
        let mut along: Vec<Inst> = Vec::new();
        let mut is_possible = true;
        each_operand(dfg, user, |operand| {
            if let Some(made) = made_behind(operand) {
                is_possible &= is_no_instruction(dfg, made)
                    && dfg.inst_args(made).iter().all(|&from| made_behind(from).is_none());
                along.push(made);
            }
        });
        if !is_possible || !self.moved.insert(user) {
            return false;
        }
        for moved in along.into_iter().chain([user]) {
            layout.remove_inst(moved);
            layout.insert_inst(moved, inst);
        }
        if !is_pure(dfg, user) {
            // It is looked at once more.
            self.ordered -= 1;
        }
        true
    }
}

/// Whether an instruction is where its operands are read, and nothing follows it wherever it goes: comparisons become part of what uses
/// them, and calls need their operands elsewhere.
fn is_movable(dfg: &DataFlowGraph, inst: Inst) -> bool {
    let opcode = dfg.insts[inst].opcode();
    !(matches!(opcode, Opcode::Icmp | Opcode::Fcmp) || opcode.is_call() || opcode.is_terminator())
}

/// Whether an instruction becomes none: a constant, or a conversion that keeps the register.
fn is_no_instruction(dfg: &DataFlowGraph, inst: Inst) -> bool {
    dfg.insts[inst].opcode() == Opcode::Iconst || same_register(dfg, inst, 0).is_some()
}
