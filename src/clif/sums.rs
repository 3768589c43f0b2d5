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
use std::collections::{BinaryHeap, HashMap, HashSet};

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::{EntitySet, SecondaryMap};
use cranelift_codegen::ir::{
    Block, DataFlowGraph, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef, types,
};

use super::bytes::constant;
use super::loops::successors;
use super::places::{self, each_operand, of_values, operand};

/// Sums of more terms are left alone.
const TERMS: usize = 64;

/// Runs the pass.
pub(super) fn run(function: &mut Function) {
    let additions = additions(function);
    if !has_sums(function, &additions) {
        return;
    }
    let lines = Lines::new(function);
    remove_parameters(function, &lines);
    let mut finder = Finder::new(function, lines);
    for &inst in &additions {
        finder.mark_parts(function, inst);
    }
    let ends: Vec<Inst> = additions.into_iter().filter(|&inst| finder.is_end(function, inst)).collect();
    if ends.is_empty() {
        return;
    }
    finder.find_rounds(function, &ends);
    let mut has_ends = vec![false; finder.lines.count];
    for line in ends.iter().filter_map(|&inst| finder.lines.of(function, inst)) {
        has_ends[line as usize] = true;
    }
    let is_wanted = |block: &&Block| has_ends[finder.lines.of_block[**block] as usize];
    let blocks: Vec<Block> = finder.lines.blocks.iter().filter(is_wanted).copied().collect();
    for block in blocks {
        let mut next = function.layout.first_inst(block);
        while let Some(inst) = next {
            next = function.layout.next_inst(inst);
            match finder.sum(function, inst).and_then(|sum| sum.better()) {
                Some(order) => finder.rewrite(function, inst, &order),
                None => finder.measure(function, inst),
            }
        }
    }
}

