//! Values that several paths want, and those of long blocks, are computed where the program computes them.
//!
//! Cranelift computes a value where it is used; where two uses lie on paths of which neither leads to the other, it does
//! that twice, and after the paths meet once more: a remainder that BPF computed once is computed at each check against
//! it. And in long blocks it computes all that is put together by `|` first and puts it together last, which takes more
//! registers than there are, while the program got by with ten. Here such a value gets a use right where it is computed,
//! of which no instruction comes: the low one of a pair of words.
//!
//! | value | |
//! |---|---|
//! | costs [`COST`] or more, with what only it uses; used in several blocks of which none is on the way to all | pinned |
//! | what does not change in the loop that it is in | left to be moved out of it |
//! | `&`, `\|`, `^` of words in a block of [`LONG`] simple instructions or more | pinned |
//! | a value made of two loads that only it uses, or of two such values, in a block of [`PAIRS`] of these or more | pinned |
//! | operands of additions that Cranelift would subtract or shift (x86-64) | hidden (`opaque.rs`) |
//! | all others: computing them again is cheaper than a register | left |
//!
//! Sound: a value more is computed, where it was before, or is the same number. One pass, over the dominator tree.
//!
//! Tried, and not kept: pinning all other arithmetic of long blocks (no change), and that of 32 bits (sha256 gains what
//! chacha20 loses).

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::dominator_tree::DominatorTree;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::entity::packed_option::PackedOption;
use cranelift_codegen::ir::{Block, Function, Inst, InstBuilder, InstructionData, Opcode, Value, ValueDef, types};
use cranelift_codegen::loop_analysis::LoopAnalysis;

use crate::opt::ir::analyses::Known;
use crate::opt::ir::memory_accesses::{self, each_operand, of_values, source};
use crate::opt::ir::opaque;
use crate::opt::memory::byte_provenance::constant;
use crate::opt::pass::PassContext;

/// What a value costs at least that is worth a register: in simple instructions.
const COST: u32 = 4;

/// How many simple instructions a long block has.
const LONG: usize = 32;

/// How many values made of two loads are more than there are registers for the loads.
const PAIRS: usize = 8;

/// Where a value is used.
#[derive(Clone, Copy, Default)]
struct Uses {
    count: u32,
    /// The first block in reverse postorder that does.
    first: PackedOption<Block>,
    /// There are others, which the first one is not on the way to.
    apart: bool,
}

/// Runs the pass. `adds_to_third` says that the processor adds into a third register, and subtracts and shifts in place.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let (flow, adds_to_third) = (&mut context.analyses, context.facts.adds_to_third);
    let Known { dominators, loops, .. } = flow.known(function);
    let uses = uses(function, dominators);
    let negated = if adds_to_third { opaque::negated(function, loops) } else { Vec::new() };
    let mut found = wanted(function, dominators, loops, &uses);
    let shifts = in_blocks(function, &uses, &mut found);
    for inst in found {
        let mut value = function.dfg.first_result(inst);
        let location = function.srcloc(inst);
        let is_half = function.dfg.value_type(value) == types::I32;
        let mut cursor = FuncCursor::new(function).after_inst(inst).with_srcloc(location);
        if is_half {
            value = cursor.ins().uextend(types::I64, value);
        }
        let pair = cursor.ins().iconcat(value, value);
        cursor.ins().isplit(pair);
    }
    opaque::hide(function, &negated);
    if adds_to_third {
        opaque::double(function, &shifts);
    }
}

/// How values are used by what control reaches.
fn uses(function: &Function, dominators: &DominatorTree) -> SecondaryMap<Value, Uses> {
    let dfg = &function.dfg;
    let mut uses: SecondaryMap<Value, Uses> = of_values(dfg);
    for &block in dominators.cfg_rpo() {
        for inst in function.layout.block_insts(block) {
            each_operand(dfg, inst, |value| {
                let uses = &mut uses[dfg.resolve_aliases(value)];
                uses.count += 1;
                match uses.first.expand() {
                    None => uses.first = block.into(),
                    Some(first) => uses.apart |= first != block && !dominators.block_dominates(first, block),
                }
            });
        }
    }
    uses
}

