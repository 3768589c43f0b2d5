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
