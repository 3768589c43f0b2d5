//! Errors of the lift phase.

use crate::program::Place;

/// Why a function cannot be lifted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LiftError {
    /// A call passes fewer arguments than the callee reads from the stack.
    #[error("{place}: `{callee}` takes {expected} arguments on the stack, and the call passes {passed}")]
    StackArguments {
        /// Where.
        place: Box<Place>,
        /// The function that is called.
        callee: String,
        /// How many it reads.
        expected: usize,
        /// How many were stored.
        passed: usize,
    },
    /// A call of `bpf2native.h` that the function does not answer.
    #[error("{place}: `{callee}`, called by way of bpf2native.h, {what}")]
    ArrayCall {
        /// Where.
        place: Box<Place>,
        /// The function that is called.
        callee: String,
        /// What is wrong.
        what: &'static str,
    },
}
