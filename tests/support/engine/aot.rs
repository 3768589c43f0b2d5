//! The translator into a shared library as an engine: one object has all cases, a function in a section of its own each.

use bpf2native::Config;
use bpf2native::aot::{Artifact, LinkOptions, link};
use bpf2native::emit::{Purpose, object};
use bpf2native::parse::{Input, Options, parse};

use super::{Engine, Outcome, Problem};
use crate::support::cases::Case;
use crate::support::{crash, elf};

/// [`bpf2native::aot`], with the system's `cc` and loader.
pub struct SharedLibrary;

/// The helpers of the cases, which `cc` compiles into the library.
const HELPERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/engine/helpers.c");

type Main = unsafe extern "C" fn(*mut u8, u64) -> u64;

impl Engine for SharedLibrary {
    fn name(&self) -> &'static str {
        "aot"
    }

    fn run(&self, cases: &[Case]) -> Result<Vec<Result<Outcome, Problem>>, String> {
        let names: Vec<String> = (0..cases.len()).map(|index| format!("case_{index}")).collect();
        let functions: Vec<(&str, &[u8])> =
            names.iter().map(String::as_str).zip(cases.iter().map(|case| &case.code[..])).collect();
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = folder.path().join("cases.so");
        build(&elf::object_of(&functions), &path).unwrap_or_else(|error| panic!("the cases: {error}"));
        // SAFETY: the library has no constructors.
        let library = unsafe { libloading::Library::new(&path) }.map_err(|error| error.to_string())?;
        let run = |(case, name): (&Case, &String)| {
            let failed = |error: libloading::Error| Problem::Failed(error.to_string());
            let mut memory = case.memory.clone();
            // SAFETY: helpers.c defines it as an `unsigned long`.
            let packet_size = unsafe { library.get::<*mut u64>(b"packet_size\0") }.map_err(failed)?;
            // SAFETY: every case is a function of a pointer and a length.
            let main = unsafe { library.get::<Main>(name.as_bytes()) }.map_err(failed)?;
            // SAFETY: no other thread uses the library, and the program keeps to its memory.
            let r0 = crash::named(&case.name, || unsafe {
                **packet_size = memory.len() as u64;
                main(memory.as_mut_ptr(), memory.len() as u64)
            });
            Ok(Outcome { r0, memory })
        };
        Ok(cases.iter().zip(&names).map(run).collect())
    }
}

/// Translates a BPF object into a shared library.
fn build(bytes: &[u8], path: &std::path::Path) -> Result<(), String> {
    let config = Config::default();
    let input = Input { name: "cases.o".to_owned(), bytes: bytes.to_vec() };
    // Helpers are the cases' own.
    let program = parse(&[input], &Options::without_runtime()).map_err(|error| error.to_string())?;
    let native = object(&program, &config, Purpose::SharedLibrary, "cases.o");
    let native = native.map_err(|error| error.to_string())?;
    let options = LinkOptions {
        arguments: ["-Wl,-z,defs", "-O1", "-fPIC", HELPERS].map(Into::into).to_vec(),
        ..LinkOptions::default()
    };
    let said = link(&native.bytes, config.get_target(), Artifact::SharedLibrary, &options, path);
    // A linker that warns has met something that it does not like.
    said.map_err(|error| error.to_string()).and_then(|said| if said.is_empty() { Ok(()) } else { Err(said) })
}
