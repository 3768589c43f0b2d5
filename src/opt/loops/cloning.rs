//! Cloning the iterations of a loop, one after the other.
//!
//! In: a loop and its induction variables. Out: more blocks, in which an iteration follows the previous one without a test
//! between. The iteration at position 0 comes first; the original loop may be one of them, or none.
//!
//! | at position `k` | becomes |
//! |---|---|
//! | a value whose step is `s` | the value at position 0, plus `k s`: one addition, not a chain of them |
//! | a plain access of an address whose step is `s` | of the address at position 0, with `k s` in its offset |
//! | the exit test, if it is known to stay in the loop | a jump to where it stays |
//! | a sequence point | nothing: the number of iterations is bounded |

use std::collections::{HashMap, HashSet};

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{
    Block, BlockArg, Function, Inst, InstBuilder, InstructionData, Opcode, SourceLoc, Type, Value,
};

use super::induction::{self, InductionVariables};
use super::trip_count::ExitTest;
use crate::opt::ir::edges::passed_values;
use crate::opt::ir::effects::is_pure;
use crate::opt::ir::loop_discovery::Loop;
use crate::opt::ir::operands::iconst;

/// Loops of more instructions are not cloned.
const MAX_CLONED_INSTRUCTIONS: usize = 200;

/// Clones the iterations of one loop.
pub(crate) struct Cloner<'a> {
    pub(crate) function: &'a mut Function,
    pub(crate) inner: &'a Loop,
    pub(crate) variables: &'a InductionVariables,
    /// The exit test that clones do without.
    test: Option<&'a ExitTest>,
    /// The position of the iteration that is being made.
    position: i64,
    /// The values of the iteration at position 0, where they are not the loop's own.
    first: HashMap<Value, Value>,
    /// The same for the iteration that is being made.
    current: HashMap<Value, Value>,
    /// Sums that were computed for this iteration, and their blocks.
    sums: HashMap<Value, (Value, Block)>,
    /// The loop's instructions that later iterations need too.
    needed: HashSet<Inst>,
    /// The arguments of the back edge.
    back: Vec<Value>,
}

/// Whether the iterations of a loop can be cloned: it is small, calls nothing, and has plain branches only.
pub(crate) fn can_be_cloned(function: &Function, inner: &Loop) -> bool {
    let dfg = &function.dfg;
    let insts = inner.blocks.iter().flat_map(|&block| function.layout.block_insts(block));
    let is_plain = |inst: Inst| {
        let opcode = dfg.insts[inst].opcode();
        !opcode.is_call() && (!opcode.is_terminator() || matches!(opcode, Opcode::Jump | Opcode::Brif))
    };
    let is_plain_latch = dfg.insts[inner.latch].opcode() == Opcode::Jump || inner.exits.contains(&inner.latch);
    let mut count = 0;
    is_plain_latch
        && insts.into_iter().all(|inst| {
            count += 1;
            count <= MAX_CLONED_INSTRUCTIONS && is_plain(inst)
        })
}

impl<'a> Cloner<'a> {
    pub(crate) fn new(
        function: &'a mut Function,
        inner: &'a Loop,
        variables: &'a InductionVariables,
        test: Option<&'a ExitTest>,
    ) -> Self {
        let dfg = &function.dfg;
        let mut calls = dfg.insts[inner.latch].branch_destination(&dfg.jump_tables, &dfg.exception_tables).iter();
        let back = calls.find(|call| call.block(&dfg.value_lists) == inner.header());
        let back = back.map_or_else(Vec::new, |&call| passed_values(function, call));
        let needed = needed(function, inner, variables, test, &back);
        let (first, now, sums) = (HashMap::new(), HashMap::new(), HashMap::new());
        Cloner { function, inner, variables, test, position: 0, first, current: now, sums, needed, back }
    }

    /// The arguments of the original back edge.
    pub(crate) fn passed_back(&self) -> Vec<Value> {
        self.back.clone()
    }

    /// Puts a new block before the loop.
    pub(crate) fn block(&mut self) -> Block {
        let block = self.function.dfg.make_block();
        self.function.layout.insert_block(block, self.inner.header());
        block
    }

    /// Puts a new block before the loop, with the parameters of its header.
    pub(crate) fn block_like_header(&mut self) -> Block {
        let block = self.block();
        let types: Vec<Type> = self.function.dfg.block_param_types(self.inner.header()).collect();
        for ty in types {
            self.function.dfg.append_block_param(block, ty);
        }
        block
    }

    /// Puts a block before the loop that is to be its header: iterations start there. Out: the block and its parameters.
    pub(crate) fn new_header(&mut self) -> (Block, Vec<Value>) {
        let block = self.block_like_header();
        let location = self.function.layout.first_inst(self.inner.header());
        let location = location.map(|inst| self.function.srcloc(inst)).unwrap_or_default();
        let mut cursor = FuncCursor::new(self.function).at_bottom(block).with_srcloc(location);
        cursor.ins().sequence_point();
        (block, self.function.dfg.block_params(block).to_vec())
    }

