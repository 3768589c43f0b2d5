//! Results, in the formats that people and services read.
//!
//! | format | file |
//! |---|---|
//! | `pretty`: as cargo's test prints it, without times | `pretty.rs` |
//! | `tap`: TAP 14 | `tap.rs` |
//! | `junit`: JUnit's XML | `junit.rs` |

pub mod junit;
pub mod pretty;
pub mod tap;
