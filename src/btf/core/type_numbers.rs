//! Numbers of types in code, for the runtime, which has its own tables of types or none: `bpf_obj_new` wants sizes,
//! `bpf_snprintf_btf` numbers that differ among the objects of a program.
//!
//! In: code with the `CORE` records of its object. Out: each `LD_IMM64` of a type's number has the number that it has
//! in the program and, if that is asked for, the type's size, in bytes, in its upper 32 bits, which the kernel's loader
//! leaves zero. The rule: a number that a program uses as one has 32 bits.

use super::kind::RelocationKind;
use super::patch;
use super::value::Outcome;
use crate::btf::{Btf, CoreRelocation, TypeId};

/// What numbers of types are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeNumbers {
    /// What is added to the object's own numbers.
    pub base: u32,
    /// Whether the types' sizes are wanted too.
    pub sizes: bool,
    /// Whether the target's numbers are the object's own: there is no target.
    pub no_target: bool,
}

/// Changes the numbers of types in `code`. What makes no sense is left as it is.
pub fn number_types(btf: &Btf, records: &[CoreRelocation], wanted: TypeNumbers, code: &mut [u8]) {
    if wanted.base == 0 && !wanted.sizes {
        return;
    }
    for record in records {
        let is_local = match RelocationKind::new(record.kind) {
            Ok(RelocationKind::TypeIdLocal) => true,
            Ok(RelocationKind::TypeIdTarget) => false,
            _ => continue,
        };
        if !(is_local || wanted.no_target && wanted.base != 0) {
            continue;
        }
        let size = if wanted.sizes && is_local { btf.size_of(record.ty) } else { Ok(None) };
        let size = size.ok().flatten().and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
        let base = if record.ty == TypeId::VOID { 0 } else { wanted.base };
        let number = u64::from(size) << 32 | u64::from(record.ty.0.saturating_add(base));
        if patch::is_wide(code, record.offset) {
            // What cannot be patched is no number.
            let _ = patch::apply(code, record.offset, btf.endianness(), &Outcome::unchecked(number));
        }
    }
}
