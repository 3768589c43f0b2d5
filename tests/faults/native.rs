//! Objects translated for a machine and linked with native code, by its C compiler; the program runs there, or under
//! QEMU.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::command::{check, fixture, run};

/// A machine that programs run on.
pub struct Machine {
    /// What `--target`, Debian's packages and QEMU call it.
    name: &'static str,
    is_native: bool,
}

/// The machines of objects of one byte order: those of [`Machine::is_ready`] whose tools are installed.
pub fn machines(big_endian: bool) -> Vec<Machine> {
    let all = if big_endian { &["s390x"][..] } else { &["x86_64", "aarch64", "riscv64"] };
    let machines = all.iter().map(|&name| Machine { name, is_native: name == std::env::consts::ARCH });
    machines.filter(Machine::is_ready).collect()
}

impl Machine {
    /// The name, for messages.
    pub fn name(&self) -> &str {
        self.name
    }

    fn compiler(&self) -> String {
        if self.is_native { "cc".to_owned() } else { format!("{}-linux-gnu-gcc", self.name) }
    }

    /// Whether its tools are installed; if not, says so, and fails where `CI` is set.
    fn is_ready(&self) -> bool {
        let emulator = (!self.is_native).then(|| format!("qemu-{}", self.name));
        let missing = [Some(self.compiler()), emulator].into_iter().flatten().find(|tool| {
            let output = Command::new(tool).arg("--version").output();
            !output.is_ok_and(|output| output.status.success())
        });
        let Some(missing) = missing else { return true };
        // Past the test harness, which hides what passing tests print.
        let _ = writeln!(std::io::stderr(), "faults: {} is left out: `{missing}` is not installed", self.name);
        assert!(std::env::var_os("CI").is_none(), "`{missing}` is not installed");
        false
    }

    /// What a program of objects and native sources prints, all of the fixtures; it has to end in 0, and translation
    /// without a word.
    pub fn prints(&self, objects: &[&str], natives: &[&str], options: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let inputs: Vec<String> = objects.iter().map(|name| text(&fixture(name))).collect();
        let mut arguments = vec!["-c", "-o", "translated.o", "--target", self.name];
        arguments.extend(options);
        arguments.extend(inputs.iter().map(String::as_str));
        let (_, error) = check(folder.path(), &arguments, 0);
        assert_eq!(error, "", "{}", self.name);
        let program = folder.path().join("program");
        // There is no cross compiler for C++.
        let is_cpp = natives.iter().any(|name| name.ends_with(".cpp"));
        let compiler = if is_cpp && self.is_native { "c++".to_owned() } else { self.compiler() };
        let mut compile = Command::new(compiler);
        compile.current_dir(folder.path()).args(["-O1", "-w", "-o"]).arg(&program);
        compile.args(natives.iter().map(|name| fixture(name))).args(["translated.o", "-lm"]);
        let (status, _, error) = run(&mut compile);
        assert_eq!(status, 0, "{}\n{error}", self.name);
        let mut command = if self.is_native { Command::new(&program) } else { self.emulator(&program) };
        let (status, out, error) = run(&mut command);
        assert_eq!(status, 0, "{}\n{out}{error}", self.name);
        out
    }

    fn emulator(&self, program: &Path) -> Command {
        let mut command = Command::new(format!("qemu-{}", self.name));
        command.args(["-L", &format!("/usr/{}-linux-gnu", self.name)]).arg(program);
        command
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
