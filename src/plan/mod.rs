//! The **plan** phase: what makes code faster that Cranelift cannot do, since it needs to know where code comes from.
//!
//! Comes in: a function's [`Graph`](crate::graph::Graph). Goes out: plans that the lift phase follows. The rule: a plan
//! changes how a function is lifted, never what it does; each has a switch ([`crate::config::Pass`]), and its file says
//! why it is sound.
//!
//! | plan | file |
//! |---|---|
//! | frame slots that become values | `stack_promotion.rs` |
//! | which blocks there are, and where edges lead | `control_flow.rs` |
//! | branches that become selections | `if_conversion.rs` |
//! | trees of comparisons that become jump tables | `switch_formation.rs` |
//! | how far below an address code reaches | `escape.rs`, over intervals: `intervals.rs` |

mod control_flow;
mod escape;
mod if_conversion;
mod intervals;
mod stack_promotion;
mod switch_formation;

pub use control_flow::Shape;
pub use escape::Reaches;
pub use if_conversion::Select;
pub use stack_promotion::{Access, Slot, Slots};
pub use switch_formation::Switch;

use crate::config::Pass;

/// A plan with a switch.
pub(crate) struct Plan {
    /// Its switch.
    pub(crate) pass: Pass,
    /// What is found before it if it is on, and why.
    pub(crate) after: &'static [(Pass, &'static str)],
}

/// The plans, in the order in which they are made ([`Slots::find`], [`Shape::find`]).
pub(crate) const PLANS: &[Plan] = &[
    Plan { pass: Pass::StackPromotion, after: &[] },
    Plan { pass: Pass::JumpThreading, after: &[] },
    Plan {
        pass: Pass::IfConversion,
        after: &[
            (Pass::StackPromotion, "a load from a slot that is a value is cheap, and may be made on either path"),
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
];
