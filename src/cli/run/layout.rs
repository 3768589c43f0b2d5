//! Where the members of C types lie, by the names that a user gives: `ifindex`, `cb[1]`, `regs.di`.
//!
//! In: BTF, a type, a path. Out: a [`Place`]. Members of anonymous structs and unions count as those of what they are in. The
//! rule: a path that leads nowhere is an error that lists what there is.

use bpf2native::btf::{Btf, Kind, MAX_NESTING, Member, TypeId};

/// Where a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its type.
    pub ty: TypeId,
    /// Bits from the start of the whole.
    pub bit: u64,
    /// How many bits a bit-field has; none for what is no bit-field.
    pub bits: Option<u8>,
}

impl Place {
    /// The whole of a type.
    pub fn whole(ty: TypeId) -> Place {
        Place { ty, bit: 0, bits: None }
    }
}

/// The place that a path leads to from the whole of a type.
pub fn find(btf: &Btf, ty: TypeId, path: &str) -> anyhow::Result<Place> {
    let mut place = Place::whole(ty);
    let mut before = String::new();
    for step in path.split('.') {
        let (name, indices) = step.split_once('[').map_or((step, ""), |(name, _)| (name, &step[name.len()..]));
        let there = kind(btf, place.ty);
        let member = match there {
            Some(Kind::Struct(_) | Kind::Union(_)) => member(btf, place, name, MAX_NESTING),
            _ => anyhow::bail!("`{before}` has no members: it is {}", described(btf, place.ty)),
        };
        place = member.ok_or_else(|| {
            let of = if before.is_empty() { String::new() } else { format!(" in `{before}`") };
            let known = names(btf, place.ty);
            anyhow::anyhow!("there is no `{name}`{of}; there are `{}`", known.join("`, `"))
        })?;
        if !before.is_empty() {
            before.push('.');
        }
        before.push_str(step);
        for index in indices.split_terminator(']') {
            let number = index.strip_prefix('[').and_then(|index| index.parse::<u32>().ok());
            let number = number.ok_or_else(|| anyhow::anyhow!("`{index}]` in `{path}` is no index"))?;
            place = element(btf, place, number).ok_or_else(|| {
                anyhow::anyhow!("`{before}` is out of reach: `{name}` is {}", described(btf, place.ty))
            })?;
        }
    }
    Ok(place)
}

/// The member of this name, also in anonymous structs and unions.
fn member(btf: &Btf, place: Place, name: &str, steps: usize) -> Option<Place> {
    let steps = steps.checked_sub(1)?;
    let composite = kind(btf, place.ty)?.composite()?;
    btf.members(composite).iter().find_map(|found| {
        let at = at_member(place, found);
        if found.name.is_empty() {
            return member(btf, at, name, steps);
        }
        (btf.name(found.name) == name).then_some(at)
    })
}

/// Where a member is, of what is at a place.
pub fn at_member(place: Place, member: &Member) -> Place {
    let bits = (member.bit_size != 0).then_some(member.bit_size);
    Place { ty: member.ty, bit: place.bit.saturating_add(u64::from(member.bit_offset)), bits }
}

/// Where an element of an array is.
pub fn element(btf: &Btf, place: Place, index: u32) -> Option<Place> {
    let Some(Kind::Array(array)) = kind(btf, place.ty) else { return None };
    let size = btf.size_of(array.element).ok()??;
    let offset = size.checked_mul(u64::from(index))?.checked_mul(8)?;
    let bit = place.bit.checked_add(offset)?;
    (index < array.count).then_some(Place { ty: array.element, bit, bits: None })
}

/// The names of a struct's members, in order.
fn names(btf: &Btf, ty: TypeId) -> Vec<&str> {
    let mut found = Vec::new();
    let mut left = vec![(ty, MAX_NESTING)];
    while let Some((ty, steps)) = left.pop() {
        let Some(composite) = kind(btf, ty).and_then(Kind::composite) else { continue };
        let mut inner = Vec::new();
        for member in btf.members(composite) {
            match (btf.name(member.name), steps.checked_sub(1)) {
                ("", Some(steps)) => inner.push((member.ty, steps)),
                (name, _) => found.push(name),
            }
        }
        left.extend(inner.into_iter().rev());
    }
    found.retain(|name| !name.is_empty());
    found
}

/// What a type is behind typedefs and qualifiers.
pub fn kind(btf: &Btf, ty: TypeId) -> Option<Kind> {
    btf.resolve(ty).ok().map(|(_, ty)| ty.kind)
}

/// What a type is, in a sentence.
pub fn described(btf: &Btf, ty: TypeId) -> String {
    match kind(btf, ty) {
        Some(Kind::Array(array)) => format!("an array of {} elements", array.count),
        Some(Kind::Struct(_)) => "a struct".to_owned(),
        Some(Kind::Union(_)) => "a union".to_owned(),
        Some(Kind::Pointer(_)) => "a pointer".to_owned(),
        Some(Kind::Int(int)) if int.boolean => "a bool".to_owned(),
        Some(Kind::Int(int)) => {
            format!("a{} integer of {} bits", if int.signed { " signed" } else { "n unsigned" }, int.bytes * 8)
        }
        Some(Kind::Enum(_) | Kind::Enum64(_)) => "an enum".to_owned(),
        Some(Kind::Float { .. }) => "a floating-point number".to_owned(),
        _ => "of no known size".to_owned(),
    }
}

/// The struct or union of this name whose members are known.
pub fn composite_named(btf: &Btf, name: &str) -> Option<TypeId> {
    btf.types().find(|(_, ty)| ty.kind.composite().is_some() && btf.name(ty.name) == name).map(|(id, _)| id)
}
