//! Where a program starts: `main`, and the `BEGIN` and `END` of a BPF script.
//!
//! In: a program. Out: its [`EntryPoints`]. BEGIN functions are those of that name, or in a section of that name;
//! they run before `main`, and END functions after it. Without `main` they are the program, and the result of the
//! first BEGIN function is its exit status. A script with a kernel half starts in the runtime's driver, which calls them.

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
    /// Runs all of a script with a kernel half, in place of the others.
    pub driver: Option<FunctionId>,
}

impl EntryPoints {
    /// The entry points of `program`.
    pub fn of(program: &Program) -> EntryPoints {
        let driver = program.halves.as_ref().and_then(|halves| halves.driver);
        if driver.is_some() {
            return EntryPoints { driver, ..EntryPoints::default() };
        }
        EntryPoints {
            begin: script_functions(program, "BEGIN"),
            main: program.function_named("main"),
            end: script_functions(program, "END"),
            driver: None,
        }
    }

    /// Whether the program is a BPF script: its other functions are not for user space.
    pub fn is_script(&self) -> bool {
        !self.begin.is_empty() || !self.end.is_empty() || self.driver.is_some()
    }

    /// Whose result is the exit status.
    pub fn status_of(&self) -> Option<FunctionId> {
        self.driver.or(self.main).or(self.begin.first().copied())
    }

    /// Whether nothing can be run.
    pub fn is_empty(&self) -> bool {
        self.main.is_none() && !self.is_script()
    }

    /// All of them.
    pub fn all(&self) -> Vec<FunctionId> {
        self.begin.iter().chain(&self.main).chain(&self.end).chain(&self.driver).copied().collect()
    }

    /// What to translate of a program that is run: all of it, but of a script only what it reaches.
    pub(crate) fn roots(&self) -> Option<Vec<FunctionId>> {
        self.is_script().then(|| self.all())
    }

    /// The names of what to translate of a program that is run ([`Jit::load_reachable`](crate::Jit::load_reachable));
    /// none where that is all of it.
    pub fn root_names<'p>(&self, program: &'p Program) -> Option<Vec<&'p str>> {
        let names =
            |roots: Vec<FunctionId>| roots.into_iter().map(|id| program.functions[id].name.as_str()).collect();
        self.roots().map(names)
    }
}

fn script_functions(program: &Program, name: &str) -> Vec<FunctionId> {
    let functions = program.functions.iter().filter(|(_, function)| {
        function.binding != Binding::Local && (function.name == name || program.code[function.section].name == name)
    });
    functions.map(|(id, _)| id).collect()
}
