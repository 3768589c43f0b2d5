//! Copies of a loop's rounds, one after the other.
//!
//! In: a loop and its steps. Out: more blocks, in which a round follows the last one with no test between. The round at place
//! 0 comes first; the loop as it was may be one of them, or none.
//!
//! | at place `k` | becomes |
//! |---|---|
//! | a value whose step is `s` | the value at place 0, plus `k s`: one addition, not a chain of them |
//! | a plain access of an address whose step is `s` | of the address at place 0, with `k s` in its offset |
//! | the test that leaves the loop, if it is known to stay | a jump to where it stays |
//! | a sequence point | nothing: the number of rounds is bounded |

use std::collections::{HashMap, HashSet};

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::immediates::Offset32;
use cranelift_codegen::ir::{
    Block, BlockArg, BlockCall, Function, Inst, InstBuilder, InstructionData, Opcode, SourceLoc, Type, Value,
};

use super::discovery::Loop;
use super::induction::{self, Steps};
use super::trip_count::Test;

/// What makes copies of one loop.
pub(crate) struct Copies<'a> {
    pub(crate) function: &'a mut Function,
    pub(crate) inner: &'a Loop,
    pub(crate) steps: &'a Steps,
    /// The test that copies do without.
    test: Option<&'a Test>,
    /// The place of the round that is being made.
    place: i64,
    /// The values of the round at place 0, where they are not the loop's own.
    first: HashMap<Value, Value>,
    /// The same of the round that is being made.
    now: HashMap<Value, Value>,
    /// Sums that were made for this round, and the blocks that they are in.
    sums: HashMap<Value, (Value, Block)>,
    /// The loop's instructions that later rounds need too.
    needed: HashSet<Inst>,
    /// What the loop passes back to its head.
    back: Vec<Value>,
}

/// A constant of an integer type.
pub(crate) fn number(cursor: &mut FuncCursor<'_>, ty: Type, number: i64) -> Value {
    let unused = 64 - ty.bits().min(64);
    cursor.ins().iconst(ty, ((number as u64) << unused >> unused) as i64)
}

/// The values that a block call passes on.
pub(crate) fn passed(function: &Function, call: BlockCall) -> Vec<Value> {
    call.args(&function.dfg.value_lists).filter_map(|argument| argument.as_value()).collect()
}

impl<'a> Copies<'a> {
    pub(crate) fn new(
        function: &'a mut Function,
        inner: &'a Loop,
        steps: &'a Steps,
        test: Option<&'a Test>,
    ) -> Self {
        let dfg = &function.dfg;
        let mut calls = dfg.insts[inner.latch].branch_destination(&dfg.jump_tables, &dfg.exception_tables).iter();
        let back = calls.find(|call| call.block(&dfg.value_lists) == inner.head());
        let back = back.map_or_else(Vec::new, |&call| passed(function, call));
        let needed = needed(function, inner, steps, test, &back);
        let (first, now, sums) = (HashMap::new(), HashMap::new(), HashMap::new());
        Copies { function, inner, steps, test, place: 0, first, now, sums, needed, back }
    }

    /// What the loop as it was passes back to its head.
    pub(crate) fn passed_back(&self) -> Vec<Value> {
        self.back.clone()
    }

    /// Puts a new block before the loop.
    pub(crate) fn block(&mut self) -> Block {
        let block = self.function.dfg.make_block();
        self.function.layout.insert_block(block, self.inner.head());
        block
    }

    /// Puts a new block before the loop, with the parameters of its head.
    pub(crate) fn block_like_head(&mut self) -> Block {
        let block = self.block();
        let types: Vec<Type> = self.function.dfg.block_param_types(self.inner.head()).collect();
        for ty in types {
            self.function.dfg.append_block_param(block, ty);
        }
        block
    }

