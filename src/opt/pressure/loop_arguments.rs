//! Arguments that loops use leave the registers that they arrive in.
//!
//! An argument arrives in a certain register. Where that is wanted for something else, for the result above all, Cranelift's allocator
//! splits the argument's live range, and the split may lie in a loop: two moves in each iteration that undo each other. A copy at the
//! function's entry, which is an instruction of its own, has no such register.
//!
//! Not where steps over machine code follow (x86-64): these take moves away that undo each other, and the copy is one more.
//!
//! In: a function. Out: the same, with copies of arguments that loops use. Sound: `x | x` is `x`.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Function, InstBuilder, Value, types};

use crate::config::Need;
use crate::opt::ir::opaque::opaque;
use crate::opt::ir::operands::each_operand;
use crate::opt::pass::PassContext;

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    if context.facts.has(Need::MachineCodeSteps) {
        return;
    }
    let loops = context.analyses.control_flow(function).loops;
    let Some(entry) = function.layout.entry_block() else { return };
    let arguments: Vec<Value> = function.dfg.block_params(entry).to_vec();
    let mut is_used = vec![false; arguments.len()];
    for block in function.layout.blocks().filter(|&block| loops.innermost_loop(block).is_some()) {
        for inst in function.layout.block_insts(block) {
            each_operand(&function.dfg, inst, |value| {
                let value = function.dfg.resolve_aliases(value);
                if let Some(index) = arguments.iter().position(|&argument| argument == value) {
                    is_used[index] = true;
                }
            });
        }
    }
    for (index, &argument) in arguments.iter().enumerate() {
        if !is_used[index] || function.dfg.value_type(argument) != types::I64 {
            continue;
        }
        let arrives = function.dfg.replace_block_param(argument, types::I64);
        let Some(first) = function.layout.first_inst(entry) else { return };
        let mut cursor = FuncCursor::new(function).at_inst(first).with_srcloc(Default::default());
        let same = opaque(&mut cursor, arrives);
        let copy = cursor.ins().bor(arrives, same);
        function.dfg.change_to_alias(argument, copy);
    }
}
