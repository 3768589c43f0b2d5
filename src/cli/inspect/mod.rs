//! `inspect`: what is in objects, and what they need of others.
//!
//! In: objects. Out: sections, programs, functions, imports, maps, helpers and kfuncs with who calls them, and CO-RE relocations: as
//! text or as JSON (`docs/inspect.md` has the schema).
//!
//! | what | file |
//! |---|---|
//! | the contents as data: the JSON's schema | `model.rs` |
//! | sections, functions, imports; puts the contents together | `contents.rs` |
//! | maps; names of their flags | `maps.rs` |
//! | who calls which helpers and kfuncs | `calls.rs` |
//! | text | `text.rs` |

mod calls;
mod contents;
mod maps;
mod model;
mod text;

use anyhow::Context;
use bpf2native::parse::Options;

use super::args::Inspect;
use super::console::print;
use super::program::read_with;

pub fn inspect(arguments: &Inspect) -> anyhow::Result<()> {
    let mut options = Options::without_runtime();
    options.core_relocations = true;
    options.halves = true;
    let program = read_with(&arguments.inputs, options)?;
    let contents = contents::of(&program);
    if arguments.json {
        let text = serde_json::to_string_pretty(&contents).context("the contents cannot be written as JSON")?;
        return print(&format!("{text}\n"));
    }
    print(&text::text(&contents))
}
