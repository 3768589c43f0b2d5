//! What runs a program: native code of a compiler, our translation, rbpf, uBPF.
//!
//! In: a program and an [`Engine`]. Out: [`Loaded`], one for each placement in memory, which can be called.

use std::path::Path;

use bpf2native::{Config, Jit, Linker, Module};
use libloading::Library;

use super::build::{self, Flavour};
use super::memory::Memory;
use super::peers::{Compiler, Machine, Peers};
use super::suite::Program;

/// What runs a program.
#[derive(Clone, Debug)]
pub enum Engine {
    /// A compiler's code, with its flags.
    Native(&'static str, &'static [&'static str]),
    /// A clang's BPF object, translated.
    Translated(&'static str, Box<Config>),
    /// The same, optimised by a profile of the run that is measured.
    Profiled(&'static str, Box<Config>),
    /// rbpf or uBPF, with an object of a level of the instruction set.
    Peer(Compiler, &'static str),
}

/// Levels of the instruction set that peers get objects of: the first that a peer runs rightly.
pub const LEVELS: [&str; 3] = ["v3", "v2", "v1"];

/// How often the work is done when results are compared.
pub const TRIAL: u64 = 9;

/// A program that can be called.
pub enum Loaded {
    Native { function: extern "C" fn(*mut u8, u64) -> u64, _library: Library },
    Translated { function: extern "C" fn(*mut u8, u64) -> u64, _module: Box<Module> },
    Peer(Machine),
}

impl Loaded {
    /// Does the work `iterations` times on the buffer.
    pub fn run(&self, memory: &mut Memory, iterations: u64) -> u64 {
        match self {
            Loaded::Native { function, .. } | Loaded::Translated { function, .. } => {
                function(memory.whole().0, iterations)
            }
            Loaded::Peer(machine) => {
                memory.set_iterations(iterations);
                let (start, length) = memory.whole();
                machine.run(start, length)
            }
        }
    }

    /// How far from the start of its cache line the code starts, where that is known.
    fn offset(&self) -> Option<usize> {
        match self {
            Loaded::Native { function, .. } | Loaded::Translated { function, .. } => Some(*function as usize % 64),
            Loaded::Peer(_) => None,
        }
    }
}

/// Functions in front of the code that are tried until it lies somewhere new.
const TRIES: usize = 24;

/// Compiles what [`load`] needs.
pub fn prepare(program: &Program, engine: &Engine, placements: usize, folder: &Path) -> Result<(), String> {
    let build = |flavour| build::build(&program.source(), flavour, folder);
    match engine {
        Engine::Native(compiler, flags) => {
            build(Flavour::Object(compiler, flags))?;
            (0..placements).try_for_each(|place| build(Flavour::Native(compiler, flags, place * 16)).map(drop))
        }
        Engine::Translated(clang, _) | Engine::Profiled(clang, _) => {
            build::object(program, clang, folder).map(drop)
        }
        // What a peer's clang refuses is said with its result.
        Engine::Peer(..) => Ok(()),
    }
}

/// Loads a program at several places in memory.
pub fn load(
    program: &Program,
    engine: &Engine,
    placements: usize,
    peers: Option<&Peers>,
    memory: &mut Memory,
    folder: &Path,
) -> Result<Vec<Loaded>, String> {
    let source = program.source();
    match engine {
        Engine::Native(compiler, flags) => (0..placements)
            .map(|placement| {
                native(&build::build(&source, Flavour::Native(compiler, flags, placement * 16), folder)?)
            })
            .collect(),
        Engine::Translated(clang, config) => {
            let object = build::object(program, clang, folder)?;
            placed(&object, config, placements)
        }
        Engine::Profiled(clang, config) => {
            let object = build::object(program, clang, folder)?;
            placed(&object, &profiled(program, &object, config, memory)?, placements)
        }
        Engine::Peer(compiler, level) => {
            let peers = peers.ok_or("the peers are not built")?;
            let object = build::build(&source, Flavour::Bpf("clang-19", level), folder)?;
            Ok(vec![Loaded::Peer(peers.compile(*compiler, &object, memory)?)])
        }
    }
}

/// The configuration with a profile of a run of the program.
pub fn profiled(program: &Program, object: &Path, config: &Config, memory: &mut Memory) -> Result<Config, String> {
    let jit = Jit::new(config.clone().profile_generate(true)).map_err(|error| error.to_string())?;
    let counted = translated(&jit, object, 0)?;
    memory.fill(program.buffer);
    counted.run(memory, TRIAL);
    let Loaded::Translated { _module: module, .. } = counted else { return Err("it is translated".to_owned()) };
    Ok(config.clone().profile(module.profile()).clone())
}

/// Translates an object for several places in memory.
fn placed(object: &Path, config: &Config, placements: usize) -> Result<Vec<Loaded>, String> {
    let jit = Jit::new(config).map_err(|error| error.to_string())?;
    let (mut found, mut spare): (Vec<Loaded>, Vec<Loaded>) = (Vec::new(), Vec::new());
    for padding in 0..TRIES {
        let loaded = translated(&jit, object, padding)?;
        let is_new = found.iter().all(|other| other.offset() != loaded.offset());
        if is_new { &mut found } else { &mut spare }.push(loaded);
        if found.len() == placements {
            break;
        }
    }
    // Fewer than wanted when functions are aligned to more than 16 bytes.
    Ok(found)
}

fn native(path: &Path) -> Result<Loaded, String> {
    // SAFETY: the library is a program of the suite, and has no constructors.
    let library = unsafe { Library::new(path) }.map_err(|error| error.to_string())?;
    // SAFETY: `bench` has this type in all of them (`c/bench.h`).
    let function = unsafe { library.get::<extern "C" fn(*mut u8, u64) -> u64>(b"bench") };
    let function = *function.map_err(|error| error.to_string())?;
    Ok(Loaded::Native { function, _library: library })
}

/// Translates an object behind a function of some instructions.
fn translated(jit: &Jit, object: &Path, padding: usize) -> Result<Loaded, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let input = |name: &str, bytes| bpf2native::parse::Input { name: name.to_owned(), bytes };
    let inputs = [input("padding", super::padding::object(padding)), input("bench", read(object)?)];
    let program = bpf2native::parse::parse(&inputs, &bpf2native::parse::Options::default());
    let program = program.map_err(|error| error.to_string())?;
    let module = Box::new(jit.load(&program, &Linker::new()).map_err(|error| error.to_string())?);
    // SAFETY: the program is of the suite; `bench` has this type in all of them (`c/bench.h`).
    let function = unsafe { module.func::<(u64, u64), u64>("bench") }.map_err(|error| error.to_string())?.address();
    // SAFETY: as above; the module lives as long as the function is called.
    let function =
        unsafe { std::mem::transmute::<*const std::ffi::c_void, extern "C" fn(*mut u8, u64) -> u64>(function) };
    Ok(Loaded::Translated { function, _module: module })
}
