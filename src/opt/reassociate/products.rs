//! Products with constants: shifts and additions, where that takes less time (x86-64).
//!
//! A multiplication takes three cycles, an addition one, also one that shifts an operand by up to three bits (`lea`). A factor is
//! `(m << s) + e` with an `m` of 1, 3, 5 or 9 and an `e` of -1, 0 or 1, and `x * m` is `x` or one addition.
//!
//! | product | becomes | cycles from `x` to the sum | instructions |
//! |---|---|---|---|
//! | `e` is 0, `s` is up to 3, and all uses are additions: an element of 24 bytes, the next digit of a number | `x * m << s` | 2 for 4 | as many |
//! | loop-carried in a small loop, `x = x * f + y` | `(x * m << s) + (y + e * x)` | 2 for 4 | one or two more |
//! | the same, with other uses | `(x * m << s) + e * x` | 2 for 3 | one or two more |
//! | 3, 5 and 9 themselves | left: `anchors` makes one addition of them, on all paths | | |
//! | any other | left: it takes fewer instructions, and nothing waits for it | | |
//!
//! **Loop-carried** is what is computed from itself of the iteration before: hashes (31, 33, 37) and numbers that are read digit by digit.
//! The iterations of a small loop wait for each other, and for nothing else; those of one with more than [`MAX_LOOP`] instructions take
//! as long as these do.
//!
//! Measured, under load: `http` takes 0.88 of the time that it took, `lz_compress` and `lz_decompress` 0.99, and `bitset`, which waits for
//! other things, 1.015.
//!
//! In: a function. Out: the same with such products. Sound: it is the same number, modulo the power of two that the type has. Time is
//! linear in the number of instructions: for each product at most [`MAX_VALUES`] values and [`MAX_EDGES`] arguments are visited.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::EntitySet;
use cranelift_codegen::ir::{
    Block, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef, types,
};
use cranelift_codegen::loop_analysis::{Loop, LoopAnalysis};

use crate::opt::ir::analyses::Analyses;
use crate::opt::ir::effects::is_free;
use crate::opt::ir::insts::insts;
use crate::opt::ir::operands::{binary_operands, constant, iconst, replace_inst};
use crate::opt::ir::uses::use_counts;
use crate::opt::ir::value_lists::ValueLists;

/// How many values are visited to see whether one is loop-carried.
const MAX_VALUES: usize = 64;

/// How many arguments of block parameters are visited for it.
const MAX_EDGES: usize = 256;

/// How many instructions a loop may have whose iterations wait for a product: more of them take as long as it does.
const MAX_LOOP: usize = 20;

/// The largest shift that is part of an addition.
const MAX_SCALE: u32 = 3;

/// A factor: `((1 + (1 << add)) << shift) + extra`, where `add` is none for `(1 << shift) + extra`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Factor {
    add: Option<u32>,
    shift: u32,
    extra: i64,
}

/// A product with a constant.
struct Product {
    inst: Inst,
    value: Value,
    factor: Factor,
    /// How many additions use it, and one of them.
    additions: (u32, Option<Inst>),
}

/// Replaces the products of the table.
pub(super) fn run(function: &mut Function, analyses: &mut Analyses<'_>) {
    let mut products = products(function);
    if products.is_empty() {
        return;
    }
    find_additions(function, &mut products);
    let in_small_loops = in_small_loops(function, analyses.control_flow(function).loops);
    let is_small = |inst: Inst, function: &Function| {
        function.layout.inst_block(inst).is_some_and(|block| in_small_loops.contains(block))
    };
    let counts = use_counts(function);
    let arguments = arguments(function);
    for product in &products {
        let result = function.dfg.first_result(product.inst);
        let (additions, sum) = product.additions;
        if product.factor.extra == 0 && additions == counts[result] && product.factor.shift <= MAX_SCALE {
            product.replace(function);
        } else if is_small(product.inst, function) && depends_on(function, &arguments, product.value, product.inst)
        {
            let addend = sum.filter(|_| counts[result] == 1).and_then(|sum| {
                let addend = addend(&function.dfg, sum, result)?;
                (!depends_on(function, &arguments, addend, product.inst)).then_some((sum, addend))
            });
            match addend {
                Some((sum, addend)) => product.replace_sum(function, sum, addend),
                None => product.replace(function),
            }
        }
    }
}

