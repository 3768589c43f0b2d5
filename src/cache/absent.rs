//! In place of the cache where the feature `cache` is off: there is none.
//!
//! In: a program and how it is to be compiled. Out: its machine code, compiled now.

use crate::codegen::{self, CompileError, CompiledFunction, Keep};
use crate::config::{CodeGenerators, Placement};
use crate::lift::Declarations;
use crate::program::Program;
use crate::select::Selection;
use crate::warning::Warning;

/// No cache is ever made.
pub enum Cache {}

/// How a program is compiled, beside what the code generators say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    /// Where the code will be; all that is compiled depends on it by its code generators.
    #[expect(dead_code, reason = "only an entry of a cache says it")]
    pub placement: Placement,
    /// What to keep of it.
    pub keep: Keep,
}

/// [`codegen::functions`].
pub(crate) fn functions(
    _cache: Option<&Cache>,
    purpose: Purpose,
    program: &Program,
    selection: &Selection,
    declarations: &Declarations,
    generators: &CodeGenerators,
    _warnings: &mut Vec<Warning>,
) -> Result<Vec<CompiledFunction>, CompileError> {
    codegen::functions(program, selection, declarations, generators, purpose.keep)
}
