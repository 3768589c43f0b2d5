//! Random prototypes, with the values that are passed.
//!
//! In: a seed and what the BPF side can do. Out: a [`Batch`]. The same seed makes the same batch, whatever the machine.

use super::types::{Member, Scalar, Struct, Structs, Type};

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Whether a thing of this many percent happens.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A value that is passed: its type, and the bits of its scalars.
#[derive(Clone, Debug)]
pub struct Value {
    pub ty: Type,
    pub bits: Vec<u128>,
}

/// A function's type, with what is passed to it and what it returns.
#[derive(Clone, Debug)]
pub struct Prototype {
    pub parameters: Vec<Value>,
    /// What goes through the `...`, if there is one.
    pub tail: Option<Vec<Value>>,
    pub result: Value,
}

/// What is tried together.
#[derive(Clone, Debug)]
pub struct Batch {
    pub seed: u64,
    pub structs: Structs,
    pub prototypes: Vec<Prototype>,
    /// The BPF side returns structs of up to 16 bytes in registers.
    pub structs_in_registers: bool,
}

impl Batch {
    /// Whether the BPF side returns this type through a pointer.
    pub fn is_by_pointer(&self, result: Type) -> bool {
        let fits = self.structs_in_registers && self.structs.size(result) <= 16;
        matches!(result, Type::Struct(_)) && !fits
    }
}

/// What the BPF side of a batch can do.
#[derive(Clone, Copy, Debug)]
pub struct Ability {
    /// How many words a call passes, with the pointer to its result.
    pub words: usize,
    /// How many parameters there are at most.
    pub parameters: usize,
    /// A result of `__int128`.
    pub wide_results: bool,
    /// A parameter of `__int128`.
    pub wide_parameters: bool,
    /// Structs have bit-fields.
    pub bit_fields: bool,
    /// A `double` goes through a `...` as an integer of 64 bits does.
    pub variadic_doubles: bool,
    /// Structs of up to 16 bytes are returned in registers.
    pub structs_in_registers: bool,
}

/// The structs that every batch has, as members: one letter each, `c` `s` `i` `l` `f` `d`, a digit for an array.
const FIXED: [&str; 22] = [
    "f", "d", "i", "c", "l", "ff", "dd", "fff", "f4", "if", "fi", "df", "fd", "dl", "ld", "cf", "iif", "ll", "ccc",
    "f2l", "lll", "ddd",
];

const SCALARS: [Scalar; 13] = [
    Scalar::Bool,
    Scalar::Int { bytes: 1, signed: true },
    Scalar::Int { bytes: 1, signed: false },
    Scalar::Int { bytes: 2, signed: true },
    Scalar::Int { bytes: 2, signed: false },
    Scalar::Int { bytes: 4, signed: true },
    Scalar::Int { bytes: 4, signed: false },
    Scalar::Int { bytes: 8, signed: true },
    Scalar::Int { bytes: 8, signed: false },
    Scalar::Enum { signed: true },
    Scalar::Enum { signed: false },
    Scalar::Pointer,
    Scalar::Float,
];

/// Makes a batch of `count` prototypes.
pub fn batch(seed: u64, count: usize, ability: Ability) -> Batch {
    let mut random = Random::new(seed);
    let mut structs = Structs(FIXED.iter().map(|text| fixed(text)).collect());
    if ability.bit_fields {
        // Two members beside a float, in one byte.
        for (text, bits) in [("fii", [0, 3, 5]), ("dcc", [0, 3, 5]), ("iif", [3, 5, 0])] {
            let mut new = fixed(text);
            new.members.iter_mut().zip(bits).for_each(|(member, bits)| member.bits = bits);
            structs.0.push(new);
        }
    }
    for _ in 0..40 {
        let new = structure(&mut random, &structs, ability.bit_fields);
        structs.0.push(new);
        let ty = Type::Struct(structs.0.len() - 1);
        if !(1..=40).contains(&structs.size(ty)) || is_disputed(&structs, ty) {
            structs.0.pop();
        }
    }
    let prototypes = (0..count).map(|_| prototype(&mut random, &structs, ability)).collect();
    Batch { seed, structs, prototypes, structs_in_registers: ability.structs_in_registers }
}

