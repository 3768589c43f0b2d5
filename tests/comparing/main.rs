//! Code measured, saved and compared: `report`, `diff`, `golden`, the HTML page, and what `action.yml` runs.

#![allow(clippy::unwrap_used)]

#[path = "../command/mod.rs"]
mod command;
#[path = "../native/mod.rs"]
mod native;
#[path = "../webdriver/mod.rs"]
mod webdriver;

mod against;
mod codegen_diff;
mod compare;
mod formats;
mod golden;
mod html;
mod report;
