//! Where a jump through a register (`gotox`) can go.
//!
//! In: the jump tables and the label addresses of the program. Out: for each `gotox`, the labels that it can reach
//! and how the register's value names them.
//!
//! What `.jumptables` has for a label is its byte offset in its code section; the address of a label (`&&label`) is the
//! same number, so that differences of labels stay what the compiler made of them, and a label plus a difference is a
//! label ([`super::LabelNumbers`]: code without differences has other numbers for labels in the end). The position-independent model of LLVM's code generator adds the
//! table's address to the entry.
//!
//! | value in the register ([`label_values`]) | model | the label is at |
//! |---|---|---|
//! | loaded | static, computed goto | value |
//! | a label and something | difference of labels | value |
//! | a jump table's address and something: its entry | position-independent | value - table |
//!
//! In data, the address of a label that is a function's first instruction looks as the function's: where data has addresses of
//! other labels of the function beside it, a jump that loads a label may find it, and leads there.
//!
//! Differences that a compiler makes are numbers without relocations, and an object does not say which labels they are
//! of. So in a function that adds something to a label, a jump may also lead to
//!
//! - a label that something is added to, plus a number in data that the function refers to, if an instruction is there;
//! - code that nothing else leads to, which a compiler would have left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use super::error::GraphError;
use super::jump_tables::{jump_table_entries, words};
use super::label_values::{self, Bases, Value};
use super::model::Instruction;
use crate::decode::SLOT;
use crate::decode::insn::Insn;
use crate::program::{
    CodeSectionId, Contents, DataKind, DataSectionId, Endianness, FunctionId, IdVec, Program, Target,
};

/// How many labels the jumps through registers of one function may have, each counted as often as it is found: a bound
/// on memory and work.
const MAX_LABELS: usize = 1 << 20;

/// How often it is looked for labels that differences lead to from those that were found so.
const ROUNDS: usize = 4;

/// All labels of a program whose address is taken or that a jump table names.
#[derive(Clone, Debug, Default)]
pub struct LabelIndex {
    /// Byte offsets, by code section, sorted, each once.
    by_section: IdVec<CodeSectionId, Vec<u64>>,
    /// Numbers that may be differences of labels, by data section, sorted, each once; found when they are asked for.
    differences: IdVec<DataSectionId, OnceLock<Vec<i64>>>,
    /// Functions whose address is in data among addresses of their labels.
    first_labels: BTreeSet<FunctionId>,
}

/// Labels that jumps through registers lead to.
pub(super) struct LabelSet {
    /// The jump table whose address is part of the value.
    pub(super) relative_to: Option<DataSectionId>,
    /// Byte offsets, sorted.
    pub(super) labels: Vec<u64>,
    /// The function's address is one of the values.
    pub(super) has_address: bool,
}

/// The jumps through registers of a function.
#[derive(Default)]
pub(super) struct Jumps {
    pub(super) sets: Vec<LabelSet>,
    /// In order: the index of the instruction, and the index of what it leads to.
    pub(super) jumps: Vec<(usize, usize)>,
    /// Something is added to a label.
    pub(super) adds_to_labels: bool,
}

impl LabelIndex {
    /// Collects the labels of `program`.
    pub fn new(program: &Program) -> LabelIndex {
        let mut sets: IdVec<CodeSectionId, BTreeSet<u64>> = program.code.ids().map(|_| BTreeSet::new()).collect();
        let code = program.code.as_slice().iter().flat_map(|code| &code.relocations);
        let data = program.data.as_slice().iter().flat_map(|data| &data.relocations);
        for relocation in code.chain(data) {
            if let Target::Label { section, offset } = relocation.target {
                sets[section].insert(offset);
            }
        }
        for (table, data) in program.data.iter() {
            if let DataKind::JumpTable(section) = data.kind {
                sets[section].extend(jump_table_entries(program, &program.data[table]));
            }
        }
        let by_section = sets.as_slice().iter().map(|set| set.iter().copied().collect()).collect();
        let differences = program.data.ids().map(|_| OnceLock::new()).collect();
        LabelIndex { by_section, differences, first_labels: first_labels(program) }
    }

