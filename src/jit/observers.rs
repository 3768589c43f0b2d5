//! Registration of a program's functions with the unwinder, debuggers and `perf`.
//!
//! In: compiled functions and where they are. Out: [`Observed`], which undoes on drop what can be undone.
//!
//! | observer | by | when |
//! |---|---|---|
//! | exceptions, `backtrace()` | `frames.rs` | always |
//! | gdb, lldb | `image.rs`, `gdb.rs` | always, on Linux; with source lines by [`Config::debug`] |
//! | `perf` | `perf.rs` | by [`Config::perf_map`] |

use std::collections::HashMap;

use cranelift_codegen::isa::TargetIsa;
use cranelift_module::FuncId;

use super::error::LoadError;
use super::frames::Frames;
use super::symbol::Symbol;
use crate::codegen::CompiledFunction;
use crate::config::Config;
use crate::emit::{debug, unwind};
use crate::program::{Binding, Program};

/// Which observers get what.
#[derive(Clone, Copy)]
pub(super) struct Observation {
    lines: bool,
    perf_map: bool,
}

impl Observation {
    pub fn of(config: &Config) -> Observation {
        Observation { lines: config.debug, perf_map: config.perf_map }
    }

    /// Whether debuggers get source lines.
    pub fn lines(self) -> bool {
        self.lines
    }
}

/// The registrations, as long as it lives; it must be dropped before the memory that they describe.
pub(super) struct Observed {
    /// Dropped before the frames, of which the image has the address.
    #[cfg(target_os = "linux")]
    _image: Option<super::gdb::Registered>,
    _frames: Option<Frames>,
}

/// Registers functions with all observers; `added` names those that are not the program's own.
///
/// # Errors
///
/// [`LoadError::PerfMap`] if the map cannot be written, [`LoadError::Emit`] if tables cannot be made.
pub(super) fn observe(
    program: &Program,
    added: &HashMap<FuncId, String>,
    isa: &dyn TargetIsa,
    functions: &[(u64, &CompiledFunction)],
    observation: Observation,
) -> Result<Observed, LoadError> {
    let symbol = |&(address, compiled): &(u64, &CompiledFunction)| {
        let (name, global) = match compiled.function {
            Some(id) => {
                let function = &program.functions[id];
                (function.name.clone(), function.binding != Binding::Local)
            }
            None => (added.get(&compiled.id)?.clone(), false),
        };
        Some(Symbol { name, address, size: compiled.code.len() as u64, global })
    };
    let symbols: Vec<Symbol> = functions.iter().filter_map(symbol).collect();
    if observation.perf_map {
        write_perf_map(&symbols)?;
    }
    let frames = unwind::in_memory(isa, functions.iter().copied())?.map(Frames::register);
    let lines = match observation.lines && cfg!(target_os = "linux") {
        true => debug::in_memory(program, isa, functions.iter().copied())?,
        false => Vec::new(),
    };
    #[cfg(not(target_os = "linux"))]
    let _ = lines;
    Ok(Observed {
        #[cfg(target_os = "linux")]
        _image: super::image::image(isa, &symbols, frames.as_ref(), &lines).map(super::gdb::Registered::new),
        _frames: frames,
    })
}

#[cfg(target_os = "linux")]
fn write_perf_map(symbols: &[Symbol]) -> Result<(), LoadError> {
    super::perf::append(symbols).map_err(|source| LoadError::PerfMap { path: super::perf::path(), source })
}

#[cfg(not(target_os = "linux"))]
fn write_perf_map(_symbols: &[Symbol]) -> Result<(), LoadError> {
    let source = std::io::Error::other("only Linux has such maps");
    Err(LoadError::PerfMap { path: std::path::PathBuf::new(), source })
}
