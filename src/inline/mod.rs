//! The **inline** phase: small functions into their callers.
//!
//! Comes in: the graphs of a program, and how functions are lifted. Goes out: [`Bodies`], the CLIF of what is to be put into
//! callers, made once; and, of a lifted function, the same with its calls of those replaced (`splice.rs`).
//!
//! | rule | why |
//! |---|---|
//! | a function keeps its own body | its address, debuggers and other objects see it |
//! | a weak function of an object is not touched | a later link may replace it; other functions are final, as they are for clang (`-fno-semantic-interposition`) |
//! | only what calls nothing, and has no loop, is put into callers | no frame is missing from a backtrace, but where the code itself faults |
//! | a sequence point stands where the call was | a call may have changed all memory, whatever it is now |
//! | what was inlined has the location of the call | byte offsets in another section mean nothing in the caller |
//! | a caller grows by its own size, within `GROWTH` | code stays linear in the input, and large functions large |
//!
//! Tried, and not kept: early exits of functions that call themselves, into their own calls (where prologues come behind
//! early exits: `fib` 0.96 of the time without, `ackermann` 1.2 times, with clang 22's objects twice).

mod splice;

use std::collections::HashMap;
use std::ops::RangeInclusive;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Function, InstBuilder};
use cranelift_codegen::{CodegenResult, Context};
use cranelift_module::FuncId;
use rayon::prelude::*;

use crate::config::Pass;
use crate::decode::insn::Insn;
use crate::graph::{CallGraph, Graph, own_calls};
use crate::lift::{self, LiftContext, Source};

/// The most instructions of a function that is inlined.
const SMALL: usize = 24;

/// Bytes of the largest frame of a function that is inlined.
const FRAME: u64 = 64;

/// How many instructions a caller may grow by: the first for small ones, the last for large ones.
const GROWTH: RangeInclusive<usize> = 100..=2000;

/// What is put into callers in place of a call.
struct Body {
    function: Function,
    /// How many BPF instructions it stands for.
    size: usize,
}

/// What is put into callers, by the id of the function that they call.
#[derive(Default)]
pub struct Bodies {
    bodies: HashMap<FuncId, Body>,
}

impl Bodies {
    /// Lifts what functions give to their callers.
    pub fn new(source: Source<'_>, graphs: &[Graph]) -> Bodies {
        let passes = source.generators.passes();
        if !passes.contains(Pass::Inlining) {
            return Bodies::default();
        }
        let calls = CallGraph::new(graphs);
        let mut is_called = vec![false; graphs.len()];
        calls.callees.iter().flatten().for_each(|&callee| is_called[callee] = true);
        let once = calls.groups.iter().filter(|group| !calls.is_recursive(group)).flatten();
        let graphs = once.filter(|&&index| is_called[index]).map(|&index| &graphs[index]);
        let is_final = |graph: &&Graph| !source.declarations.function(graph.function).replaceable;
        let small: Vec<&Graph> = graphs.filter(|graph| is_small(graph)).filter(is_final).collect();
        let lift = |context: &mut LiftContext, graph: &&Graph| {
            let body = body(source, graph, context)?;
            Some((source.declarations.function(graph.function).id, body))
        };
        let bodies = small.par_iter().map_init(LiftContext::default, lift).flatten().collect();
        Bodies { bodies }
    }

    /// Puts them into a function.
    ///
    /// # Errors
    ///
    /// Cranelift's, where a function becomes more than it can take.
    pub fn inline(
        &self,
        source: Source<'_>,
        graph: &Graph,
        function: &mut Function,
        context: &mut Context,
    ) -> CodegenResult<()> {
        let id = |callee| source.declarations.function(callee).id;
        if self.bodies.is_empty() || !own_calls(graph).any(|callee| self.bodies.contains_key(&id(callee))) {
            return Ok(());
        }
        let budget = graph.instructions.len().clamp(*GROWTH.start(), *GROWTH.end());
        splice::run(&self.bodies, budget, function, context)
    }
}

/// Whether a function is inlined: a few instructions that call nothing, without a loop.
fn is_small(graph: &Graph) -> bool {
    let forward = |(index, block): (usize, &crate::graph::Block)| {
        block.terminator.successors().all(|successor| successor > index)
    };
    graph.instructions.len() <= SMALL
        && !graph.blocks.is_empty()
        && graph.frame.size <= FRAME
        && graph.stack_parameters == 0
        && graph.blocks.iter().enumerate().all(forward)
        && !graph.instructions.iter().any(|instruction| match instruction.insn {
            Insn::Call(_) | Insn::LoadPacket { .. } | Insn::MayGoto { .. } | Insn::JumpRegister { .. } => true,
            insn => instruction.target.is_none() && !lift::call::runtime_symbols(insn).is_empty(),
        })
}

/// The CLIF of what a function gives; one that cannot be lifted says so when its own turn comes.
fn body(source: Source<'_>, graph: &Graph, context: &mut LiftContext) -> Option<Body> {
    let mut function = lift::lift(source, graph, context).ok()?.function;
    let mut cursor = FuncCursor::new(&mut function);
    cursor.next_block()?;
    cursor.goto_first_insertion_point(cursor.current_block()?);
    cursor.ins().sequence_point();
    let mut cursor = FuncCursor::new(&mut function);
    // Also where control goes back to the caller, if memory was touched.
    let (mut returns, mut touches_memory) = (Vec::new(), false);
    while cursor.next_block().is_some() {
        while let Some(inst) = cursor.next_inst() {
            let opcode = cursor.func.dfg.insts[inst].opcode();
            touches_memory |= opcode.can_load() || opcode.can_store();
            if opcode.is_return() {
                returns.push(inst);
            }
        }
    }
    if touches_memory {
        for inst in returns {
            cursor.goto_inst(inst);
            cursor.ins().sequence_point();
        }
    }
    Some(Body { function, size: graph.instructions.len() })
}
