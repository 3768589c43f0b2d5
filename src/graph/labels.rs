//! Where a jump through a register (`gotox`) can go.
//!
//! In: the jump tables and the label addresses of the program. Out: for each `gotox`, the labels that it can reach
//! and how the register's value names them.
//!
//! The value that names a label is the label's byte offset in its code section, as `.jumptables` has it; the address
//! of a label (`&&label`) is lifted to the same number, so that differences of labels stay what the compiler made
//! of them. The position-independent model of LLVM's code generator adds the table's address to the entry.
//!
//! | value in the register | model | the label is at |
//! |---|---|---|
//! | loaded | static, computed goto | value |
//! | `table + entry`: last written by a 64-bit addition | position-independent | value - table |

use std::collections::BTreeSet;

use super::{Edge, GraphError, Instruction};
use crate::decode::insn::{AluOp, Insn, Operand, Reg, Width};
use crate::program::{
    CodeSectionId, Contents, DataKind, DataSectionId, Endianness, FunctionId, IdVec, Program, Target,
};

/// How many edges the jumps through registers of one function may have: a bound on memory.
const MAX_EDGES: usize = 1 << 20;

/// All labels of a program whose address is taken or that a jump table names.
#[derive(Clone, Debug, Default)]
pub struct LabelIndex {
    /// Byte offsets, by code section, sorted, each once.
    by_section: IdVec<CodeSectionId, Vec<u64>>,
}

/// A jump through a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterJump {
    /// The jump table whose address is part of the value.
    pub relative_to: Option<DataSectionId>,
    /// What it can reach, ordered by value.
    pub targets: Vec<JumpTarget>,
}

/// One value of the register and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JumpTarget {
    /// The label's byte offset in the code section: the register's value, less the table's address.
    pub value: u64,
    /// The block.
    pub edge: Edge,
}

/// A jump through a register before blocks are known.
pub(super) struct UnboundJump {
    relative_to: Option<DataSectionId>,
    /// Byte offsets of its labels, sorted.
    pub(super) labels: Vec<u64>,
}

impl UnboundJump {
    pub(super) fn with_edges(
        self,
        edge: impl Fn(u64) -> Result<Edge, GraphError>,
    ) -> Result<RegisterJump, GraphError> {
        let targets = self.labels.iter().map(|&value| Ok(JumpTarget { value, edge: edge(value)? }));
        Ok(RegisterJump { relative_to: self.relative_to, targets: targets.collect::<Result<_, _>>()? })
    }
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
                sets[section].extend(entries(program, table));
            }
        }
        LabelIndex { by_section: sets.as_slice().iter().map(|set| set.iter().copied().collect()).collect() }
    }

    /// The labels of `section` in `start..end`.
    fn between(&self, section: CodeSectionId, start: u64, end: u64) -> &[u64] {
        let labels = &self.by_section[section];
        let first = labels.partition_point(|&label| label < start);
        let last = labels.partition_point(|&label| label < end);
        &labels[first..last]
    }
}

/// The entries of a jump table: byte offsets in its code section.
fn entries(program: &Program, table: DataSectionId) -> impl Iterator<Item = u64> + '_ {
    let bytes: &[u8] = match &program.data[table].contents {
        Contents::Bytes(bytes) => bytes,
        Contents::Zeros(_) => &[],
    };
    bytes.as_chunks::<8>().0.iter().map(|entry| match program.endianness {
        Endianness::Little => u64::from_le_bytes(*entry),
        Endianness::Big => u64::from_be_bytes(*entry),
    })
}

/// The jumps through registers of a function, by the index of their instruction, in order.
pub(super) fn register_jumps(
    program: &Program,
    index: &LabelIndex,
    function: FunctionId,
    instructions: &[Instruction],
) -> Result<Vec<(usize, UnboundJump)>, GraphError> {
    let of = &program.functions[function];
    let mut jumps = Vec::new();
    let mut tables = None;
    let mut edges = 0;
    for (position, instruction) in instructions.iter().enumerate() {
        let Insn::JumpRegister { reg } = instruction.insn else { continue };
        let tables = tables.get_or_insert_with(|| Tables::of(program, instructions));
        let relative_to = match sum_before(instructions, position, reg) {
            None => None,
            Some((at, other)) => Some(tables.added(instructions, at, other).ok_or_else(|| {
                let place = program.place(of.section, Some(function), instruction.offset);
                GraphError::UnknownJumpTable { place, insn: instruction.insn.to_string() }
            })?),
        };
        let labels = match relative_to {
            Some(table) => entries(program, table)
                .filter(|label| (of.start..of.end).contains(label))
                .collect::<BTreeSet<u64>>()
                .into_iter()
                .collect(),
            None => index.between(of.section, of.start, of.end).to_vec(),
        };
        edges += labels.len();
        if edges > MAX_EDGES {
            let place = program.place(of.section, Some(function), instruction.offset);
            return Err(GraphError::TooManyLabels { place, limit: MAX_EDGES });
        }
        jumps.push((position, UnboundJump { relative_to, labels }));
    }
    Ok(jumps)
}

/// Whether the last write of `reg` before `position` adds a register to it: where, and which register.
fn sum_before(instructions: &[Instruction], position: usize, reg: Reg) -> Option<(usize, Reg)> {
    for (at, instruction) in instructions[..position].iter().enumerate().rev() {
        let insn = instruction.insn;
        if insn.is_terminator() || insn.jump_offset().is_some() {
            return None;
        }
        if super::liveness::written(insn).contains(reg) {
            return match insn {
                Insn::Alu { op: AluOp::Add, width: Width::W64, src: Operand::Reg(other), .. } => Some((at, other)),
                _ => None,
            };
        }
    }
    None
}

/// The jump tables that a function takes the address of.
struct Tables {
    all: BTreeSet<DataSectionId>,
    of: Vec<Option<DataSectionId>>,
}

impl Tables {
    fn of(program: &Program, instructions: &[Instruction]) -> Tables {
        let table = |instruction: &Instruction| match instruction.target {
            Some(Target::Data { section, .. }) if matches!(program.data[section].kind, DataKind::JumpTable(_)) => {
                Some(section)
            }
            _ => None,
        };
        let of: Vec<_> = instructions.iter().map(table).collect();
        Tables { all: of.iter().copied().flatten().collect(), of }
    }

    /// The table whose address is in `reg` before the instruction at `at`, or the function's only table.
    fn added(&self, instructions: &[Instruction], at: usize, reg: Reg) -> Option<DataSectionId> {
        if self.all.len() == 1 {
            return self.all.first().copied();
        }
        // Far enough for any compiler's code, and a bound on the work for everything else.
        let written = |before: &usize| super::liveness::written(instructions[*before].insn).contains(reg);
        let writer = (0..at).rev().take(4096).find(written)?;
        self.of[writer]
    }
}
