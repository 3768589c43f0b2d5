//! What the registers of jumps through registers hold: an address of a label, the sum of a label and a difference of
//! labels, or the sum of a jump table's address and its entry.
//!
//! In: a function's instructions, and the labels that are known. Out: for each `gotox`, a [`Value`]; the labels that
//! differences are added to ([`Bases`]); the code that nothing else leads to. The rule: forwards, block by block, until
//! nothing changes; a value only rises, and there are few, so the work is in proportion to the code.
//!
//! LLVM takes the address of a label by loading it from a jump table with one entry:
//!
//! | code | value |
//! |---|---|
//! | `r1 = BPF.JT.0.0 ll` | the table |
//! | `r1 = *(u64 *)(r1 + 0)` | the label |
//! | `r1 += r2` | a label and something: a difference, or what it leads nowhere with |
//! | `r1 = BPF.JT.0.1 ll`, `r2 = *(...)` of it, `r2 += r1` | the table and something: its entry |
//!
//! Words on the stack that are stored and loaded whole hold the same wherever control is.

use std::collections::{BTreeMap, BTreeSet};

use super::jump_tables::jump_table_entries;
use super::model::Instruction;
use crate::decode::SLOT;
use crate::decode::insn::{AluOp, Insn, Operand, Reg, Size, Width};
use crate::program::{DataKind, DataSectionId, Program, Target};

/// How often the function is looked at again because a word on the stack rose.
const ROUNDS: usize = 8;

/// What a register holds. Of two, the later one holds where paths meet, but for what [`Value::or`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// Nothing yet: no path has been followed to here.
    #[default]
    Unreached,
    /// Something else, or an address of a label that came by way of memory.
    Other,
    /// The address of the label at this byte offset.
    Label(u64),
    /// The address of some label.
    SomeLabel,
    /// A label of [`Bases`], and something.
    FromLabel,
    /// A sum: if anything can jump there, any label and something.
    Sum,
    /// The address of a jump table.
    Table(DataSectionId),
    /// The address of a jump table, and something.
    FromTable(DataSectionId),
    /// One of several tables, or a table on one path only.
    Unclear,
}

impl Value {
    /// What holds where this and `other` meet.
    fn or(self, other: Value) -> Value {
        use Value::{FromTable, Label, Other, SomeLabel, Table, Unclear, Unreached};
        match (self.min(other), self.max(other)) {
            (low, high) if low == high || low == Unreached => high,
            (_, Table(_) | FromTable(_)) => Unclear,
            (Other | Label(_), Label(_)) => SomeLabel,
            (_, high) => high,
        }
    }

    fn is_label(self) -> bool {
        matches!(self, Value::Label(_) | Value::SomeLabel | Value::FromLabel)
    }
}

/// The labels that something is added to.
#[derive(Default)]
pub(super) struct Bases {
    /// These.
    pub(super) labels: BTreeSet<u64>,
    /// All that there are.
    pub(super) any: bool,
    /// Constants that are added by the code itself.
    pub(super) constants: BTreeSet<i64>,
}

/// What is known of a function's jumps through registers.
pub(super) struct Found {
    /// For each, in order: the index of its instruction, and what its register holds.
    pub(super) jumps: Vec<(usize, Value)>,
    pub(super) bases: Bases,
    /// Indices of instructions that begin code which nothing is known to lead to.
    pub(super) orphans: Vec<usize>,
}

/// Looks at a function; `labels` are the indices of the instructions that jumps through registers may lead to, in order.
pub(super) fn find(program: &Program, instructions: &[Instruction], labels: &[usize]) -> Found {
    let mut finder = LabelFinder::new(program, instructions, labels);
    let orphans = finder.orphans(labels);
    finder.label_blocks.extend(&orphans);
    finder.run();
    let orphans = orphans.iter().map(|&block| finder.starts[block]).collect();
    Found { jumps: finder.jumps.into_iter().collect(), bases: finder.bases, orphans }
}

/// What r0 to r10 hold.
type State = [Value; Reg::COUNT];

struct LabelFinder<'a> {
    program: &'a Program,
    instructions: &'a [Instruction],
    /// Indices of the instructions that blocks begin with, in order.
    starts: Vec<usize>,
    /// Blocks that jumps through registers lead to.
    label_blocks: Vec<usize>,
    at_start: Vec<State>,
    pending: Vec<usize>,
    /// What holds at all labels.
    at_labels: State,
    /// Words on the stack, by their distance from r10.
    stack: BTreeMap<i32, Value>,
    stack_rose: bool,
    bases: Bases,
    jumps: BTreeMap<usize, Value>,
}

