//! Finding tests: the global functions `test_*` of the objects of the first list, in the order of their sources.
//!
//! In: the objects, and the program that the BPF ones are merged into. Out: [`Test`]s. The order is that of the objects on the command
//! line, and in an object that of its sections and of the addresses in them, which is the order of the source.
//!
//! A function of that name that takes or returns something is an error, and not a test that is left out.

use std::path::PathBuf;

use anyhow::bail;
use bpf2native::Program;
use bpf2native::btf::CType;
use bpf2native::program::{Binding, FunctionId, Id, names};

use super::inputs::{Native, TEST};

/// A test.
#[derive(Clone, Debug)]
pub struct Test {
    /// The function's name.
    pub name: String,
    /// The object that has it, as given.
    pub object: String,
}

/// All tests.
pub fn tests(paths: &[PathBuf], program: &Program, native: &[Native]) -> anyhow::Result<Vec<Test>> {
    let mut tests = Vec::new();
    for path in paths {
        let object = path.display().to_string();
        let found: Vec<String> = match native.iter().find(|native| native.path == *path) {
            Some(native) => native.tests.clone(),
            None => of_bpf(program, &object)?,
        };
        tests.extend(found.into_iter().map(|name| Test { name, object: object.clone() }));
    }
    if tests.is_empty() {
        let paths: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
        bail!("there are no tests in {}: a test is a global function `void {TEST}NAME(void)`", paths.join(", "));
    }
    Ok(tests)
}

/// The tests of a BPF object, in order.
fn of_bpf(program: &Program, object: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for (id, function) in program.functions.iter() {
        let file = program.code[function.section].file;
        let is_given = file.index() < program.given_files && program.files[file] == object;
        if !is_given || function.binding == Binding::Local || !function.name.starts_with(TEST) {
            continue;
        }
        check(program, id, object)?;
        // The program's functions are in that order.
        found.push(function.name.clone());
    }
    Ok(found)
}

fn check(program: &Program, function: FunctionId, object: &str) -> anyhow::Result<()> {
    let function = &program.functions[function];
    let Some(prototype) = &function.prototype else { return Ok(()) };
    if !prototype.parameters.is_empty() || prototype.result != CType::Void {
        let declared = prototype.declare(&function.name);
        bail!(
            "{object}: `{}` is not a test, which takes and returns nothing: give it a name that does not begin with \
             `{TEST}`",
            names::shown(&declared)
        );
    }
    Ok(())
}

/// Which tests are run: those that have one of the texts in their names, or are called so.
pub fn is_chosen(test: &Test, filters: &[String], exact: bool) -> bool {
    let fits = |filter: &String| if exact { test.name == *filter } else { test.name.contains(filter) };
    filters.is_empty() || filters.iter().any(fits)
}
