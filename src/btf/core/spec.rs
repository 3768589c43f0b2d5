//! The path from a type to a part of it.
//!
//! An access string is numbers with colons: the first is an index, as the root is seen as an array (`p[0]`); each
//! further one is the number of a member or the index of an element. What counts for the target are the names on the
//! way: `0:3:1` in the object may be `.place.line`, and has another place in the target. Anonymous structs and unions
//! have no name, so the target may have more or fewer of them.

use super::kind::Subject;
use super::pair::{Budget, Pair};
use super::{CoreCause, RelocationKind};
use crate::btf::text::cut;
use crate::btf::{Array, Btf, Kind, MAX_NESTING, Member, TypeId};

/// The longest path.
const MAX_STEPS: usize = 64;

/// A path through the types of one section.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    /// Where it starts.
    pub(super) root: TypeId,
    /// Its steps: those with a name, and indices.
    pub(super) steps: Vec<AccessStep>,
    /// Where it ends, in bits from the start of the root.
    pub(super) bit_offset: u64,
}

/// One step of a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum AccessStep {
    /// To the element of this index; elements have this type.
    Element(TypeId, u32),
    /// To the member of this number in this struct or union.
    Member(TypeId, u32),
    /// To the name of this number in this enum.
    Enumerator(TypeId, u32),
}

impl Spec {
    /// Reads the access string of the object.
    pub(super) fn parse(btf: &Btf, kind: RelocationKind, root: TypeId, access: &str) -> Result<Spec, CoreCause> {
        let mut spec = Spec { root, steps: Vec::new(), bit_offset: 0 };
        let subject = kind.subject();
        if subject == Subject::Type {
            return if access == "0" { Ok(spec) } else { Err(CoreCause::Access) };
        }
        if access.split(':').count() > MAX_STEPS {
            return Err(CoreCause::Access);
        }
        let indices = access.split(':').map(|index| index.parse().map_err(|_| CoreCause::Access));
        let indices = indices.collect::<Result<Vec<u32>, _>>()?;
        let (&first, rest) = indices.split_first().ok_or(CoreCause::Access)?;
        let (id, ty) = btf.resolve(root)?;
        if subject == Subject::Enumerator {
            let all = ty.kind.any_enum().ok_or(CoreCause::Access)?;
            if !rest.is_empty() || first as usize >= all.enumerators.len() {
                return Err(CoreCause::Access);
            }
            spec.steps.push(AccessStep::Enumerator(id, first));
            return Ok(spec);
        }
        spec.element(btf, id, first)?;
        let mut at = id;
        for &index in rest {
            let (id, ty) = btf.resolve(at)?;
            at = match ty.kind {
                Kind::Array(array) => {
                    if !spec.in_bounds(btf, array, index) {
                        return Err(CoreCause::Access);
                    }
                    let (element, _) = btf.resolve(array.element)?;
                    spec.element(btf, element, index)?;
                    element
                }
                kind => {
                    let member = member(btf, kind, index).ok_or(CoreCause::Access)?;
                    spec.bit_offset += u64::from(member.bit_offset);
                    if !member.name.is_empty() {
                        spec.steps.push(AccessStep::Member(id, index));
                    }
                    member.ty
                }
            };
        }
        Ok(spec)
    }

    /// The path, as C would write it after the type: `.array[2].y`.
    pub(super) fn path(&self, btf: &Btf) -> String {
        let mut text = String::new();
        for (number, &step) in self.steps.iter().enumerate() {
            match step {
                AccessStep::Element(_, 0) if number == 0 => {}
                AccessStep::Element(_, index) => text += &format!("[{index}]"),
                AccessStep::Member(owner, index) => {
                    let name = btf.get(owner).ok().and_then(|ty| member(btf, ty.kind, index));
                    text += &format!(".{}", name.map_or("", |member| cut(btf.name(member.name))));
                }
                AccessStep::Enumerator(id, index) => {
                    let all = btf.get(id).ok().and_then(|ty| ty.kind.any_enum());
                    let name = all.and_then(|all| btf.enumerators(all).get(index as usize));
                    text += &format!("::{}", name.map_or("", |name| cut(btf.name(name.name))));
                }
            }
        }
        text
    }

    /// The same path in a type of the target; `None` if there is none.
    pub(super) fn find(
        &self,
        kind: RelocationKind,
        types: &Pair<'_>,
        root: TypeId,
    ) -> Result<Option<Spec>, CoreCause> {
        let mut spec = Spec { root, steps: Vec::new(), bit_offset: 0 };
        let found = match (kind.subject(), kind) {
            (Subject::Type, RelocationKind::TypeMatches) => types.types_match(self.root, root)?,
            (Subject::Type, _) => types.types_compatible(self.root, root)?,
            (Subject::Enumerator, _) => spec.find_enumerator(self, types)?,
            (Subject::Field, _) => spec.find_field(self, types)?,
        };
        Ok(found.then_some(spec))
    }

