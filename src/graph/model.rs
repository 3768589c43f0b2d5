//! A function as basic blocks: what the graph phase makes, and what all later phases read.
//!
//! The rule: nothing here looks for anything; the other files of the folder do.

use super::error::GraphError;
use super::predecessors::Predecessors;
use super::registers::RegSet;
use crate::decode::insn::{Insn, Reg};
use crate::program::{CodeSectionId, DataSectionId, FunctionId, StructResult, Target};

/// Index of a block in [`Graph::blocks`].
pub type BlockIndex = usize;

/// A function as basic blocks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Graph {
    /// Which function.
    pub function: FunctionId,
    /// The code section that holds it.
    pub section: CodeSectionId,
    /// All its instructions, in code order.
    pub instructions: Vec<Instruction>,
    /// The blocks that control can reach, in code order; the first is the entry.
    pub blocks: Vec<Block>,
    /// Which of them lead to each.
    pub(crate) predecessors: Predecessors,
    /// Registers that the function may read before it writes them: r1 to r5 are its parameters. A call of another
    /// function counts as reading all, until `find_parameters` has looked at that.
    pub live_in: RegSet,
    /// For each block, the registers that may be read after it, at most: every function that is called is taken to read all
    /// arguments. To these belong what is [`Graph::returned`].
    pub(crate) live_out: Vec<RegSet>,
    /// Registers that it reads for certain before it writes them: by an instruction, and, once
    /// `find_surely_read` has looked at its calls, by a function of the program that it passes them on to.
    pub surely_read: RegSet,
    /// What of r0 and r2 somebody may read after it: r0, until `find_results` has looked at its callers.
    pub returned: RegSet,
    /// Byte offsets of calls of what is no function of the program after which r2 is read, in order.
    pub second_results: Vec<u64>,
    /// Byte offsets of calls of which nothing says how many words they take, and that pass fewer than five, in order, with how many:
    /// once `find_parameters` has looked at which of r1 to r5 may have a value there.
    pub passed: Vec<(u64, usize)>,
    /// Byte offsets of calls after which a struct that the callee returns is taken from registers, in order; at others,
    /// the first argument is its address.
    pub struct_results: Vec<u64>,
    /// Where a struct that it returns goes, if it has one of up to 16 bytes.
    pub struct_result: StructResult,
    /// What it needs below r10.
    pub frame: Frame,
    /// How many arguments it reads from the stack (`r11 + 8 * n`).
    pub stack_parameters: u16,
    /// Whether something is added to the address of a label.
    pub adds_to_labels: bool,
    /// It is a program from whose entry on tail calls count, until it returns; set by the selection.
    pub opens_run: bool,
    /// What becomes of what reaches it that was thrown; set by the selection.
    pub catches: Option<Catch>,
    /// Byte offsets of calls after which something may have been thrown, in order; set by the selection.
    pub throwing: Vec<u64>,
    /// What was replaced by traps ([`Unverified::Trap`]).
    pub refused: Vec<GraphError>,
}

/// What becomes of what was thrown by `bpf_throw`, in a function that does not pass it on to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catch {
    /// It is a program, and ends by it.
    Program,
    /// It is a callback, which may not throw: the process ends.
    Stray,
}

/// What becomes of code that is well encoded, and that a verifier would not let run: an instruction that writes r10 or
/// names a register above it, a frame that no stack holds.
///
/// Programs that a kernel loads lie side by side in one object, and one that is not to be loaded, or a branch that
/// is never taken, does not spoil the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// It is an error.
    Refuse,
    /// It traps when it is reached, and [`Graph::refused`] has the reason.
    Trap,
}

/// An instruction and what it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Byte offset in the code section.
    pub offset: u64,
    /// The instruction.
    pub insn: Insn,
    /// Its relocation; for a local call without one, the function that it calls.
    pub target: Option<Target>,
}

