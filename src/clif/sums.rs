//! Long sums, the same of `^`, are added up in an order that keeps nobody waiting.
//!
//! | terms | order |
//! |---|---|
//! | what a loop adds to in each round | last, so that the next round waits for one addition |
//! | all others | first those that are there first: the two of least depth, again and again |
//!
//! BPF adds one term after the other, since that takes the fewest registers. What natively runs side by side then waits:
//! four words a round, for four additions.
//!
//! Left alone are sums of two terms, sums that are an address (the processor adds those up), terms that are wanted on their
//! own, and constants, which Cranelift puts together.
//!
//! Sound: `+` and `^` on words are associative and commutative. Terms are computed where they were; their sum where the last
//! of them was added, which is in the same line of blocks, each the only way to the next. One pass; time is `n log n` in the
//! number of instructions.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{
    Block, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef, types,
};

use super::bytes::constant;
use super::loops::successors;
use super::places::{self, operand};

/// Sums of more terms are left alone.
const TERMS: usize = 64;

/// Runs the pass.
pub(super) fn run(function: &mut Function) {
    if !has_sums(function) {
        return;
    }
    let lines = lines(function);
    remove_parameters(function, &lines);
    let uses = Uses::new(function);
    let mut line_of: SecondaryMap<Block, usize> = SecondaryMap::new();
    for (index, &block) in
        lines.iter().enumerate().flat_map(|(index, blocks)| blocks.iter().map(move |block| (index, block)))
    {
        line_of[block] = index;
    }
    let mut finder = Finder { uses, line_of, is_part: SecondaryMap::new(), depths: SecondaryMap::new() };
    let insts =
        lines.into_iter().flatten().flat_map(|block| function.layout.block_insts(block)).collect::<Vec<Inst>>();
    for &inst in &insts {
        finder.mark_parts(function, inst);
    }
    for inst in insts {
        match finder.sum(function, inst).and_then(|sum| sum.better()) {
            Some(order) => finder.rewrite(function, inst, &order),
            None => finder.measure(function, inst),
        }
    }
}

/// The operands of a sum: `+` or `^` of two words, neither of which is constant.
fn addition(dfg: &DataFlowGraph, inst: Inst) -> Option<(Opcode, Type, [Value; 2])> {
    let InstructionData::Binary { opcode: opcode @ (Opcode::Iadd | Opcode::Bxor), args } = dfg.insts[inst] else {
        return None;
    };
    let ty = dfg.value_type(args[0]);
    let is_word = matches!(ty, types::I32 | types::I64);
    (is_word && args.iter().all(|&arg| constant(dfg, arg).is_none())).then_some((opcode, ty, args))
}

/// What a value is a copy of: the low half of a word that was made from it.
fn core(dfg: &DataFlowGraph, value: Value) -> Value {
    let value = dfg.resolve_aliases(value);
    let inside = operand(dfg, value, Opcode::Ireduce).and_then(|word| operand(dfg, word, Opcode::Uextend));
    inside.filter(|&inside| dfg.value_type(inside) == dfg.value_type(value)).unwrap_or(value)
}

/// What a word is extended from, or the word.
fn extended(dfg: &DataFlowGraph, value: Value) -> Value {
    let value = dfg.resolve_aliases(value);
    operand(dfg, value, Opcode::Uextend).unwrap_or(value)
}

/// The word that a value is the low half of, or the value.
fn reduced(dfg: &DataFlowGraph, value: Value) -> Value {
    operand(dfg, value, Opcode::Ireduce).unwrap_or(value)
}

/// The instruction that a value is a copy of the result of.
fn definition(dfg: &DataFlowGraph, value: Value) -> Option<Inst> {
    match dfg.value_def(core(dfg, value)) {
        ValueDef::Result(inst, 0) => Some(inst),
        _ => None,
    }
}

/// Whether anything is added to a sum.
fn has_sums(function: &Function) -> bool {
    let dfg = &function.dfg;
    let is_sum = |inst| {
        let Some((opcode, ty, args)) = addition(dfg, inst) else { return false };
        args.into_iter()
            .filter_map(|arg| addition(dfg, definition(dfg, arg)?))
            .any(|inside| inside.0 == opcode && inside.1 == ty)
    };
    function.layout.blocks().any(|block| function.layout.block_insts(block).any(is_sum))
}

/// How values and blocks are used.
struct Uses {
    /// How often each value is.
    count: SecondaryMap<Value, u32>,
    /// Whether it is a copy of an address.
    is_address: SecondaryMap<Value, bool>,
    /// The parameters that get a copy of it.
    passed_to: HashMap<Value, Vec<Value>>,
}

