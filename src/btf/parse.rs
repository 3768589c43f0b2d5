//! From the bytes of a `.BTF` section to [`Btf`].
//!
//! Every type is three words (name, info, size or type) and what its kind adds. Names and references to types are
//! checked here, so that later phases can follow them; what is only odd (a size that no C type has) is kept.
//!
//! A type of a kind that is not known here is as long as the section's layout says (`struct btf_layout` of the kernel's
//! `include/uapi/linux/btf.h`, since 2026); without one it is an error. Kinds that are known are as long as they always
//! are, whatever the layout says of them.

use super::reader::{Header, Reader};
use super::strings::Strings;
use super::types::{
    Array, Composite, Enum, Enumerator, FunctionPrototype, Int, Kind, Linkage, Member, Name, SectionEntry, Span,
    Type, TypeId, TypedName,
};
use super::{Btf, BtfError};
use crate::program::endianness::Endianness;

const TYPES: &str = "a type";

/// Reads a section; with a base, the types and strings of split BTF are added to the base's.
pub(super) fn parse(bytes: &[u8], base: Option<&Btf>) -> Result<Btf, BtfError> {
    let header = Header::read(bytes, ".BTF")?;
    let (start, types) = header.part(8, "the type section")?;
    let (_, strings) = header.part(16, "the string section")?;
    let mut btf = match base {
        None => Btf::empty(header.reader.endianness, Strings::new(strings)?),
        Some(base) if base.endianness != header.reader.endianness => return Err(BtfError::BaseByteOrder),
        Some(base) => {
            let mut btf = base.clone();
            btf.strings.extend(strings)?;
            btf
        }
    };
    // Up to the end of the types only: what a type adds must not reach into the strings.
    let end = start + types.len();
    let reader = Reader { bytes: &bytes[..end], endianness: header.reader.endianness };
    let mut cursor = Cursor { reader, offset: start, layout: Layout::read(&header)? };
    while cursor.offset < end {
        btf.read_type(&mut cursor)?;
    }
    btf.leave_out_garbage();
    btf.check()?;
    btf.index();
    Ok(btf)
}

/// Reads words one after the other.
struct Cursor<'a> {
    reader: Reader<'a>,
    offset: usize,
    layout: Layout<'a>,
}

/// What types of each kind add to the three words: two bytes, how much once and how much for each of their parts, and
/// two of flags, of which none matters here. Empty in sections that do not say.
struct Layout<'a>(&'a [[u8; 4]]);

impl<'a> Layout<'a> {
    /// Where a header that has a layout says where it is; the layout's length is behind that.
    const FIELD: usize = 24;

    fn read(header: &Header<'a>) -> Result<Self, BtfError> {
        if header.length < Self::FIELD + 8 {
            return Ok(Layout(&[]));
        }
        let (_, bytes) = header.part(Self::FIELD, "the layout section")?;
        match bytes.as_chunks() {
            (entries, []) => Ok(Layout(entries)),
            _ => Err(BtfError::Header { what: "the layout's length", value: bytes.len() as u32 }),
        }
    }

    /// How many bytes a type of this kind and with so many parts adds.
    fn added(&self, kind: u8, count: u32) -> Option<usize> {
        let &[once, each, ..] = self.0.get(usize::from(kind))?;
        Some(usize::from(once) + usize::from(each) * count as usize)
    }
}

impl Cursor<'_> {
    fn words<const N: usize>(&mut self) -> Result<[u32; N], BtfError> {
        let words = self.reader.words(self.offset, TYPES)?;
        self.offset += 4 * N;
        Ok(words)
    }

    /// Leaves out so many bytes.
    fn skip(&mut self, length: usize) -> Result<(), BtfError> {
        let end = self.offset.saturating_add(length);
        if end > self.reader.bytes.len() {
            return Err(BtfError::Truncated { what: TYPES, offset: self.offset });
        }
        self.offset = end;
        Ok(())
    }

    /// `count` times `N` words, each made a `T` and appended to `all`.
    fn list<T, const N: usize>(
        &mut self,
        all: &mut Vec<T>,
        count: u32,
        make: impl Fn([u32; N]) -> T,
    ) -> Result<Span, BtfError> {
        let start = u32::try_from(all.len()).expect("a section is shorter than 4 GiB");
        for _ in 0..count {
            all.push(make(self.words()?));
        }
        Ok(Span { start, count })
    }
}

