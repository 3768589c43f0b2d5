//! Leading the edges of a loop elsewhere.
//!
//! In: a loop. Out: the same function with the loop entered, left or continued by other blocks. Blocks that are no longer
//! reachable are removed.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Block, Function, InstBuilder, InstructionData, Value};

use super::trip_count::ExitTest;
use crate::opt::ir::edges::{block_args, passed_values, retarget};
use crate::opt::ir::loop_discovery::Loop;

/// Leads the entry edges of a loop to another block.
pub(crate) fn enter(function: &mut Function, inner: &Loop, to: Block) {
    for &entry in &inner.entries {
        retarget(function, entry, inner.header(), to, None);
    }
}

/// Ends an open block of the loop by a jump.
pub(crate) fn close(function: &mut Function, inner: &Loop, open: Block, to: Block, arguments: &[Value]) {
    let location = function.srcloc(inner.latch);
    let mut cursor = FuncCursor::new(function).at_bottom(open).with_srcloc(location);
    cursor.ins().jump(to, &block_args(arguments));
}

/// Makes a loop exit in its first iteration, whatever the test says.
pub(crate) fn exit_at_once(function: &mut Function, inner: &Loop, test: &ExitTest) {
    let InstructionData::Brif { blocks, .. } = function.dfg.insts[test.branch] else { return };
    let call = blocks[1 - test.stays];
    let to = call.block(&function.dfg.value_lists);
    let arguments = block_args(&passed_values(function, call));
    function.replace(test.branch).jump(to, &arguments);
    // What follows the test in the loop is unreachable.
    let after = inner.blocks.iter().position(|&block| function.layout.inst_block(test.branch) == Some(block));
    for &block in after.map_or(&[][..], |after| &inner.blocks[after + 1..]) {
        function.layout.remove_block_and_insts(block);
    }
}
