//! `const volatile` variables, which a program's user sets before it runs.
//!
//! In: the types of the objects. Out: their sections, which are read-only, become [`DataKind::Settable`]: writable, and
//! not to be believed. The compiler has kept each load of such a variable (`volatile`), and so do the passes.
//!
//! Of a section that BTF describes, what is in it decides. `.rodata` of an object without BTF may have such variables;
//! string literals (`.rodata.str1.1`) have none.

use super::btf::Types;
use crate::btf::{Btf, Kind, MAX_NESTING, TypeId};
use crate::program::{DataKind, Id, Program};

/// The section of constants that BPF compilers use, and what others begin with.
const CONSTANTS: &str = ".rodata";

/// Makes the sections with such variables settable.
pub(super) fn unprotect(types: &Types, program: &mut Program) {
    for id in program.data.ids() {
        let data = &mut program.data[id];
        if data.kind != DataKind::ReadOnly {
            continue;
        }
        let btf = types.objects[data.file.index()].as_ref().map(|types| &types.btf);
        let has_them = match btf.and_then(|btf| has_volatile(btf, &data.name)) {
            Some(has_them) => has_them,
            None => data.name.starts_with(CONSTANTS) && !data.name.contains(".str"),
        };
        if has_them {
            data.kind = DataKind::Settable;
        }
    }
}

/// Whether a section has a variable that is `volatile`; none if the types do not know the section.
fn has_volatile(btf: &Btf, section: &str) -> Option<bool> {
    let mut sections = btf.types().filter(|(_, ty)| btf.name(ty.name) == section);
    let entries = sections.find_map(|(_, ty)| match ty.kind {
        Kind::DataSection { entries, .. } => Some(entries),
        _ => None,
    })?;
    let ty = |id: TypeId| btf.symbol_at(id).map(|symbol| symbol.ty);
    Some(btf.section_entries(entries).iter().filter_map(|entry| ty(entry.ty)).any(|ty| is_volatile(btf, ty)))
}

/// Whether a type is `volatile`, or an array of such.
fn is_volatile(btf: &Btf, ty: TypeId) -> bool {
    let mut at = ty;
    for _ in 0..MAX_NESTING {
        let Ok(ty) = btf.get(at) else { return false };
        at = match ty.kind {
            Kind::Volatile(_) => return true,
            Kind::Array(array) => array.element,
            kind => match kind.modified() {
                Some(next) => next,
                None => return false,
            },
        };
    }
    false
}
