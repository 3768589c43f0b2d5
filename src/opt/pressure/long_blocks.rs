//! Values of long blocks that Cranelift would compute in an order which needs more registers than there are.
//!
//! Cranelift computes the operands of a tree of instructions first, and combines them last; the program got by with ten
//! registers. Two kinds of values are affected most:
//!
//! | value | in a block of |
//! |---|---|
//! | `&`, `\|`, `^` of 64-bit values | at least [`MIN_LONG`] simple instructions |
//! | a value computed from two loads that only it uses, or from two such values: loads stay where they are, and their results would all wait for what is computed last | at least [`MIN_LOAD_PAIRS`] of these |
//!
//! In: a function. Out: the instructions of either kind, block by block. One pass each.
//!
//! Tried, and not kept: what is computed from one load and something else in blocks of 4 to 16 of these (`blake2s` no change), all
//! other arithmetic of long blocks (no change), and that of 32 bits (`sha256` gains what `chacha20`
//! loses).

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, Function, Inst, InstructionData, Opcode, Value, types};

use crate::opt::ir::effects::{is_free, is_pure};
use crate::opt::ir::operands::unconverted_inst;
use crate::opt::ir::uses::Uses;

/// How many simple instructions a long block has.
const MIN_LONG: usize = 32;

/// From this many values computed from two loads on, there are more loads than registers.
const MIN_LOAD_PAIRS: usize = 8;

/// The bitwise operations of long blocks.
pub(crate) fn bitwise(function: &Function) -> Vec<Inst> {
    let dfg = &function.dfg;
    let mut all = Vec::new();
    let is_bitwise = |inst: &Inst| match dfg.insts[*inst] {
        InstructionData::Binary { opcode: Opcode::Band | Opcode::Bor | Opcode::Bxor, args } => {
            dfg.value_type(args[0]) == types::I64
        }
        _ => false,
    };
    let is_simple = |&inst: &Inst| !is_free(dfg.insts[inst].opcode()) && is_pure(dfg, inst);
    for block in function.layout.blocks() {
        let before = all.len();
        all.extend(function.layout.block_insts(block).filter(is_bitwise));
        let is_long = || function.layout.block_insts(block).filter(is_simple).nth(MIN_LONG - 1).is_some();
        if all.len() > before && !is_long() {
            all.truncate(before);
        }
    }
    all
}

/// What is computed from two loads, in blocks of many such values.
pub(crate) fn load_pairs(function: &Function, uses: &SecondaryMap<Value, Uses>) -> Vec<Inst> {
    let dfg = &function.dfg;
    let mut is_pair: SecondaryMap<Inst, bool> = SecondaryMap::new();
    let has_sole_operands = |inst: &Inst| {
        let operands = dfg.inst_args(*inst).iter().filter_map(|&value| unconverted_inst(dfg, value));
        operands.flat_map(|from| dfg.inst_results(from)).all(|&value| uses[value].count == 1)
    };
    let mut all = Vec::new();
    for block in function.layout.blocks() {
        let mut found = pairs_of_block(function, block, &mut is_pair);
        if found.len() >= MIN_LOAD_PAIRS {
            found.retain(has_sole_operands);
        }
        if found.len() >= MIN_LOAD_PAIRS {
            all.append(&mut found);
        }
    }
    all
}

/// The instructions of a block both of whose operands are loads of it, or such instructions.
fn pairs_of_block(function: &Function, block: Block, is_pair: &mut SecondaryMap<Inst, bool>) -> Vec<Inst> {
    let (dfg, layout) = (&function.dfg, &function.layout);
    let mut found = Vec::new();
    for inst in layout.block_insts(block) {
        let InstructionData::Binary { args, .. } = dfg.insts[inst] else { continue };
        let ty = dfg.value_type(args[0]);
        let is_load_or_pair = |value: Value| {
            unconverted_inst(dfg, value).is_some_and(|inst| {
                let is_load = dfg.insts[inst].opcode().can_load() && layout.inst_block(inst) == Some(block);
                is_load || is_pair[inst]
            })
        };
        let may_be = matches!(ty, types::I32 | types::I64) && args[0] != args[1] && is_pure(dfg, inst);
        if may_be && args.into_iter().all(is_load_or_pair) {
            is_pair[inst] = true;
            found.push(inst);
        }
    }
    found
}
