//! What the tests over `fixtures` share: the two data files, and running programs and comparing what they do.
#![allow(dead_code, reason = "each test uses its part of it")]

pub mod cases;
pub mod matrix;
pub mod native;
#[path = "../support/parallel.rs"]
mod parallel;
pub mod run;
pub mod words;

use std::path::PathBuf;

pub use parallel::parallel;

/// The folder with the fixtures.
pub fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Whether a name is wanted: the variable has all wanted ones with commas, or is not set.
pub fn filter(variable: &str) -> impl Fn(&str) -> bool {
    let list = std::env::var(variable).ok();
    move |name| list.as_ref().is_none_or(|list| list.split(',').any(|wanted| wanted == name))
}
