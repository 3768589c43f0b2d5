//! The runtime's functions and data that the embedder has replaced by registering its own.
//!
//! In: a program, a linker. Out: the program, where what referred to such a function refers to an undefined symbol of its
//! name, which the linker then finds; and where a call of such a helper is as if nothing defined it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Linker;
use crate::program::{
    FileId, FunctionId, Import, ImportId, ImportKind, Program, PrototypeSource, Relocation, Target,
};

/// The program, without what the linker replaces.
pub(super) fn by_registered<'p>(program: &'p Program, linker: &Linker) -> Cow<'p, Program> {
    if !program.has_runtime() {
        return Cow::Borrowed(program);
    }
    let is_replaced =
        |id: &FunctionId| program.is_runtime_function(*id) && linker.replaces(&program.functions[*id].name);
    let replaced: Vec<FunctionId> = program.functions.ids().filter(is_replaced).collect();
    if replaced.is_empty() {
        return Cow::Borrowed(program);
    }
    let mut program = program.clone();
    let mut imports = BTreeMap::new();
    for function in replaced {
        let import = import(&mut program, function);
        imports.insert(function, import);
        program.kept.retain(|&kept| kept != function);
    }
    for id in program.code.ids() {
        replace(&imports, &mut program.code[id].relocations);
    }
    for id in program.data.ids() {
        replace(&imports, &mut program.data[id].relocations);
    }
    Cow::Owned(program)
}

fn replace(imports: &BTreeMap<FunctionId, ImportId>, relocations: &mut [Relocation]) {
    for relocation in relocations {
        if let Target::Function(function) = relocation.target
            && let Some(&import) = imports.get(&function)
        {
            relocation.target = Target::Import { import, addend: 0 };
        }
    }
}

/// The undefined symbol that stands for a function.
fn import(program: &mut Program, function: FunctionId) -> ImportId {
    let file: FileId = program.code[program.functions[function].section].file;
    let function = &program.functions[function];
    program.imports.push(Import {
        name: function.name.clone(),
        weak: false,
        kind: ImportKind::Function,
        prototype: function.prototype.clone(),
        kconfig: false,
        ksym: false,
        prototype_from: PrototypeSource::Btf,
        files: vec![file],
        alias_of: None,
    })
}