/// The blocks in loops of few instructions without loops inside.
fn in_small_loops(function: &Function, loops: &LoopAnalysis) -> EntitySet<Block> {
    let mut sizes: HashMap<Loop, usize> = HashMap::new();
    for block in function.layout.blocks() {
        let Some(around) = loops.innermost_loop(block) else { continue };
        let is_counted = |inst: &Inst| !is_free(function.dfg.insts[*inst].opcode());
        *sizes.entry(around).or_default() += function.layout.block_insts(block).filter(is_counted).count();
    }
    for inner in loops.loops().filter_map(|inner| loops.loop_parent(inner)) {
        sizes.insert(inner, usize::MAX);
    }
    let is_small = |block: &Block| {
        let size = loops.innermost_loop(*block).and_then(|around| sizes.get(&around));
        size.is_some_and(|&size| size <= MAX_LOOP)
    };
    let mut small = EntitySet::new();
    small.extend(function.layout.blocks().filter(is_small));
    small
}

/// The products of a function that a shift and two additions compute.
fn products(function: &Function) -> Vec<Product> {
    let dfg = &function.dfg;
    let product = |inst: Inst| {
        let InstructionData::Binary { opcode: Opcode::Imul, args: [left, right] } = dfg.insts[inst] else {
            return None;
        };
        let (value, number) = match (constant(dfg, left), constant(dfg, right)) {
            (None, Some(number)) => (left, number),
            (Some(number), None) => (right, number),
            _ => return None,
        };
        let value = dfg.resolve_aliases(value);
        let factor = Factor::of(number, dfg.value_type(value))?;
        Some(Product { inst, value, factor, additions: (0, None) })
    };
    insts(function).filter_map(product).collect()
}

/// Finds the additions that use products.
fn find_additions(function: &Function, products: &mut [Product]) {
    let dfg = &function.dfg;
    let indices: HashMap<Value, usize> =
        products.iter().enumerate().map(|(index, product)| (dfg.first_result(product.inst), index)).collect();
    for inst in insts(function).filter(|&inst| dfg.insts[inst].opcode() == Opcode::Iadd) {
        for &operand in dfg.inst_args(inst) {
            if let Some(&index) = indices.get(&dfg.resolve_aliases(operand)) {
                let (count, _) = products[index].additions;
                products[index].additions = (count + 1, Some(inst));
            }
        }
    }
}

/// What an addition adds to a value; none if it has been replaced.
fn addend(dfg: &DataFlowGraph, sum: Inst, value: Value) -> Option<Value> {
    let result = dfg.inst_results(sum).first()?;
    let [left, right] = binary_operands(dfg, *result, Opcode::Iadd)?.map(|operand| dfg.resolve_aliases(operand));
    Some(if left == value { right } else { left })
}

/// The arguments of each block parameter.
fn arguments(function: &Function) -> ValueLists {
    let dfg = &function.dfg;
    let mut arguments = ValueLists::new(dfg);
    for last in function.layout.blocks().filter_map(|block| function.layout.last_inst(block)) {
        for call in dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
            let parameters = dfg.block_params(call.block(&dfg.value_lists));
            for (&parameter, argument) in parameters.iter().zip(call.args(&dfg.value_lists)) {
                if let Some(argument) = argument.as_value() {
                    arguments.add(parameter, dfg.resolve_aliases(argument));
                }
            }
        }
    }
    arguments
}

/// Whether a value is computed from the result of an instruction, in this iteration or an earlier one.
fn depends_on(function: &Function, arguments: &ValueLists, value: Value, inst: Inst) -> bool {
    let dfg = &function.dfg;
    let (mut seen, mut next, mut edges) = (vec![value], 0, MAX_EDGES);
    while let Some(&value) = seen.get(next) {
        next += 1;
        let mut visit = |operand: Value| {
            let operand = dfg.resolve_aliases(operand);
            if seen.len() < MAX_VALUES && !seen.contains(&operand) {
                seen.push(operand);
            }
        };
        match dfg.value_def(value) {
            ValueDef::Result(from, _) if from == inst => return true,
            ValueDef::Result(from, _) => dfg.inst_args(from).iter().copied().for_each(visit),
            _ => arguments.of(value).take(edges).for_each(|argument| {
                edges -= 1;
                visit(argument);
            }),
        }
    }
    false
}