    /// The byte offsets of labels, by code section, sorted, each once.
    pub(super) fn into_offsets(self) -> IdVec<CodeSectionId, Vec<u64>> {
        self.by_section
    }

    /// The labels of `section` in `start..end`.
    fn between(&self, section: CodeSectionId, start: u64, end: u64) -> &[u64] {
        let labels = &self.by_section[section];
        let first = labels.partition_point(|&label| label < start);
        let last = labels.partition_point(|&label| label < end);
        &labels[first..last]
    }

    /// The numbers in a data section that may be differences of labels: of 4 and of 8 bytes.
    fn differences(&self, program: &Program, section: DataSectionId) -> &[i64] {
        self.differences[section].get_or_init(|| {
            let bytes: &[u8] = match &program.data[section].contents {
                Contents::Bytes(bytes) => bytes,
                Contents::Zeros(_) => &[],
            };
            let of_4 = bytes.as_chunks::<4>().0.iter().map(|&word| match program.endianness {
                Endianness::Little => i64::from(i32::from_le_bytes(word)),
                Endianness::Big => i64::from(i32::from_be_bytes(word)),
            });
            let of_8 = words(bytes, program.endianness).map(u64::cast_signed);
            let largest = program.code.iter().map(|(_, code)| code.bytes.len() as u64).max().unwrap_or(0);
            let is_difference = |number: &i64| {
                *number != 0 && number.unsigned_abs() < largest && number.unsigned_abs().is_multiple_of(SLOT as u64)
            };
            let mut numbers: Vec<i64> = of_4.chain(of_8).filter(is_difference).collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        })
    }
}

/// The functions whose address is in a data section that has addresses of their labels too.
fn first_labels(program: &Program) -> BTreeSet<FunctionId> {
    let mut found = BTreeSet::new();
    for (_, data) in program.data.iter() {
        let mut labels: Vec<(CodeSectionId, u64)> = Vec::new();
        labels.extend(data.relocations.iter().filter_map(|relocation| match relocation.target {
            Target::Label { section, offset } => Some((section, offset)),
            _ => None,
        }));
        if labels.is_empty() {
            continue;
        }
        labels.sort_unstable();
        found.extend(data.relocations.iter().filter_map(|relocation| {
            let Target::Function(id) = relocation.target else { return None };
            let of = &program.functions[id];
            let first = labels.partition_point(|&label| label < (of.section, of.start));
            labels.get(first).is_some_and(|&label| label < (of.section, of.end)).then_some(id)
        }));
    }
    found
}

