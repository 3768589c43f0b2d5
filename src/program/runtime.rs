//! What of a program is the runtime's ([`crate::parse`] adds it behind what is given).
//!
//! In: a program. Out: whether files and functions are the runtime's. The rule: of these, only what is reached is translated, and
//! what is kept.

use super::{FileId, FunctionId, Id, Program};

impl Program {
    /// Whether a file is the runtime's.
    pub fn is_of_runtime(&self, file: FileId) -> bool {
        file.index() >= self.given_files
    }

    /// Whether it has anything of the runtime.
    pub fn has_runtime(&self) -> bool {
        self.files.len() > self.given_files
    }

    /// Whether a function is the runtime's.
    pub fn is_runtime_function(&self, function: FunctionId) -> bool {
        self.is_of_runtime(self.code[self.functions[function].section].file)
    }

    /// Keeps the runtime's functions of these names.
    pub(crate) fn keep_of_runtime(&mut self, names: &[String]) {
        let is_named = |id: &FunctionId| names.contains(&self.functions[*id].name) && self.is_runtime_function(*id);
        self.kept = self.functions.ids().filter(is_named).collect();
    }
}
