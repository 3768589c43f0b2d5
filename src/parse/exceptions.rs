//! Exceptions: what a program has for `bpf_throw`.
//!
//! In: the program, the objects' types. Out: [`Exceptions`], if `bpf_throw` is the runtime's; one that the user has defined is a
//! function as others. A program says by a tag of its function, `exception_callback:NAME` (libbpf's `__exception_cb`), which function
//! of the same object makes its result of what was thrown.

use std::collections::BTreeMap;

use super::btf::Types;
use crate::btf::{Kind, TypeId};
use crate::program::{Exceptions, FunctionId, Program};

/// What the tag of a program begins with.
const CALLBACK: &str = "exception_callback:";

pub(super) fn add(types: &Types, program: &mut Program) {
    program.exceptions = exceptions(types, program);
}

fn exceptions(types: &Types, program: &Program) -> Option<Exceptions> {
    let of_runtime = |name: &str| program.function_named(name).filter(|&id| program.is_runtime_function(id));
    Some(Exceptions {
        throw: of_runtime("bpf_throw")?,
        enter: of_runtime("bpf_throw_enter")?,
        leave: of_runtime("bpf_throw_leave")?,
        pending: of_runtime("bpf_throw_pending")?,
        caught: of_runtime("bpf_throw_caught")?,
        stray: of_runtime("bpf_throw_stray")?,
        callbacks: callbacks(types, program),
    })
}

/// The programs that are tagged, with the functions that the tags name, sorted.
fn callbacks(types: &Types, program: &Program) -> Vec<(FunctionId, FunctionId)> {
    let mut names: Vec<BTreeMap<TypeId, &str>> = Vec::with_capacity(types.objects.len());
    for object in &types.objects {
        let btf = object.as_ref().map(|object| &object.btf);
        let tags = btf.into_iter().flat_map(|btf| btf.types().map(move |(_, ty)| (btf, ty)));
        let tags = tags.filter_map(|(btf, ty)| match ty.kind {
            Kind::DeclTag { ty: of, component: None } => Some((of, btf.name(ty.name).strip_prefix(CALLBACK)?)),
            _ => None,
        });
        names.push(tags.collect());
    }
    let named = |id: FunctionId| {
        let function = &program.functions[id];
        let file = program.code[function.section].file;
        let ty = types.places.get(&(function.section, function.start))?;
        let name = *names.get(crate::program::Id::index(file))?.get(ty)?;
        let is_it = |other: &FunctionId| {
            let other = &program.functions[*other];
            other.name == name && program.code[other.section].file == file
        };
        Some((id, program.functions.ids().find(is_it)?))
    };
    match names.iter().all(BTreeMap::is_empty) {
        true => Vec::new(),
        false => program.functions.ids().filter_map(named).collect(),
    }
}