    /// Appends an iteration to a block, in which the header's parameters have the values `parameters`. Out: the block that it
    /// ends in, and the parameters' values in the next iteration. That block has no terminator yet, unless the exit test is
    /// kept and is the branch of the back edge: then the branch leads to the original header.
    pub(crate) fn iteration(&mut self, into: Block, parameters: &[Value]) -> (Block, Vec<Value>) {
        let header = self.inner.header();
        self.current.clear();
        self.sums.clear();
        self.current.extend(self.function.dfg.block_params(header).iter().copied().zip(parameters.iter().copied()));
        let mut blocks = HashMap::from([(header, into)]);
        for &block in &self.inner.blocks[1..] {
            let copy = self.block();
            if self.function.layout.is_cold(block) {
                self.function.layout.set_cold(copy);
            }
            let parameters = self.function.dfg.block_params(block).to_vec();
            for parameter in parameters {
                let ty = self.function.dfg.value_type(parameter);
                let new = self.function.dfg.append_block_param(copy, ty);
                self.current.insert(parameter, new);
            }
            blocks.insert(block, copy);
        }
        let mut end = (into, Vec::new());
        for &block in &self.inner.blocks {
            let mut next = self.function.layout.first_inst(block);
            while let Some(inst) = next {
                next = self.function.layout.next_inst(inst);
                let dropped = self.test.filter(|test| test.branch == inst);
                if inst == self.inner.latch {
                    if dropped.is_none() && self.inner.exits.contains(&inst) {
                        self.copy(inst, blocks[&block], &HashMap::new());
                    }
                    end = (blocks[&block], self.next_parameters(blocks[&block]));
                } else if let Some(test) = dropped {
                    self.stay(test, blocks[&block], &blocks);
                } else if self.needed.contains(&inst) || self.position == 0 && self.is_induction(inst) {
                    self.copy(inst, blocks[&block], &blocks);
                }
            }
        }
        if self.position == 0 {
            self.first = self.current.clone();
        }
        self.position += 1;
        end
    }

    /// Leaves the next position to the original loop, whose header gets its parameters from the previous iteration.
    pub(crate) fn skip_position(&mut self) {
        self.current.clear();
        self.sums.clear();
        self.position += 1;
    }

