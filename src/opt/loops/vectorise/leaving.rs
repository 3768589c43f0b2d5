//! Where a vectorised loop is left, and what is used there.
//!
//! In: a loop whose only exit is at its end. Out: the values of its last iteration that are used behind it, and who uses them;
//! then a block on its exit edge that has them as parameters (loop-closed SSA form), so that the vector loop can leave the loop too.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Block, Function, Inst, InstBuilder, Value};

use crate::opt::ir::edges::{block_args, passed_values, retarget};
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::loops::trip_count::ExitTest;

/// Which instructions use values of loops that they are not in.
pub(crate) struct OutsideUsers(HashMap<Value, Vec<Inst>>);

impl OutsideUsers {
    /// One pass over a function, for all of these loops.
    pub(crate) fn new(function: &Function, loops: &[Loop]) -> OutsideUsers {
        let (mut home, mut loop_of) = (HashMap::new(), HashMap::new());
        for (index, inner) in loops.iter().enumerate() {
            for &block in &inner.blocks {
                loop_of.insert(block, index);
                home.extend(function.dfg.block_params(block).iter().map(|&value| (value, index)));
                let results = function.layout.block_insts(block).flat_map(|inst| function.dfg.inst_results(inst));
                home.extend(results.map(|&value| (value, index)));
            }
        }
        let mut users: HashMap<Value, Vec<Inst>> = HashMap::new();
        for block in function.layout.blocks() {
            let own = loop_of.get(&block);
            for inst in function.layout.block_insts(block) {
                for value in function.dfg.inst_values(inst) {
                    if home.get(&value).is_some_and(|home| Some(home) != own) {
                        users.entry(value).or_default().push(inst);
                    }
                }
            }
        }
        OutsideUsers(users)
    }
}

/// The exit of a loop.
pub(super) struct Leaving {
    to: Block,
    arguments: Vec<Value>,
    /// What is used behind the loop, once each.
    pub(super) values: Vec<Value>,
}

/// The block on a loop's exit edge, and its jump, which takes the edge's place.
pub(super) struct ExitBlock {
    pub(super) block: Block,
    pub(super) jump: Inst,
}

impl Leaving {
    /// The exit of a loop whose test is the branch of its back edge.
    pub(super) fn find(
        function: &Function,
        inner: &Loop,
        test: &ExitTest,
        users: &OutsideUsers,
    ) -> Option<Leaving> {
        if test.branch != inner.latch {
            return None;
        }
        let dfg = &function.dfg;
        let calls = dfg.insts[test.branch].branch_destination(&dfg.jump_tables, &dfg.exception_tables);
        let call = calls.get(1 - test.stays)?;
        let (to, arguments) = (call.block(&dfg.value_lists), passed_values(function, *call));
        let mut values: Vec<Value> = Vec::new();
        let results = |block| function.layout.block_insts(block).flat_map(|inst| dfg.inst_results(inst));
        for &block in &inner.blocks {
            for &value in dfg.block_params(block).iter().chain(results(block)) {
                if users.0.contains_key(&value) || arguments.contains(&value) {
                    values.push(value);
                }
            }
        }
        Some(Leaving { to, arguments, values })
    }

    /// Puts a block on the exit edge, with a parameter for each of the values.
    pub(super) fn split(&self, function: &mut Function, inner: &Loop, users: &OutsideUsers) -> Option<ExitBlock> {
        let from = function.layout.inst_block(inner.latch)?;
        let block = function.dfg.make_block();
        function.layout.insert_block_after(block, from);
        if function.layout.is_cold(self.to) {
            function.layout.set_cold(block);
        }
        let mut passed: HashMap<Value, Value> = HashMap::new();
        for &value in &self.values {
            let ty = function.dfg.value_type(value);
            let parameter = function.dfg.append_block_param(block, ty);
            passed.insert(value, parameter);
        }
        let new = |value: &Value| passed.get(value).copied().unwrap_or(*value);
        for &inst in self.values.iter().filter_map(|value| users.0.get(value)).flatten() {
            let values: Vec<Value> = function.dfg.inst_values(inst).map(|value| new(&value)).collect();
            function.dfg.overwrite_inst_values(inst, values.into_iter());
        }
        let arguments: Vec<Value> = self.arguments.iter().map(new).collect();
        // Both edges of the branch may not lead to one block: the other one leads to the header, which has another entry.
        retarget(function, inner.latch, self.to, block, Some(&self.values));
        let location = function.srcloc(inner.latch);
        let mut cursor = FuncCursor::new(function).at_bottom(block).with_srcloc(location);
        let jump = cursor.ins().jump(self.to, &block_args(&arguments));
        Some(ExitBlock { block, jump })
    }
}
