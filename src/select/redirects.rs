//! Helper 23, `bpf_redirect`, in programs whose kind is known.
//!
//! In: graphs, and who defines what they refer to. Out: the same, where calls of the runtime's `bpf_redirect` call the one for XDP
//! programs, or for others. The helper gets no context; a kernel gives each kind of programs its own, and so does this. It is no
//! optimisation: without it, the helper goes by the run that is open.
//!
//! | function | kind |
//! |---|---|
//! | in a section of XDP or socket buffer programs | that of the section |
//! | a local one that nobody has the address of | that of its callers, if all have the same |
//! | another one | not known |

use std::collections::BTreeMap;

use crate::decode::insn::{Callee, Insn};
use crate::graph::{Graph, GraphError, own_calls};
use crate::program::kinds::{self, Context};
use crate::program::{Binding, FunctionId, Program, Target};
use crate::resolution::Resolution;

/// The helper's number.
const REDIRECT: u32 = 23;

/// The runtime's functions for either kind.
const OF_XDP: &str = "bpf2native_rt_redirect_xdp";
const OF_SKB: &str = "bpf2native_rt_redirect_skb";

/// What calls a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Xdp,
    Skb,
    Unknown,
}

/// Calls the function of its kind where a program calls the helper.
pub(crate) fn direct(program: &Program, graphs: &mut [Result<Graph, GraphError>], resolution: &Resolution) {
    let of_runtime = |name: &str| {
        let id = program.function_named(name)?;
        let is_final = !resolution.is_replaceable(&program.functions[id]);
        (program.is_runtime_function(id) && is_final).then_some(id)
    };
    let (Some(of_xdp), Some(of_skb)) = (of_runtime(OF_XDP), of_runtime(OF_SKB)) else { return };
    let kinds = find(program, graphs);
    for graph in graphs.iter_mut().flatten() {
        let function = match kinds.get(&graph.function) {
            Some(Kind::Xdp) => of_xdp,
            Some(Kind::Skb) => of_skb,
            _ => continue,
        };
        for instruction in &mut graph.instructions {
            let is_redirect = instruction.insn == Insn::Call(Callee::Helper(REDIRECT));
            let is_own =
                matches!(instruction.target, Some(Target::Function(id)) if program.is_runtime_function(id));
            if is_redirect && is_own {
                instruction.target = Some(Target::Function(function));
            }
        }
    }
}

/// The kinds of functions that programs of a kind call, and of these programs.
fn find(program: &Program, graphs: &[Result<Graph, GraphError>]) -> BTreeMap<FunctionId, Kind> {
    let callees: BTreeMap<FunctionId, Vec<FunctionId>> =
        graphs.iter().flatten().map(|graph| (graph.function, own_calls(graph).collect())).collect();
    let mut kinds = BTreeMap::new();
    let mut pending = Vec::new();
    for &function in callees.keys() {
        if let Some(kind) = own_kind(program, function) {
            pending.push((function, kind));
        }
    }
    // A kind changes twice at most: to one, and to an unknown one.
    while let Some((function, kind)) = pending.pop() {
        let known = kinds.get(&function).copied();
        let met = match known {
            Some(known) if known != kind => Kind::Unknown,
            _ => kind,
        };
        if known == Some(met) {
            continue;
        }
        kinds.insert(function, met);
        let local = callees.get(&function).into_iter().flatten();
        pending.extend(local.filter(|&&callee| own_kind(program, callee).is_none()).map(|&callee| (callee, met)));
    }
    kinds
}

/// The kind of a function by itself; none if its callers say it.
fn own_kind(program: &Program, function: FunctionId) -> Option<Kind> {
    let of = &program.functions[function];
    match kinds::of_section(&program.code[of.section].name).map(|kind| kind.context) {
        Some(Context::Xdp) => Some(Kind::Xdp),
        Some(Context::Skb) => Some(Kind::Skb),
        _ if of.binding == Binding::Local && !of.address_taken => None,
        _ => Some(Kind::Unknown),
    }
}
