//! Pointers of the runtime that the translator sets: `bpf_maps_first`, `bpf_script`, `bpf2native_rt_types`.
//!
//! In: a program, a name, what it is to point to. Out: the program, if its runtime has that pointer. The rule: no other object's
//! variable of this name is touched.

use crate::program::{Contents, DataSymbol, FileId, Program, Relocation, Target};

/// Makes the runtime's pointer of this name point there; whether there is one.
pub(super) fn set(program: &mut Program, name: &str, target: Target) -> bool {
    let found = find(program, name).map(|symbol| (symbol.section, symbol.offset));
    let Some((section, at)) = found else { return false };
    let data = &mut program.data[section];
    if let Contents::Zeros(size) = data.contents {
        data.contents = Contents::Bytes(vec![0; size as usize]);
    }
    data.relocations.push(Relocation { offset: at, target });
    data.relocations.sort_by_key(|relocation| relocation.offset);
    true
}

/// The file of the runtime that has the pointer of this name.
pub(super) fn file(program: &Program, name: &str) -> Option<FileId> {
    find(program, name).map(|symbol| program.data[symbol.section].file)
}

fn find<'a>(program: &'a Program, name: &str) -> Option<&'a DataSymbol> {
    let is_it =
        |symbol: &DataSymbol| symbol.name == name && program.is_of_runtime(program.data[symbol.section].file);
    program.symbols.iter().map(|(_, symbol)| symbol).find(|symbol| is_it(symbol))
}