    /// Gives the original loop the operands of a position. This is the last step.
    pub(crate) fn original(mut self, position: i64) -> &'a mut Function {
        if position > 0 {
            self.current.clear();
            self.sums.clear();
            self.position = position;
            for &block in &self.inner.blocks {
                let mut next = self.function.layout.first_inst(block);
                while let Some(inst) = next {
                    next = self.function.layout.next_inst(inst);
                    if self.function.dfg.insts[inst].opcode() == Opcode::SequencePoint {
                        self.function.layout.remove_inst(inst);
                    } else {
                        self.rewrite(inst, inst, None);
                    }
                }
            }
        }
        self.function
    }

    /// Whether an instruction computes an induction variable.
    fn is_induction(&self, inst: Inst) -> bool {
        self.function.dfg.inst_results(inst).iter().any(|&result| self.variables.step_inside(result).is_some())
    }

    /// The values of the header's parameters in the next iteration.
    fn next_parameters(&mut self, at: Block) -> Vec<Value> {
        let location = self.function.srcloc(self.inner.latch);
        self.passed_back().into_iter().map(|value| self.value(value, Position::End(at), location)).collect()
    }

    /// Ends a block by a jump to where the exit test stays in the loop.
    fn stay(&mut self, test: &ExitTest, at: Block, blocks: &HashMap<Block, Block>) {
        let InstructionData::Brif { blocks: edges, .. } = self.function.dfg.insts[test.branch] else { return };
        let location = self.function.srcloc(test.branch);
        let call = edges[test.stays];
        let to = call.block(&self.function.dfg.value_lists);
        let values = passed_values(self.function, call);
        let values: Vec<BlockArg> =
            values.into_iter().map(|value| self.value(value, Position::End(at), location).into()).collect();
        let to = blocks.get(&to).copied().unwrap_or(to);
        let mut cursor = FuncCursor::new(self.function).at_bottom(at).with_srcloc(location);
        cursor.ins().jump(to, &values);
    }

    /// Appends a copy of an instruction to a block.
    fn copy(&mut self, inst: Inst, at: Block, blocks: &HashMap<Block, Block>) {
        let location = self.function.srcloc(inst);
        let copy = self.function.dfg.clone_inst(inst);
        self.rewrite(inst, copy, Some(at));
        let dfg = &mut self.function.dfg;
        for call in dfg.insts[copy].branch_destination_mut(&mut dfg.jump_tables, &mut dfg.exception_tables) {
            let to = call.block(&dfg.value_lists);
            if let Some(&to) = blocks.get(&to) {
                call.set_block(to, &mut dfg.value_lists);
            }
        }
        let pairs = dfg.inst_results(inst).iter().copied().zip(dfg.inst_results(copy).iter().copied());
        self.current.extend(pairs);
        self.function.layout.append_inst(copy, at);
        self.function.set_srcloc(copy, location);
    }

    /// Gives an instruction the operands of this iteration: a copy of `inst` that is to be appended to a block, or itself.
    fn rewrite(&mut self, inst: Inst, copy: Inst, into: Option<Block>) {
        let at = into.map_or(Position::Before(inst), Position::End);
        let location = self.function.srcloc(inst);
        if let Some((address, more)) = self.moved_access(inst) {
            let base = self.at_first(address);
            match &mut self.function.dfg.insts[copy] {
                InstructionData::Load { arg, offset, .. } => (*arg, *offset) = (base, more),
                InstructionData::Store { args, offset, .. } => {
                    *offset = more;
                    args[1] = base;
                    let value = args[0];
                    let value = self.value(value, at, location);
                    if let InstructionData::Store { args, .. } = &mut self.function.dfg.insts[copy] {
                        args[0] = value;
                    }
                }
                _ => {}
            }
            return;
        }
        let values: Vec<Value> = self.function.dfg.inst_values(inst).collect();
        let values: Vec<Value> = values.into_iter().map(|value| self.value(value, at, location)).collect();
        self.function.dfg.overwrite_inst_values(copy, values.into_iter());
    }

    /// The address of an access in the original loop, and the offset from that at position 0.
    fn moved_access(&self, inst: Inst) -> Option<(Value, Offset32)> {
        let (address, offset) = match self.function.dfg.insts[inst] {
            InstructionData::Load { arg, offset, .. } => (arg, offset),
            InstructionData::Store { args, offset, .. } => (args[1], offset),
            _ => return None,
        };
        let step = self.variables.step_inside(address).filter(|_| self.position > 0)?;
        let more = i64::from(i32::from(offset)).checked_add(step.checked_mul(self.position)?)?;
        Some((address, Offset32::new(i32::try_from(more).ok()?)))
    }

    /// A value in the iteration at position 0.
    fn at_first(&self, value: Value) -> Value {
        self.first.get(&value).copied().unwrap_or(value)
    }

    /// A value of the loop in this iteration.
    fn value(&mut self, value: Value, at: Position, location: SourceLoc) -> Value {
        let step = self.variables.step_inside(value).filter(|_| self.position > 0);
        let Some(step) = step else { return self.current.get(&value).copied().unwrap_or(value) };
        let ty = self.function.dfg.value_type(value);
        let base = self.at_first(value);
        let more = induction::wrapped(step.wrapping_mul(self.position), ty);
        if more == 0 {
            return base;
        }
        let block = match at {
            Position::End(block) => Some(block),
            Position::Before(inst) => self.function.layout.inst_block(inst),
        };
        // Computed for an earlier instruction of the block.
        if let Some(&(sum, home)) = self.sums.get(&value)
            && Some(home) == block
        {
            return sum;
        }
        let (base, less) = induction::linear(&self.function.dfg, base);
        let cursor = FuncCursor::new(self.function).with_srcloc(location);
        let mut cursor = match at {
            Position::End(block) => cursor.at_bottom(block),
            Position::Before(inst) => cursor.at_inst(inst),
        };
        let more = iconst(&mut cursor, ty, more.wrapping_add(less));
        let sum = cursor.ins().iadd(base, more);
        self.sums.extend(block.map(|block| (value, (sum, block))));
        sum
    }
}

/// The instructions of an iteration that itself or the next one needs; induction variables are computed from position 0.
fn needed(
    function: &Function,
    inner: &Loop,
    variables: &InductionVariables,
    test: Option<&ExitTest>,
    back: &[Value],
) -> HashSet<Inst> {
    let dfg = &function.dfg;
    let mut needed = HashSet::new();
    let mut used: HashSet<Value> = back.iter().copied().collect();
    for &block in inner.blocks.iter().rev() {
        let mut next = function.layout.last_inst(block);
        while let Some(inst) = next {
            next = function.layout.prev_inst(inst);
            if dfg.insts[inst].opcode() == Opcode::SequencePoint {
                continue;
            }
            let results = dfg.inst_results(inst);
            let is_used =
                results.iter().any(|result| used.contains(result) && variables.step_inside(*result).is_none());
            if is_pure(dfg, inst) && !is_used {
                continue;
            }
            needed.insert(inst);
            if let Some(test) = test.filter(|test| test.branch == inst) {
                // Its exit edge, and its condition, are not cloned.
                if let InstructionData::Brif { blocks, .. } = dfg.insts[inst] {
                    used.extend(passed_values(function, blocks[test.stays]));
                }
            } else {
                used.extend(dfg.inst_values(inst));
            }
        }
    }
    needed
}

/// Where instructions are inserted.
#[derive(Clone, Copy)]
enum Position {
    End(Block),
    Before(Inst),
}
