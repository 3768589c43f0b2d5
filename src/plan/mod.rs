//! The **plan** phase: optimisations that need to know what code is before it is lifted.
//!
//! In: a function's [`Graph`](crate::graph::Graph). Out: plans that the lift phase follows. The rule: a plan changes how a
//! function is lifted, never what it does; each has a switch ([`crate::config::Pass`]), and its file says why it is sound.
//!
//! | plan | file |
//! |---|---|
//! | stack promotion: frame slots that become values | `stack_promotion.rs`, of what `frame_slots.rs` finds; what stores keep: `slot_liveness.rs` |
//! | which blocks are lifted, and where edges lead: jump threading, cold blocks, calls that end | `control_flow.rs`; which calls these are: `calls_that_end.rs` |
//! | if-conversion: branches that become selects | `if_conversion.rs` |
//! | switch formation: trees of comparisons that become jump tables | `switch_formation.rs` |
//! | how far below an address a function accesses memory | `escape.rs`, over its transfer functions `transfer.rs`, over `intervals.rs`; slots of which it is known what they hold: `known_slots.rs` |
//! | what functions do with pointers that they are given | `parameter_effects.rs` |

mod calls_that_end;
mod control_flow;
mod escape;
mod frame_slots;
mod if_conversion;
mod intervals;
mod known_slots;
mod parameter_effects;
mod slot_liveness;
mod stack_promotion;
mod switch_formation;
mod transfer;

pub use calls_that_end::CallsThatEnd;
pub use control_flow::ControlFlowPlan;
pub use escape::PointerEffects;
pub use if_conversion::Select;
pub use stack_promotion::{PromotedSlots, SlotAccess};
pub use switch_formation::Switch;

use crate::config::Pass;

/// A plan with a switch.
pub(crate) struct Plan {
    /// Its switch.
    pub(crate) pass: Pass,
    /// What is planned before it if it is on, and why.
    pub(crate) after: &'static [(Pass, &'static str)],
}

/// The plans, in the order in which they are made ([`PromotedSlots::find`], [`ControlFlowPlan::find`]).
pub(crate) const PLANS: &[Plan] = &[
    Plan { pass: Pass::StackPromotion, after: &[] },
    Plan { pass: Pass::JumpThreading, after: &[] },
    Plan {
        pass: Pass::IfConversion,
        after: &[
            (Pass::StackPromotion, "a load from a promoted slot is cheap, and may be executed on either path"),
            (Pass::JumpThreading, "both paths lead to where they meet"),
        ],
    },
    Plan {
        pass: Pass::SwitchFormation,
        after: &[
            (Pass::JumpThreading, "the cases lead to their code"),
            (Pass::IfConversion, "a branch that becomes a select is no part of a tree"),
        ],
    },
    Plan { pass: Pass::ColdBlocks, after: &[] },
    Plan { pass: Pass::CallsThatEnd, after: &[] },
];
