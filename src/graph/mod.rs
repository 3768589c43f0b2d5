//! The **graph** phase: a function's instructions, joined with their relocations, as basic blocks.
//!
//! Comes in: a [`Program`] and one of its functions. Goes out: a [`Graph`]: the blocks that control can reach, in
//! code order, their edges, the argument registers that are live at entry, and the size of the frame.
//!
//! | part | file |
//! |---|---|
//! | instructions with what they refer to | `resolve.rs` |
//! | basic blocks, edges, reachability | `blocks.rs` |
//! | registers live at entry | `liveness.rs`; seen through calls: `parameters.rs` |
//! | which of r0 and r2 a function returns, and where calls read r2 | `results.rs`, `second.rs` |
//! | which functions call which | `calls.rs` |
//! | warnings of control that leaves a function | `ends.rs` |
//! | the frame's size | `frame.rs` |
//! | accesses of the frame whose offsets LLVM cut off | `offsets.rs` |
//! | where a jump through a register can go | `labels.rs`; what its register holds: `label_values.rs` |
//! | the values that stand for labels | `label_numbers.rs` |
//!
//! The rule for control that leaves the function's byte range, by a jump or by falling off its end: it traps. Some
//! compilers emit such code where it is unreachable (LLVM issue 208984), so it is no error; other such code is a warning.

mod blocks;
mod calls;
mod ends;
mod frame;
mod label_numbers;
mod label_values;
mod labels;
mod liveness;
mod offsets;
mod parameters;
mod resolve;
mod results;
mod second;

use crate::abi::{REGISTER_WORDS, word_count};
use crate::decode::DecodeError;
use crate::decode::insn::{Insn, Reg};
use crate::program::{CodeSectionId, FunctionId, Place, Program, StructResult, Target};

pub use calls::{CallGraph, own_calls};
pub use ends::runs_out;
pub use frame::Frame;
pub use label_numbers::LabelNumbers;
pub use labels::{JumpTarget, LabelIndex, RegisterJump, jump_table_entries};
pub(crate) use liveness::arguments_read;
use liveness::{Calls, Code};
pub use liveness::{RegSet, written};
pub use parameters::find as find_parameters;
pub use results::find as find_results;

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
    /// Registers that the function may read before it writes them: r1 to r5 are its parameters. A call of another
    /// function counts as reading all, until `find_parameters` has looked at that.
    pub live_in: RegSet,
    /// Registers that it reads for certain before it writes them.
    pub surely_read: RegSet,
    /// What of r0 and r2 somebody may read after it: r0, until `find_results` has looked at its callers.
    pub returned: RegSet,
    /// Byte offsets of calls of what is no function of the program after which r2 is read, in order.
    pub second_results: Vec<u64>,
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
    /// What was replaced by traps ([`Unverified::Trap`]).
    pub refused: Vec<GraphError>,
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

/// Why a function has no graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Bytes that are no instruction.
    #[error("{place}: {source}")]
    Decode {
        /// Where.
        place: Box<Place>,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// A jump, a call or a label that is not at an instruction's start.
    #[error("{place}: `{insn}` leads to {to:#x}, which is the second half of a 64-bit immediate load")]
    MidInstruction {
        /// Where.
        place: Box<Place>,
        /// The instruction's text.
        insn: String,
        /// The byte offset that it leads to.
        to: i64,
    },
    /// A call of no function.
    #[error("{place}: `{insn}` calls {to:#x}, which is outside section `{section}`")]
    CallOutside {
        /// Where.
        place: Box<Place>,
        /// The instruction's text.
        insn: String,
        /// The byte offset that it leads to.
        to: i64,
        /// The code section.
        section: String,
    },
    /// A relocation at an instruction that cannot have one.
    #[error("{place}: `{insn}` has a relocation, which only calls and 64-bit immediate loads can have")]
    Relocation {
        /// Where.
        place: Box<Place>,
        /// The instruction's text.
        insn: String,
    },
    /// A call of data, or of the middle of a function.
    #[error("{place}: `{insn}` calls something that is not a function")]
    NotAFunction {
        /// Where.
        place: Box<Place>,
        /// The instruction's text.
        insn: String,
    },
    /// A frame that no stack holds.
    #[error("{place}: the function's stack frame has {size} bytes, more than the {limit} that are supported")]
    FrameTooLarge {
        /// Where.
        place: Box<Place>,
        /// Bytes.
        size: u64,
        /// The largest that is supported.
        limit: u64,
    },
    /// An access above r10.
    #[error(
        "{place}: `{insn}` is above the function's stack frame: LLVM keeps 16 bits of an offset, so in a frame of more \
         than 32 KiB it is wrong; compile with `-mllvm -bpf-stack-size=32768`, which names such functions, and make \
         their large variables static, or allocate them"
    )]
    AboveFrame {
        /// Where.
        place: Box<Place>,
        /// The instruction's text.
        insn: String,
    },
    /// An access of a frame of more than 64 KiB that may be at several places.
    #[error(
        "{place}: `{insn}` may be at several places of the function's stack frame of {size} bytes: LLVM keeps 16 bits \
         of an offset; compile with `-fstack-size-section`, which says the size, and with \
         `-mllvm -bpf-stack-size=32768`, which names such functions, and make their large variables static, or \
         allocate them"
    )]
    LargeFrame {
        /// Where.
        place: Box<Place>,
        /// The instruction's text.
        insn: String,
        /// Bytes of the frame.
        size: u64,
    },
    /// More labels than any compiler makes.
    #[error("{place}: the function's jumps through registers have more than {limit} labels in all")]
    TooManyLabels {
        /// Where.
        place: Box<Place>,
        /// How many there may be.
        limit: usize,
    },
    /// `gotox` adds a jump table's address that cannot be found, or a label that there is not.
    #[error(
        "{place}: `{insn}` jumps to a sum, and it is not known of which jump table's address and entry, or of which \
         label's address and distance"
    )]
    UnknownJumpTable {
        /// Where.
        place: Box<Place>,
        /// The instruction's text.
        insn: String,
    },
}

