//! Block parameters that always have the same value, or the same constant.
//!
//! In: a function. Out: a [`ParameterValue`] for each block parameter.
//!
//! The rule is the largest set that satisfies it: each argument for the parameter is this value, or this constant, or such a
//! parameter of the same value or constant. By induction over the jumps taken, the parameter has that value at each of them.
//! The value's definition dominates the parameter's block: every path to the block goes through it. Time is linear in the
//! number of arguments, since the lattice has four levels: undefined, one value, one constant, varying.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{DataFlowGraph, Function, Value};

use super::operands::{constant, size_of, value_map};
use super::phi_graph::PhiGraph;

/// What is known of a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ParameterValue {
    /// No argument has been seen.
    #[default]
    Undefined,
    /// All arguments are this value.
    Same(Value),
    /// All arguments are the constant that this one is.
    Constant(Value),
    /// Arguments differ.
    Varying,
}

impl ParameterValue {
    fn meet(self, other: ParameterValue, dfg: &DataFlowGraph) -> ParameterValue {
        use ParameterValue::{Constant, Same, Undefined, Varying};
        match (self, other) {
            (Undefined, known) | (known, Undefined) => known,
            (Varying, _) | (_, Varying) => Varying,
            (one, other) if one == other => one,
            (Same(one) | Constant(one), Same(other) | Constant(other)) => {
                let has_bytes = size_of(dfg.value_type(one)).is_some();
                let is_same = has_bytes && constant(dfg, one).is_some_and(|it| constant(dfg, other) == Some(it));
                if is_same { Constant(one) } else { Varying }
            }
        }
    }
}

/// Finds what each parameter is known to be.
pub(crate) fn parameter_values(function: &Function) -> SecondaryMap<Value, ParameterValue> {
    let dfg = &function.dfg;
    let mut known: SecondaryMap<Value, ParameterValue> = value_map(dfg);
    let mut work: Vec<Value> = Vec::new();
    let phis = PhiGraph::new(function, |parameter, argument| {
        let old = known[parameter];
        known[parameter] = old.meet(argument.map_or(ParameterValue::Varying, ParameterValue::Same), dfg);
        if old == ParameterValue::Undefined {
            work.push(parameter);
        }
    });
    while let Some(parameter) = work.pop() {
        for next in phis.users(parameter) {
            let (old, new) = (known[next], known[next].meet(known[parameter], dfg));
            if new != old {
                known[next] = new;
                work.push(next);
            }
        }
    }
    known
}
