//! rbpf and uBPF, from the library in `benches/peers`, which is opened and not linked.
//!
//! In: an object of clang's. Out: a [`Machine`] to call. The rule: what a peer cannot do is tried in a child
//! process first ([`Compiler::check`]), since wrong code may crash.

use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use libloading::Library;

use super::flat::{flatten, insn};
use super::memory::Memory;
use super::suite::Program;

/// A compiler of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Compiler {
    /// rbpf's own.
    Own,
    /// rbpf's with Cranelift.
    Cranelift,
    /// uBPF's.
    Ubpf,
}

impl Compiler {
    /// Its number in the library.
    const fn number(self) -> u32 {
        match self {
            Compiler::Own => 0,
            Compiler::Cranelift => 1,
            Compiler::Ubpf => 2,
        }
    }
}

type Compile = unsafe extern "C" fn(*const u8, usize, u32) -> *mut ();
type Run = unsafe extern "C" fn(*const (), *mut u8, usize) -> u64;
type Free = unsafe extern "C" fn(*mut ());

/// The library.
pub struct Peers {
    functions: Rc<Functions>,
}

struct Functions {
    compile: Compile,
    run: Run,
    free: Free,
    _library: Library,
}

/// A compiled program.
pub struct Machine {
    machine: *mut (),
    functions: Rc<Functions>,
}

impl Peers {
    /// Builds the library, if that is necessary.
    pub fn build(target: &Path) -> Result<(), String> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/Cargo.toml");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--release", "--quiet", "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(target.join("peers"));
        match cargo.status() {
            Ok(status) if status.success() => Ok(()),
            _ => Err("cargo cannot build benches/peers; `--no-peers` leaves them out".to_owned()),
        }
    }

    /// Opens the library.
    pub fn open(target: &Path) -> Result<Peers, String> {
        let path = target.join("peers/release").join(libloading::library_filename("bpf2native_peers"));
        // SAFETY: the library is ours, and the functions have these types there.
        let functions = unsafe {
            let library = Library::new(&path).map_err(|error| error.to_string())?;
            let missing = |error: libloading::Error| error.to_string();
            Functions {
                compile: *library.get::<Compile>(b"peer_compile").map_err(missing)?,
                run: *library.get::<Run>(b"peer_run").map_err(missing)?,
                free: *library.get::<Free>(b"peer_free").map_err(missing)?,
                _library: library,
            }
        };
        Ok(Peers { functions: Rc::new(functions) })
    }

    /// Compiles an object whose data goes behind the buffer.
    pub fn compile(&self, compiler: Compiler, object: &Path, memory: &mut Memory) -> Result<Machine, String> {
        let mut flat = flatten(object)?;
        // It does not move r10 at calls: callees would write over the frames of their callers.
        let moves_frames = compiler == Compiler::Own;
        if moves_frames {
            flat.move_frames();
        }
        let data = memory.set_data(&flat.data);
        for (slot, offset) in std::mem::take(&mut flat.addresses) {
            flat.set_address(slot, data + offset as u64);
        }
        // A peer sets r1 to the buffer: r2 = *(u64 *)iterations; goto bench.
        let iterations = memory.set_iterations(0);
        let mut code = Vec::new();
        code.extend(insn(0x18, 2, 0, 0, iterations as u32));
        code.extend(insn(0, 0, 0, 0, (iterations >> 32) as u32));
        code.extend(insn(0x79, 2, 2, 0, 0));
        if moves_frames {
            let stack = memory.stack();
            code.extend(insn(0x18, 10, 0, 0, stack as u32));
            code.extend(insn(0, 0, 0, 0, (stack >> 32) as u32));
        }
        let start = i16::try_from(flat.start).map_err(|_| "`bench` is too far away")?;
        code.extend(insn(0x05, 0, 0, start, 0));
        code.extend(&flat.code);
        // A peer may keep a reference; the suite ends before it matters.
        let code: &'static [u8] = Vec::leak(code);
        // SAFETY: the code is never freed.
        let machine = unsafe { (self.functions.compile)(code.as_ptr(), code.len(), compiler.number()) };
        if machine.is_null() {
            return Err("it is refused".to_owned());
        }
        Ok(Machine { machine, functions: self.functions.clone() })
    }
}

impl Machine {
    pub fn run(&self, memory: *mut u8, length: usize) -> u64 {
        // SAFETY: the machine is ours, and the memory too; that the program keeps to it was seen in a child process.
        unsafe { (self.functions.run)(self.machine, memory, length) }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: it is not used any more.
        unsafe { (self.functions.free)(self.machine) }
    }
}

/// How long a trial may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Compiler {
    /// Whether a child process gets the right result from an object of this level: the child is this program with `--trial`.
    pub fn check(self, program: &Program, level: &str, iterations: u64, expected: u64) -> Result<(), String> {
        let name = match self {
            Compiler::Own => "own",
            Compiler::Cranelift => "cranelift",
            Compiler::Ubpf => "ubpf",
        };
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(this)
            .args(["--trial", name, "--level", level, "--iterations", &iterations.to_string(), &program.name])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let start = Instant::now();
        let status = loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) => break status,
                None if start.elapsed() > PATIENCE => {
                    // It may have ended just now.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err("it does not end".to_owned());
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        let mut output = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            std::io::Read::read_to_string(&mut stdout, &mut output).map_err(|error| error.to_string())?;
        }
        match output.trim() {
            output if output == format!("{expected:016x}") => Ok(()),
            "" if status.success() => Err("it says nothing".to_owned()),
            "" => Err("it crashes".to_owned()),
            output if output.len() == 16 => Err("a wrong result".to_owned()),
            output => Err(output.to_owned()),
        }
    }
}
