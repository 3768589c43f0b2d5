//! A temporary folder with a workload in it, and how scripts and their twins are run there.
//!
//! In: an object of `fixtures/scripts`, a way to run it, its words. Out: status, standard output and standard error. The rule: a
//! command that takes longer than a minute is killed and fails its test.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::native::{bpf2native, fixture, output};

const MOST: Duration = Duration::from_secs(60);

/// How a script is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Memory,
    Executable,
}

pub const WAYS: [Way; 2] = [Way::Memory, Way::Executable];

pub struct Folder(tempfile::TempDir);

/// What a command said. The status is 128 and the signal for one that a signal ended.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

/// A command that runs.
pub struct Started {
    child: Child,
    pub out: PathBuf,
    err: PathBuf,
    since: Instant,
}

/// A C source beside this file.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts/native").join(name)
}

/// An object that the tests need and that is committed.
pub fn object(name: &str) -> PathBuf {
    fixture("scripts").join(name)
}

impl Folder {
    /// A folder with `workload` in it.
    pub fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.compile("workload", &["-lpthread"]);
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn workload(&self) -> String {
        self.path().join("workload").display().to_string()
    }

    fn compile(&self, name: &str, libraries: &[&str]) -> PathBuf {
        let to = self.path().join(name);
        let mut command = Command::new("cc");
        command.args(["-O1", "-w", "-o"]).arg(&to).arg(source(&format!("{name}.c"))).args(libraries);
        output(&mut command);
        to
    }

    /// The same tool in plain C.
    pub fn twin(&self, name: &str) -> Command {
        let twin = self.compile(name, &["-lbpf"]);
        let mut command = Command::new(twin);
        command.arg(object(&format!("{name}.kernel.o"))).current_dir(self.path());
        command
    }

    /// A script, translated in this way, with words that the script's driver gets.
    pub fn script(&self, way: Way, name: &str) -> Command {
        let mut command = match way {
            Way::Memory => {
                let mut command = bpf2native();
                command.arg("run").arg(object(name)).arg("--");
                command
            }
            Way::Executable => Command::new(self.executable(name)),
        };
        command.current_dir(self.path());
        command
    }

    /// A script's executable.
    pub fn executable(&self, name: &str) -> PathBuf {
        let to = self.path().join(name).with_extension("run");
        if !to.exists() {
            output(bpf2native().arg(object(name)).arg("-o").arg(&to));
        }
        to
    }

    /// Starts a command in a process group of its own, without cargo's folders of libraries. Its output goes to files: what a workload that outlives it has open is
    /// nothing to wait for.
    pub fn start(&self, command: &mut Command) -> Started {
        let count = fs::read_dir(self.path()).unwrap().count();
        let (out, err) = (self.path().join(format!("{count}.out")), self.path().join(format!("{count}.err")));
        command.stdin(Stdio::null()).stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let child = command
            .env_remove("CI")
            .env_remove("LD_LIBRARY_PATH")
            .env("LC_ALL", "C")
            .process_group(0)
            .spawn()
            .unwrap();
        Started { child, out, err, since: Instant::now() }
    }

    pub fn run(&self, command: &mut Command) -> Ran {
        self.start(command).end()
    }
}

impl Started {
    /// Waits until it has printed this.
    pub fn until(&self, text: &str) {
        while !fs::read_to_string(&self.out).unwrap().contains(text) {
            self.check(&format!("it does not print {text:?}"));
        }
    }

    fn check(&self, what: &str) {
        if self.since.elapsed() > MOST {
            self.signal_all(libc::SIGKILL);
            let (out, err) = (fs::read_to_string(&self.out).unwrap(), fs::read_to_string(&self.err).unwrap());
            panic!("{what}\n{out}\n{err}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }

    pub fn process(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Sends a signal to the process itself.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the process is our child, and not waited for yet.
        unsafe { libc::kill(self.process(), signal) };
    }

    /// Sends a signal to the process and its children, as a terminal does.
    pub fn signal_all(&self, signal: i32) {
        // SAFETY: the group is that of our child.
        unsafe { libc::kill(-self.process(), signal) };
    }

    pub fn end(mut self) -> Ran {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let status = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap();
                let text = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
                return Ran { status, out: text(&self.out), err: text(&self.err) };
            }
            self.check("it does not end");
        }
    }
}

impl Ran {
    /// Checks the status; what was printed.
    pub fn expect(self, status: i32, what: &str) -> String {
        assert_eq!(self.status, status, "{what}\n{}\n{}", self.out, self.err);
        self.out
    }
}
