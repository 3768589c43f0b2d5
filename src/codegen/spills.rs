//! Frames that a single pass over registers makes large, made small.
//!
//! At -O0 registers are allocated in a single pass, and each value that it spills has a place of its own: a frame of 65 KB
//! for the main loop of an interpreter of 250 labels, which takes that for each level of its recursion; by backtracking it
//! is 1.2 KB. In: a lifted function. Out: the same, compiled; again, by backtracking, if its spills take too much and it is
//! not too much work.
//! The rule: what is compiled twice depends on the function and the level alone.

use cranelift_codegen::ir::Function;
use cranelift_codegen::isa::TargetIsa;
use cranelift_module::FuncId;

use super::assemble::assemble;
use super::cranelift::Contexts;
use super::{CompiledFunction, Keep};
use crate::config::{CodeGenerators, Work};
use crate::lift::Lifted;
use crate::program::frequencies::FunctionFrequencies;
use crate::x86::Steps;

/// Bytes that spills may take after a single pass.
const MOST_SPILLS: usize = 8 << 10;

/// Functions of fewer instructions have not so many values.
const FEWEST_INSTRUCTIONS: usize = 512;

/// Compiles a function by the code generator that is right for its work.
pub(super) fn compile(
    generators: &CodeGenerators,
    id: FuncId,
    lifted: Lifted,
    keep: Keep,
    frequencies: Option<&FunctionFrequencies>,
    contexts: &mut Contexts,
) -> Result<CompiledFunction, String> {
    let work = Work::of(&lifted.function, &mut contexts.context);
    let assemble = |isa: &dyn TargetIsa, function, contexts: &mut Contexts| {
        let (passes, times) = (generators.passes(), generators.times());
        let steps = Steps { passes, times, frequencies, ..Steps::default() };
        assemble(isa, id, function, keep, steps, contexts)
    };
    let again = generators.for_fewer_spills(&work).filter(|_| work.instructions >= FEWEST_INSTRUCTIONS);
    contexts.counters = lifted.counters;
    let compiled = assemble(generators.for_function(&work, lifted.returns_twice), lifted.function, contexts)?;
    match again {
        Some(isa) if compiled.frame.spills.len() > MOST_SPILLS => {
            // What Cranelift does before it allocates registers, it has done: doing it again changes nothing.
            let function = std::mem::replace(&mut contexts.context.func, Function::new());
            assemble(isa, function, contexts)
        }
        _ => Ok(compiled),
    }
}
