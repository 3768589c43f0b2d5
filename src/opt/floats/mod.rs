//! Passes over floats. In BPF a float is a word in a register, and what compares two is a function that returns -1, 0 or 1.
//!
//! | pass, or what several share | file |
//! |---|---|
//! | three-way results that are compared again | `comparisons.rs` |
//! | what two floats that are compared can be, as a set | `outcomes.rs` |
//! | halves of frame slots that both forward first | `halves.rs` |
//! | words that hold floats become floats | `values.rs` |
//! | which words these are | `webs.rs` |
//! | how instructions get their operands then | `operands.rs` |

pub(crate) mod comparisons;
mod halves;
mod operands;
mod outcomes;
pub(crate) mod values;
mod webs;
