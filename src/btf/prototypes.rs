//! From BTF to [`Prototype`]: what a calling convention needs to know of a function.
//!
//! Typedefs, `const`, `volatile` and `restrict` are looked through; an enum is its integer; a function as a parameter is
//! a pointer, as in C. What a pointer points to is kept as text, and that is cut where it is long. An array is no
//! parameter in C, whose compilers have made it a pointer: what is one in BTF is a vector, or an array by value in Rust.
//!
//! | BTF | becomes |
//! |---|---|
//! | INT, ENUM, ENUM64 of 1, 2, 4, 8, 16 bytes | [`CType::Int`], [`CType::Bool`] |
//! | FLOAT of 4 or 8 bytes | [`CType::Float`]; [`CType::LongDouble`] by its name |
//! | PTR | [`CType::Pointer`] |
//! | STRUCT, UNION | [`CType::Aggregate`], with its scalars up to [`MAX_AGGREGATE`] bytes |
//! | last parameter of type 0 | [`Prototype::variadic`] |
//! | anything else | an error: the function has no prototype |

use std::collections::HashMap;
use std::sync::Arc;

use super::prototype::{Aggregate, CType, Parameter, Prototype};
use super::text::cut;
use super::types::{Composite, FunctionPrototype, Kind, Member, Type, TypeId};
use super::{Btf, BtfError, MAX_NESTING};

/// The most parameters of a function: twice what C requires a compiler to take.
pub const MAX_PARAMETERS: usize = 255;

/// The largest struct, in bytes, that is taken apart into scalars: every calling convention passes larger ones in
/// memory.
pub const MAX_AGGREGATE: u32 = 64;

/// The name of the FLOAT that is not what native code has by that name.
pub(crate) const LONG_DOUBLE: &str = "long double";

/// The most steps of taking a struct apart: nested unions could ask for any number.
const MAX_STEPS: usize = 1024;

/// Makes prototypes, each once.
#[derive(Debug)]
pub struct Prototypes<'a> {
    btf: &'a Btf,
    prototypes: HashMap<TypeId, Arc<Prototype>>,
    aggregates: HashMap<TypeId, Arc<Aggregate>>,
    texts: HashMap<TypeId, Arc<str>>,
}

impl<'a> Prototypes<'a> {
    /// For the types of `btf`.
    pub fn new(btf: &'a Btf) -> Self {
        Prototypes { btf, prototypes: HashMap::new(), aggregates: HashMap::new(), texts: HashMap::new() }
    }

    /// The C type of a function, given its `FUNC` or its `FUNC_PROTO`.
    ///
    /// # Errors
    ///
    /// If `id` is neither, or if a parameter or the result has a type that C cannot pass.
    pub fn get(&mut self, id: TypeId) -> Result<Arc<Prototype>, BtfError> {
        let (mut of, mut ty) = self.btf.resolve(id)?;
        if let Kind::Function { prototype, .. } = ty.kind {
            (of, ty) = self.btf.resolve(prototype)?;
        }
        let Kind::FunctionPrototype(function) = ty.kind else { return Err(BtfError::NotFunction(id)) };
        if let Some(known) = self.prototypes.get(&of) {
            return Ok(Arc::clone(known));
        }
        let prototype = Arc::new(self.make(of, function)?);
        self.prototypes.insert(of, Arc::clone(&prototype));
        Ok(prototype)
    }

    fn make(&mut self, id: TypeId, function: FunctionPrototype) -> Result<Prototype, BtfError> {
        let all = self.btf.parameters(function);
        let (parameters, variadic) = match all.split_last() {
            Some((last, others)) if last.ty == TypeId::VOID => (others, true),
            _ => (all, false),
        };
        if parameters.len() > MAX_PARAMETERS {
            return Err(BtfError::TooManyParameters { id, count: parameters.len() });
        }
        let parameters = parameters.iter().map(|parameter| {
            let name = (!parameter.name.is_empty()).then(|| cut(self.btf.name(parameter.name)).to_owned());
            match self.ctype(parameter.ty)? {
                CType::Void => Err(self.not_passable(parameter.ty)),
                ty => Ok(Parameter { name, ty }),
            }
        });
        let parameters = parameters.collect::<Result<_, _>>()?;
        Ok(Prototype { parameters, variadic, result: self.ctype(function.result)? })
    }

