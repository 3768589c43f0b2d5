//! How large the code is: the bytes of all functions of a program.

use std::path::Path;

use bpf2native::emit::{self, Purpose};
use bpf2native::{Config, Program as Translated};
use object::{Object, ObjectSymbol, SymbolKind};

use super::build::{self, Flavour};
use super::engines::{self, Engine};
use super::memory::Memory;
use super::suite::Program;

/// Bytes of code for each engine, where it can be known.
pub fn sizes(program: &Program, engines: &[Engine], folder: &Path) -> Result<Vec<Option<u64>>, String> {
    engines.iter().map(|engine| size(program, engine, folder)).collect()
}

fn object_of(program: &Translated, config: &Config) -> Result<Vec<u8>, String> {
    let object = emit::object(program, config, Purpose::Relocatable, "bench.o");
    Ok(object.map_err(|error| error.to_string())?.bytes)
}

fn size(program: &Program, engine: &Engine, folder: &Path) -> Result<Option<u64>, String> {
    let source = program.source();
    let bytes = match engine {
        Engine::Native(compiler, flags) => {
            let path = build::build(&source, Flavour::Object(compiler, flags), folder)?;
            std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?
        }
        Engine::Translated(clang, config) => {
            let path = build::object(program, clang, folder)?;
            let program = Translated::from_files([path]).map_err(|error| error.to_string())?;
            object_of(&program, config)?
        }
        Engine::Profiled(clang, config) => {
            let path = build::object(program, clang, folder)?;
            let config = engines::profiled(program, &path, config, &mut Memory::new())?;
            object_of(&Translated::from_files([path]).map_err(|error| error.to_string())?, &config)?
        }
        Engine::Peer(..) => return Ok(None),
    };
    let object = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
    // Translated functions have a local symbol and a global one at the same place.
    let functions: std::collections::BTreeMap<u64, u64> = object
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
        .map(|symbol| (symbol.address(), symbol.size()))
        .collect();
    Ok(Some(functions.values().sum()))
}
