//! What a program has for `bpf_throw`, where it is the runtime's.

use super::FunctionId;

/// The runtime's functions for exceptions (`runtime/kfuncs/throw.c`), and the programs that deal with what they catch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Exceptions {
    /// `bpf_throw`.
    pub throw: FunctionId,
    /// A program that catches begins.
    pub enter: FunctionId,
    /// It ends.
    pub leave: FunctionId,
    /// Whether something was thrown that nobody has caught.
    pub pending: FunctionId,
    /// What was, which is caught by that.
    pub caught: FunctionId,
    /// Something was thrown where nothing may be: does not return.
    pub stray: FunctionId,
    /// Programs with a function that makes a result of what they catch (`__exception_cb`), and that function, sorted.
    pub callbacks: Vec<(FunctionId, FunctionId)>,
}

impl Exceptions {
    /// The runtime's functions that what throws needs beside `bpf_throw`.
    pub fn functions(&self) -> [FunctionId; 5] {
        [self.enter, self.leave, self.pending, self.caught, self.stray]
    }

    /// What makes a program's result of what it catches; without, the result is what was thrown.
    pub fn callback(&self, program: FunctionId) -> Option<FunctionId> {
        let found = self.callbacks.binary_search_by_key(&program, |(program, _)| *program).ok()?;
        Some(self.callbacks[found].1)
    }
}
