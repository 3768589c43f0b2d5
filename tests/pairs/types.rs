//! C types as the pairs use them: what they are called, where their scalars lie, how many words BPF passes them in.
//!
//! Layouts are those of LP64 with natural alignment, which BPF and the four targets share (`__int128`, which s390x
//! aligns to 8 bytes, is in no struct).

/// A type without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    Bool,
    Int { bytes: u8, signed: bool },
    Enum { signed: bool },
    Pointer,
    Float,
    Double,
    Int128 { signed: bool },
}

/// Any type of a parameter or a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Void,
    Scalar(Scalar),
    /// Index in [`Structs`].
    Struct(usize),
}

/// A member: `count` is 0 for one that is no array, `bits` for one that is no bit-field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub ty: Type,
    pub count: usize,
    pub bits: usize,
}

/// A struct or a union.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Struct {
    pub members: Vec<Member>,
    pub is_union: bool,
    pub packed: bool,
    /// `__attribute__((aligned(16)))`.
    pub aligned: bool,
}

/// A scalar inside a value.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// `.f0.f1[2]`; nothing for a value that is a scalar itself.
    pub path: String,
    pub offset: usize,
    pub scalar: Scalar,
    /// Of a bit-field; else 0.
    pub bits: usize,
}

/// The structs of a batch; one may hold those before it.
#[derive(Clone, Debug, Default)]
pub struct Structs(pub Vec<Struct>);

impl Scalar {
    pub fn size(self) -> usize {
        match self {
            Scalar::Bool => 1,
            Scalar::Int { bytes, .. } => bytes.into(),
            Scalar::Enum { .. } | Scalar::Float => 4,
            Scalar::Pointer | Scalar::Double => 8,
            Scalar::Int128 { .. } => 16,
        }
    }

    pub fn is_signed(self) -> bool {
        match self {
            Scalar::Int { signed, .. } | Scalar::Enum { signed } | Scalar::Int128 { signed } => signed,
            Scalar::Bool | Scalar::Pointer | Scalar::Float | Scalar::Double => false,
        }
    }

    /// Its name in C.
    pub fn name(self) -> &'static str {
        match self {
            Scalar::Bool => "_Bool",
            Scalar::Int { bytes: 1, signed: true } => "signed char",
            Scalar::Int { bytes: 1, signed: false } => "unsigned char",
            Scalar::Int { bytes: 2, signed: true } => "short",
            Scalar::Int { bytes: 2, signed: false } => "unsigned short",
            Scalar::Int { bytes: 4, signed: true } => "int",
            Scalar::Int { bytes: 4, signed: false } => "unsigned int",
            Scalar::Int { signed: true, .. } => "long",
            Scalar::Int { signed: false, .. } => "unsigned long",
            Scalar::Enum { signed: true } => "enum below",
            Scalar::Enum { signed: false } => "enum above",
            Scalar::Pointer => "void *",
            Scalar::Float => "float",
            Scalar::Double => "double",
            Scalar::Int128 { signed: true } => "__int128",
            Scalar::Int128 { signed: false } => "unsigned __int128",
        }
    }

    /// The value of its `size` bytes, as wide as a register of 64 bits has it.
    pub fn extended(self, bits: u128) -> u64 {
        let shift = 64 - 8 * self.size().min(8);
        let high = (bits as u64) << shift;
        if self.is_signed() { (high.cast_signed() >> shift).cast_unsigned() } else { high >> shift }
    }
}

impl Structs {
    pub fn name(&self, ty: Type) -> String {
        match ty {
            Type::Void => "void".to_owned(),
            Type::Scalar(scalar) => scalar.name().to_owned(),
            Type::Struct(index) => format!("{} s{index}", self.keyword(index)),
        }
    }

