//! What is seen of generated code: read back, listed, measured, kept in reports, compared.
//!
//! Owns what the third use of the translator needs, comparing code generation, and no phase of translation depends on it.
//!
//! | topic | module |
//! |---|---|
//! | native code, read back: own or foreign | [`disasm`] |
//! | BPF, CLIF and assembly with source lines | [`listing`] |
//! | what is in each function's code, in numbers | [`measure`] |
//! | reports: numbers and texts of many functions, as a file | [`report`] |
//! | two reports, compared | [`diff`] |
//! | texts beside sources, that a test compares | [`golden`] |
//! | the page that shows a report or a comparison | [`html`] |

pub mod diff;
pub mod disasm;
pub mod golden;
pub mod html;
pub mod listing;
pub mod measure;
pub mod report;