impl<'a> LabelFinder<'a> {
    fn new(program: &'a Program, instructions: &'a [Instruction], labels: &[usize]) -> Self {
        let mut starts = vec![0];
        starts.extend(labels);
        for (index, instruction) in instructions.iter().enumerate() {
            starts.extend(jump_target(instructions, instruction));
            if ends_block(instruction.insn) && index + 1 < instructions.len() {
                starts.push(index + 1);
            }
        }
        starts.sort_unstable();
        starts.dedup();
        let block = |label: &usize| starts.binary_search(label).ok();
        let label_blocks = labels.iter().filter_map(block).collect();
        let at_start = vec![State::default(); starts.len()];
        LabelFinder {
            program,
            instructions,
            starts,
            label_blocks,
            at_start,
            pending: Vec::new(),
            at_labels: State::default(),
            stack: BTreeMap::new(),
            stack_rose: false,
            bases: Bases::default(),
            jumps: BTreeMap::new(),
        }
    }

    fn instructions_of(&self, block: usize) -> std::ops::Range<usize> {
        self.starts[block]..self.starts.get(block + 1).copied().unwrap_or(self.instructions.len())
    }

    /// The blocks that a block leads to, but for those of a jump through a register.
    fn successors(&self, block: usize) -> impl Iterator<Item = usize> + use<> {
        let last = &self.instructions[self.instructions_of(block).end - 1];
        let jump = jump_target(self.instructions, last).and_then(|target| self.starts.binary_search(&target).ok());
        let next = (!last.insn.is_terminator() && block + 1 < self.starts.len()).then_some(block + 1);
        jump.into_iter().chain(next)
    }

    /// The blocks that nothing leads to, and that lead to all others which cannot be reached: compilers leave out code
    /// that nothing leads to, so these are labels.
    fn orphans(&self, labels: &[usize]) -> Vec<usize> {
        let mut reached = vec![false; self.starts.len()];
        let mut orphans = Vec::new();
        let known = labels.iter().filter_map(|label| self.starts.binary_search(label).ok());
        let mut pending: Vec<usize> = known.chain([0]).collect();
        let mut next = 0;
        loop {
            while let Some(block) = pending.pop() {
                if !std::mem::replace(&mut reached[block], true) {
                    pending.extend(self.successors(block));
                }
            }
            while reached.get(next) == Some(&true) {
                next += 1;
            }
            if next == self.starts.len() {
                return orphans;
            }
            orphans.push(next);
            pending.push(next);
        }
    }

    fn run(&mut self) {
        if self.instructions.is_empty() {
            return;
        }
        self.flow(0, &[Value::Other; Reg::COUNT]);
        for _ in 0..ROUNDS {
            while let Some(block) = self.pending.pop() {
                self.block(block);
            }
            if !std::mem::take(&mut self.stack_rose) {
                return;
            }
            self.pending
                .extend((0..self.starts.len()).filter(|&block| self.at_start[block][0] != Value::Unreached));
        }
        // It is not known what is on the stack: a jump by way of it may add a difference to any label.
        self.bases.any = true;
        self.jumps.values_mut().for_each(|value| *value = value.or(Value::FromLabel));
    }

    fn block(&mut self, block: usize) {
        let mut state = self.at_start[block];
        for index in self.instructions_of(block) {
            self.step(index, &mut state);
        }
        for successor in self.successors(block) {
            self.flow(successor, &state);
        }
    }

    /// Takes `state` in at a block's start.
    fn flow(&mut self, block: usize, state: &State) {
        if join(&mut self.at_start[block], state) {
            self.pending.push(block);
        }
    }

