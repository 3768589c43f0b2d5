//! Sizes beside numbers of types: what `bpf_obj_new` of the runtime needs, which has no types at run time.
//!
//! In: code with the `CORE` records of its object. Out: each `LD_IMM64` of a local type's number has the type's size, in
//! bytes, in its upper 32 bits, which the kernel's loader leaves zero. The rule: a number that a program uses as one has
//! 32 bits, and does not change.

use super::kind::RelocationKind;
use super::patch;
use super::value::Outcome;
use crate::btf::{Btf, CoreRelocation};

/// Adds sizes to the numbers of types in `code`. What makes no sense is left as it is.
pub fn add_sizes(btf: &Btf, records: &[CoreRelocation], code: &mut [u8]) {
    for record in records {
        let is_number = matches!(RelocationKind::new(record.kind), Ok(RelocationKind::TypeIdLocal));
        let Ok(Some(size)) = btf.size_of(record.ty) else { continue };
        let Ok(size) = u32::try_from(size) else { continue };
        if is_number && patch::is_wide(code, record.offset) {
            let number = Outcome::unchecked(u64::from(size) << 32 | u64::from(record.ty.0));
            // What cannot be patched is no number.
            let _ = patch::apply(code, record.offset, btf.endianness(), &number);
        }
    }
}