    /// The C type of a value of this type; of a function, the pointer that it decays to.
    ///
    /// # Errors
    ///
    /// If there can be no such value, or if it is nested too deeply.
    pub fn ctype(&mut self, id: TypeId) -> Result<CType, BtfError> {
        let (of, ty) = self.btf.resolve(id)?;
        Ok(match ty.kind {
            Kind::Pointer(pointee) => CType::Pointer(self.text(pointee)),
            Kind::Array(_) => return Err(BtfError::Vector { id, text: self.btf.text(id) }),
            Kind::FunctionPrototype(_) => CType::Pointer(self.text(of)),
            Kind::Struct(composite) | Kind::Union(composite) => CType::Aggregate(self.aggregate(of, composite)?),
            _ => scalar(self.btf, ty).ok_or_else(|| self.not_passable(id))?,
        })
    }

    fn not_passable(&self, id: TypeId) -> BtfError {
        BtfError::NotPassable { id, text: self.btf.text(id) }
    }

    /// What a pointer to this type points to, in C.
    fn text(&mut self, id: TypeId) -> Arc<str> {
        let btf = self.btf;
        let text = self.texts.entry(id).or_insert_with(|| btf.text(id).into());
        Arc::clone(text)
    }

    fn aggregate(&mut self, id: TypeId, composite: Composite) -> Result<Arc<Aggregate>, BtfError> {
        if let Some(known) = self.aggregates.get(&id) {
            return Ok(Arc::clone(known));
        }
        let mut flat =
            Flat { of: self, root: id, scalars: Vec::new(), has_union: false, has_array: false, steps: MAX_STEPS };
        if composite.bytes <= MAX_AGGREGATE {
            let (_, ty) = flat.of.btf.resolve(id)?;
            flat.has_union = matches!(ty.kind, Kind::Union(_));
            flat.composite(composite, 0, 0)?;
        }
        let Flat { mut scalars, has_union, has_array, .. } = flat;
        scalars.sort_by_key(|(offset, _)| *offset);
        let name = self.btf.text(id);
        let size = composite.bytes;
        let aggregate = Arc::new(Aggregate { name, size, scalars, has_union, has_array, is_complex: false });
        self.aggregates.insert(id, Arc::clone(&aggregate));
        Ok(aggregate)
    }
}

/// `void`, integers and floats.
fn scalar(btf: &Btf, ty: &Type) -> Option<CType> {
    let int = |bytes: u32, signed| {
        let bytes = u8::try_from(bytes).ok().filter(|bytes| matches!(bytes, 1 | 2 | 4 | 8 | 16))?;
        Some(CType::Int { bytes, signed })
    };
    match ty.kind {
        Kind::Void => Some(CType::Void),
        Kind::Int(int) if int.boolean && int.bytes == 1 => Some(CType::Bool),
        Kind::Int(of) => int(of.bytes, of.signed),
        Kind::Enum(all) | Kind::Enum64(all) => int(all.bytes, all.signed),
        Kind::Float { bytes: 8 } if btf.name(ty.name) == LONG_DOUBLE => Some(CType::LongDouble),
        Kind::Float { bytes: bytes @ (4 | 8) } => Some(CType::Float { bytes: bytes as u8 }),
        _ => None,
    }
}

/// Takes a struct apart into scalars.
struct Flat<'p, 'a> {
    of: &'p mut Prototypes<'a>,
    root: TypeId,
    scalars: Vec<(u32, CType)>,
    has_union: bool,
    has_array: bool,
    steps: usize,
}

impl Flat<'_, '_> {
    fn composite(&mut self, composite: Composite, base: u64, depth: usize) -> Result<(), BtfError> {
        if depth >= MAX_NESTING {
            return Err(BtfError::Nesting(self.root));
        }
        for member in self.of.btf.members(composite) {
            match member.bit_size {
                0 => self.value(member.ty, base + u64::from(member.bit_offset / 8), depth + 1)?,
                _ => self.bit_field(member, base, composite.bytes)?,
            }
        }
        Ok(())
    }

