//! Which half a function belongs to.
//!
//! In: an object and its functions. Out: [`Owners`]: for each function whether the kernel runs it, whether user space does, and by
//! which chain of calls. The rule: kernel programs and what they reach are the kernel's; all that it does not reach is user
//! space's, and what that reaches too.

use std::collections::VecDeque;

use super::functions::{Functions, Use};
use super::names;
use crate::elf::Object;
use crate::program::Half;

/// Which half each function of an object belongs to.
pub(super) struct Owners {
    kernel: Reached,
    user: Reached,
}

/// What some functions reach.
struct Reached {
    /// For each function that is reached, who reaches it first; itself for the first ones.
    from: Vec<Option<usize>>,
}

impl Reached {
    fn new(functions: &Functions) -> Reached {
        Reached { from: vec![None; functions.list.len()] }
    }

    /// Adds what these reach, and nothing else does yet. Those that are nearest come first: chains of calls are the shortest ones.
    fn add(&mut self, functions: &Functions, roots: impl IntoIterator<Item = usize>) {
        let mut pending: VecDeque<(usize, usize)> = roots.into_iter().map(|root| (root, root)).collect();
        while let Some((function, from)) = pending.pop_front() {
            if self.from[function].is_some() {
                continue;
            }
            self.from[function] = Some(from);
            for &used in &functions.list[function].uses {
                if let Use::Function(callee) = used
                    && self.from[callee].is_none()
                {
                    pending.push_back((callee, function));
                }
            }
        }
    }

    fn has(&self, function: usize) -> bool {
        self.from[function].is_some()
    }

    /// The functions that lead to one, and that one.
    fn chain(&self, function: usize) -> Vec<usize> {
        let mut chain = vec![function];
        let mut at = function;
        while let Some(from) = self.from[at].filter(|&from| from != at) {
            chain.push(from);
            at = from;
        }
        chain.reverse();
        chain
    }
}

impl Owners {
    pub(super) fn new(object: &Object<'_>, functions: &Functions) -> Owners {
        let is_program = |&index: &usize| is_kernel_program(object, functions, index);
        let programs = (0..functions.list.len()).filter(is_program);
        let mut kernel = Reached::new(functions);
        kernel.add(functions, programs.chain(referred(object, functions)));
        let is_entry = |&index: &usize| {
            let function = &functions.list[index];
            let section = object.sections[function.section].name;
            let is_named = names::of_script(&function.name, section).is_some() || function.name == "main";
            names::is_of_script(section) || function.is_global && is_named
        };
        let entries: Vec<usize> = (0..functions.list.len()).filter(is_entry).collect();
        let others = (0..functions.list.len()).filter(|&index| !kernel.has(index));
        let mut user = Reached::new(functions);
        user.add(functions, entries);
        user.add(functions, others);
        Owners { kernel, user }
    }

    /// Whether the kernel runs a function.
    pub(super) fn is_kernel(&self, function: usize) -> bool {
        self.kernel.has(function)
    }

    pub(super) fn half(&self, function: usize) -> Half {
        match (self.kernel.has(function), self.user.has(function)) {
            (true, true) => Half::Both,
            (true, false) => Half::Kernel,
            (false, _) => Half::User,
        }
    }

    /// The functions by which the kernel gets to one, and that one.
    pub(super) fn kernel_chain(&self, function: usize) -> Vec<usize> {
        self.kernel.chain(function)
    }

    /// The functions by which user space gets to one, and that one.
    pub(super) fn user_chain(&self, function: usize) -> Vec<usize> {
        self.user.chain(function)
    }
}

/// Whether a function is in a section of kernel programs.
pub(super) fn is_kernel_program(object: &Object<'_>, functions: &Functions, index: usize) -> bool {
    names::of_kernel(object.sections[functions.list[index].section].name).is_some()
}

/// Whether what a data section points to is the kernel's: initial elements of maps, and operations of structs.
pub(super) fn refers_for_kernel(section: &str) -> bool {
    section == ".maps" || section.starts_with(".struct_ops")
}

/// Functions that such sections point to.
fn referred(object: &Object<'_>, functions: &Functions) -> Vec<usize> {
    let sections = object.sections.iter().enumerate().filter(|(_, section)| refers_for_kernel(section.name));
    let relocations =
        sections.flat_map(|(index, section)| section.relocations.iter().map(move |relocation| (index, relocation)));
    let targets = relocations.filter_map(|(section, relocation)| functions.target(object, section, relocation));
    let found = targets.filter_map(|target| match target {
        Use::Function(function) => Some(function),
        Use::Data(_) | Use::Outside(_) => None,
    });
    found.collect()
}
