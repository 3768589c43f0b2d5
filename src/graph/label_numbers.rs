//! The values that stand for labels in translated code.
//!
//! In: a program, the graphs of what is translated. Out: [`LabelNumbers`]. The rule: in a code section where nothing
//! is added to a label, its labels are 1, 2, 3 and so on, in the order of their offsets; so a jump to one of a
//! function's labels is a table without gaps by the label itself, however long the code between them is. In others a label is its byte
//! offset, which differences of labels that the compiler made are of. No label is 0.

use super::labels::LabelIndex;
use super::model::Graph;
use crate::decode::SLOT;
use crate::program::{CodeSectionId, IdVec, Program};

/// The values that stand for labels.
#[derive(Clone, Debug, Default)]
pub struct LabelNumbers {
    /// Byte offsets of labels that are numbered, by code section, sorted, each once.
    by_section: IdVec<CodeSectionId, Vec<u64>>,
}

impl LabelNumbers {
    /// Numbers the labels of a program.
    pub fn new(program: &Program, graphs: &[Graph]) -> LabelNumbers {
        let mut by_section = LabelIndex::new(program).into_offsets();
        for graph in graphs.iter().filter(|graph| graph.adds_to_labels) {
            by_section[graph.section].clear();
        }
        LabelNumbers { by_section }
    }

    /// The value of the label at a byte offset of a code section.
    pub fn value(&self, section: CodeSectionId, offset: u64) -> u64 {
        match self.by_section[section].binary_search(&offset) {
            Ok(index) => index as u64 + 1,
            Err(_) => offset,
        }
    }

    /// What the values of all labels of a code section are multiples of.
    pub fn stride(&self, section: CodeSectionId) -> u64 {
        if self.by_section[section].is_empty() { SLOT as u64 } else { 1 }
    }
}
