//! The **graph** phase: a function's instructions, joined with their relocations, as basic blocks.
//!
//! Comes in: a [`Program`] and one of its functions. Goes out: a [`Graph`]: the blocks that control can reach, in
//! code order, their edges, the argument registers that are live at entry, and the size of the frame.
//!
//! | part | file |
//! |---|---|
//! | the graph, its blocks and edges | `model.rs`, `registers.rs`; why there is none: `error.rs` |
//! | instructions with what they refer to | `resolve.rs` |
//! | basic blocks, edges, reachability | `blocks.rs`; predecessors: `predecessors.rs` |
//! | registers live at entry, and where blocks end | `liveness.rs`; seen through calls: `parameters.rs`; which of r1 to r5 have a value at all: `defined.rs` |
//! | registers whose high half is zeros | `high_halves.rs` |
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
mod defined;
mod ends;
mod error;
mod frame;
pub(crate) mod high_halves;
mod jump_tables;
mod label_numbers;
mod label_values;
mod labels;
mod liveness;
mod model;
mod offsets;
mod parameters;
mod predecessors;
mod registers;
mod resolve;
mod results;
mod second;

use crate::abi::{REGISTER_WORDS, word_count};
use crate::decode::insn::{Insn, Reg};
use crate::program::{FunctionId, Program, StructResult};

pub(crate) use calls::strongly_connected;
pub use calls::{CallGraph, own_calls};
pub use ends::runs_out;
pub use error::GraphError;
pub use jump_tables::jump_table_entries;
pub use label_numbers::LabelNumbers;
pub use labels::LabelIndex;
pub(crate) use liveness::registers_read;
pub use liveness::written;
use liveness::{Calls, Code};
pub use model::{
    Block, BlockIndex, Catch, Edge, Frame, Graph, Instruction, JumpTarget, RegisterJump, Terminator, Unverified,
};
pub use parameters::{Callers, find as find_parameters, find_surely_read};
use predecessors::Predecessors;
pub use registers::RegSet;
pub use results::find as find_results;

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
        let mut predecessors = Predecessors::of(blocks.iter().map(|block| block.terminator.successors()));
        let code = Code {
            program,
            instructions: &instructions,
            blocks: &blocks,
            predecessors: &predecessors,
            returned,
            passed: &[],
            ends_only: false,
        };
        let [live, surely_read] = liveness::live(code, [Calls::ReadAll, Calls::ReadNamed]);
        let (mut live_in, mut surely_read) = (live.at_entry(), surely_read.at_entry());
        let mut live_out = live.live_out;
        let of = &program.functions[function];
        let known = frame::Known { size: of.stack_size, alignment: of.stack_alignment };
        let mut frame = frame::measure(&instructions, &blocks, known);
        let place = |offset| program.place(section, Some(function), offset);
        let error = if frame.size > frame::LARGEST_FRAME {
            Some(GraphError::FrameTooLarge {
                place: place(of.start),
                size: frame.size,
                limit: frame::LARGEST_FRAME,
            })
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
            (instructions, blocks, predecessors, live_in, live_out, surely_read, frame) = Default::default();
        }
        let stack_parameters = instructions.iter().filter_map(stack_parameter).max().unwrap_or(0);
        Ok(Graph {
            function,
            section,
            instructions,
            blocks,
            predecessors,
            live_in,
            live_out,
            surely_read,
            returned,
            second_results: Vec::new(),
            passed: Vec::new(),
            struct_results: Vec::new(),
            struct_result: StructResult::default(),
            frame,
            stack_parameters,
            adds_to_labels,
            opens_run: false,
            catches: None,
            throwing: Vec::new(),
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
            predecessors: Predecessors::default(),
            live_in: parameters,
            live_out: Vec::new(),
            surely_read: RegSet::default(),
            returned: RegSet::EMPTY.with(Reg::R0),
            second_results: Vec::new(),
            passed: Vec::new(),
            struct_results: Vec::new(),
            struct_result: StructResult::default(),
            frame: Frame::default(),
            stack_parameters: 0,
            adds_to_labels: false,
            opens_run: false,
            catches: None,
            throwing: Vec::new(),
            refused: Vec::new(),
        }
    }
}

fn stack_parameter(instruction: &Instruction) -> Option<u16> {
    match instruction.insn {
        Insn::LoadStackArgument { position, .. } => Some(position),
        _ => None,
    }
}
