//! Whether two types are of the same sort, so that a relocation may go from one to the other.
//!
//! Sizes, signedness and members do not matter here: a relocation is what copes with their difference.

use super::CoreCause;
use super::candidates::essential_name;
use super::describe::Description;
use super::pair::{Budget, Pair};
use crate::btf::{CoreRelocation, Kind, MAX_NESTING, Name, TypeId};

impl Pair<'_> {
    /// The relocation, for a message.
    pub(super) fn describe(&self, record: &CoreRelocation) -> String {
        let Description { kind, ty, path } = Description::new(self.local, record);
        format!("{kind} of {ty}{}", path.unwrap_or_default())
    }

    /// Whether the names are equal but for their flavors.
    pub(super) fn same_name(&self, local: Name, target: Name) -> bool {
        essential_name(self.local.name(local)) == essential_name(self.target.name(target))
    }

    /// Whether the kinds are the same; the two kinds of enum count as one.
    pub(super) fn same_kind(&self, local: Kind, target: Kind) -> bool {
        match (local, target) {
            (Kind::Enum(_) | Kind::Enum64(_), Kind::Enum(_) | Kind::Enum64(_)) => true,
            _ => std::mem::discriminant(&local) == std::mem::discriminant(&target),
        }
    }

    /// Whether an access to a field of the local type makes sense for a field of the target's type.
    pub(super) fn fields_compatible(&self, local: TypeId, target: TypeId) -> Result<bool, CoreCause> {
        let (mut local, mut target) = (local, target);
        for _ in 0..MAX_NESTING {
            let (_, ours) = self.local.resolve(local)?;
            let (_, theirs) = self.target.resolve(target)?;
            if ours.kind.composite().is_some() && theirs.kind.composite().is_some() {
                return Ok(true);
            }
            if !self.same_kind(ours.kind, theirs.kind) {
                return Ok(false);
            }
            return Ok(match (ours.kind, theirs.kind) {
                (Kind::Pointer(_) | Kind::Float { .. }, _) => true,
                (Kind::Forward { .. } | Kind::Enum(_) | Kind::Enum64(_), _) => {
                    ours.name.is_empty() || theirs.name.is_empty() || self.same_name(ours.name, theirs.name)
                }
                // An offset inside an integer is how old objects write bit-fields.
                (Kind::Int(ours), Kind::Int(theirs)) => ours.bit_offset == 0 && theirs.bit_offset == 0,
                (Kind::Array(ours), Kind::Array(theirs)) => {
                    (local, target) = (ours.element, theirs.element);
                    continue;
                }
                _ => false,
            });
        }
        Err(CoreCause::TooComplex)
    }

    /// Whether two types of the same name are the same sort of type, all the way through pointers, arrays and the
    /// parameters of functions.
    pub(super) fn types_compatible(&self, local: TypeId, target: TypeId) -> Result<bool, CoreCause> {
        let (ours, theirs) = (self.local.get(local)?, self.target.get(target)?);
        Ok(self.same_kind(ours.kind, theirs.kind) && self.compatible(local, target, &mut Budget::new(), 0)?)
    }

    fn compatible(
        &self,
        local: TypeId,
        target: TypeId,
        budget: &mut Budget,
        depth: usize,
    ) -> Result<bool, CoreCause> {
        budget.spend()?;
        if depth >= MAX_NESTING {
            return Err(CoreCause::TooComplex);
        }
        let (_, ours) = self.local.resolve(local)?;
        let (_, theirs) = self.target.resolve(target)?;
        if !self.same_kind(ours.kind, theirs.kind) {
            return Ok(false);
        }
        match (ours.kind, theirs.kind) {
            (Kind::Int(ours), Kind::Int(theirs)) => Ok(ours.bit_offset == 0 && theirs.bit_offset == 0),
            (Kind::Pointer(ours), Kind::Pointer(theirs)) => self.compatible(ours, theirs, budget, depth + 1),
            (Kind::Array(ours), Kind::Array(theirs)) => {
                self.compatible(ours.element, theirs.element, budget, depth + 1)
            }
            (Kind::FunctionPrototype(ours), Kind::FunctionPrototype(theirs)) => {
                let (our, their) = (self.local.parameters(ours), self.target.parameters(theirs));
                if our.len() != their.len() {
                    return Ok(false);
                }
                for (our, their) in our.iter().zip(their) {
                    if !self.compatible(our.ty, their.ty, budget, depth + 1)? {
                        return Ok(false);
                    }
                }
                self.compatible(ours.result, theirs.result, budget, depth + 1)
            }
            (Kind::Void | Kind::Struct(_) | Kind::Union(_), _) => Ok(true),
            (Kind::Enum(_) | Kind::Enum64(_) | Kind::Forward { .. }, _) => Ok(true),
            _ => Ok(false),
        }
    }
}
