//! Both words of a product of two words by one multiplication.
//!
//! | values of 64 bits | become |
//! |---|---|
//! | `imul x, y` and `umulhi x, y` of a block, if the first is added up or stored, or compared too | the words of a product of pairs |
//! | the same with other uses of the first | left |
//!
//! Cranelift multiplies twice for them. One multiplication of x86-64 leaves both words in registers that it does not choose: where the
//! low word goes around a loop or is multiplied again, the copies are as many (`aha-mont64` of Embench executed 1.03 of its instructions).
//!
//! In: a function. Out: the same with such products. Sound: they are the two words of the product, which is computed where the first of
//! them was. Two passes over the instructions, with maps of products.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    Block, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Value, types,
};

use super::is_invariant;
use crate::opt::ir::insts::insts;
use crate::opt::ir::operands::{each_operand, replace_inst};
use crate::opt::pass::PassContext;

/// Pairs them.
pub(super) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let mut found = pairs(function);
    keep_sums(function, &mut found);
    if found.is_empty() {
        return;
    }
    let loops = context.analyses.control_flow(function).loops;
    for Product { low, high, first, operands } in found {
        let Some(block) = function.layout.inst_block(first) else { continue };
        if is_invariant(function, loops, block, &operands) {
            continue;
        }
        let location = function.srcloc(first);
        let mut cursor = FuncCursor::new(function).at_inst(first).with_srcloc(location);
        let [left, right] = operands.map(|operand| cursor.ins().uextend(types::I128, operand));
        let product = cursor.ins().imul(left, right);
        let words = cursor.ins().isplit(product);
        replace_inst(function, low, words.0);
        replace_inst(function, high, words.1);
    }
}

/// The two instructions that compute a product.
struct Product {
    low: Inst,
    high: Inst,
    /// The first one of them.
    first: Inst,
    operands: [Value; 2],
}

/// All products of which a block computes both words.
fn pairs(function: &Function) -> Vec<Product> {
    let dfg = &function.dfg;
    let mut found = Vec::new();
    if !insts(function).any(|inst| dfg.insts[inst].opcode() == Opcode::Umulhi) {
        return found;
    }
    // The first instruction for each word, until it is part of a pair.
    let mut words: HashMap<(Block, [Value; 2], Opcode), Inst> = HashMap::new();
    for inst in insts(function) {
        let InstructionData::Binary { opcode: opcode @ (Opcode::Imul | Opcode::Umulhi), args } = dfg.insts[inst]
        else {
            continue;
        };
        let Some(block) = function.layout.inst_block(inst) else { continue };
        let mut key = args.map(|value| dfg.resolve_aliases(value));
        if dfg.value_type(key[0]) != types::I64 {
            continue;
        }
        key.sort();
        let other = if opcode == Opcode::Imul { Opcode::Umulhi } else { Opcode::Imul };
        if let Some(first) = words.remove(&(block, key, other)) {
            let (low, high) = if opcode == Opcode::Imul { (inst, first) } else { (first, inst) };
            found.push(Product { low, high, first, operands: load_last(dfg, key) });
        } else {
            words.entry((block, key, opcode)).or_insert(inst);
        }
    }
    found
}

/// Keeps the products whose low words are added up or go to memory, and nothing else but comparisons uses.
fn keep_sums(function: &Function, products: &mut Vec<Product>) {
    if products.is_empty() {
        return;
    }
    let dfg = &function.dfg;
    // Whether there is such a use of each low word, and whether there is another one.
    let mut uses: HashMap<Value, (bool, bool)> =
        products.iter().map(|product| (dfg.first_result(product.low), (false, false))).collect();
    for inst in insts(function) {
        let opcode = dfg.insts[inst].opcode();
        let is_sum = matches!(opcode, Opcode::Iadd | Opcode::Isub | Opcode::Store | Opcode::Return);
        each_operand(dfg, inst, |value| {
            if let Some((is_added, is_other)) = uses.get_mut(&dfg.resolve_aliases(value)) {
                *is_added |= is_sum;
                *is_other |= !is_sum && opcode != Opcode::Icmp;
            }
        });
    }
    products.retain(|product| uses.get(&dfg.first_result(product.low)) == Some(&(true, false)));
}

/// Two operands, so that the second may be one from memory.
pub(super) fn load_last(dfg: &DataFlowGraph, [left, right]: [Value; 2]) -> [Value; 2] {
    let is_load = dfg.value_def(left).inst().is_some_and(|inst| dfg.insts[inst].opcode() == Opcode::Load);
    if is_load { [right, left] } else { [left, right] }
}
