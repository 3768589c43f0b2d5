//! Where a program starts: `main`, and the `BEGIN` and `END` of a BPF script.
//!
//! In: a program. Out: its [`EntryPoints`]. BEGIN functions are those of that name, or in a section of that name;
//! they run before `main`, and END functions after it. Without `main` they are the program, and the result of the
//! first BEGIN function is its exit status.

use crate::program::{Binding, FunctionId, Program};

/// Where a program starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPoints {
    /// Run first, in order.
    pub begin: Vec<FunctionId>,
    /// Runs then.
    pub main: Option<FunctionId>,
    /// Run last, in order.
    pub end: Vec<FunctionId>,
}

impl EntryPoints {
    /// The entry points of `program`.
    pub fn of(program: &Program) -> EntryPoints {
        EntryPoints {
            begin: script_functions(program, "BEGIN"),
            main: program.function_named("main"),
            end: script_functions(program, "END"),
        }
    }

    /// Whether the program is a BPF script: its other functions are not for user space.
    pub fn is_script(&self) -> bool {
        !self.begin.is_empty() || !self.end.is_empty()
    }

    /// Whether nothing can be run.
    pub fn is_empty(&self) -> bool {
        self.main.is_none() && !self.is_script()
    }

    /// All of them.
    pub fn all(&self) -> Vec<FunctionId> {
        self.begin.iter().chain(&self.main).chain(&self.end).copied().collect()
    }

    /// What to translate of a program that is run: all of it, but of a script only what it reaches.
    pub fn roots(&self) -> Option<Vec<FunctionId>> {
        self.is_script().then(|| self.all())
    }
}

fn script_functions(program: &Program, name: &str) -> Vec<FunctionId> {
    let functions = program.functions.iter().filter(|(_, function)| {
        function.binding != Binding::Local && (function.name == name || program.code[function.section].name == name)
    });
    functions.map(|(id, _)| id).collect()
}