/// What long blocks put together, and then what is made of loads in blocks of many such: loads stay where they are, and
/// would all wait for what is computed last. Shifts by one are found on the way.
fn in_blocks(function: &Function, uses: &SecondaryMap<Value, Uses>, all: &mut Vec<Inst>) -> Vec<(Inst, Value)> {
    let mut shifts = Vec::new();
    let (dfg, layout) = (&function.dfg, &function.layout);
    let mut of_loads = Vec::new();
    let mut is_made: SecondaryMap<Inst, bool> = SecondaryMap::new();
    for block in layout.blocks() {
        let (mut simple, mut together, mut found) = (0, Vec::new(), Vec::new());
        for inst in layout.block_insts(block) {
            if memory_accesses::is_barrier(dfg, inst) {
                continue;
            }
            let opcode = dfg.insts[inst].opcode();
            simple += usize::from(!is_free(opcode));
            let InstructionData::Binary { args, .. } = dfg.insts[inst] else { continue };
            shifts.extend(opaque::doubled(dfg, inst).map(|value| (inst, value)));
            let ty = dfg.value_type(args[0]);
            if matches!(opcode, Opcode::Band | Opcode::Bor | Opcode::Bxor) && ty == types::I64 {
                together.push(inst);
            }
            let is_wanted = |value: Value| {
                source(dfg, value).is_some_and(|inst| {
                    let is_load = dfg.insts[inst].opcode().can_load() && layout.inst_block(inst) == Some(block);
                    is_load || is_made[inst]
                })
            };
            if matches!(ty, types::I32 | types::I64) && args[0] != args[1] && args.into_iter().all(is_wanted) {
                is_made[inst] = true;
                found.push(inst);
            }
        }
        if simple >= LONG {
            all.append(&mut together);
        }
        if found.len() >= PAIRS {
            of_loads.push(found);
        }
    }
    let is_own = |inst: &Inst| {
        let sources = dfg.inst_args(*inst).iter().filter_map(|&value| source(dfg, value));
        sources.flat_map(|from| dfg.inst_results(from)).all(|&value| uses[value].count == 1)
    };
    for found in &mut of_loads {
        found.retain(is_own);
    }
    all.extend(of_loads.into_iter().filter(|found| found.len() >= PAIRS).flatten());
    shifts
}

/// What several paths want.
fn wanted(
    function: &Function,
    dominators: &DominatorTree,
    loops: &LoopAnalysis,
    uses: &SecondaryMap<Value, Uses>,
) -> Vec<Inst> {
    let dfg = &function.dfg;
    let mut found = Vec::new();
    for &block in dominators.cfg_rpo() {
        for inst in function.layout.block_insts(block) {
            let &[result] = dfg.inst_results(inst) else { continue };
            if !uses[result].apart || dfg.value_type(result) != types::I64 || !is_dear(function, uses, inst) {
                continue;
            }
            let changes = |&value: &Value| {
                let around = loops.innermost_loop(block);
                let home = match dfg.value_def(dfg.resolve_aliases(value)) {
                    ValueDef::Result(inst, _) => function.layout.inst_block(inst),
                    ValueDef::Param(block, _) => Some(block),
                    ValueDef::Union(..) => None,
                };
                around.is_none_or(|around| home.is_some_and(|home| loops.is_in_loop(home, around)))
            };
            if dfg.inst_args(inst).iter().any(changes) {
                found.push(inst);
            }
        }
    }
    found
}

/// Whether a value, which is used more than once, costs [`COST`] with what only it uses. No other value uses that too, so
/// all these together look at each instruction once.
fn is_dear(function: &Function, uses: &SecondaryMap<Value, Uses>, inst: Inst) -> bool {
    let dfg = &function.dfg;
    let mut sum = 0;
    let mut pending = vec![inst];
    while let Some(inst) = pending.pop() {
        let divisor = divisor(function, inst);
        if memory_accesses::is_barrier(dfg, inst) && divisor.is_none() {
            continue;
        }
        sum += match dfg.insts[inst].opcode() {
            opcode if is_free(opcode) => 0,
            Opcode::Imul | Opcode::Smulhi | Opcode::Umulhi => 3,
            _ if divisor.is_some_and(|divisor| !divisor.is_power_of_two()) => 6,
            _ => 1,
        };
        if sum >= COST {
            return true;
        }
        for &value in dfg.inst_args(inst) {
            let value = dfg.resolve_aliases(value);
            if uses[value].count == 1
                && let ValueDef::Result(from, _) = dfg.value_def(value)
                && dfg.inst_results(from).len() == 1
            {
                pending.push(from);
            }
        }
    }
    false
}

/// Whether an instruction costs nothing.
fn is_free(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::Iconst | Opcode::Uextend | Opcode::Ireduce)
}

/// The constant that an instruction divides by, which then is not 0: Cranelift multiplies.
fn divisor(function: &Function, inst: Inst) -> Option<u64> {
    let dfg = &function.dfg;
    match dfg.insts[inst].opcode() {
        Opcode::Udiv | Opcode::Urem | Opcode::Sdiv | Opcode::Srem => {
            dfg.inst_args(inst).get(1).and_then(|&divisor| constant(dfg, divisor)).filter(|&divisor| divisor != 0)
        }
        _ => None,
    }
}