    fn find_enumerator(&mut self, local: &Spec, types: &Pair<'_>) -> Result<bool, CoreCause> {
        let [AccessStep::Enumerator(id, index)] = local.steps[..] else { return Err(CoreCause::Access) };
        let ours = types.local.get(id)?.kind.any_enum().ok_or(CoreCause::Access)?;
        let our = types.local.enumerators(ours).get(index as usize).ok_or(CoreCause::Access)?;
        let (id, ty) = types.target.resolve(self.root)?;
        let Some(theirs) = ty.kind.any_enum() else { return Ok(false) };
        let same =
            (0u32..).zip(types.target.enumerators(theirs)).find(|(_, their)| types.same_name(our.name, their.name));
        self.steps.extend(same.map(|(index, _)| AccessStep::Enumerator(id, index)));
        Ok(same.is_some())
    }

    fn find_field(&mut self, local: &Spec, types: &Pair<'_>) -> Result<bool, CoreCause> {
        let target = types.target;
        let mut budget = Budget::new();
        let (mut at, _) = target.resolve(self.root)?;
        for (number, &step) in local.steps.iter().enumerate() {
            let (id, ty) = target.resolve(at)?;
            match step {
                AccessStep::Element(_, index) if number == 0 => {
                    self.element(target, id, index)?;
                }
                AccessStep::Element(_, index) => {
                    let Kind::Array(array) = ty.kind else { return Ok(false) };
                    if !self.in_bounds(target, array, index) {
                        return Ok(false);
                    }
                    (at, _) = target.resolve(array.element)?;
                    self.element(target, at, index)?;
                }
                AccessStep::Member(owner, index) => {
                    let ours = member(types.local, types.local.get(owner)?.kind, index).ok_or(CoreCause::Access)?;
                    let mut search = Search { types, ours, budget: &mut budget };
                    let Some(found) = search.find(id, 0, 0)? else { return Ok(false) };
                    if !types.fields_compatible(ours.ty, found.ty)? {
                        return Ok(false);
                    }
                    self.steps.push(AccessStep::Member(found.owner, found.index));
                    self.bit_offset += found.bit_offset;
                    at = found.ty;
                }
                AccessStep::Enumerator(..) => return Err(CoreCause::Access),
            }
        }
        Ok(true)
    }

    fn element(&mut self, btf: &Btf, ty: TypeId, index: u32) -> Result<(), CoreCause> {
        self.steps.push(AccessStep::Element(ty, index));
        // `p[0]` of what has no size is `p`.
        let bytes = match index {
            0 => 0,
            _ => btf.size_of(ty)?.ok_or(CoreCause::Access)?,
        };
        let bits = bytes.checked_mul(8).and_then(|bits| bits.checked_mul(u64::from(index)));
        let offset = bits.and_then(|bits| self.bit_offset.checked_add(bits));
        // Far below what members could make overflow.
        self.bit_offset = offset.filter(|&offset| offset < 1 << 48).ok_or(CoreCause::Access)?;
        Ok(())
    }

    /// Whether an array, which the last step led to, has this index: one of no elements that is the last member of a
    /// struct has them all.
    fn in_bounds(&self, btf: &Btf, array: Array, index: u32) -> bool {
        let flexible = match self.steps.last() {
            Some(&AccessStep::Member(owner, number)) => {
                let composite = btf.get(owner).ok().and_then(|ty| ty.kind.composite());
                array.count == 0 && composite.is_some_and(|all| all.members.len() == number as usize + 1)
            }
            _ => false,
        };
        flexible || index < array.count
    }
}

/// The member of this number.
pub(super) fn member(btf: &Btf, kind: Kind, index: u32) -> Option<Member> {
    btf.members(kind.composite()?).get(index as usize).copied()
}

/// Looks for a member of the target by name.
struct Search<'s, 'a> {
    types: &'s Pair<'a>,
    /// The local member.
    ours: Member,
    budget: &'s mut Budget,
}

/// The member that was found.
struct Found {
    owner: TypeId,
    index: u32,
    ty: TypeId,
    bit_offset: u64,
}

impl Search<'_, '_> {
    /// In a struct or union and in what is anonymous in it. The first of the name is the one.
    fn find(&mut self, id: TypeId, base: u64, depth: usize) -> Result<Option<Found>, CoreCause> {
        if depth >= MAX_NESTING {
            return Err(CoreCause::TooComplex);
        }
        let target = self.types.target;
        let (owner, ty) = target.resolve(id)?;
        let Some(composite) = ty.kind.composite() else { return Ok(None) };
        let name = self.types.local.name(self.ours.name);
        for (index, member) in (0..).zip(target.members(composite)) {
            self.budget.spend()?;
            let bit_offset = base + u64::from(member.bit_offset);
            if member.name.is_empty() {
                if let Some(found) = self.find(member.ty, bit_offset, depth + 1)? {
                    return Ok(Some(found));
                }
            } else if target.name(member.name) == name {
                return Ok(Some(Found { owner, index, ty: member.ty, bit_offset }));
            }
        }
        Ok(None)
    }
}