impl Btf {
    /// `void` and no more.
    fn empty(endianness: Endianness, strings: Strings) -> Btf {
        Btf {
            endianness,
            strings,
            types: vec![Type { name: Name(0), kind: Kind::Void }],
            members: Vec::new(),
            enumerators: Vec::new(),
            parameters: Vec::new(),
            entries: Vec::new(),
            symbols: Vec::new(),
            sections: Vec::new(),
        }
    }

    fn read_type(&mut self, cursor: &mut Cursor<'_>) -> Result<(), BtfError> {
        let offset = cursor.offset;
        let id = TypeId(u32::try_from(self.types.len()).expect("a section is shorter than 4 GiB"));
        let [name, info, word] = cursor.words()?;
        // info: bits 0..24 the number of parts, 24..31 the kind, 31 the kind's flag.
        let (count, kind, flag) = (info & 0xff_ffff, (info >> 24) as u8 & 0x7f, info >> 31 != 0);
        let ty = TypeId(word);
        let kind = match kind {
            1 => Kind::Int(int(word, cursor.words()?)),
            2 => Kind::Pointer(ty),
            3 => {
                let [element, index, count] = cursor.words()?;
                Kind::Array(Array { element: TypeId(element), index: TypeId(index), count })
            }
            4 | 5 => {
                let members = cursor.list(&mut self.members, count, |words| member(words, flag))?;
                let composite = Composite { bytes: word, members };
                if kind == 4 { Kind::Struct(composite) } else { Kind::Union(composite) }
            }
            6 => {
                let value = |[name, value]: [u32; 2]| Enumerator {
                    name: Name(name),
                    value: if flag { value as i32 as u64 } else { u64::from(value) },
                };
                let enumerators = cursor.list(&mut self.enumerators, count, value)?;
                Kind::Enum(Enum { bytes: word, signed: flag, enumerators })
            }
            7 => Kind::Forward { union: flag },
            8 => Kind::Typedef(ty),
            9 => Kind::Volatile(ty),
            10 => Kind::Const(ty),
            11 => Kind::Restrict(ty),
            12 => Kind::Function { prototype: ty, linkage: linkage(count)? },
            13 => {
                let parameter = |[name, ty]: [u32; 2]| TypedName { name: Name(name), ty: TypeId(ty) };
                let parameters = cursor.list(&mut self.parameters, count, parameter)?;
                Kind::FunctionPrototype(FunctionPrototype { result: ty, parameters })
            }
            14 => {
                let [value] = cursor.words()?;
                Kind::Variable { ty, linkage: linkage(value)? }
            }
            15 => {
                let entry = |[ty, offset, bytes]: [u32; 3]| SectionEntry { ty: TypeId(ty), offset, bytes };
                Kind::DataSection { bytes: word, entries: cursor.list(&mut self.entries, count, entry)? }
            }
            16 => Kind::Float { bytes: word },
            17 => {
                let [component] = cursor.words()?;
                Kind::DeclTag { ty, component: (component != u32::MAX).then_some(component) }
            }
            18 => Kind::TypeTag(ty),
            19 => {
                let value = |[name, low, high]: [u32; 3]| Enumerator {
                    name: Name(name),
                    value: u64::from(high) << 32 | u64::from(low),
                };
                let enumerators = cursor.list(&mut self.enumerators, count, value)?;
                Kind::Enum64(Enum { bytes: word, signed: flag, enumerators })
            }
            _ => {
                let added = cursor.layout.added(kind, count).filter(|_| kind != 0);
                cursor.skip(added.ok_or(BtfError::Kind { id, offset, kind })?)?;
                Kind::Unknown { kind }
            }
        };
        self.types.push(Type { name: Name(name), kind });
        Ok(())
    }

