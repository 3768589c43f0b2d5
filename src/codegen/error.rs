//! Why a program cannot be compiled.

use crate::graph::GraphError;
use crate::lift::LiftError;
use crate::program::Place;

/// Why a program cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// A function has no graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A function cannot be lifted.
    #[error(transparent)]
    Lift(#[from] LiftError),
    /// Cranelift cannot compile a function.
    #[error("{place}: the code generator cannot compile the function: {reason}")]
    Codegen {
        /// The function.
        place: Box<Place>,
        /// Cranelift's message.
        reason: String,
    },
    /// The threads cannot be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many.
        threads: usize,
        /// Why.
        reason: String,
    },
}