/// The jumps through registers of a function.
pub(super) fn register_jumps(
    program: &Program,
    index: &LabelIndex,
    function: FunctionId,
    instructions: &[Instruction],
) -> Result<Jumps, GraphError> {
    let is_jump = |at: &usize| matches!(instructions[*at].insn, Insn::JumpRegister { .. });
    let positions: Vec<usize> = (0..instructions.len()).filter(is_jump).collect();
    let Some(&first) = positions.first() else { return Ok(Jumps::default()) };
    let of = &program.functions[function];
    let place = |at: usize| program.place(of.section, Some(function), instructions[at].offset);
    let mut labels: BTreeSet<u64> = index.between(of.section, of.start, of.end).iter().copied().collect();
    let has_address = index.first_labels.contains(&function);
    let mut values = BTreeMap::new();
    let mut adds_to_labels = false;
    for _ in 0..ROUNDS {
        let mut known = labels.clone();
        known.extend(has_address.then_some(of.start));
        let found = label_values::find(program, instructions, &indices(instructions, &known));
        values = found.jumps.into_iter().collect();
        let is_sum = |value: &Value| matches!(value, Value::FromLabel | Value::Sum);
        adds_to_labels = found.bases.any || !found.bases.labels.is_empty() || values.values().any(is_sum);
        if !adds_to_labels {
            break;
        }
        let before = labels.len();
        let any = found.bases.any || values.values().any(|value| *value == Value::Sum);
        let bases = Bases { any, ..found.bases };
        let candidates = with_differences(program, index, function, instructions, &labels, &bases);
        labels.extend(
            candidates.ok_or_else(|| GraphError::TooManyLabels { place: place(first), limit: MAX_LABELS })?,
        );
        labels.extend(found.orphans.iter().map(|&orphan| instructions[orphan].offset));
        if labels.len() == before {
            break;
        }
    }
    let mut jumps = Jumps { adds_to_labels, ..Jumps::default() };
    let mut sets = BTreeMap::new();
    for position in positions {
        let relative_to = match values.get(&position) {
            Some(Value::Table(table) | Value::FromTable(table)) => Some(*table),
            Some(Value::Sum) if labels.is_empty() => return Err(unknown(place(position), instructions[position])),
            Some(Value::Unclear) => return Err(unknown(place(position), instructions[position])),
            _ => None,
        };
        let set = *sets.entry(relative_to).or_insert_with(|| {
            let labels = match relative_to {
                Some(table) => {
                    let own = jump_table_entries(program, &program.data[table])
                        .filter(|label| (of.start..of.end).contains(label));
                    own.collect::<BTreeSet<u64>>().into_iter().collect()
                }
                None => labels.iter().copied().collect(),
            };
            jumps.sets.push(LabelSet { relative_to, labels, has_address: has_address && relative_to.is_none() });
            jumps.sets.len() - 1
        });
        jumps.jumps.push((position, set));
    }
    if jumps.sets.iter().map(|set| set.labels.len()).sum::<usize>() > MAX_LABELS {
        return Err(GraphError::TooManyLabels { place: place(first), limit: MAX_LABELS });
    }
    Ok(jumps)
}

fn unknown(place: Box<crate::program::Place>, jump: Instruction) -> GraphError {
    GraphError::UnknownJumpTable { place, insn: jump.insn.to_string() }
}

/// The indices of the instructions at these offsets.
fn indices(instructions: &[Instruction], offsets: &BTreeSet<u64>) -> Vec<usize> {
    let at = |offset: &u64| instructions.binary_search_by_key(offset, |instruction| instruction.offset).ok();
    offsets.iter().filter_map(at).collect()
}

/// The instructions that differences lead to: byte offsets. None if there are too many to look at.
fn with_differences(
    program: &Program,
    index: &LabelIndex,
    function: FunctionId,
    instructions: &[Instruction],
    labels: &BTreeSet<u64>,
    bases: &Bases,
) -> Option<BTreeSet<u64>> {
    let of = &program.functions[function];
    let (start, end) = (of.start.cast_signed(), of.end.cast_signed());
    let sections: BTreeSet<DataSectionId> = instructions
        .iter()
        .filter_map(|instruction| match instruction.target? {
            Target::Data { section, .. } => Some(section),
            Target::Symbol { symbol, .. } => Some(program.symbols[symbol].section),
            _ => None,
        })
        .filter(|&section| !matches!(program.data[section].kind, DataKind::JumpTable(_)))
        .collect();
    let mut lists: Vec<&[i64]> = sections.iter().map(|&section| index.differences(program, section)).collect();
    let constants: Vec<i64> = bases.constants.iter().copied().collect();
    lists.push(&constants);
    let bases = if bases.any { labels } else { &bases.labels };
    let mut found = BTreeSet::new();
    let mut looked_at = 0;
    for base in bases.iter().map(|base| base.cast_signed()) {
        for list in &lists {
            let first = list.partition_point(|difference| base + difference < start);
            let last = list.partition_point(|difference| base + difference < end);
            looked_at += last.saturating_sub(first) + 1;
            if looked_at > MAX_LABELS {
                return None;
            }
            let offsets = list[first..last.max(first)].iter().map(|difference| (base + difference).cast_unsigned());
            found.extend(offsets);
        }
    }
    found.retain(|offset| instructions.binary_search_by_key(offset, |instruction| instruction.offset).is_ok());
    Some(found)
}