    /// An array whose elements have a type that BTF does not know (a complex number) has what was on LLVM's stack for
    /// its number (`BTFDebug::visitArrayType`): what there is not, is `void`.
    fn leave_out_garbage(&mut self) {
        let count = self.types.len();
        for ty in &mut self.types {
            if let Kind::Array(array) = &mut ty.kind
                && array.element.0 as usize >= count
            {
                array.element = TypeId::VOID;
            }
        }
    }

    /// Checks every name and every reference to a type.
    fn check(&self) -> Result<(), BtfError> {
        let exists = |id: TypeId| match self.types.get(id.0 as usize) {
            Some(_) => Ok(()),
            None => Err(BtfError::Type(id)),
        };
        for ty in &self.types {
            self.strings.get(ty.name.0)?;
            match ty.kind {
                Kind::Pointer(ty)
                | Kind::Typedef(ty)
                | Kind::Volatile(ty)
                | Kind::Const(ty)
                | Kind::Restrict(ty)
                | Kind::TypeTag(ty)
                | Kind::Variable { ty, .. }
                | Kind::DeclTag { ty, .. } => exists(ty)?,
                Kind::Array(array) => {
                    exists(array.element)?;
                    exists(array.index)?;
                }
                Kind::FunctionPrototype(prototype) => exists(prototype.result)?,
                // clang 19 gives member functions of C++ types that are not there: those have no prototype.
                Kind::Function { .. }
                | Kind::Void
                | Kind::Int(_)
                | Kind::Struct(_)
                | Kind::Union(_)
                | Kind::Enum(_)
                | Kind::Enum64(_)
                | Kind::Forward { .. }
                | Kind::DataSection { .. }
                | Kind::Float { .. }
                | Kind::Unknown { .. } => {}
            }
        }
        for member in &self.members {
            self.strings.get(member.name.0)?;
            exists(member.ty)?;
        }
        for enumerator in &self.enumerators {
            self.strings.get(enumerator.name.0)?;
        }
        for parameter in &self.parameters {
            self.strings.get(parameter.name.0)?;
            exists(parameter.ty)?;
        }
        self.entries.iter().try_for_each(|entry| exists(entry.ty))
    }

    /// Builds the lists in which names and members of sections are searched.
    fn index(&mut self) {
        let mut symbols = Vec::new();
        let mut sections = Vec::new();
        for (id, ty) in self.types() {
            match ty.kind {
                Kind::Function { linkage, .. } | Kind::Variable { linkage, .. } => {
                    // Of one name, those that other objects see come first.
                    symbols.push((ty.name.0, linkage == Linkage::Static, id));
                }
                Kind::DataSection { entries, .. } => {
                    sections.extend(self.section_entries(entries).iter().map(|entry| (entry.ty, id)));
                }
                _ => {}
            }
        }
        symbols.sort_unstable();
        // Each name is compared once, however many symbols have it.
        let mut groups: Vec<_> = symbols.chunk_by(|left, right| left.0 == right.0).collect();
        groups.sort_by_key(|group| self.name(Name(group[0].0)));
        self.symbols = groups.concat().into_iter().map(|(.., id)| id).collect();
        sections.sort_unstable();
        self.sections = sections;
    }
}

fn int(bytes: u32, [word]: [u32; 1]) -> Int {
    Int {
        bytes,
        bits: word as u8,
        bit_offset: (word >> 16) as u8,
        signed: word & 1 << 24 != 0,
        character: word & 1 << 25 != 0,
        boolean: word & 1 << 26 != 0,
    }
}

/// With the flag, the offset's upper 8 bits are the width of a bit-field.
fn member([name, ty, offset]: [u32; 3], flag: bool) -> Member {
    let (bit_offset, bit_size) = match flag {
        true => (offset & 0xff_ffff, (offset >> 24) as u8),
        false => (offset, 0),
    };
    Member { name: Name(name), ty: TypeId(ty), bit_offset, bit_size }
}

fn linkage(value: u32) -> Result<Linkage, BtfError> {
    match value {
        0 => Ok(Linkage::Static),
        1 => Ok(Linkage::Global),
        2 => Ok(Linkage::Extern),
        _ => Err(BtfError::Header { what: "a linkage", value }),
    }
}