impl Graph {
    /// Builds the graph of `function`.
    ///
    /// # Errors
    ///
    /// [`GraphError`], at the first instruction that is wrong.
    pub fn build(
        program: &Program,
        labels: &LabelIndex,
        function: FunctionId,
        unverified: Unverified,
    ) -> Result<Graph, GraphError> {
        let section = program.functions[function].section;
        let mut refused = Vec::new();
        let mut instructions = resolve::instructions(program, function, unverified, &mut refused)?;
        let (mut blocks, adds_to_labels) = blocks::find(program, labels, function, &instructions)?;
        let returned = RegSet::EMPTY.with(Reg::R0);
        let code = Code { program, instructions: &instructions, blocks: &blocks, returned, ends_only: false };
        let live_in = |calls| liveness::at_entry(code, calls);
        let (mut live_in, mut surely_read) = (live_in(Calls::ReadAll), live_in(Calls::ReadNamed));
        let of = &program.functions[function];
        let known = frame::Known { size: of.stack_size, alignment: of.stack_alignment };
        let mut frame = frame::measure(&instructions, &blocks, known);
        let place = |offset| program.place(section, Some(function), offset);
        let error = if frame.size > frame::LARGEST {
            Some(GraphError::FrameTooLarge { place: place(of.start), size: frame.size, limit: frame::LARGEST })
        } else if of.stack_size.is_none() {
            offsets::unclear(&instructions, &blocks, frame.certain).map(|instruction| GraphError::LargeFrame {
                place: place(instruction.offset),
                insn: instruction.insn.to_string(),
                size: frame.certain,
            })
        } else {
            None
        };
        if let Some(error) = error {
            if unverified == Unverified::Refuse {
                return Err(error);
            }
            // A function without blocks traps.
            refused.push(error);
            (instructions, blocks, live_in, surely_read, frame) = Default::default();
        }
        let stack_parameters = instructions.iter().filter_map(stack_parameter).max().unwrap_or(0);
        Ok(Graph {
            function,
            section,
            instructions,
            blocks,
            live_in,
            surely_read,
            returned,
            second_results: Vec::new(),
            struct_results: Vec::new(),
            struct_result: StructResult::default(),
            frame,
            stack_parameters,
            adds_to_labels,
            refused,
        })
    }

    /// The graph of a function that is not translated: it traps when it is called. Its parameters are those of its
    /// prototype, or all registers, so that its callers are as they would be beside it.
    pub fn trap(program: &Program, function: FunctionId) -> Graph {
        let words = program.functions[function].prototype.as_deref().map_or(REGISTER_WORDS, word_count);
        let parameters = RegSet::of(Reg::arguments().take(words));
        Graph {
            function,
            section: program.functions[function].section,
            instructions: Vec::new(),
            blocks: Vec::new(),
            live_in: parameters,
            surely_read: RegSet::default(),
            returned: RegSet::EMPTY.with(Reg::R0),
            second_results: Vec::new(),
            struct_results: Vec::new(),
            struct_result: StructResult::default(),
            frame: Frame::default(),
            stack_parameters: 0,
            adds_to_labels: false,
            refused: Vec::new(),
        }
    }

    fn code<'a>(&'a self, program: &'a Program) -> Code<'a> {
        let (instructions, blocks, returned) = (&self.instructions, &self.blocks, self.returned);
        Code { program, instructions, blocks, returned, ends_only: false }
    }

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

fn stack_parameter(instruction: &Instruction) -> Option<u16> {
    match instruction.insn {
        Insn::LoadStackArgument { position, .. } => Some(position),
        _ => None,
    }
}