    fn step(&mut self, index: usize, state: &mut State) {
        let instruction = &self.instructions[index];
        let get = |reg: Reg| state[reg.index()];
        let (dst, value) = match instruction.insn {
            Insn::JumpRegister { reg } => {
                let at_jump = self.jumps.entry(index).or_default();
                *at_jump = at_jump.or(get(reg));
                if join(&mut self.at_labels, state) {
                    let at_labels = self.at_labels;
                    for block in self.label_blocks.clone() {
                        self.flow(block, &at_labels);
                    }
                }
                return;
            }
            Insn::LoadImm { dst, .. } => (dst, self.address(instruction.target)),
            Insn::Alu { op: AluOp::Mov, width: Width::W64, dst, src: Operand::Reg(src) } => (dst, get(src)),
            Insn::Alu { op: op @ (AluOp::Add | AluOp::Sub), width: Width::W64, dst, src } => {
                let value = match src {
                    Operand::Reg(src) => self.sum(op, get(dst), get(src)),
                    Operand::Imm(imm) => self.sum_with(op, get(dst), imm),
                };
                (dst, value)
            }
            Insn::Load { size: Size::D, dst, base, offset, .. } => {
                let value = match get(base) {
                    _ if base == Reg::FRAME => self.stack.get(&offset).copied().unwrap_or(Value::Other),
                    Value::Table(table) => self.entry(table, offset),
                    Value::FromTable(_) | Value::Unclear => Value::SomeLabel,
                    _ => Value::Other,
                };
                (dst, value)
            }
            Insn::Store { size: Size::D, base: Reg::FRAME, offset, src } => {
                let stored = match src {
                    Operand::Reg(src) => get(src),
                    Operand::Imm(_) => Value::Other,
                };
                let word = self.stack.entry(offset).or_default();
                let risen = word.or(stored);
                self.stack_rose |= risen != *word;
                *word = risen;
                return;
            }
            insn => {
                let written = super::liveness::written(insn);
                Reg::all().filter(|&reg| written.contains(reg)).for_each(|reg| state[reg.index()] = Value::Other);
                return;
            }
        };
        state[dst.index()] = value;
    }

    /// The value of a 64-bit immediate load.
    fn address(&self, target: Option<Target>) -> Value {
        match target {
            Some(Target::Label { offset, .. }) => Value::Label(offset),
            Some(Target::Data { section, offset })
                if matches!(self.program.data[section].kind, DataKind::JumpTable(_)) =>
            {
                if offset == 0 {
                    Value::Table(section)
                } else {
                    Value::FromTable(section)
                }
            }
            _ => Value::Other,
        }
    }

    /// The entry of a table at a byte offset.
    fn entry(&self, table: DataSectionId, offset: i32) -> Value {
        let index = usize::try_from(offset).ok().filter(|offset| offset.is_multiple_of(SLOT));
        let entry =
            index.and_then(|offset| jump_table_entries(self.program, &self.program.data[table]).nth(offset / SLOT));
        entry.map_or(Value::SomeLabel, Value::Label)
    }

    /// The value of `left + right` or `left - right`.
    fn sum(&mut self, op: AluOp, left: Value, right: Value) -> Value {
        use Value::{FromTable, Other, Table, Unclear};
        match (left, right) {
            (Unclear, _) | (_, Unclear) => Unclear,
            (Table(_) | FromTable(_), Table(_) | FromTable(_)) if op == AluOp::Sub => Other,
            (Table(_) | FromTable(_), Table(_) | FromTable(_)) => Unclear,
            (Table(table) | FromTable(table), _) => FromTable(table),
            (_, Table(table) | FromTable(table)) if op == AluOp::Add => FromTable(table),
            (left, right) if op == AluOp::Sub && left.is_label() && right.is_label() => Other,
            (left, right) => {
                let (left, right) = (self.with_something(left), self.with_something(right));
                match left.max(right) {
                    Value::FromLabel => Value::FromLabel,
                    _ => Value::Sum,
                }
            }
        }
    }

    fn sum_with(&mut self, op: AluOp, left: Value, imm: i32) -> Value {
        let constant = if op == AluOp::Sub { -i64::from(imm) } else { i64::from(imm) };
        match left {
            Value::Table(table) => Value::FromTable(table),
            left if left.is_label() => {
                self.bases.constants.insert(constant);
                self.with_something(left)
            }
            left => left,
        }
    }

    /// Notes that something is added to a label.
    fn with_something(&mut self, value: Value) -> Value {
        match value {
            Value::Label(label) => {
                self.bases.labels.insert(label);
                Value::FromLabel
            }
            Value::SomeLabel => {
                self.bases.any = true;
                Value::FromLabel
            }
            other => other,
        }
    }
}

/// Takes `from` in; whether that changed anything.
fn join(into: &mut State, from: &State) -> bool {
    let joined: State = std::array::from_fn(|reg| into[reg].or(from[reg]));
    std::mem::replace(into, joined) != joined
}

fn ends_block(insn: Insn) -> bool {
    insn.is_terminator() || insn.jump_offset().is_some()
}

/// The index of the instruction that a jump leads to, if it is one of the function.
fn jump_target(instructions: &[Instruction], jump: &Instruction) -> Option<usize> {
    let next = jump.offset as i64 + SLOT as i64;
    let to = u64::try_from(next + SLOT as i64 * i64::from(jump.insn.jump_offset()?)).ok()?;
    instructions.binary_search_by_key(&to, |instruction| instruction.offset).ok()
}
