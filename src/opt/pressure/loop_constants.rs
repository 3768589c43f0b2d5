//! Constants that instructions do not have inside are made in front of loops.
//!
//! Cranelift makes a constant anew in each block that uses it: cheap in registers, and on a machine of fixed-size instructions up to
//! four of them for each use, in each iteration. Such constants become opaque values (`ir/opaque.rs`) in front of the outermost loop
//! around them that calls nothing, as many as there are registers to spare for: a constant that is spilled is loaded, which is no
//! better than making it, and around calls it would be spilled.
//!
//! In: a function, what the target's instructions take as immediates. Out: the same with these copies. Sound: a copy is the same
//! number, and where it is made dominates the loop.

use std::collections::{HashMap, HashSet};

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::{EntityRef, SecondaryMap};
use cranelift_codegen::ir::{Block, Function, Inst, InstructionData, Opcode, Type, Value, types};
use cranelift_codegen::loop_analysis::{Loop, LoopAnalysis};

use crate::config::ConstantUse;
use crate::opt::ir::analyses::ControlFlow;
use crate::opt::ir::opaque::opaque_low;
use crate::opt::ir::operands::{constant, defining_block, each_operand, iconst};
use crate::opt::pass::PassContext;

/// The most constants in registers of one loop.
const MAX_CONSTANTS: usize = 8;

/// Registers that a loop needs for what it computes in between.
const TEMPORARIES: usize = 6;

/// Loops around a value that are looked at, from the inside: they are more only in machine-made code.
const MAX_DEPTH: usize = 8;

/// Where a constant is used, and what it costs there.
struct Use {
    inst: Inst,
    operand: usize,
    cost: u32,
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let facts = context.facts;
    let flow = context.analyses.control_flow(function);
    if flow.loops.loops().next().is_none() {
        return;
    }
    let outermost = outermost_without_calls(function, flow.loops);
    let mut uses: HashMap<(Loop, u64, Type), Vec<Use>> = HashMap::new();
    for block in function.layout.blocks() {
        let Some(around) = flow.loops.innermost_loop(block).and_then(|around| outermost[around]) else { continue };
        if function.layout.is_cold(block) {
            continue;
        }
        for inst in function.layout.block_insts(block) {
            for (operand, &value) in function.dfg.inst_args(inst).iter().enumerate() {
                let ty = function.dfg.value_type(value);
                let Some(number) = constant(&function.dfg, value) else { continue };
                let Some(used) = use_of(&function.dfg.insts[inst], operand) else { continue };
                let signed = match ty {
                    types::I64 => number as i64,
                    types::I32 => i64::from(number as i32),
                    _ => continue,
                };
                let cost = facts.immediates.cost(signed, ty == types::I64, used);
                if cost > 0 {
                    uses.entry((around, number, ty)).or_default().push(Use { inst, operand, cost });
                }
            }
        }
    }
    if uses.is_empty() {
        return;
    }
    let pressure = pressure(function, flow.loops, &outermost);
    let mut constants: Vec<_> = uses.into_iter().collect();
    let saved = |uses: &[Use]| uses.iter().map(|one| one.cost).sum::<u32>();
    constants.sort_by_key(|((around, number, ty), uses)| {
        (around.index(), std::cmp::Reverse(saved(uses)), *number, ty.bits())
    });
    let mut made: SecondaryMap<Loop, usize> = SecondaryMap::new();
    for ((around, number, ty), uses) in constants {
        let spare = facts.registers.saturating_sub(TEMPORARIES + pressure[around]).min(MAX_CONSTANTS);
        if made[around] >= spare {
            continue;
        }
        let Some(place) = block_in_front(flow, around) else { continue };
        made[around] += 1;
        let Some(last) = function.layout.last_inst(place) else { continue };
        let mut cursor = FuncCursor::new(function).at_inst(last).with_srcloc(Default::default());
        let wide = iconst(&mut cursor, types::I64, number as i64);
        let copy = opaque_low(&mut cursor, wide, ty);
        for Use { inst, operand, .. } in uses {
            function.dfg.inst_args_mut(inst)[operand] = copy;
        }
    }
}

