//! Listings: BPF assembly, CLIF and native assembly of functions, line by line and as text.
//!
//! In: a program, and what was made of it. Out: [`Texts`], whose lines know the BPF instruction and the source line that
//! they come from; or text that shows both as comments. The same input and options give the same lines.
//!
//! | file | what |
//! |---|---|
//! | `lines.rs` | the lines of each kind of listing |
//! | `names.rs` | what Cranelift's numbers stand for |
//! | `native.rs` | a compiled function, read back with its relocations |
//! | `text.rs` | listings of a whole program, as text |

mod lines;
mod names;
mod native;
mod text;

pub(crate) use lines::{Origins, Places, assembly as assembly_lines, bpf as bpf_lines, clif as clif_lines};
pub use lines::{SourceLine, TextKind, TextLine, Texts};
pub(crate) use names::Names;
pub(crate) use native::{NativeCode, relocated};
pub use text::{ListError, assembly, bpf, clif, clif_until, optimised};