    pub fn keyword(&self, index: usize) -> &'static str {
        if self.0[index].is_union { "union" } else { "struct" }
    }

    pub fn size(&self, ty: Type) -> usize {
        match ty {
            Type::Void => 0,
            Type::Scalar(scalar) => scalar.size(),
            Type::Struct(index) => self.layout(index).1,
        }
    }

    fn align(&self, ty: Type) -> usize {
        match ty {
            Type::Void => 1,
            Type::Scalar(scalar) => scalar.size(),
            Type::Struct(index) => self.align_of(&self.0[index]),
        }
    }

    fn align_of(&self, of: &Struct) -> usize {
        let natural = of.members.iter().map(|member| self.align(member.ty)).max().unwrap_or(1);
        let natural = if of.packed { 1 } else { natural };
        if of.aligned { 16 } else { natural }
    }

    /// The offsets of the members, and the size of it all.
    pub fn layout(&self, index: usize) -> (Vec<usize>, usize) {
        self.layout_of(&self.0[index])
    }

    /// The size of a struct that is not among them yet.
    pub fn size_of(&self, of: &Struct) -> usize {
        self.layout_of(of).1
    }

    fn layout_of(&self, of: &Struct) -> (Vec<usize>, usize) {
        // In bits.
        let (mut offsets, mut end, mut size) = (Vec::new(), 0usize, 0);
        for member in &of.members {
            let align = if of.packed { 1 } else { self.align(member.ty) };
            let unit = 8 * self.size(member.ty);
            let start = if of.is_union { 0 } else { end };
            if member.bits > 0 {
                // Inside one unit of its type, wherever that has room.
                let is_split = start / unit != (start + member.bits - 1) / unit;
                let start = if is_split { start.next_multiple_of(unit) } else { start };
                end = start + member.bits;
                offsets.push(start / unit * unit / 8);
            } else {
                let offset = start.div_ceil(8).next_multiple_of(align);
                end = 8 * offset + unit * member.count.max(1);
                offsets.push(offset);
            }
            size = size.max(end);
        }
        (offsets, size.div_ceil(8).next_multiple_of(self.align_of(of)))
    }

    /// The scalars of a value; of a union, those of its first member.
    pub fn leaves(&self, ty: Type) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        self.add_leaves(ty, String::new(), 0, 0, false, &mut leaves);
        leaves
    }

    /// The same with those of all members of a union.
    pub fn all_leaves(&self, ty: Type) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        self.add_leaves(ty, String::new(), 0, 0, true, &mut leaves);
        leaves
    }

    fn add_leaves(&self, ty: Type, path: String, offset: usize, bits: usize, all: bool, leaves: &mut Vec<Leaf>) {
        match ty {
            Type::Void => {}
            Type::Scalar(scalar) => leaves.push(Leaf { path, offset, scalar, bits }),
            Type::Struct(index) => {
                let (offsets, _) = self.layout(index);
                let visible = if self.0[index].is_union && !all { 1 } else { usize::MAX };
                for (number, (member, at)) in self.0[index].members.iter().zip(offsets).enumerate().take(visible) {
                    for element in 0..member.count.max(1) {
                        let mut path = format!("{path}.f{number}");
                        if member.count > 0 {
                            path += &format!("[{element}]");
                        }
                        let at = offset + at + element * self.size(member.ty);
                        self.add_leaves(member.ty, path, at, member.bits, all, leaves);
                    }
                }
            }
        }
    }

    /// How many words BPF passes a value in.
    pub fn words(&self, ty: Type) -> usize {
        self.size(ty).div_ceil(8)
    }

    /// The C definitions.
    pub fn definitions(&self) -> String {
        let mut text = String::new();
        for (index, of) in self.0.iter().enumerate() {
            text += &format!("{} s{index} {{ ", self.keyword(index));
            for (number, member) in of.members.iter().enumerate() {
                text += &format!("{} f{number}", self.name(member.ty));
                if member.count > 0 {
                    text += &format!("[{}]", member.count);
                }
                if member.bits > 0 {
                    text += &format!(" : {}", member.bits);
                }
                text += "; ";
            }
            text += "}";
            if of.packed {
                text += " __attribute__((packed))";
            }
            if of.aligned {
                text += " __attribute__((aligned(16)))";
            }
            text += ";\n";
        }
        text
    }
}
