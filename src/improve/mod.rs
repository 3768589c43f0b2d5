//! The **improve** phase: what makes code faster that Cranelift cannot do, since it needs to know where code comes from.
//!
//! Comes in: a function's [`Graph`](crate::graph::Graph). Goes out: plans that the lift phase follows. The rule: a plan
//! changes how a function is lifted, never what it does; each has a switch ([`crate::config::Pass`]), and its file says
//! why it is sound.
//!
//! | plan | file |
//! |---|---|
//! | frame slots that become values | `slots.rs` |
//! | which blocks there are, and where edges lead | `shape.rs` |
//! | branches that become selections | `selects.rs` |
//! | trees of comparisons that become jump tables | `switches.rs` |
//! | how far below an address code reaches | `reach.rs`, over intervals: `range.rs` |

mod range;
mod reach;
mod selects;
mod shape;
mod slots;
mod switches;

pub use reach::Reaches;
pub use selects::Select;
pub use shape::Shape;
pub use slots::{Access, Slot, Slots};
pub use switches::Switch;