    /// Appends a round to a block, with what the head's parameters are in it. Goes out: the block that it ends in, and what
    /// the parameters are in the next. The block is open, but where its test is kept and is the way back, to the head.
    pub(crate) fn round(&mut self, into: Block, parameters: &[Value]) -> (Block, Vec<Value>) {
        let head = self.inner.head();
        self.now.clear();
        self.sums.clear();
        self.now.extend(self.function.dfg.block_params(head).iter().copied().zip(parameters.iter().copied()));
        let mut blocks = HashMap::from([(head, into)]);
        for &block in &self.inner.blocks[1..] {
            let copy = self.block();
            if self.function.layout.is_cold(block) {
                self.function.layout.set_cold(copy);
            }
            let parameters = self.function.dfg.block_params(block).to_vec();
            for parameter in parameters {
                let ty = self.function.dfg.value_type(parameter);
                let new = self.function.dfg.append_block_param(copy, ty);
                self.now.insert(parameter, new);
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
                } else if self.needed.contains(&inst) || self.place == 0 && self.is_affine(inst) {
                    self.copy(inst, blocks[&block], &blocks);
                }
            }
        }
        if self.place == 0 {
            self.first = self.now.clone();
        }
        self.place += 1;
        end
    }

    /// Leaves the next place to the loop as it was, whose head gets its parameters from the last round.
    pub(crate) fn leave_place(&mut self) {
        self.now.clear();
        self.sums.clear();
        self.place += 1;
    }

    /// Gives the loop as it was the operands of a place. No copies may come after this.
    pub(crate) fn original(mut self, place: i64) -> &'a mut Function {
        if place > 0 {
            self.now.clear();
            self.sums.clear();
            self.place = place;
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

    /// Whether an instruction's results have steps.
    fn is_affine(&self, inst: Inst) -> bool {
        self.function.dfg.inst_results(inst).iter().any(|&result| self.steps.of_inside(result).is_some())
    }

    /// What the head's parameters are in the next round.
    fn next_parameters(&mut self, at: Block) -> Vec<Value> {
        let location = self.function.srcloc(self.inner.latch);
        self.passed_back().into_iter().map(|value| self.value(value, At::End(at), location)).collect()
    }

    /// Jumps to where the test stays in the loop.
    fn stay(&mut self, test: &Test, at: Block, blocks: &HashMap<Block, Block>) {
        let InstructionData::Brif { blocks: ways, .. } = self.function.dfg.insts[test.branch] else { return };
        let location = self.function.srcloc(test.branch);
        let call = ways[test.stays];
        let to = call.block(&self.function.dfg.value_lists);
        let values = passed(self.function, call);
        let values: Vec<BlockArg> =
            values.into_iter().map(|value| self.value(value, At::End(at), location).into()).collect();
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
        self.now.extend(pairs);
        self.function.layout.append_inst(copy, at);
        self.function.set_srcloc(copy, location);
    }

    /// Gives an instruction the operands of this round: a copy of `inst` that is to be appended to a block, or itself.
    fn rewrite(&mut self, inst: Inst, copy: Inst, into: Option<Block>) {
        let at = into.map_or(At::Before(inst), At::End);
        let location = self.function.srcloc(inst);
        if let Some((address, more)) = self.moved(inst) {
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

    /// The address of an access as the loop has it, and the offset from that at place 0.
    fn moved(&self, inst: Inst) -> Option<(Value, Offset32)> {
        let (address, offset) = match self.function.dfg.insts[inst] {
            InstructionData::Load { arg, offset, .. } => (arg, offset),
            InstructionData::Store { args, offset, .. } => (args[1], offset),
            _ => return None,
        };
        let step = self.steps.of_inside(address).filter(|_| self.place > 0)?;
        let more = i64::from(i32::from(offset)).checked_add(step.checked_mul(self.place)?)?;
        Some((address, Offset32::new(i32::try_from(more).ok()?)))
    }

    fn at_first(&self, value: Value) -> Value {
        self.first.get(&value).copied().unwrap_or(value)
    }

    /// What a value of the loop is in this round.
    fn value(&mut self, value: Value, at: At, location: SourceLoc) -> Value {
        let step = self.steps.of_inside(value).filter(|_| self.place > 0);
        let Some(step) = step else { return self.now.get(&value).copied().unwrap_or(value) };
        let ty = self.function.dfg.value_type(value);
        let base = self.at_first(value);
        let more = induction::wrapped(step.wrapping_mul(self.place), ty);
        if more == 0 {
            return base;
        }
        let block = match at {
            At::End(block) => Some(block),
            At::Before(inst) => self.function.layout.inst_block(inst),
        };
        // What was made for an instruction further up.
        if let Some(&(made, place)) = self.sums.get(&value)
            && Some(place) == block
        {
            return made;
        }
        let (base, less) = induction::linear(&self.function.dfg, base);
        let cursor = FuncCursor::new(self.function).with_srcloc(location);
        let mut cursor = match at {
            At::End(block) => cursor.at_bottom(block),
            At::Before(inst) => cursor.at_inst(inst),
        };
        let more = number(&mut cursor, ty, more.wrapping_add(less));
        let sum = cursor.ins().iadd(base, more);
        self.sums.extend(block.map(|block| (value, (sum, block))));
        sum
    }
}

/// The instructions of a round that others of it need, or the next one; in later rounds values with steps are at hand.
fn needed(function: &Function, inner: &Loop, steps: &Steps, test: Option<&Test>, back: &[Value]) -> HashSet<Inst> {
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
            let is_used = results.iter().any(|result| used.contains(result) && steps.of_inside(*result).is_none());
            if induction::is_pure(dfg, inst) && !is_used {
                continue;
            }
            needed.insert(inst);
            if let Some(test) = test.filter(|test| test.branch == inst) {
                // Its way out, and what it tests, are not copied.
                if let InstructionData::Brif { blocks, .. } = dfg.insts[inst] {
                    used.extend(passed(function, blocks[test.stays]));
                }
            } else {
                used.extend(dfg.inst_values(inst));
            }
        }
    }
    needed
}

/// Where instructions go.
#[derive(Clone, Copy)]
enum At {
    End(Block),
    Before(Inst),
}
