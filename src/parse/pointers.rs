//! Pointers of the runtime that the translator sets: `bpf_maps_first`, `bpf_script`.
//!
//! In: a program, a name, what it is to point to. Out: the program, if its runtime has that pointer. The rule: no other object's
//! variable of this name is touched.

use crate::program::{Contents, Program, Relocation, Target};

/// Makes the runtime's pointer of this name point there; whether there is one.
pub(super) fn set(program: &mut Program, name: &str, target: Target) -> bool {
    let of_runtime = program
        .symbols
        .iter()
        .find(|(_, symbol)| symbol.name == name && program.is_of_runtime(program.data[symbol.section].file));
    let Some((section, at)) = of_runtime.map(|(_, symbol)| (symbol.section, symbol.offset)) else { return false };
    let data = &mut program.data[section];
    if let Contents::Zeros(size) = data.contents {
        data.contents = Contents::Bytes(vec![0; size as usize]);
    }
    data.relocations.push(Relocation { offset: at, target });
    data.relocations.sort_by_key(|relocation| relocation.offset);
    true
}
