//! The **inline** phase: small functions are inlined into their callers.
//!
//! In: the graphs of a program, and how functions are lifted. Out: [`Bodies`], the CLIF of functions to inline, lifted once; and
//! of a lifted function, the same with its calls of those replaced (`splice.rs`).
//!
//! | rule | why |
//! |---|---|
//! | a function keeps its own body | its address, debuggers and other objects see it |
//! | a weak function of an object is not touched | a later link may replace it; other functions are final, as they are for clang (`-fno-semantic-interposition`) |
//! | only functions without calls and loops are inlined | no frame is missing from a backtrace, unless the inlined code itself faults |
//! | but also the runtime's look-ups of maps that a program names (`select::map_calls`) | their loops take few rounds, and their calls are rare or of the runtime itself |
//! | sequence points stand where the call was | a call may have changed all memory, and Cranelift must go on assuming so |
//! | inlined instructions have the location of the call | byte offsets in another section mean nothing in the caller |
//! | a call that was never made, by a profile, stays a call | code is spent where it runs |
//! | a caller grows by its own size, within `CALLER_GROWTH` | code stays linear in the input, and large functions large |
//!
//! Tried, and not kept: functions of up to 80 instructions at hot calls, by a profile (33 whole programs: no time beyond noise, code 1.01); early exits of recursive functions, inlined into their own calls (with shrink wrapping, `fib` 0.96 of the
//! time without, `ackermann` 1.2 times, with clang 22's objects twice).

mod splice;

use std::collections::HashMap;
use std::ops::RangeInclusive;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Function, InstBuilder};
use cranelift_codegen::{CodegenResult, Context};
use cranelift_module::FuncId;

use crate::config::Pass;
use crate::decode::insn::Insn;
use crate::graph::{CallGraph, Graph, own_calls};
use crate::lift::{self, LiftContext, LiftInput};
use crate::parallel::map_each;
use crate::select::map_calls;

/// The most instructions of a function that is inlined.
const MAX_INLINED_INSTRUCTIONS: usize = 24;

/// The most of a look-up in a map.
const MAX_LOOK_UP_INSTRUCTIONS: usize = 64;

/// Bytes of the largest frame of a function that is inlined.
const MAX_INLINED_FRAME: u64 = 64;

/// How many instructions a caller may grow by: the first for small ones, the last for large ones.
const CALLER_GROWTH: RangeInclusive<usize> = 100..=2000;

/// A function that replaces calls of it.
struct Body {
    function: Function,
    /// How many BPF instructions it stands for.
    size: usize,
}

/// The functions to inline, by their ids.
#[derive(Default)]
pub struct Bodies {
    bodies: HashMap<FuncId, Body>,
}

impl Bodies {
    /// Lifts the functions that are to be inlined.
    pub fn new(input: LiftInput<'_>, graphs: &[Graph]) -> Bodies {
        let passes = input.generators.passes();
        if !passes.contains(Pass::Inlining) {
            return Bodies::default();
        }
        let calls = CallGraph::new(graphs);
        let mut is_called = vec![false; graphs.len()];
        calls.callees.iter().flatten().for_each(|&callee| is_called[callee] = true);
        let non_recursive = calls.groups.iter().filter(|group| !calls.is_recursive(group)).flatten();
        let graphs = non_recursive.filter(|&&index| is_called[index]).map(|&index| &graphs[index]);
        let is_final = |graph: &&Graph| !input.declarations.function(graph.function).replaceable;
        let is_look_up = |graph: &Graph| map_calls::is_look_up(input.program, graph.function);
        let is_inlined = |graph: &&Graph| is_small(graph, is_look_up(graph));
        let small: Vec<&Graph> = graphs.filter(is_inlined).filter(is_final).collect();
        let lift = |context: &mut LiftContext, graph: &&Graph| {
            let body = body(input, graph, context)?;
            Some((input.declarations.function(graph.function).id, body))
        };
        let bodies = map_each(&small, LiftContext::default, lift).into_iter().flatten().collect();
        Bodies { bodies }
    }

    /// Inlines them into a function.
    ///
    /// # Errors
    ///
    /// Cranelift's, where a function becomes more than it can take.
    pub fn inline(
        &self,
        input: LiftInput<'_>,
        graph: &Graph,
        function: &mut Function,
        context: &mut Context,
    ) -> CodegenResult<()> {
        let id = |callee| input.declarations.function(callee).id;
        if self.bodies.is_empty() || !own_calls(graph).any(|callee| self.bodies.contains_key(&id(callee))) {
            return Ok(());
        }
        let budget = graph.instructions.len().clamp(*CALLER_GROWTH.start(), *CALLER_GROWTH.end());
        let frequencies = input.frequencies.functions.get(&graph.function);
        splice::run(&self.bodies, budget, frequencies, function, context)
    }
}

/// Whether a function is inlined: a few instructions that call nothing, without a loop; or a look-up in a map.
fn is_small(graph: &Graph, is_look_up: bool) -> bool {
    let forward = |(index, block): (usize, &crate::graph::Block)| {
        block.terminator.successors().all(|successor| successor > index)
    };
    let most = if is_look_up { MAX_LOOK_UP_INSTRUCTIONS } else { MAX_INLINED_INSTRUCTIONS };
    graph.instructions.len() <= most
        && !graph.blocks.is_empty()
        && graph.frame.size <= MAX_INLINED_FRAME
        && graph.stack_parameters == 0
        && (is_look_up || graph.blocks.iter().enumerate().all(forward))
        && !graph.instructions.iter().any(|instruction| match instruction.insn {
            Insn::Call(_) => !is_look_up,
            Insn::LoadPacket { .. } | Insn::MayGoto { .. } | Insn::JumpRegister { .. } => true,
            insn => instruction.target.is_none() && !lift::call::runtime_symbols(insn).is_empty(),
        })
}

/// Lifts a function to be inlined; one that cannot be lifted reports its error when it is lifted itself.
fn body(input: LiftInput<'_>, graph: &Graph, context: &mut LiftContext) -> Option<Body> {
    let mut function = lift::lift(input, graph, context).ok()?.function;
    let mut cursor = FuncCursor::new(&mut function);
    cursor.next_block()?;
    cursor.goto_first_insertion_point(cursor.current_block()?);
    cursor.ins().sequence_point();
    let mut cursor = FuncCursor::new(&mut function);
    // Also before returns, if memory was accessed.
    let (mut returns, mut accesses_memory) = (Vec::new(), false);
    while cursor.next_block().is_some() {
        while let Some(inst) = cursor.next_inst() {
            let opcode = cursor.func.dfg.insts[inst].opcode();
            accesses_memory |= opcode.can_load() || opcode.can_store();
            if opcode.is_return() {
                returns.push(inst);
            }
        }
    }
    if accesses_memory {
        for inst in returns {
            cursor.goto_inst(inst);
            cursor.ins().sequence_point();
        }
    }
    Some(Body { function, size: graph.instructions.len() })
}
