//! The types of a `.BTF` section, one variant for a kind, as the kernel's `Documentation/bpf/btf.rst` defines them.

use std::fmt;

/// A type, by its number. 0 is `void`; the types of the section are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

impl TypeId {
    /// `void`; also the type of the `...` of a variadic function.
    pub const VOID: TypeId = TypeId(0);
}

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.0)
    }
}

/// A name: an offset into the string table of the [`super::Btf`] that it is from. See [`super::Btf::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub(super) u32);

impl Name {
    /// Whether there is no name.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// One type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type {
    /// Its name; empty for what has none.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
}

/// What a type is: `BTF_KIND_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Type 0.
    Void,
    /// `INT`.
    Int(Int),
    /// `PTR`, to this type.
    Pointer(TypeId),
    /// `ARRAY`.
    Array(Array),
    /// `STRUCT`.
    Struct(Composite),
    /// `UNION`.
    Union(Composite),
    /// `ENUM`, of at most 32 bits.
    Enum(Enum),
    /// `ENUM64`.
    Enum64(Enum),
    /// `FWD`: a struct or union of which only the name is known.
    Forward {
        /// A union, and not a struct.
        union: bool,
    },
    /// `TYPEDEF`, of this type.
    Typedef(TypeId),
    /// `VOLATILE`.
    Volatile(TypeId),
    /// `CONST`.
    Const(TypeId),
    /// `RESTRICT`.
    Restrict(TypeId),
    /// `FUNC`: a function that the object defines or refers to.
    Function {
        /// Its `FUNC_PROTO`.
        prototype: TypeId,
        /// Who sees it. bpf-gcc says static of every function.
        linkage: Linkage,
    },
    /// `FUNC_PROTO`: the type of a function.
    FunctionPrototype(FunctionPrototype),
    /// `VAR`: a variable that the object defines or refers to.
    Variable {
        /// Its type.
        ty: TypeId,
        /// Who sees it.
        linkage: Linkage,
    },
    /// `DATASEC`: what is in a section, such as `.maps`, `.kconfig` or `.ksyms`.
    DataSection {
        /// Size; 0 in objects of clang, where the ELF section knows it.
        bytes: u32,
        /// What is in it. See [`super::Btf::section_entries`].
        entries: Span,
    },
    /// `FLOAT`.
    Float {
        /// Size: 2, 4, 8, 12 or 16.
        bytes: u32,
    },
    /// `DECL_TAG`.
    DeclTag {
        /// What is tagged.
        ty: TypeId,
        /// The member or parameter that is tagged, and not the whole.
        component: Option<u32>,
    },
    /// `TYPE_TAG`, on this type.
    TypeTag(TypeId),
    /// A kind that is not known here, whose length the section says: nothing can be made of it.
    Unknown {
        /// `BTF_KIND_*`.
        kind: u8,
    },
}

impl Kind {
    /// The next type of a typedef, of `const`, `volatile` and `restrict`, and of a type tag.
    pub fn modified(self) -> Option<TypeId> {
        match self {
            Kind::Typedef(ty) | Kind::Volatile(ty) | Kind::Const(ty) | Kind::Restrict(ty) | Kind::TypeTag(ty) => {
                Some(ty)
            }
            _ => None,
        }
    }

    /// The members' owner, of a struct or a union.
    pub fn composite(self) -> Option<Composite> {
        match self {
            Kind::Struct(composite) | Kind::Union(composite) => Some(composite),
            _ => None,
        }
    }

    /// The enum, of either size.
    pub fn any_enum(self) -> Option<Enum> {
        match self {
            Kind::Enum(all) | Kind::Enum64(all) => Some(all),
            _ => None,
        }
    }
}

/// Where the parts of a type are, in the list of all parts of that sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub(super) start: u32,
    pub(super) count: u32,
}

impl Span {
    /// How many parts.
    pub fn len(self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The parts out of all.
    pub(super) fn of<T>(self, all: &[T]) -> &[T] {
        let start = self.start as usize;
        all.get(start..start + self.len()).unwrap_or(&[])
    }
}

/// An integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int {
    /// Size.
    pub bytes: u32,
    /// Bits of the value: fewer than the size has, for a bit-field of old objects.
    pub bits: u8,
    /// First bit of such a bit-field.
    pub bit_offset: u8,
    /// Whether a wider register holds it sign-extended.
    pub signed: bool,
    /// A character.
    pub character: bool,
    /// `_Bool`.
    pub boolean: bool,
}

/// An array type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array {
    /// Type of an element.
    pub element: TypeId,
    /// Type of the index.
    pub index: TypeId,
    /// How many elements.
    pub count: u32,
}

/// A struct or a union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composite {
    /// Size.
    pub bytes: u32,
    /// See [`super::Btf::members`].
    pub members: Span,
}

/// A member of a struct or a union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name; empty for an anonymous struct or union.
    pub name: Name,
    /// Its type.
    pub ty: TypeId,
    /// Where it is, in bits from the start.
    pub bit_offset: u32,
    /// Width of a bit-field, in bits; 0 for what is no bit-field.
    pub bit_size: u8,
}

/// An enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enum {
    /// Size: 1, 2, 4 or 8.
    pub bytes: u32,
    /// Signedness. Compilers before LLVM 16, and gcc 12, do not record it: all are then unsigned.
    pub signed: bool,
    /// See [`super::Btf::enumerators`].
    pub enumerators: Span,
}

/// One name of an enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enumerator {
    /// The name.
    pub name: Name,
    /// The value's bits, extended to 64 by the enum's signedness.
    pub value: u64,
}

/// The type of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionPrototype {
    /// What it returns.
    pub result: TypeId,
    /// See [`super::Btf::parameters`]; a last one of type `void` stands for `...`.
    pub parameters: Span,
}

/// A parameter of a function's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypedName {
    /// Its name, if it has one.
    pub name: Name,
    /// Its type.
    pub ty: TypeId,
}

/// A variable or function in a `DATASEC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionEntry {
    /// The `VAR` or `FUNC`.
    pub ty: TypeId,
    /// Byte offset in the section; in objects of clang the relocations of `.BTF` give it.
    pub offset: u32,
    /// Size in bytes.
    pub bytes: u32,
}

/// Who sees a function or a variable: `BTF_FUNC_*`, `BTF_VAR_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Linkage {
    /// Defined, and seen in its object only.
    Static,
    /// Defined, and seen by all.
    Global,
    /// Defined elsewhere.
    Extern,
}
