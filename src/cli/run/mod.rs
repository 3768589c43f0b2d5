//! `run`: translate in memory and run, as if the program had been started by the system; or one function of it (`--entry`).
//!
//! | file | what |
//! |---|---|
//! | `outermost.rs` | the call of `main` |
//! | `options.rs`, `entry.rs` | `--entry`: its options, and how a function is called |
//! | `attached.rs`, with the library's table of kinds | what a section says of its programs, and of their arguments |
//! | `context.rs`, `packets.rs`, `pcap.rs` | what programs are given |
//! | `arguments.rs`, `literal.rs`, `layout.rs` | arguments and fields by their types |
//! | `show.rs`, `maps.rs` | values and maps as text and JSON |

mod arguments;
mod attached;
mod context;
mod counts;
mod entry;
mod layout;
mod literal;
mod maps;
pub mod options;
mod outermost;
mod packets;
mod pcap;
mod show;

use std::ffi::{CString, OsStr, OsString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;

use anyhow::Context;
use bpf2native::emit::EntryPoints;
use bpf2native::times::Phase;
use bpf2native::{Jit, Linker, Module, Program};

use super::args::{Libraries, Run};
use super::console::warn;
use super::errors::{FAILED, exit_status};
use super::outputs;
use super::program::{Runtime, parsed};
use super::script;
use super::timing::Timing;
use counts::CountFiles;
use entry::Entry;

/// The program, for the handler that runs at exit.
static MODULE: OnceLock<Module> = OnceLock::new();

/// Where what was counted of it goes.
static COUNTS: OnceLock<CountFiles> = OnceLock::new();

extern "C" fn run_destructors() {
    let Some(module) = MODULE.get() else { return };
    // SAFETY: the user asked for the program to run; its constructors have run, since it is in `MODULE`.
    unsafe { module.finalise() };
    if let Some(files) = COUNTS.get()
        && let Err(error) = files.write(module)
    {
        exit_status(Err(error), FAILED);
        // SAFETY: the C library's output is written, and nothing is left to do but to say that this failed.
        unsafe {
            libc::fflush(std::ptr::null_mut());
            libc::_exit(FAILED.into())
        }
    }
}

pub fn run(arguments: &Run) -> anyhow::Result<ExitCode> {
    let counts = arguments.coverage.iter().chain(&arguments.profile_generate).map(PathBuf::as_path);
    let profiles = arguments.generation.profile_use.iter().map(PathBuf::as_path);
    outputs::check(&counts.collect::<Vec<_>>(), arguments.inputs.paths().chain(profiles))?;
    let timing = Timing::new(arguments.time);
    let program = timing.phase(Phase::Parse, || read_program(arguments))?;
    warn(&program.warnings);
    let mut linker = linker(&arguments.libraries)?;
    script::open_libbpf(&program, &mut linker)?;
    let given = arguments.script.arguments(&program, &arguments.arguments)?;
    let mut config = arguments.generation.config()?;
    config.perf_map(arguments.perf_map).times(timing.times()).coverage(arguments.coverage.is_some());
    config.profile_generate(arguments.profile_generate.is_some());
    let counts = CountFiles::new(arguments.coverage.as_deref(), arguments.profile_generate.as_deref());
    let mut jit = Jit::new(&config)?;
    if let Some(cache) = arguments.generation.cache() {
        jit = jit.with_cache(cache);
    }
    let entry_points = EntryPoints::of(&program);
    if let Some(output) = outputs::file(arguments.entry.packet_out.as_ref()) {
        let inputs = arguments.inputs.objects.iter().chain(&arguments.entry.pcap).map(PathBuf::as_path);
        outputs::check(&[output], inputs.chain(arguments.inputs.types.paths()))?;
    }
    let types = match &arguments.entry.entry {
        Some(_) => arguments.inputs.types.read()?,
        None => None,
    };
    let entry = arguments.entry.entry.as_deref().map(|name| {
        let given = words(&arguments.arguments)?;
        Entry::new(&program, name, &arguments.entry, &given, types.as_ref().map(|(btf, _)| btf))
    });
    let entry = entry.transpose()?;
    let roots = match &entry {
        Some(entry) => Some(entry.roots()),
        None if entry_points.is_empty() => {
            anyhow::bail!("there is no function `main`, `BEGIN` or `END`; name a function with `--entry`")
        }
        None => entry_points.root_names(&program),
    };
    let module = match &roots {
        Some(roots) => jit.load_reachable(&program, &linker, roots),
        None => jit.load(&program, &linker),
    }?;
    warn(&module.warnings()[program.warnings.len()..]);
    timing.print();
    if let Some(entry) = &entry {
        entry.run(&jit, &module)?;
        counts.write(&module)?;
        return Ok(ExitCode::SUCCESS);
    }
    // A program whose `main` calls `pthread_exit` ends with its last thread: no thread of the translator may be left.
    drop(jit);
    let name = arguments.argv0.clone().unwrap_or_else(|| arguments.inputs.objects[0].clone().into_os_string());
    COUNTS.get_or_init(|| counts);
    run_program(&program, &entry_points, module, &name, &given)
}

/// The program, with what the runtime has for `--entry`: which function that is, and so what it is given, the program says.
fn read_program(arguments: &Run) -> anyhow::Result<Program> {
    let runtime = if arguments.no_runtime { Runtime::None } else { Runtime::Linked };
    let mut options = runtime.options();
    options.kernel_half = arguments.entry.entry.is_none() && !arguments.script.no_kernel;
    let program = parsed(&arguments.inputs, options)?;
    match &entry::missing_functions(&program, &arguments.entry)[..] {
        [] => Ok(program),
        [first, ..] if arguments.no_runtime => {
            anyhow::bail!("the runtime's `{first}` is needed for that: leave out --no-runtime, or define it")
        }
        missing => parsed(&arguments.inputs, Runtime::Loaded(missing).options()),
    }
}

/// Arguments as text.
fn words(arguments: &[OsString]) -> anyhow::Result<Vec<String>> {
    let word = |word: &OsString| word.to_str().map(str::to_owned);
    let words = arguments.iter().map(|argument| {
        word(argument).with_context(|| format!("the argument `{}` is not UTF-8", argument.display()))
    });
    words.collect()
}

fn linker(libraries: &Libraries) -> anyhow::Result<Linker> {
    let mut linker = Linker::new();
    for library in &libraries.libraries {
        // SAFETY: the user asked for the library.
        unsafe { linker.named_library(library, &libraries.paths)? };
    }
    Ok(linker)
}

/// Runs `main`, and leaves through the C library's `exit`, as a program that the system started does.
fn run_program(
    program: &Program,
    entry: &EntryPoints,
    module: Module,
    name: &OsStr,
    arguments: &[OsString],
) -> anyhow::Result<ExitCode> {
    let words = std::iter::once(name).chain(arguments.iter().map(OsString::as_os_str));
    let words = words.map(|word| CString::new(word.as_bytes()).context("an argument has a NUL byte"));
    let words = words.collect::<anyhow::Result<Vec<CString>>>()?;
    let mut argv: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).collect();
    argv.push(std::ptr::null());
    let module = MODULE.get_or_init(|| module);
    let status_of = entry.status_of();
    native_process(&words[0]);
    // SAFETY: the user asked for the program to run; `main` has the C type that every `main` has. Neither the module
    // nor the arguments are ever freed.
    unsafe {
        libc::atexit(run_destructors);
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        module.initialise_with(words.len() as i32, argv.as_ptr(), environ);
        let mut status = 0;
        for function in entry.all() {
            let address = module.function_address(&program.functions[function].name);
            let address = address.context("an entry point that is not loaded")?;
            let main = std::mem::transmute::<*const std::ffi::c_void, outermost::Main>(address);
            let result = outermost::call(words.len() as i32, argv.as_ptr(), environ, main);
            if status_of == Some(function) {
                status = result;
            }
        }
        libc::exit(status)
    }
}

/// Undoes what the Rust runtime changed in the process, and gives it the program's name.
fn native_process(name: &CString) {
    // SAFETY: default signal handlers are what every process starts with. The name is never freed, as its user
    // leaves through `exit`.
    unsafe {
        for signal in [libc::SIGPIPE, libc::SIGSEGV, libc::SIGBUS] {
            libc::signal(signal, libc::SIG_DFL);
        }
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        {
            unsafe extern "C" {
                static mut program_invocation_name: *const c_char;
                static mut program_invocation_short_name: *const c_char;
            }
            let bytes = name.as_bytes();
            let short = bytes.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
            program_invocation_name = name.as_ptr();
            program_invocation_short_name = name.as_ptr().add(short);
        }
    }
}