    fn value(&mut self, id: TypeId, offset: u64, depth: usize) -> Result<(), BtfError> {
        self.steps = self.steps.checked_sub(1).ok_or(BtfError::Nesting(self.root))?;
        if depth >= MAX_NESTING {
            return Err(BtfError::Nesting(self.root));
        }
        let (_, ty) = self.of.btf.resolve(id)?;
        match ty.kind {
            Kind::Struct(composite) => self.composite(composite, offset, depth),
            Kind::Union(composite) => {
                self.has_union = true;
                self.composite(composite, offset, depth)
            }
            Kind::Array(array) => {
                self.has_array = true;
                // No more elements than fit: so a flexible or an absurd array ends.
                let Some(bytes @ 1..) = self.of.btf.size_of(array.element)? else { return Ok(()) };
                for index in 0..u64::from(array.count) {
                    let at = offset.saturating_add(bytes.saturating_mul(index));
                    if at >= u64::from(MAX_AGGREGATE) {
                        break;
                    }
                    self.value(array.element, at, depth + 1)?;
                }
                Ok(())
            }
            Kind::Pointer(_) => {
                let ty = self.of.ctype(id)?;
                self.push(offset, ty);
                Ok(())
            }
            _ => match scalar(self.of.btf, ty) {
                Some(CType::Void) | None => Err(self.of.not_passable(id)),
                Some(ty) => {
                    self.push(offset, ty);
                    Ok(())
                }
            },
        }
    }

    /// The smallest aligned integer that has the bits; the bytes one by one, of a packed one that none has.
    fn bit_field(&mut self, member: &Member, base: u64, size: u32) -> Result<(), BtfError> {
        self.steps = self.steps.checked_sub(1).ok_or(BtfError::Nesting(self.root))?;
        let (_, ty) = self.of.btf.resolve(member.ty)?;
        let scalar = scalar(self.of.btf, ty);
        if let Some(CType::Bool) = scalar {
            self.push_bit_field(base + u64::from(member.bit_offset / 8), CType::Bool);
            return Ok(());
        }
        let signed = matches!(scalar, Some(CType::Int { signed: true, .. }));
        let first = u64::from(member.bit_offset);
        let last = first + u64::from(member.bit_size) - 1;
        let container = [1u8, 2, 4, 8].into_iter().find(|&bytes| {
            let unit = 8 * u64::from(bytes);
            first / unit == last / unit && (last / unit + 1) * unit <= 8 * u64::from(size)
        });
        match container {
            Some(bytes) => {
                let unit = 8 * u64::from(bytes);
                self.push_bit_field(base + first / unit * u64::from(bytes), CType::Int { bytes, signed });
            }
            None => {
                for byte in first / 8..=last / 8 {
                    self.push(base + byte, CType::Int { bytes: 1, signed: false });
                }
            }
        }
        Ok(())
    }

    /// Each is a member of its own, as riscv64 counts them, though others may be in the same integer.
    fn push_bit_field(&mut self, offset: u64, ty: CType) {
        match u32::try_from(offset) {
            Ok(offset) if offset < MAX_AGGREGATE && !self.has_union => self.scalars.push((offset, ty)),
            _ => self.push(offset, ty),
        }
    }

    /// What two members of a union have in common is said once. A member past the end of the struct, which only
    /// broken BTF has, is left out.
    fn push(&mut self, offset: u64, ty: CType) {
        let Ok(offset) = u32::try_from(offset) else { return };
        let same = |other: &CType| match (&ty, other) {
            (CType::Pointer(_), CType::Pointer(_)) => true,
            (ty, other) => *ty == *other,
        };
        if offset < MAX_AGGREGATE && !self.scalars.iter().any(|(at, other)| *at == offset && same(other)) {
            self.scalars.push((offset, ty));
        }
    }
}
