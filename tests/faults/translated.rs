//! Objects of `fixtures/faults`, translated and run: what they print, and how they end.
#![allow(dead_code, reason = "each module uses its part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::command::{check, command, fixture, run};

/// An executable in a folder of its own.
pub struct Executable {
    folder: TempDir,
}

impl Executable {
    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("program")
    }

    /// Runs it: its exit status, and what it printed to standard output and to standard error.
    pub fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        run(Command::new(self.path()).args(arguments))
    }
}

/// The path of an object of `fixtures/faults`.
pub fn object(name: &str) -> String {
    fixture("faults").join(name).into_os_string().into_string().unwrap()
}

/// Translates objects of `fixtures/faults` into an executable, with these options.
pub fn executable(objects: &[&str], options: &[&str]) -> Executable {
    let executable = Executable { folder: tempfile::tempdir().unwrap() };
    let inputs: Vec<String> = objects.iter().map(|name| object(name)).collect();
    let mut arguments: Vec<&str> = inputs.iter().map(String::as_str).collect();
    arguments.extend(["-o", "program"]);
    arguments.extend(options);
    check(executable.folder.path(), &arguments, 0);
    executable
}

/// Runs objects of `fixtures/faults` in memory, with these options before the objects' names.
pub fn in_memory(objects: &[&str], options: &[&str], arguments: &[&str]) -> (i32, String, String) {
    let inputs: Vec<String> = objects.iter().map(|name| object(name)).collect();
    let mut all = vec!["run"];
    all.extend(options);
    all.extend(inputs.iter().map(String::as_str));
    all.push("--");
    all.extend(arguments);
    run(&mut command(Path::new("."), &all))
}

/// Checks what objects print, and that they end in 0, as an executable and in memory, at each level.
pub fn prints(objects: &[&str], expected: &str) {
    for level in ["-O0", "-O1", "-O2"] {
        let (status, out, error) = executable(objects, &[level]).run(&[]);
        assert_eq!((status, out.as_str()), (0, expected), "{objects:?} {level}, as an executable\n{error}");
        let (status, out, error) = in_memory(objects, &[level], &[]);
        assert_eq!((status, out.as_str()), (0, expected), "{objects:?} {level}, in memory\n{error}");
    }
}
