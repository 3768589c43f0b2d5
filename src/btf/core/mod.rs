//! CO-RE: makes code that was compiled against one layout of types fit another.
//!
//! Comes in: the local types (of the object), the target's types (of a kernel, or of whatever the program will meet),
//! and one code section with its relocation records from `.BTF.ext`. Goes out: the code, patched in place, and a
//! warning for each relocation that the target cannot satisfy.
//!
//! For each record: the access (`0:1:2`) is read as a path through the local type (`spec`); types of the same name in
//! the target are looked up (`candidates`); the path is followed by name in each of them (`spec`, `compat`); what the
//! kind asks for is computed on both sides (`value`); and the instruction gets the target's value (`patch`).
//!
//! | kind | value | no match in the target |
//! |---|---|---|
//! | field: byte offset, byte size, signed, left shift, right shift | of the field | poison |
//! | field, type, enumerator exists; type matches | 1 | 0 |
//! | type size, type id in the target | of the type | 0 |
//! | type id in the object | the type's number | |
//! | enumerator's value | the value | poison |
//!
//! A poisoned instruction is a call of the helper [`POISON`], which does not exist: right where the program checks
//! for existence first, and an error where it is reached. The rules are those of the kernel's loader library
//! (documented in libbpf's `relo_core.c` and in the kernel's `Documentation/bpf/llvm_reloc.rst`), with one exception:
//! the value of an unsigned 32-bit enumerator is zero-extended, as clang does it.

mod candidates;
mod compat;
mod describe;
mod error;
mod kind;
mod matches;
mod pair;
mod patch;
mod spec;
mod type_numbers;
mod value;

use std::collections::HashMap;
use std::sync::Arc;

pub use describe::Description;
pub use error::{CoreCause, CoreError, Warning, WarningReason};
pub use kind::RelocationKind;
pub use patch::POISON;
pub use type_numbers::{TypeNumbers, number_types};

use super::{Btf, CoreRelocation, TypeId};
use candidates::Candidates;
use pair::Pair;
use spec::Spec;
use value::Outcome;

/// Applies the CO-RE relocations of one object against one target.
#[derive(Debug)]
pub struct Relocator<'a> {
    types: Pair<'a>,
    candidates: Candidates<'a>,
    /// Equal relocations have equal outcomes, and programs repeat them.
    known: HashMap<(RelocationKind, TypeId, Arc<str>), Outcome>,
}

impl<'a> Relocator<'a> {
    /// From the object's types to those of the target.
    ///
    /// # Errors
    ///
    /// If the two are in different byte orders.
    pub fn new(local: &'a Btf, target: &'a Btf) -> Result<Self, CoreError> {
        if local.endianness() != target.endianness() {
            return Err(CoreError::ByteOrder);
        }
        let types = Pair { local, target };
        Ok(Relocator { types, candidates: Candidates::new(target), known: HashMap::new() })
    }

    /// Patches the instructions in `code`, the bytes of the section `section`, that `records` name.
    ///
    /// # Errors
    ///
    /// If a record makes no sense, if the instruction is not what the record says, or if the target has several
    /// types of one name that disagree. What cannot be satisfied is no error but a warning.
    pub fn relocate(
        &mut self,
        section: &str,
        records: &[CoreRelocation],
        code: &mut [u8],
    ) -> Result<Vec<Warning>, CoreError> {
        let mut warnings = Vec::new();
        for record in records {
            let endianness = self.types.local.endianness();
            let done = self.outcome(record).and_then(|to| patch::apply(code, record.offset, endianness, &to));
            if let Ok(None) = done {
                continue;
            }
            let (section, offset, relocation) = (section.to_owned(), record.offset, self.types.describe(record));
            match done {
                Ok(reason) => warnings.extend(reason.map(|reason| Warning { section, offset, relocation, reason })),
                Err(source) => return Err(CoreError::Relocation { section, offset, relocation, source }),
            }
        }
        Ok(warnings)
    }

    /// Whether a relocation asks for a field that the target has.
    pub fn finds(&mut self, record: &CoreRelocation) -> bool {
        let Ok(kind) = RelocationKind::new(record.kind) else { return false };
        match self.outcome(record) {
            Ok(Outcome::Value { new, .. }) if kind == RelocationKind::FieldExists => new != 0,
            Ok(Outcome::Value { .. }) => kind.subject() == kind::Subject::Field,
            Ok(Outcome::Poison) | Err(_) => false,
        }
    }

    fn outcome(&mut self, record: &CoreRelocation) -> Result<Outcome, CoreCause> {
        let kind = RelocationKind::new(record.kind)?;
        let key = (kind, record.ty, Arc::clone(&record.access));
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let outcome = self.compute(kind, record)?;
        self.known.insert(key, outcome);
        Ok(outcome)
    }

    fn compute(&self, kind: RelocationKind, record: &CoreRelocation) -> Result<Outcome, CoreCause> {
        let local = Spec::parse(self.types.local, kind, record.ty, &record.access)?;
        if kind == RelocationKind::TypeIdLocal {
            return Ok(Outcome::unchecked(u64::from(record.ty.0)));
        }
        let root = self.types.local.get(record.ty)?;
        if root.name.is_empty() {
            return Err(CoreCause::Anonymous);
        }
        let mut agreed: Option<(u64, Outcome)> = None;
        for &candidate in self.candidates.of(self.types.local.name(root.name)) {
            if !self.types.same_kind(root.kind, self.types.target.get(candidate)?.kind) {
                continue;
            }
            let Some(target) = local.find(kind, &self.types, candidate)? else { continue };
            let outcome = value::outcome(kind, &self.types, &local, Some(&target))?;
            match agreed {
                None => agreed = Some((target.bit_offset, outcome)),
                Some((offset, first)) if offset == target.bit_offset && first.agrees(&outcome) => {}
                Some(_) => return Err(CoreCause::Ambiguous),
            }
        }
        match agreed {
            Some((_, outcome)) => Ok(outcome),
            None => value::outcome(kind, &self.types, &local, None),
        }
    }
}
