//! The **inline** phase: small functions, and early exits of others, into their callers.
//!
//! Comes in: the graphs of a program, and how functions are lifted. Goes out: [`Bodies`], the CLIF of what is to be put into
//! callers, made once; and, of a lifted function, the same with its calls of those replaced.
//!
//! | callee | into its callers goes | file |
//! |---|---|---|
//! | small, calls nothing, no loop | all of it | this one |
//! | calls itself, maybe through others; has early exits | these, into those that it calls itself by; the call is made if none is taken | `prefix.rs` |
//!
//! | rule | why |
//! |---|---|
//! | a function keeps its own body | its address, debuggers and other objects see it |
//! | a weak function of an object is not touched | a later link may replace it; other functions are final, as they are for clang (`-fno-semantic-interposition`) |
//! | only what calls nothing is put into callers whole | no frame is missing from a backtrace, but where the code itself faults |
//! | a sequence point stands where the call was | a call may have changed all memory, whatever it is now |
//! | what was inlined has the location of the call | byte offsets in another section mean nothing in the caller |
//! | a caller grows by its own size, within `GROWTH` | code stays linear in the input, and large functions large |
//!
//! Tried, and not kept: recursive calls that are fallen through to, with the early exit behind a jump (`fib` 1.40 of clang's
//! time, and not 1.35).

mod prefix;
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
use crate::program::FunctionId;

pub use prefix::Prefix;

/// The most instructions of a function that is inlined whole.
const SMALL: usize = 24;

/// Bytes of the largest frame of a function that is inlined whole.
const FRAME: u64 = 64;

/// How many instructions a caller may grow by: the first for small ones, the last for large ones.
const GROWTH: RangeInclusive<usize> = 100..=2000;

/// What is put into callers in place of a call.
struct Body {
    function: Function,
    /// How many BPF instructions it stands for.
    size: usize,
    /// For which callers it is.
    callers: Callers,
}

/// Callers that a body is put into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Callers {
    All,
    /// Those of this group of functions that call each other.
    Group(usize),
}

/// What is put into callers, by the id of the function that they call.
#[derive(Default)]
pub struct Bodies {
    bodies: HashMap<FuncId, Body>,
    /// The group of each function that calls itself, maybe through others.
    groups: HashMap<FunctionId, usize>,
}

/// What a function gives to its callers.
enum Plan {
    Whole,
    /// To those of a group.
    Prefix(Prefix, usize),
}

impl Bodies {
    /// Lifts what functions give to their callers.
    pub fn new(source: Source<'_>, graphs: &[Graph]) -> Bodies {
        let passes = source.isas.passes();
        if !passes.contains(Pass::Inlining) && !passes.contains(Pass::EarlyExits) {
            return Bodies::default();
        }
        let calls = CallGraph::new(graphs);
        let mut is_called = vec![false; graphs.len()];
        calls.callees.iter().flatten().for_each(|&callee| is_called[callee] = true);
        let mut plans: Vec<(&Graph, Plan)> = Vec::new();
        let mut groups = HashMap::new();
        for (number, group) in calls.groups.iter().enumerate() {
            let is_recursive = calls.is_recursive(group);
            for &index in group.iter().filter(|&&index| is_called[index]) {
                let graph = &graphs[index];
                if source.declarations.function(graph.function).replaceable {
                    continue;
                }
                if !is_recursive && passes.contains(Pass::Inlining) && is_small(graph) {
                    plans.push((graph, Plan::Whole));
                } else if is_recursive && passes.contains(Pass::EarlyExits) {
                    plans.extend(Prefix::find(graph).map(|prefix| (graph, Plan::Prefix(prefix, number))));
                    groups.insert(graph.function, number);
                }
            }
        }
        let lift = |context: &mut LiftContext, (graph, plan): &(&Graph, Plan)| {
            let body = body(source, graph, plan, context)?;
            Some((source.declarations.function(graph.function).id, body))
        };
        let bodies = plans.par_iter().map_init(LiftContext::default, lift).flatten().collect();
        Bodies { bodies, groups }
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
        let group = self.groups.get(&graph.function).copied();
        let given = splice::Given { bodies: &self.bodies, group };
        splice::run(given, budget, function, context)
    }
}

/// Whether a function is inlined whole: a few instructions that call nothing, without a loop.
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
fn body(source: Source<'_>, graph: &Graph, plan: &Plan, context: &mut LiftContext) -> Option<Body> {
    let (mut function, size, callers) = match plan {
        Plan::Whole => (lift::lift(source, graph, context).ok()?.function, graph.instructions.len(), Callers::All),
        Plan::Prefix(prefix, group) => {
            let size = prefix.blocks().iter().map(|&block| graph.instructions_of(&graph.blocks[block]).len()).sum();
            (lift::lift_prefix(source, graph, prefix, context).ok()?, size, Callers::Group(*group))
        }
    };
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
    if touches_memory && matches!(plan, Plan::Whole) {
        for inst in returns {
            cursor.goto_inst(inst);
            cursor.ins().sequence_point();
        }
    }
    Some(Body { function, size, callers })
}
