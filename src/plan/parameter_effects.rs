//! What functions do with pointers that they are given.
//!
//! In: a function of the program, the register of a parameter, how many calls deep the pointer is followed. Out:
//! [`ParameterEffects`]. The rule: what was found is kept by depth, so that it is the same whoever asks first.
//!
//! A function that spills a pointer lets it go nowhere, if nothing else touches the slot. Finding such slots takes as long as
//! the rest, so it is done where the pointer would be lost otherwise.

use super::escape::{EscapeAnalysis, MAX_ANALYSED_EDGES, ParameterEffects, PointerEffects};
use super::frame_slots::FrameSlots;
use super::known_slots::{KnownSlots, WordSlots};
use crate::decode::insn::Reg;
use crate::graph::Graph;
use crate::program::FunctionId;

impl PointerEffects<'_> {
    /// What a function does with the pointer in `reg`.
    pub(super) fn of_parameter(&self, function: FunctionId, reg: Reg, depth: usize) -> ParameterEffects {
        let (Some(graph), Some(deeper)) = (self.graphs[function], depth.checked_sub(1)) else {
            return ParameterEffects::UNKNOWN;
        };
        let find = || {
            if graph.edges() > MAX_ANALYSED_EDGES {
                return ParameterEffects::UNKNOWN;
            }
            let without = self.analysed(graph, reg, &WordSlots::default(), deeper);
            if without.below > i64::MIN || graph.frame.size == 0 {
                return without;
            }
            let words = self.words[function][deeper].get_or_init(|| {
                FrameSlots::find(self, graph, deeper).map(|frame| frame.words()).unwrap_or_default()
            });
            if words.is_empty() { without } else { self.analysed(graph, reg, words, deeper) }
        };
        *self.by_parameter[function][reg.index() - 1][deeper].get_or_init(find)
    }

    /// The same, with what is known of the function's own frame.
    fn analysed(&self, graph: &Graph, reg: Reg, words: &WordSlots, depth: usize) -> ParameterEffects {
        let Some(effects) = EscapeAnalysis::effects(self, graph, reg, KnownSlots::Words(words), depth) else {
            return ParameterEffects::UNKNOWN;
        };
        let below = effects.accesses.iter().map(|access| access.at).fold(effects.lowest, i64::min);
        ParameterEffects { below, is_returned: effects.is_returned }
    }
}