/// A basic block: `Graph::instructions[start..end]`, and where control goes then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its first instruction.
    pub start: usize,
    /// Past its last instruction, which may be the jump that `terminator` describes.
    pub end: usize,
    /// Where control goes at its end.
    pub terminator: Terminator,
}

/// Where an edge leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// To a block.
    Block(BlockIndex),
    /// Out of the function's byte range: a trap.
    Outside,
}

/// How a block ends. The jump's operands are in the block's last instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// `goto`, or falling through.
    Goto(Edge),
    /// `if` and `may_goto`.
    Branch {
        /// When the condition holds.
        taken: Edge,
        /// When it does not.
        fallthrough: Edge,
    },
    /// `gotox`.
    Register(RegisterJump),
    /// `exit`.
    Return,
}

impl Terminator {
    /// The ways that control may go: of a branch, when its condition holds, and when it does not.
    pub fn outcomes(&self) -> Vec<Edge> {
        match self {
            Terminator::Goto(edge) => vec![*edge],
            Terminator::Branch { taken, fallthrough } => vec![*taken, *fallthrough],
            Terminator::Register(jump) => jump.outcomes(),
            Terminator::Return => Vec::new(),
        }
    }

    /// The blocks that control may go to.
    pub fn successors(&self) -> impl Iterator<Item = BlockIndex> + '_ {
        let (first, second, targets): (_, _, &[JumpTarget]) = match self {
            Terminator::Goto(edge) => (Some(*edge), None, &[]),
            Terminator::Branch { taken, fallthrough } => (Some(*taken), Some(*fallthrough), &[]),
            Terminator::Register(jump) => (None, None, &jump.targets),
            Terminator::Return => (None, None, &[]),
        };
        let edges = first.into_iter().chain(second).chain(targets.iter().map(|target| target.edge));
        edges.filter_map(|edge| match edge {
            Edge::Block(block) => Some(block),
            Edge::Outside => None,
        })
    }
}

/// A jump through a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterJump {
    /// The jump table whose address is part of the value.
    pub relative_to: Option<DataSectionId>,
    /// What it can reach, ordered by value.
    pub targets: Vec<JumpTarget>,
    /// Several jumps lead to its block, which has no instruction; else the jump is the block's last instruction.
    pub is_shared: bool,
}

impl RegisterJump {
    /// The edges that it can take, each once, in the order of the values.
    pub fn outcomes(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        let mut known = std::collections::HashSet::new();
        edges.extend(self.targets.iter().map(|target| target.edge).filter(|edge| known.insert(*edge)));
        edges
    }
}

/// One value of the register and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JumpTarget {
    /// The label's byte offset in the code section: the register has the number that stands for it.
    pub value: u64,
    /// The block.
    pub edge: Edge,
    /// The function's first instruction: the register has the function's address.
    pub is_address: bool,
}

/// What a function needs below r10.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Bytes.
    pub size: u64,
    /// Other functions may see its address.
    pub escapes: bool,
    /// Bytes that it has for certain: by accesses and addresses that no variable was added to.
    pub(super) certain: u64,
    /// What r10 is a multiple of, where the compiler presumed more than all stacks have: see `parse::dwarf`.
    pub alignment: Option<u64>,
}

impl Graph {
    /// Whether somebody may read r0 after it.
    pub fn has_result(&self) -> bool {
        self.returned.contains(Reg::R0)
    }

    /// Whether somebody may read r2 after it: its result has two words.
    pub fn has_second(&self) -> bool {
        self.returned.contains(Reg::R2)
    }

    /// How many edges there are between its blocks, about: what the work of a code generator goes with.
    pub fn edges(&self) -> usize {
        self.blocks.iter().map(|block| block.terminator.successors().count()).sum()
    }

    /// The instructions of `block`.
    pub fn instructions_of(&self, block: &Block) -> &[Instruction] {
        &self.instructions[block.start..block.end]
    }
}
