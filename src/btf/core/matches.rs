//! Whether a type of the target has all that the local type has: the relocation "type matches".
//!
//! | local type | matches |
//! |---|---|
//! | int | the same size and signedness |
//! | pointer | a pointer to what matches |
//! | array | as many elements that match |
//! | enum | an enum of the same size that has all its names, whatever their values |
//! | struct, union | the same kind, with a matching member for each of its members |
//! | struct, union behind a pointer | the same kind and name, or a forward declaration of it |
//! | function type | as many parameters, which match, and a result that matches |
//!
//! Names have to be equal but for their flavors at every step.

use super::CoreCause;
use super::pair::{Budget, Pair};
use crate::btf::{Composite, Enum, Kind, MAX_NESTING, TypeId};

/// How far a comparison has gone.
struct Walk {
    budget: Budget,
    depth: usize,
    behind_pointer: bool,
}

impl Pair<'_> {
    /// Whether the target's type has all that the local type has.
    pub(super) fn types_match(&self, local: TypeId, target: TypeId) -> Result<bool, CoreCause> {
        self.matching(local, target, &mut Walk { budget: Budget::new(), depth: 0, behind_pointer: false })
    }

    /// One step in, and out again.
    fn inside(&self, local: TypeId, target: TypeId, walk: &mut Walk) -> Result<bool, CoreCause> {
        let behind_pointer = walk.behind_pointer;
        walk.depth += 1;
        let result = self.matching(local, target, walk);
        walk.depth -= 1;
        walk.behind_pointer = behind_pointer;
        result
    }

    fn matching(&self, local: TypeId, target: TypeId, walk: &mut Walk) -> Result<bool, CoreCause> {
        walk.budget.spend()?;
        if walk.depth >= MAX_NESTING {
            return Err(CoreCause::TooComplex);
        }
        let (_, ours) = self.local.resolve(local)?;
        let (_, theirs) = self.target.resolve(target)?;
        if !self.same_name(ours.name, theirs.name) {
            return Ok(false);
        }
        match (ours.kind, theirs.kind) {
            (Kind::Void, Kind::Void) => Ok(true),
            (Kind::Int(ours), Kind::Int(theirs)) => Ok(ours.bytes == theirs.bytes && ours.signed == theirs.signed),
            (Kind::Forward { union: ours }, Kind::Forward { union: theirs }) => Ok(ours == theirs),
            (Kind::Forward { union }, Kind::Struct(_)) | (Kind::Struct(_), Kind::Forward { union }) => {
                Ok(walk.behind_pointer && !union)
            }
            (Kind::Forward { union }, Kind::Union(_)) | (Kind::Union(_), Kind::Forward { union }) => {
                Ok(walk.behind_pointer && union)
            }
            (Kind::Enum(ours) | Kind::Enum64(ours), Kind::Enum(theirs) | Kind::Enum64(theirs)) => {
                self.enums_match(ours, theirs, walk)
            }
            (Kind::Struct(ours), Kind::Struct(theirs)) | (Kind::Union(ours), Kind::Union(theirs)) => {
                Ok(walk.behind_pointer || self.members_match(ours, theirs, walk)?)
            }
            (Kind::Pointer(ours), Kind::Pointer(theirs)) => {
                walk.behind_pointer = true;
                self.inside(ours, theirs, walk)
            }
            (Kind::Array(ours), Kind::Array(theirs)) => {
                Ok(ours.count == theirs.count && self.inside(ours.element, theirs.element, walk)?)
            }
            (Kind::FunctionPrototype(ours), Kind::FunctionPrototype(theirs)) => {
                let (our, their) = (self.local.parameters(ours), self.target.parameters(theirs));
                if our.len() != their.len() {
                    return Ok(false);
                }
                for (our, their) in our.iter().zip(their) {
                    if !self.inside(our.ty, their.ty, walk)? {
                        return Ok(false);
                    }
                }
                self.inside(ours.result, theirs.result, walk)
            }
            _ => Ok(false),
        }
    }

    fn enums_match(&self, ours: Enum, theirs: Enum, walk: &mut Walk) -> Result<bool, CoreCause> {
        if ours.bytes != theirs.bytes {
            return Ok(false);
        }
        for our in self.local.enumerators(ours) {
            let mut found = false;
            for their in self.target.enumerators(theirs) {
                walk.budget.spend()?;
                found = self.same_name(our.name, their.name);
                if found {
                    break;
                }
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn members_match(&self, ours: Composite, theirs: Composite, walk: &mut Walk) -> Result<bool, CoreCause> {
        for our in self.local.members(ours) {
            let mut found = false;
            for their in self.target.members(theirs) {
                walk.budget.spend()?;
                found = self.same_name(our.name, their.name) && self.inside(our.ty, their.ty, walk)?;
                if found {
                    break;
                }
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