impl Uses {
    fn new(function: &Function) -> Uses {
        let dfg = &function.dfg;
        let mut uses =
            Uses { count: SecondaryMap::new(), is_address: SecondaryMap::new(), passed_to: HashMap::new() };
        for block in function.layout.blocks() {
            for inst in function.layout.block_insts(block) {
                for value in dfg.inst_values(inst) {
                    uses.count[dfg.resolve_aliases(value)] += 1;
                }
                match dfg.insts[inst] {
                    InstructionData::Load { arg, .. } => uses.is_address[dfg.resolve_aliases(arg)] = true,
                    InstructionData::Store { args, .. } => uses.is_address[dfg.resolve_aliases(args[1])] = true,
                    _ => {}
                }
                for call in dfg.insts[inst].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
                    let to = call.block(&dfg.value_lists);
                    for (&parameter, argument) in dfg.block_params(to).iter().zip(call.args(&dfg.value_lists)) {
                        if let Some(value) = argument.as_value() {
                            uses.passed_to.entry(extended(dfg, value)).or_default().push(parameter);
                        }
                    }
                }
            }
        }
        uses
    }
}

/// The blocks, those one after the other of which each is the only way to the next.
fn lines(function: &Function) -> Vec<Vec<Block>> {
    let (dfg, layout) = (&function.dfg, &function.layout);
    let mut ways_in: SecondaryMap<Block, u32> = SecondaryMap::new();
    for branch in layout.blocks().filter_map(|block| layout.last_inst(block)) {
        for to in successors(function, branch) {
            ways_in[to] += 1;
        }
    }
    let next = |block| match dfg.insts[layout.last_inst(block)?] {
        InstructionData::Jump { destination, .. } => {
            let to = destination.block(&dfg.value_lists);
            (ways_in[to] == 1 && Some(to) != layout.entry_block()).then_some(to)
        }
        _ => None,
    };
    let mut is_inside: SecondaryMap<Block, bool> = SecondaryMap::new();
    for to in layout.blocks().filter_map(next) {
        is_inside[to] = true;
    }
    let starts = layout.blocks().filter(|&block| !is_inside[block]);
    starts.map(|block| std::iter::successors(Some(block), |&block| next(block)).collect()).collect()
}

/// Replaces the parameters of blocks that there is one way to.
fn remove_parameters(function: &mut Function, lines: &[Vec<Block>]) {
    for pair in lines.iter().flat_map(|blocks| blocks.windows(2)) {
        let &[from, to] = pair else { continue };
        let Some(jump) = function.layout.last_inst(from) else { continue };
        let dfg = &mut function.dfg;
        let InstructionData::Jump { destination, .. } = &mut dfg.insts[jump] else { continue };
        let arguments: Option<Vec<Value>> = destination.args(&dfg.value_lists).map(|arg| arg.as_value()).collect();
        let Some(arguments) = arguments else { continue };
        destination.clear(&mut dfg.value_lists);
        for (parameter, argument) in
            dfg.detach_block_params(to).as_slice(&dfg.value_lists).to_vec().into_iter().zip(arguments)
        {
            dfg.change_to_alias(parameter, argument);
        }
    }
}

/// How long an instruction takes, in cycles.
fn latency(opcode: Opcode) -> u32 {
    match opcode {
        Opcode::Uextend | Opcode::Ireduce | Opcode::Iconst => 0,
        Opcode::Imul | Opcode::Umulhi | Opcode::Smulhi => 3,
        Opcode::Udiv | Opcode::Sdiv | Opcode::Urem | Opcode::Srem => 20,
        _ if opcode.can_load() => 5,
        _ => 1,
    }
}

/// What sums are found by.
struct Finder {
    uses: Uses,
    /// The line that a block is in.
    line_of: SecondaryMap<Block, usize>,
    /// The additions whose result is a term of one other in the same line, and nothing else.
    is_part: SecondaryMap<Inst, bool>,
    /// In which line values are computed, and when they are there: in cycles from its start.
    depths: SecondaryMap<Value, (usize, u32)>,
}

impl Finder {
    /// The addition that a term of `outer` is, if it is nothing else.
    fn part(&self, function: &Function, outer: Inst, term: Value) -> Option<(Inst, [Value; 2])> {
        let dfg = &function.dfg;
        let (opcode, ty, _) = addition(dfg, outer)?;
        let inst = definition(dfg, term)?;
        let (inner, inner_ty, args) = addition(dfg, inst)?;
        let term = dfg.resolve_aliases(term);
        let once = |value| self.uses.count[value] == 1;
        let copied = match dfg.value_def(term) {
            ValueDef::Result(copy, _) if copy != inst => {
                dfg.inst_args(copy).iter().all(|&word| once(dfg.resolve_aliases(word)))
            }
            _ => true,
        };
        let is_part = (inner, inner_ty) == (opcode, ty)
            && once(term)
            && once(dfg.first_result(inst))
            && copied
            && self.line(function, inst) == self.line(function, outer);
        is_part.then_some((inst, args))
    }

    fn mark_parts(&mut self, function: &Function, inst: Inst) {
        let Some((.., args)) = addition(&function.dfg, inst) else { return };
        for arg in args {
            if let Some((part, _)) = self.part(function, inst, arg) {
                self.is_part[part] = true;
            }
        }
    }

