//! A plugin for the bpf_conformance suite: runs one program and prints its r0.
//!
//! ```text
//! conformance_plugin [MEM] [--program HEX] [--elf] [--jit | --aot] [--debug] < PROGRAM
//! ```
//!
//! PROGRAM is one line of hex bytes with blanks between: raw instructions, or with `--elf` an object whose function
//! `main` is run. MEM, when there is one, is the first argument, in the same form: the program gets its address in r1
//! and its length in r2. Packet loads (LD_ABS, LD_IND) read it too. Helper 5 returns its first argument. r0 is
//! printed as hex, all 64 bits.
//!
//! Exit status: 0; 1 when the program cannot be run, with the reason on standard error; 2 for wrong arguments.

use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use bpf2native::aot::{self, Artifact, LinkOptions};
use bpf2native::compare::listing;
use bpf2native::emit::{self, Purpose};
use bpf2native::parse::{Input, Options as ParseOptions, parse};
use bpf2native::{Config, Jit, Linker, Program};

fn main() -> ExitCode {
    let options = match Options::from_arguments(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("conformance_plugin: {error:#}");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(r0) => {
            // A closed pipe is the reader's choice.
            let _ = writeln!(std::io::stdout(), "{r0:x}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("conformance_plugin: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line says.
#[derive(Default)]
struct Options {
    memory: Vec<u8>,
    /// In place of standard input.
    program: Option<Vec<u8>>,
    elf: bool,
    aot: bool,
    debug: bool,
}

impl Options {
    fn from_arguments(arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
        let mut options = Options::default();
        // An older version of the suite passes empty arguments for no memory and no options.
        let mut arguments = arguments.filter(|argument| !argument.is_empty()).enumerate();
        while let Some((position, argument)) = arguments.next() {
            match argument.as_str() {
                "--program" => {
                    let (_, hex) = arguments.next().context("`--program` wants hex bytes behind it")?;
                    options.program = Some(bytes(&hex).context("the program after `--program`")?);
                }
                "--elf" => options.elf = true,
                "--jit" => options.aot = false,
                "--aot" => options.aot = true,
                "--debug" => options.debug = true,
                memory if position == 0 && !memory.starts_with('-') => {
                    options.memory = bytes(memory).context("the memory")?;
                }
                other => bail!("unknown argument `{other}`"),
            }
        }
        Ok(options)
    }
}

fn run(options: Options) -> anyhow::Result<u64> {
    let code = match options.program {
        Some(code) => code,
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read the program from standard input")?;
            bytes(&text).context("the program on standard input")?
        }
    };
    let program = match options.elf {
        // The suite has helpers of its own.
        true => parse(&[Input { name: "the program".to_owned(), bytes: code }], &ParseOptions::without_runtime())?,
        false => Program::from_instructions("the program", &code)?,
    };
    if options.debug {
        eprint!("{}", listing::bpf(&program, None)?);
    }
    match options.aot {
        true => run_shared_library(&program, options.memory),
        false => run_in_process(&program, options.memory),
    }
}

/// r1 and r2: no memory has no address.
fn arguments(memory: &mut [u8]) -> (u64, u64) {
    let address = if memory.is_empty() { std::ptr::null_mut() } else { memory.as_mut_ptr() };
    (address as u64, memory.len() as u64)
}

/// Bytes of a packet of this address and length.
fn load_packet((packet, length): (u64, u64), offset: i64, size: u64) -> i64 {
    let end = u64::try_from(offset).ok().and_then(|offset| offset.checked_add(size));
    let (Ok(offset), Some(0..)) = (u64::try_from(offset), end.and_then(|end| length.checked_sub(end))) else {
        return -1;
    };
    // SAFETY: the bytes are in the memory, which lives as long as the program runs.
    let bytes = unsafe { std::slice::from_raw_parts((packet + offset) as *const u8, size as usize) };
    bytes.iter().fold(0, |value, byte| value << 8 | i64::from(*byte))
}

fn run_in_process(program: &Program, mut memory: Vec<u8>) -> anyhow::Result<u64> {
    let arguments = arguments(&mut memory);
    let mut linker = Linker::new();
    linker.func("bpf_ktime_get_ns", |value: u64| value)?;
    let load = move |_context: u64, offset: i64, size: u64| load_packet(arguments, offset, size);
    linker.func("bpf_load_packet", load)?;
    let module = Jit::new(&Config::new())?.load(program, &linker)?;
    // SAFETY: the program is run as the suite defines it: `main` of a pointer and a length.
    let main = unsafe { module.func::<(u64, u64), u64>("main") }?;
    Ok(main.call(arguments))
}

/// The same functions, for the library, by their link names; `packet` and `length` are set before `main` runs.
const HELPERS: &str = "
const unsigned char *packet;
unsigned long length;
unsigned long bpf_helper_ktime_get_ns(unsigned long value) { return value; }
long bpf_load_packet(void *context, long offset, unsigned long size)
{
	long value = 0;
	if (offset < 0 || size > length || (unsigned long)offset > length - size)
		return -1;
	for (unsigned long i = 0; i < size; i++)
		value = value << 8 | packet[offset + i];
	return value;
}
";

fn run_shared_library(program: &Program, mut memory: Vec<u8>) -> anyhow::Result<u64> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("program.so");
    build(program, folder.path(), &path)?;
    // SAFETY: the library is the program and the functions above, which have no constructors that could fail.
    let library = unsafe { libloading::Library::new(&path) }?;
    let (address, length) = arguments(&mut memory);
    // SAFETY: the types are those of the C text above, and of `main` as the suite defines it.
    let (packet, size, main) = unsafe {
        (
            library.get::<*mut u64>(b"packet\0")?,
            library.get::<*mut u64>(b"length\0")?,
            library.get::<unsafe extern "C" fn(u64, u64) -> u64>(b"main\0")?,
        )
    };
    // SAFETY: nothing else uses the library.
    Ok(unsafe {
        **packet = address;
        **size = length;
        main(address, length)
    })
}

/// Translates a program into a shared library, with the helpers.
fn build(program: &Program, folder: &Path, output: &Path) -> anyhow::Result<()> {
    let config = Config::default();
    let object = emit::object(program, &config, Purpose::SharedLibrary, "program")?;
    let helpers = folder.join("helpers.c");
    std::fs::write(&helpers, HELPERS)?;
    let mut arguments: Vec<std::ffi::OsString> = ["-Wl,-z,defs", "-fPIC"].map(Into::into).to_vec();
    arguments.push(helpers.into());
    let options = LinkOptions { arguments, ..LinkOptions::default() };
    aot::link(&object.bytes, config.get_target(), Artifact::SharedLibrary, &options, output)?;
    Ok(())
}

/// Hex bytes with or without blanks between them.
fn bytes(text: &str) -> anyhow::Result<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    text.chunks(2).map(byte).collect::<Option<_>>().context("not whole hex bytes")
}