/// For riscv64, clang takes a pointer for an integer where it is beside a float, and gcc does not.
fn is_disputed(structs: &Structs, ty: Type) -> bool {
    let leaves = structs.all_leaves(ty);
    let has_float = leaves.iter().any(|leaf| matches!(leaf.scalar, Scalar::Float | Scalar::Double));
    has_float && leaves.iter().any(|leaf| leaf.scalar == Scalar::Pointer)
}

fn fixed(text: &str) -> Struct {
    let mut members: Vec<Member> = Vec::new();
    for letter in text.chars() {
        let scalar = match letter {
            'c' => Scalar::Int { bytes: 1, signed: true },
            's' => Scalar::Int { bytes: 2, signed: true },
            'i' => Scalar::Int { bytes: 4, signed: true },
            'l' => Scalar::Int { bytes: 8, signed: true },
            'f' => Scalar::Float,
            'd' => Scalar::Double,
            digit => {
                let last = members.last_mut().expect("a digit follows a member");
                last.count = digit.to_digit(10).expect("a letter or a digit") as usize;
                continue;
            }
        };
        members.push(Member { ty: Type::Scalar(scalar), count: 0, bits: 0 });
    }
    Struct { members, ..Struct::default() }
}

fn structure(random: &mut Random, structs: &Structs, bit_fields: bool) -> Struct {
    let is_union = random.percent(15);
    let count = 1 + random.below(4);
    let member = |random: &mut Random| {
        let ty = match random.below(10) {
            0 | 1 => {
                // What an attribute aligns is only passed by itself: BTF does not tell a member's alignment.
                let inner = random.below(structs.0.len());
                Type::Struct(if structs.0[inner].aligned { 0 } else { inner })
            }
            2 | 3 => Type::Scalar(Scalar::Float),
            4 => Type::Scalar(Scalar::Double),
            _ => Type::Scalar(random.pick(&SCALARS)),
        };
        Member { ty, count: if random.percent(20) { 1 + random.below(3) } else { 0 }, bits: 0 }
    };
    let mut members: Vec<Member> = (0..count).map(|_| member(random)).collect();
    if bit_fields && random.percent(30) {
        for member in &mut members {
            let Type::Scalar(scalar) = member.ty else { continue };
            let is_integer = matches!(scalar, Scalar::Bool | Scalar::Int { .. });
            if is_integer && random.percent(80) {
                let most = if scalar == Scalar::Bool { 1 } else { 8 * scalar.size() };
                *member = Member { count: 0, bits: 1 + random.below(most), ..*member };
            }
        }
    }
    let has_bit_fields = members.iter().any(|member| member.bits > 0);
    let packed = !has_bit_fields && random.percent(12);
    let mut new = Struct { members, is_union, packed, aligned: false };
    // Where no padding shows it, BTF does not tell that a struct is aligned.
    new.aligned = !packed && random.percent(10) && !structs.size_of(&new).is_multiple_of(16);
    new
}

