//! Control that runs out of a function: into what follows it, or by a jump to elsewhere.
//!
//! In: a graph. Out: a warning for each such place that a program may mean: there is no such code in C, and in assembly a
//! function does not end where the next symbol is.
//!
//! What compilers leave where control never comes is not meant: a last call, which does not return (LLVM up to 20 has
//! nothing behind it, later ones have a call of `__bpf_trap`), and a jump to the function's end, where a block is that is
//! empty (LLVM issue 208984).

use super::model::{Edge, Graph, Terminator};
use crate::decode::SLOT;
use crate::decode::insn::Insn;
use crate::program::Program;

/// What is to be said of the functions that control runs out of.
pub fn runs_out<'a>(program: &'a Program, graphs: &'a [Graph]) -> impl Iterator<Item = String> + 'a {
    graphs.iter().flat_map(|graph| of_graph(program, graph))
}

fn of_graph<'a>(program: &'a Program, graph: &'a Graph) -> impl Iterator<Item = String> + 'a {
    let function = &program.functions[graph.function];
    let place = |offset| program.place(graph.section, Some(graph.function), offset);
    graph.blocks.iter().filter(|block| block.start < block.end).filter_map(move |block| {
        let last = &graph.instructions[block.end - 1];
        let insn = last.insn;
        let is_last = block.end == graph.instructions.len();
        let falls = match block.terminator {
            Terminator::Goto(edge) => edge == Edge::Outside && !matches!(insn, Insn::Jump { .. }),
            Terminator::Branch { fallthrough, .. } => fallthrough == Edge::Outside,
            Terminator::Register(_) | Terminator::Return => false,
        };
        if falls && is_last && !matches!(insn, Insn::Call(_)) {
            let next = program.function_at(function.section, function.end);
            let into = next.map(|next| format!(", into `{}`", program.functions[next].name)).unwrap_or_default();
            return Some(format!(
                "{}: control runs off the function's end{into}, and traps there: end it in `exit`, or a jump",
                place(last.offset)
            ));
        }
        let taken = match block.terminator {
            Terminator::Goto(edge) => edge,
            Terminator::Branch { taken, .. } => taken,
            Terminator::Register(_) | Terminator::Return => return None,
        };
        let to = (last.offset as i64 + SLOT as i64).checked_add(i64::from(insn.jump_offset()?) * SLOT as i64)?;
        let is_code = (0..program.code[graph.section].bytes.len() as i64).contains(&to);
        if taken != Edge::Outside || to == function.end as i64 || !is_code {
            return None;
        }
        Some(format!(
            "{}: `{insn}` leads out of the function, to {to:#x}, and traps: call what is there, or put both into one \
             function",
            place(last.offset)
        ))
    })
}