/// What an operand is used for, if a constant there may take an instruction of its own.
fn use_of(data: &InstructionData, operand: usize) -> Option<ConstantUse> {
    match (data, operand) {
        (InstructionData::Binary { opcode, .. }, _) => match opcode {
            Opcode::Iadd | Opcode::Isub => Some(ConstantUse::Addend),
            Opcode::Band | Opcode::Bor | Opcode::Bxor => Some(ConstantUse::Mask),
            Opcode::Imul | Opcode::Umulhi | Opcode::Smulhi => Some(ConstantUse::Factor),
            _ => None,
        },
        (InstructionData::IntCompare { .. }, 1) => Some(ConstantUse::Addend),
        (InstructionData::Store { .. }, 0) => Some(ConstantUse::Moved),
        (InstructionData::Ternary { opcode: Opcode::Select, .. }, 1 | 2) => Some(ConstantUse::Moved),
        _ => None,
    }
}

/// For each loop, the outermost loop around it, or itself, that calls nothing.
fn outermost_without_calls(function: &Function, loops: &LoopAnalysis) -> SecondaryMap<Loop, Option<Loop>> {
    let mut calls: SecondaryMap<Loop, bool> = SecondaryMap::new();
    for block in function.layout.blocks() {
        let Some(innermost) = loops.innermost_loop(block) else { continue };
        let is_call = |inst| function.dfg.insts[inst].opcode().is_call();
        if !calls[innermost] && function.layout.block_insts(block).any(is_call) {
            // What is around a loop with calls has been marked with it.
            let mut around = Some(innermost);
            while let Some(one) = around.filter(|&one| !calls[one]) {
                calls[one] = true;
                around = loops.loop_parent(one);
            }
        }
    }
    let mut outermost: SecondaryMap<Loop, Option<Loop>> = SecondaryMap::new();
    let mut all: Vec<Loop> = loops.loops().collect();
    all.sort_by_key(|&one| loops.loop_level(loops.loop_header(one)).level());
    for one in all {
        let of_parent = loops.loop_parent(one).and_then(|parent| outermost[parent]);
        outermost[one] = of_parent.or((!calls[one]).then_some(one));
    }
    outermost
}

/// For each loop that is the outermost without calls, the most values that are wanted through one of its loops.
fn pressure(
    function: &Function,
    loops: &LoopAnalysis,
    outermost: &SecondaryMap<Loop, Option<Loop>>,
) -> SecondaryMap<Loop, usize> {
    let dfg = &function.dfg;
    let mut seen: HashSet<(Loop, Value)> = HashSet::new();
    let mut values: SecondaryMap<Loop, usize> = SecondaryMap::new();
    for block in function.layout.blocks() {
        let Some(innermost) = loops.innermost_loop(block) else { continue };
        for inst in function.layout.block_insts(block) {
            each_operand(dfg, inst, |value| {
                let value = dfg.resolve_aliases(value);
                if constant(dfg, value).is_some() {
                    return;
                }
                let definition = defining_block(function, value);
                let (mut around, mut depth) = (Some(innermost), 0);
                while let Some(one) = around.filter(|_| depth < MAX_DEPTH) {
                    if definition.is_some_and(|block| loops.is_in_loop(block, one)) || !seen.insert((one, value)) {
                        break;
                    }
                    values[one] += 1;
                    around = loops.loop_parent(one);
                    depth += 1;
                }
            });
        }
    }
    let mut most: SecondaryMap<Loop, usize> = SecondaryMap::new();
    for one in loops.loops() {
        if let Some(outermost) = outermost[one] {
            let all = values[one] + dfg.num_block_params(loops.loop_header(one));
            most[outermost] = most[outermost].max(all);
        }
    }
    most
}

/// The last block that dominates a loop and is in no loop that the loop is not in.
fn block_in_front(flow: ControlFlow<'_>, around: Loop) -> Option<Block> {
    let parent = flow.loops.loop_parent(around);
    let mut block = flow.dominators.idom(flow.loops.loop_header(around))?;
    while flow.loops.innermost_loop(block) != parent {
        block = flow.dominators.idom(block)?;
    }
    Some(block)
}