fn prototype(random: &mut Random, structs: &Structs, ability: Ability) -> Prototype {
    let result = match random.below(10) {
        0 => Type::Void,
        1..=3 => structure_type(random, structs, 40, ability.words).unwrap_or(Type::Void),
        4 => Type::Scalar(Scalar::Double),
        5 if ability.wide_results => Type::Scalar(Scalar::Int128 { signed: random.percent(50) }),
        _ => Type::Scalar(random.pick(&SCALARS)),
    };
    let mut left = ability.words - usize::from(matches!(result, Type::Struct(_)));
    // Prototypes of one kind of parameter use up one kind of register.
    let floats = [5, 20, 50, 80][random.below(4)];
    let mut parameters = Vec::new();
    for _ in 0..random.below(ability.parameters + 1) {
        let ty = parameter(random, structs, floats, left, ability);
        let Some(rest) = left.checked_sub(structs.words(ty)) else { break };
        left = rest;
        parameters.push(value(random, structs, ty));
    }
    let tail = (!parameters.is_empty() && random.percent(12)).then(|| {
        let mut tail = Vec::new();
        for _ in 0..random.below(6).min(left) {
            let scalar = match random.below(6) {
                0 => Scalar::Pointer,
                1 if ability.variadic_doubles => Scalar::Double,
                2 => Scalar::Int { bytes: 4, signed: true },
                3 => Scalar::Int { bytes: 4, signed: false },
                _ => Scalar::Int { bytes: 8, signed: random.percent(50) },
            };
            tail.push(value(random, structs, Type::Scalar(scalar)));
        }
        tail
    });
    let result = value(random, structs, result);
    Prototype { parameters, tail, result }
}

fn parameter(random: &mut Random, structs: &Structs, floats: usize, words: usize, ability: Ability) -> Type {
    if random.percent(30)
        && let Some(ty) = structure_type(random, structs, 16, words)
    {
        return ty;
    }
    if random.percent(floats) {
        return Type::Scalar(if random.percent(50) { Scalar::Float } else { Scalar::Double });
    }
    if random.percent(8) && ability.wide_parameters {
        return Type::Scalar(Scalar::Int128 { signed: random.percent(50) });
    }
    Type::Scalar(random.pick(&SCALARS))
}

/// A struct of at most so many bytes; none where it does not fit.
fn structure_type(random: &mut Random, structs: &Structs, most: usize, words: usize) -> Option<Type> {
    let fitting = (0..structs.0.len()).map(Type::Struct).filter(|&ty| structs.size(ty) <= most);
    let fitting: Vec<Type> = fitting.collect();
    (words > 1).then(|| random.pick(&fitting))
}

fn value(random: &mut Random, structs: &Structs, ty: Type) -> Value {
    let leaves = structs.leaves(ty);
    let bits = leaves.iter().map(|leaf| {
        let bits = scalar(random, leaf.scalar);
        let unused = 128 - leaf.bits as u32;
        match (leaf.bits, leaf.scalar.is_signed()) {
            (0, _) => bits,
            // As wide as its type.
            (_, true) => {
                let wide = ((bits << unused).cast_signed() >> unused).cast_unsigned();
                wide & (u128::MAX >> (128 - 8 * leaf.scalar.size()))
            }
            (_, false) => bits << unused >> unused,
        }
    });
    Value { ty, bits: bits.collect() }
}

/// The bits of a scalar: often at an end of its range. No infinity: LLVM makes a comparison with its bits into a
/// floating-point one, which BPF does not have.
fn scalar(random: &mut Random, scalar: Scalar) -> u128 {
    const FLOATS: [f32; 8] = [-0.0, 0.0, 1.5, -2.25, f32::MAX, f32::MIN_POSITIVE, f32::MIN, -1.0e-40];
    const DOUBLES: [f64; 8] = [-0.0, 0.0, 1.5, -2.25, f64::MAX, f64::MIN_POSITIVE, f64::MIN, 5.0e-324];
    let bits = 8 * scalar.size() as u32;
    let all = if bits == 128 { u128::MAX } else { (1 << bits) - 1 };
    let sign = 1u128 << (bits - 1);
    match scalar {
        Scalar::Bool => random.below(2) as u128,
        Scalar::Float => random.pick(&FLOATS).to_bits().into(),
        Scalar::Double => random.pick(&DOUBLES).to_bits().into(),
        _ => match random.below(6) {
            0 => all,
            1 => sign,
            2 => sign - 1,
            3 => sign | 1,
            _ => (u128::from(random.next()) << 64 | u128::from(random.next())) & all,
        },
    }
}
