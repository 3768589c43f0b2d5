//! A cache of compiled functions on disk, for objects and for memory: off unless [`crate::Config::cache`] names a folder.
//!
//! In: a program and how it is to be compiled. Out: its machine code, from the folder if it was compiled so before. An
//! entry is a whole program: all its selected functions, before they are placed or linked. What is not cached: parsing
//! and linking, which take a tenth of the time, and programs for Windows and for macOS on arm64, whose unwind information
//! has no form here.
//!
//! | file | what |
//! |---|---|
//! | `key.rs` | what an entry depends on, as a hash |
//! | `entry.rs` | functions as bytes |
//! | `check.rs` | whether what was read fits together |
//! | `store.rs` | the folder: files that are replaced whole, checked when they are read, and bounded in sum |
//!
//! The rule: a cache never changes a result. An entry that is damaged, or cannot be read, is as good as none and is
//! written again; one that cannot be written is a warning.
//!
//! The folder holds code that will run, so nobody else may write there: it is made for its owner alone, and one that
//! belongs to somebody else, or that others may write to, is not used, with a warning.

mod check;
mod entry;
mod key;
mod store;

use std::path::PathBuf;

use crate::codegen::{self, CompileError, CompiledFunction, Keep};
use crate::config::{CodeGenerators, Placement};
use crate::lift::Declarations;
use crate::program::Program;
use crate::select::Selection;
use check::Check;

/// A folder with compiled programs. Any number of processes may use it at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
    limit: u64,
}

impl Cache {
    /// Bytes that a cache keeps at most, unless it is told.
    pub const LIMIT: u64 = 512 << 20;

    /// The cache in this folder, which is made when something is kept.
    pub fn new(folder: impl Into<PathBuf>) -> Cache {
        Cache { folder: folder.into(), limit: Cache::LIMIT }
    }

    /// As it is, but for the bytes that it keeps at most: beyond, what was not used for the longest time is removed.
    pub fn limit(self, bytes: u64) -> Cache {
        Cache { limit: bytes, ..self }
    }
}

/// How a program is compiled, beside what the code generators say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    /// Where the code will be.
    pub placement: Placement,
    /// What to keep of it: only code is cached.
    pub keep: Keep,
}

/// [`codegen::functions`], through the cache if there is one.
pub(crate) fn functions(
    cache: Option<&Cache>,
    purpose: Purpose,
    program: &Program,
    selection: &Selection,
    declarations: &Declarations,
    generators: &CodeGenerators,
    warnings: &mut Vec<String>,
) -> Result<Vec<CompiledFunction>, CompileError> {
    let compile = || codegen::functions(program, selection, declarations, generators, purpose.keep);
    let Some(cache) = cache.filter(|_| purpose.keep == Keep::Code) else { return compile() };
    let key = key::key(program, selection, generators, purpose.placement);
    if let Err(reason) = store::check_folder(&cache.folder) {
        warnings.push(format!("the cache in `{}` is not used: {reason}", cache.folder.display()));
        return compile();
    }
    let kept = store::read(cache, &key).and_then(|bytes| entry::decode(&bytes, selection, declarations));
    let check = Check::new(declarations, &*generators.main);
    if let Some(functions) = kept.filter(|functions| functions.iter().all(|function| check.passes(function))) {
        return Ok(functions);
    }
    let functions = compile()?;
    if let Some(bytes) = entry::encode(&functions, &*generators.main)
        && let Err(error) = store::write(cache, &key, &bytes)
    {
        warnings.push(format!("cannot write to the cache in `{}`: {error}", cache.folder.display()));
    }
    Ok(functions)
}
