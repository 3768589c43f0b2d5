//! What large blocks become: random ones in all orders, and one that is obviously better in another.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{AbiParam, Function, Inst, InstBuilder, MemFlagsData, Value, types};
use cranelift_codegen::loop_analysis::LoopAnalysis;
use cranelift_codegen::settings::{Flags, builder};

use super::block::{ReadBlock, Reading};
use super::excess::{Registers, excess};
use super::orders::{Tie, bottom_up, top_down};
use super::*;
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::operands::each_operand;

/// A function of one block with two parameters, and a result.
fn function(make: impl FnOnce(&mut FuncCursor<'_>, [Value; 2]) -> Value) -> (Function, Block) {
    let mut function = Function::new();
    function.signature.params = vec![AbiParam::new(types::I64); 2];
    function.signature.returns = vec![AbiParam::new(types::I64)];
    let block = function.dfg.make_block();
    function.layout.append_block(block);
    let parameters = [(); 2].map(|()| function.dfg.append_block_param(block, types::I64));
    let mut cursor = FuncCursor::new(&mut function).at_bottom(block);
    let result = make(&mut cursor, parameters);
    cursor.ins().return_(&[result]);
    (function, block)
}

fn read(function: &Function, block: Block) -> ReadBlock {
    Reading::new(function, &LoopAnalysis::new()).read(function, block)
}

fn own_excess(read: &ReadBlock) -> u64 {
    excess(read, &(0..read.nodes.len()).collect::<Vec<_>>(), &Registers::some(), u64::MAX).expect("no bound")
}

#[test]
fn values_are_computed_when_they_are_wanted() {
    let (mut function, block) = function(|cursor, [first, second]| {
        let products: Vec<Value> = (3..35).map(|number| cursor.ins().imul_imm_s(first, number)).collect();
        products.into_iter().fold(second, |sum, product| cursor.ins().iadd(sum, product))
    });
    let before = read(&function, block);
    assert!(own_excess(&before) > 0);
    let order = best(&before, &Registers::some()).expect("there is a better order");
    Reading::new(&function, &LoopAnalysis::new()).write(&mut function, block, &before, &order);
    assert_eq!(own_excess(&read(&function, block)), 0);
    assert!(best(&read(&function, block), &Registers::some()).is_none());
}

/// Everything that there is, in random order: arithmetic, conversions, constants, opaque pairs, loads and stores.
fn random(seed: u64) -> (Function, Block) {
    let mut state = seed;
    let mut below = move |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    function(|cursor, parameters| {
        let mut values = parameters.to_vec();
        for _ in 0..20 + below(200) {
            let (first, second) = (values[below(values.len())], values[values.len() - 1 - below(2)]);
            let made = match below(12) {
                0 => cursor.ins().load(types::I64, MemFlagsData::new(), first, 8),
                1 => {
                    cursor.ins().store(MemFlagsData::new(), first, second, 0);
                    continue;
                }
                2 => {
                    let narrow = cursor.ins().ireduce(types::I32, first);
                    let narrow = if below(2) == 0 { cursor.ins().ineg(narrow) } else { narrow };
                    cursor.ins().uextend(types::I64, narrow)
                }
                3 => {
                    let pair = cursor.ins().iconcat(first, if below(2) == 0 { first } else { second });
                    cursor.ins().isplit(pair).0
                }
                4 => cursor.ins().iconst(types::I64, 77),
                5 => cursor.ins().imul(first, first),
                6 | 7 => cursor.ins().bxor(first, second),
                _ => cursor.ins().iadd(first, second),
            };
            values.push(made);
        }
        values[values.len() - 1]
    })
}

#[test]
fn all_orders_are_valid() {
    for seed in 0..200 {
        let (function, block) = random(seed);
        let ordered = |function: &Function| -> Vec<Inst> {
            function.layout.block_insts(block).filter(|&inst| !is_pure(&function.dfg, inst)).collect()
        };
        let before = read(&function, block);
        for order in [bottom_up(&before, Tie::Place), bottom_up(&before, Tie::Recency), top_down(&before)] {
            let mut made = function.clone();
            Reading::new(&made, &LoopAnalysis::new()).write(&mut made, block, &before, &order);
            assert_eq!(ordered(&made), ordered(&function), "seed {seed}");
            let count = |function: &Function| function.layout.block_insts(block).count();
            assert_eq!(count(&made), count(&function), "seed {seed}");
            let mut is_defined = made.dfg.block_params(block).to_vec();
            for inst in made.layout.block_insts(block) {
                each_operand(&made.dfg, inst, |value| assert!(is_defined.contains(&value), "seed {seed}: {value}"));
                is_defined.extend(made.dfg.inst_results(inst));
            }
            let verified = cranelift_codegen::verify_function(&made, &Flags::new(builder()));
            assert!(verified.is_ok(), "seed {seed}: {verified:?}");
        }
    }
}
