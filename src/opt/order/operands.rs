//! The order of the operands of `&`, `|`, `^` and `*`: first the one that nobody needs afterwards.
//!
//! x86-64 computes in place of the first operand. Where that is needed again, Cranelift copies it first, although the second one would
//! have been free to be written over.
//!
//! In: a function after Cranelift's optimiser, and its loops. Out: the same with operands of such instructions exchanged. Sound: they
//! commute. An operand is not needed afterwards if it is not used behind the instruction in its block, nor in any other block, and was
//! made in the innermost loop around it, so that no other iteration reads it. There are values of which that is not said, and it could be.
//! What conversions between 32 and 64 bits and opaque values are made of is in the same register.
//!
//! Measured, in instructions of the code of 56 programs: `flow_hash` 0.92, `mergesort`, `chacha20`, `blake2s` and `siphash` 0.97,
//! `utf8` 0.98; none has more.
//!
//! Two walks over the instructions.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::entity::packed_option::PackedOption;
use cranelift_codegen::ir::{Block, DataFlowGraph, Function, Inst, InstructionData, Opcode, Value, ValueDef};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use crate::config::TargetFacts;
use crate::opt::ir::operands::{MAX_LOOK_THROUGH, each_operand, value_map};

/// Where a register's value is used.
#[derive(Clone, Copy, Default)]
enum Users {
    #[default]
    None,
    In(Block),
    InSeveral,
}

/// Runs the pass.
pub(super) fn run(function: &mut Function, loops: &LoopAnalysis, _: &TargetFacts) {
    let mut users: SecondaryMap<Value, Users> = value_map(&function.dfg);
    for block in function.layout.blocks() {
        for inst in function.layout.block_insts(block) {
            each_operand(&function.dfg, inst, |value| {
                let users = &mut users[register(&function.dfg, value)];
                *users = match *users {
                    Users::None => Users::In(block),
                    Users::In(other) if other == block => Users::In(block),
                    _ => Users::InSeveral,
                };
            });
        }
    }
    // In which block a use behind the current instruction was seen last.
    let mut used_behind: SecondaryMap<Value, PackedOption<Block>> = value_map(&function.dfg);
    let mut next_block = function.layout.entry_block();
    while let Some(block) = next_block {
        next_block = function.layout.next_block(block);
        let mut next = function.layout.last_inst(block);
        while let Some(inst) = next {
            next = function.layout.prev_inst(inst);
            let is_last_use = |value: Value| {
                let value = register(&function.dfg, value);
                used_behind[value] != block.into()
                    && matches!(users[value], Users::In(_))
                    && stays_in_iteration(function, loops, value, block)
            };
            if let Some([first, second]) = exchangeable(&function.dfg, inst)
                && !is_last_use(first)
                && is_last_use(second)
            {
                function.dfg.inst_args_mut(inst).swap(0, 1);
            }
            each_operand(&function.dfg, inst, |value| {
                used_behind[register(&function.dfg, value)] = block.into();
            });
        }
    }
}

/// The operands of an instruction that computes in place of the first one, and could in place of the second.
fn exchangeable(dfg: &DataFlowGraph, inst: Inst) -> Option<[Value; 2]> {
    let InstructionData::Binary { opcode: Opcode::Band | Opcode::Bor | Opcode::Bxor | Opcode::Imul, args } =
        dfg.insts[inst]
    else {
        return None;
    };
    args.iter().all(|&value| is_in_register(dfg, value)).then_some(args)
}

/// Whether no instruction has the value inside: constants, loads, and bits for `bt`, which Cranelift looks for in one order.
fn is_in_register(dfg: &DataFlowGraph, value: Value) -> bool {
    let Some(inst) = dfg.value_def(value).inst() else { return true };
    !matches!(
        dfg.insts[inst],
        InstructionData::UnaryImm { .. }
            | InstructionData::Load { .. }
            | InstructionData::Binary { opcode: Opcode::Ishl, .. }
    )
}

/// Whether no other iteration of the loop around a block reads the value that this one reads.
fn stays_in_iteration(function: &Function, loops: &LoopAnalysis, value: Value, block: Block) -> bool {
    let Some(around) = loops.innermost_loop(block) else { return true };
    let made_in = match function.dfg.value_def(value) {
        ValueDef::Result(inst, _) => function.layout.inst_block(inst),
        ValueDef::Param(block, _) => Some(block),
        ValueDef::Union(..) => None,
    };
    made_in.is_some_and(|made_in| loops.is_in_loop(made_in, around))
}

/// The value whose register a value is in.
fn register(dfg: &DataFlowGraph, value: Value) -> Value {
    let mut value = dfg.resolve_aliases(value);
    for _ in 0..MAX_LOOK_THROUGH {
        let ValueDef::Result(inst, index) = dfg.value_def(value) else { break };
        let same = match dfg.insts[inst] {
            InstructionData::Unary { opcode: Opcode::Ireduce | Opcode::Uextend, arg } => arg,
            InstructionData::Unary { opcode: Opcode::Isplit, arg } => {
                match dfg.value_def(arg).inst().map(|pair| dfg.insts[pair]) {
                    Some(InstructionData::Binary { opcode: Opcode::Iconcat, args }) => args[index],
                    _ => break,
                }
            }
            _ => break,
        };
        value = dfg.resolve_aliases(same);
    }
    value
}