    /// The sum that an instruction ends.
    fn sum(&self, function: &Function, inst: Inst) -> Option<Sum> {
        let dfg = &function.dfg;
        let (_, _, args) = addition(dfg, inst)?;
        let result = dfg.first_result(inst);
        if self.is_part[inst] || self.uses.is_address[result] {
            return None;
        }
        let line = self.line(function, inst)?;
        let passed_to = self.uses.passed_to.get(&result).map_or(&[][..], Vec::as_slice);
        let mut sum = Sum::default();
        let mut pending = args.map(|arg| (inst, arg, 1)).to_vec();
        while let Some((outer, term, distance)) = pending.pop() {
            if let Some((part, args)) = self.part(function, outer, term) {
                pending.extend(args.map(|arg| (part, arg, distance + 1)));
                continue;
            }
            let term = core(dfg, term);
            let depth = self.depth(line, term);
            sum.depth = sum.depth.max(depth + distance);
            if passed_to.contains(&reduced(dfg, term)) {
                sum.wait = sum.wait.max(distance);
                sum.carried.push((depth, term));
            } else {
                sum.terms.push((depth, term));
            }
            if sum.terms.len() + sum.carried.len() > TERMS {
                return None;
            }
        }
        // As the program has them.
        sum.terms.reverse();
        sum.carried.reverse();
        (sum.terms.len() > 1).then_some(sum)
    }

    /// Adds up in another order.
    fn rewrite(&mut self, function: &mut Function, inst: Inst, order: &Order) {
        let is_plus = function.dfg.insts[inst].opcode() == Opcode::Iadd;
        let location = function.srcloc(inst);
        let mut values = order.terms.clone();
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let mut last = None;
        for &(one, other) in &order.steps {
            let (one, other) = (values[one], values[other]);
            let sum = if is_plus { cursor.ins().iadd(one, other) } else { cursor.ins().bxor(one, other) };
            values.push(sum);
            last = Some(sum);
        }
        if let Some(sum) = last {
            if let Some(line) = self.line(function, inst) {
                self.depths[sum] = (line, order.depth);
            }
            places::replace(function, inst, sum);
        }
    }

    /// Notes when the results of an instruction are there.
    fn measure(&mut self, function: &Function, inst: Inst) {
        let (dfg, Some(line)) = (&function.dfg, self.line(function, inst)) else { return };
        let depths = dfg.inst_values(inst).map(|value| self.depth(line, dfg.resolve_aliases(value)));
        let depth = depths.max().unwrap_or_default().saturating_add(latency(dfg.insts[inst].opcode()));
        for &result in dfg.inst_results(inst) {
            self.depths[result] = (line, depth);
        }
    }

    /// The line that an instruction is in.
    fn line(&self, function: &Function, inst: Inst) -> Option<usize> {
        function.layout.inst_block(inst).map(|block| self.line_of[block])
    }

    /// When a value is there; what comes from elsewhere, at the start.
    fn depth(&self, line: usize, value: Value) -> u32 {
        let (home, depth) = self.depths[value];
        if home == line { depth } else { 0 }
    }
}

/// A sum as the program has it.
#[derive(Default)]
struct Sum {
    /// Its terms, and when they are there.
    terms: Vec<(u32, Value)>,
    /// Those of them that the next round gets the sum for.
    carried: Vec<(u32, Value)>,
    /// How many additions such a one goes through.
    wait: u32,
    /// When the sum is there.
    depth: u32,
}

/// The order in which a sum is added up.
struct Order {
    /// Its terms.
    terms: Vec<Value>,
    /// The two to be added next: places among the terms, and then among the sums of earlier steps.
    steps: Vec<(usize, usize)>,
    /// When the sum is there.
    depth: u32,
}

impl Sum {
    /// The order that keeps nobody waiting, if the program's own is not as good.
    fn better(&self) -> Option<Order> {
        let terms = self.terms.iter().chain(&self.carried).map(|&(_, term)| term).collect::<Vec<Value>>();
        let mut order = Order { steps: Vec::with_capacity(terms.len()), terms, depth: 0 };
        let depths = self.terms.iter().map(|&(depth, _)| depth);
        let mut ready: BinaryHeap<_> = depths.enumerate().map(|(place, depth)| Reverse((depth, place))).collect();
        let mut sum = ready.pop()?.0;
        while let Some(Reverse((depth, place))) = ready.pop() {
            ready.push(Reverse(order.add(sum, (depth, place))));
            sum = ready.pop()?.0;
        }
        for (index, &(depth, _)) in self.carried.iter().enumerate() {
            sum = order.add(sum, (depth, self.terms.len() + index));
        }
        order.depth = sum.0;
        ((self.carried.len() as u32, order.depth) < (self.wait, self.depth)).then_some(order)
    }
}

impl Order {
    /// Adds two terms or sums: when they are there, and their places.
    fn add(&mut self, one: (u32, usize), other: (u32, usize)) -> (u32, usize) {
        self.steps.push((one.1, other.1));
        (one.0.max(other.0) + 1, self.terms.len() + self.steps.len() - 1)
    }
}
