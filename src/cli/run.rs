//! `run`: translate in memory and run, as if the program had been started by the system.

use std::ffi::{CString, OsStr, OsString, c_char, c_int};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::sync::OnceLock;

use anyhow::Context;
use bpf2native::btf::CType;
use bpf2native::entry::EntryPoints;
use bpf2native::times::Phase;
use bpf2native::{Config, Jit, Linker, Module, Program};

use super::args::{Libraries, Run};
use super::timing::Timing;
use super::{print, read, warn};

/// The program, for the handler that runs at exit.
static MODULE: OnceLock<Module> = OnceLock::new();

extern "C" fn run_destructors() {
    if let Some(module) = MODULE.get() {
        // SAFETY: the user asked for the program to run; its constructors have run, since it is in `MODULE`.
        unsafe { module.finalise() }
    }
}

pub fn run(arguments: &Run) -> anyhow::Result<ExitCode> {
    let timing = Timing::new(arguments.time);
    let program = timing.phase(Phase::Parse, || read(&arguments.inputs))?;
    let linker = linker(&arguments.libraries)?;
    let config = Config { perf_map: arguments.perf_map, times: timing.times(), ..arguments.generation.config() };
    let jit = Jit::new(&config)?;
    let entry = EntryPoints::of(&program);
    let roots = match &arguments.entry {
        Some(name) => {
            let id = program.function_named(name).with_context(|| format!("there is no function `{name}`"))?;
            Some(vec![id])
        }
        None if entry.is_empty() => {
            anyhow::bail!("there is no function `main`, `BEGIN` or `END`; name a function with `--entry`")
        }
        None => entry.roots(),
    };
    let module = match &roots {
        Some(roots) => jit.load_reachable(&program, &linker, roots),
        None => jit.load(&program, &linker),
    }?;
    warn(&module.warnings()[program.warnings.len()..]);
    timing.print();
    if let Some(entry) = &arguments.entry {
        return call_entry(&program, &module, entry).map(|()| ExitCode::SUCCESS);
    }
    let name = arguments.argv0.clone().unwrap_or_else(|| arguments.inputs.objects[0].clone().into_os_string());
    run_program(&program, &entry, module, &name, &arguments.arguments)
}

/// Libraries whose functions are found without opening them. Their `.so` files are linker scripts, or not there.
const PROCESS_LIBRARIES: [&str; 6] = ["c", "m", "dl", "pthread", "rt", "util"];

fn linker(libraries: &Libraries) -> anyhow::Result<Linker> {
    let mut linker = Linker::new();
    for library in libraries.libraries.iter().filter(|library| !PROCESS_LIBRARIES.contains(&library.as_str())) {
        let file = format!("lib{library}.so");
        let in_folder = libraries.paths.iter().map(|folder| folder.join(&file)).find(|path| path.exists());
        let path = in_folder.unwrap_or_else(|| file.into());
        // SAFETY: the user asked for the library.
        unsafe { linker.library(path)? };
    }
    Ok(linker)
}

/// Calls a function with standard input as its buffer, and prints its result as its type says.
fn call_entry(program: &Program, module: &Module, entry: &str) -> anyhow::Result<()> {
    let mut buffer = Vec::new();
    std::io::stdin().lock().read_to_end(&mut buffer).context("cannot read standard input")?;
    let address = module.function_address(entry).with_context(|| format!("there is no function `{entry}`"))?;
    // SAFETY: every BPF function takes words in registers and returns one; the user asked for it to run.
    let result: u64 = unsafe {
        module.initialise();
        let function: extern "C" fn(*mut u8, u64) -> u64 = std::mem::transmute(address);
        function(buffer.as_mut_ptr(), buffer.len() as u64)
    };
    let prototype = program.function_named(entry).and_then(|id| program.functions[id].prototype.clone());
    let text = match prototype.map(|prototype| prototype.result.clone()) {
        Some(CType::Int { bytes: 1, signed: true }) => (result as i8).to_string(),
        Some(CType::Int { bytes: 2, signed: true }) => (result as i16).to_string(),
        Some(CType::Int { bytes: 4, signed: true }) => (result as i32).to_string(),
        Some(CType::Int { bytes: 8, signed: true }) => (result as i64).to_string(),
        Some(CType::Bool | CType::Int { bytes: 1, .. }) => (result as u8).to_string(),
        Some(CType::Int { bytes: 2, .. }) => (result as u16).to_string(),
        Some(CType::Int { bytes: 4, .. }) => (result as u32).to_string(),
        _ => result.to_string(),
    };
    print(&format!("{text}\n"))
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
    let status_of = entry.main.or(entry.begin.first().copied());
    native_process(&words[0]);
    // SAFETY: the user asked for the program to run; `main` has the C type that every `main` has. Neither the module
    // nor the arguments are ever freed.
    unsafe {
        libc::atexit(run_destructors);
        module.initialise();
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        let mut status = 0;
        for function in entry.all() {
            let address = module.function_address(&program.functions[function].name);
            let address = address.context("an entry point that is not loaded")?;
            let start: extern "C" fn(c_int, *const *const c_char, *const *const c_char) -> c_int =
                std::mem::transmute(address);
            let result = start(words.len() as c_int, argv.as_ptr(), environ);
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