/// All additions, in the order of the layout.
fn additions(function: &Function) -> Vec<Inst> {
    let insts = function.layout.blocks().flat_map(|block| function.layout.block_insts(block));
    insts.filter(|&inst| addition(&function.dfg, inst).is_some()).collect()
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
fn has_sums(function: &Function, additions: &[Inst]) -> bool {
    let dfg = &function.dfg;
    additions.iter().filter_map(|&inst| addition(dfg, inst)).any(|(opcode, ty, args)| {
        args.into_iter()
            .filter_map(|arg| addition(dfg, definition(dfg, arg)?))
            .any(|inside| inside.0 == opcode && inside.1 == ty)
    })
}

/// The blocks in lines: one after the other, of which each is the only way to the next.
struct Lines {
    /// The blocks, line by line.
    blocks: Vec<Block>,
    /// The line that a block is in.
    of_block: SecondaryMap<Block, u32>,
    count: usize,
}

impl Lines {
    fn new(function: &Function) -> Lines {
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
        let mut lines = Lines { blocks: Vec::new(), of_block: SecondaryMap::new(), count: 0 };
        for start in layout.blocks().filter(|&block| !is_inside[block]) {
            for block in std::iter::successors(Some(start), |&block| next(block)) {
                lines.blocks.push(block);
                lines.of_block[block] = lines.count as u32;
            }
            lines.count += 1;
        }
        lines
    }

    /// The line that an instruction is in.
    fn of(&self, function: &Function, inst: Inst) -> Option<u32> {
        function.layout.inst_block(inst).map(|block| self.of_block[block])
    }
}

/// Replaces the parameters of blocks that there is one way to.
fn remove_parameters(function: &mut Function, lines: &Lines) {
    for pair in lines.blocks.windows(2) {
        let &[from, to] = pair else { continue };
        if lines.of_block[from] != lines.of_block[to] || function.dfg.num_block_params(to) == 0 {
            continue;
        }
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
    lines: Lines,
    /// How often each value is used.
    count: SecondaryMap<Value, u32>,
    /// Those that are addresses.
    addresses: EntitySet<Value>,
    /// The parameters that get a copy of a sum.
    passed_to: HashMap<Value, Vec<Value>>,
    /// The additions whose result is a term of one other in the same line, and nothing else.
    is_part: SecondaryMap<Inst, bool>,
    /// In which line values are computed, and when they are there: in cycles from its start.
    depths: SecondaryMap<Value, (u32, u32)>,
}

impl Finder {
    fn new(function: &Function, lines: Lines) -> Finder {
        let dfg = &function.dfg;
        let mut count: SecondaryMap<Value, u32> = of_values(dfg);
        let mut addresses = EntitySet::with_capacity(dfg.num_values());
        for block in function.layout.blocks() {
            for inst in function.layout.block_insts(block) {
                each_operand(dfg, inst, |value| count[dfg.resolve_aliases(value)] += 1);
                if let InstructionData::Load { arg: address, .. }
                | InstructionData::Store { args: [_, address], .. } = dfg.insts[inst]
                {
                    addresses.insert(dfg.resolve_aliases(address));
                }
            }
        }
        let (is_part, depths) = (SecondaryMap::new(), SecondaryMap::new());
        Finder { lines, count, addresses, passed_to: HashMap::new(), is_part, depths }
    }

    /// Whether an addition is the last one of a sum of three terms or more.
    fn is_end(&self, function: &Function, inst: Inst) -> bool {
        let Some((.., args)) = addition(&function.dfg, inst) else { return false };
        !self.is_part[inst]
            && !self.addresses.contains(function.dfg.first_result(inst))
            && args.into_iter().any(|arg| self.part(function, inst, arg).is_some())
    }

    /// Finds the parameters that get sums.
    fn find_rounds(&mut self, function: &Function, ends: &[Inst]) {
        let dfg = &function.dfg;
        let sums: HashSet<Value> = ends.iter().map(|&inst| dfg.first_result(inst)).collect();
        for last in function.layout.blocks().filter_map(|block| function.layout.last_inst(block)) {
            for call in dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
                if call.len(&dfg.value_lists) == 0 {
                    continue;
                }
                let to = call.block(&dfg.value_lists);
                for (&parameter, argument) in dfg.block_params(to).iter().zip(call.args(&dfg.value_lists)) {
                    let sum = argument.as_value().map(|value| extended(dfg, value));
                    if let Some(sum) = sum.filter(|sum| sums.contains(sum)) {
                        self.passed_to.entry(sum).or_default().push(parameter);
                    }
                }
            }
        }
    }

    /// The addition that a term of `outer` is, if it is nothing else.
    fn part(&self, function: &Function, outer: Inst, term: Value) -> Option<(Inst, [Value; 2])> {
        let dfg = &function.dfg;
        let (opcode, ty, _) = addition(dfg, outer)?;
        let inst = definition(dfg, term)?;
        let (inner, inner_ty, args) = addition(dfg, inst)?;
        let term = dfg.resolve_aliases(term);
        let once = |value| self.count[value] == 1;
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
            && self.lines.of(function, inst) == self.lines.of(function, outer);
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
        if self.is_part[inst] || self.addresses.contains(result) {
            return None;
        }
        let line = self.lines.of(function, inst)?;
        let passed_to = self.passed_to.get(&result).map_or(&[][..], Vec::as_slice);
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
            if let Some(line) = self.lines.of(function, inst) {
                self.depths[sum] = (line, order.depth);
            }
            places::replace(function, inst, sum);
        }
    }

    /// Notes when the results of an instruction are there.
    fn measure(&mut self, function: &Function, inst: Inst) {
        let (dfg, Some(line)) = (&function.dfg, self.lines.of(function, inst)) else { return };
        let depths = dfg.inst_values(inst).map(|value| self.depth(line, dfg.resolve_aliases(value)));
        let depth = depths.max().unwrap_or_default().saturating_add(latency(dfg.insts[inst].opcode()));
        for &result in dfg.inst_results(inst) {
            self.depths[result] = (line, depth);
        }
    }

    /// When a value is there; what comes from elsewhere, at the start.
    fn depth(&self, line: u32, value: Value) -> u32 {
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
