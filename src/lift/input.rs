//! What functions are lifted with.

use cranelift_codegen::ir::Function;
use cranelift_frontend::FunctionBuilderContext;

use crate::config::CodeGenerators;
use crate::declarations::Declarations;
use crate::plan::{CallsThatEnd, PointerEffects};
use crate::program::Program;
use crate::program::frequencies::Frequencies;
use crate::resolution::Resolution;

/// Allocations that lifting reuses from one function to the next.
#[derive(Default)]
pub struct LiftContext {
    /// Empty between functions: lifting takes it, and gives it back when the function is finished.
    pub(super) builder: FunctionBuilderContext,
    /// A function that is no longer needed, for its allocations.
    pub(super) old: Option<Function>,
}

impl LiftContext {
    /// Takes a function whose allocations the next one may reuse.
    pub fn reuse(&mut self, function: Function) {
        self.old = Some(function);
    }
}

/// What is the same for all functions that are lifted: the program, its declarations, and what is known of it.
#[derive(Clone, Copy)]
pub struct LiftInput<'a> {
    /// The program.
    pub program: &'a Program,
    /// Which definition each name resolves to.
    pub resolution: &'a Resolution,
    /// What its names are declared as.
    pub declarations: &'a Declarations,
    /// The target, and which passes are on.
    pub generators: &'a CodeGenerators,
    /// What functions do with pointers that they are given.
    pub pointer_effects: &'a PointerEffects<'a>,
    /// Which calls control does not come back from.
    pub calls_that_end: &'a CallsThatEnd<'a>,
    /// How often functions ran, as far as it is known.
    pub frequencies: &'a Frequencies,
}
