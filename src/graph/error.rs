//! Why a function has no graph.

use crate::decode::DecodeError;
use crate::program::Place;

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
