//! Who is told of the functions of a program in memory: the unwinder, debuggers, `perf`.
//!
//! In: compiled functions and where they are. Out: [`Observed`], which takes back on drop what can be taken back.
//!
//! | observer | by | when |
//! |---|---|---|
//! | exceptions, `backtrace()` | `frames.rs` | always |
//! | gdb, lldb | `image.rs`, `gdb.rs` | always, on Linux; with source lines by [`Config::debug`] |
//! | `perf` | `perf.rs` | by [`Config::perf_map`] |

use cranelift_codegen::isa::TargetIsa;

use super::LoadError;
use super::frames::Frames;
use crate::codegen::CompiledFunction;
use crate::config::Config;
use crate::emit::{debug, unwind};
use crate::program::{Binding, Program};

/// A function as observers see it.
pub(super) struct Symbol {
    pub name: String,
    pub address: u64,
    pub size: u64,
    /// Other objects could refer to it by this name.
    pub global: bool,
}

/// Which observers are told what.
#[derive(Clone, Copy)]
pub(super) struct Observation {
    lines: bool,
    perf_map: bool,
}

impl Observation {
    pub fn of(config: &Config) -> Observation {
        Observation { lines: config.debug, perf_map: config.perf_map }
    }

    /// Whether debuggers are told the source lines.
    pub fn lines(self) -> bool {
        self.lines
    }
}

/// What observers know, as long as it lives; it must be dropped before the memory that it describes.
pub(super) struct Observed {
    /// Dropped before the frames, of which the image has the address.
    #[cfg(target_os = "linux")]
    _image: Option<super::gdb::Registered>,
    _frames: Option<Frames>,
}

/// Tells all observers.
///
/// # Errors
///
/// [`LoadError::PerfMap`] if the map cannot be written, [`LoadError::Emit`] if tables cannot be made.
pub(super) fn observe(
    program: &Program,
    isa: &dyn TargetIsa,
    functions: &[(u64, &CompiledFunction)],
    observation: Observation,
) -> Result<Observed, LoadError> {
    let symbols: Vec<Symbol> =
        functions.iter().filter_map(|&(address, function)| symbol(program, address, function)).collect();
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

fn symbol(program: &Program, address: u64, compiled: &CompiledFunction) -> Option<Symbol> {
    let function = &program.functions[compiled.function?];
    let global = function.binding != Binding::Local;
    Some(Symbol { name: function.name.clone(), address, size: compiled.code.len() as u64, global })
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