impl Factor {
    /// A factor of an integer type, if it is one of the table.
    fn of(number: u64, ty: Type) -> Option<Factor> {
        if !matches!(ty, types::I32 | types::I64) || matches!(number, 1 | 3 | 5 | 9) {
            return None;
        }
        [0, 1, -1].into_iter().find_map(|extra| {
            let rest = number.wrapping_sub(extra as u64);
            let shift = rest.trailing_zeros();
            let (add, is_left) = match rest.unbounded_shr(shift) {
                1 => (None, extra == 0 || shift >= ty.bits()),
                3 => (Some(1), false),
                5 => (Some(2), false),
                9 => (Some(3), false),
                _ => return None,
            };
            let is_scaled = add.is_none() || extra == 0 || shift <= MAX_SCALE;
            (!is_left && shift > 0 && is_scaled).then_some(Factor { add, shift, extra })
        })
    }
}

impl Product {
    /// The value times the factor without what it has extra.
    fn scaled(&self, cursor: &mut FuncCursor<'_>) -> Value {
        let mut value = self.value;
        if let Some(add) = self.factor.add {
            let by = iconst(cursor, types::I32, i64::from(add));
            let shifted = cursor.ins().ishl(value, by);
            value = cursor.ins().iadd(value, shifted);
        }
        let by = iconst(cursor, types::I32, i64::from(self.factor.shift));
        cursor.ins().ishl(value, by)
    }

    /// Replaces the product.
    fn replace(&self, function: &mut Function) {
        let location = function.srcloc(self.inst);
        let mut cursor = FuncCursor::new(function).at_inst(self.inst).with_srcloc(location);
        let scaled = self.scaled(&mut cursor);
        let product = match self.factor.extra {
            0 => scaled,
            1 => cursor.ins().iadd(scaled, self.value),
            _ => cursor.ins().isub(scaled, self.value),
        };
        replace_inst(function, self.inst, product);
    }

    /// Replaces the sum of the product, which nothing else uses, and another value.
    fn replace_sum(&self, function: &mut Function, sum: Inst, addend: Value) {
        let location = function.srcloc(sum);
        let mut cursor = FuncCursor::new(function).at_inst(sum).with_srcloc(location);
        let scaled = self.scaled(&mut cursor);
        let rest = match self.factor.extra {
            0 => addend,
            1 => cursor.ins().iadd(addend, self.value),
            _ => cursor.ins().isub(addend, self.value),
        };
        let new = cursor.ins().iadd(scaled, rest);
        replace_inst(function, sum, new);
        function.layout.remove_inst(self.inst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computed(factor: Factor) -> u64 {
        let multiple = factor.add.map_or(1, |add| 1 + (1 << add));
        ((multiple << factor.shift) as u64).wrapping_add(factor.extra as u64)
    }

    #[test]
    fn factors_are_what_they_say() {
        let known: Vec<u64> = (0..200).filter(|&number| Factor::of(number, types::I64).is_some()).collect();
        assert!(
            known.iter().all(|&number| Factor::of(number, types::I64).map(computed) == Some(number)),
            "{known:?}"
        );
        for number in [10, 12, 24, 31, 33, 37, 40, 72, 127, 129] {
            assert!(known.contains(&number), "{number}");
        }
        for number in [0, 1, 2, 3, 4, 5, 8, 9, 64, 26, 100] {
            assert!(!known.contains(&number), "{number}");
        }
    }

    #[test]
    fn shifts_are_of_the_type() {
        assert_eq!(Factor::of(u64::from(u32::MAX), types::I32), None);
        assert_eq!(Factor::of(u64::MAX, types::I64), None);
        assert!(Factor::of(1 << 40 | 1, types::I64).is_some());
        assert_eq!(Factor::of(33, types::I16), None);
    }
}
