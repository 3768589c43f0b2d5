//! The C text of a batch: the callees and the callers of one side.
//!
//! Both sides are made alike. A callee compares each scalar that it gets with what it has to be, and returns a known
//! value; a caller compares that. Whatever differs is told to `report(prototype, what)`, which the native side has:
//!
//! | `what` | |
//! |---|---|
//! | 0.. | this scalar of the arguments |
//! | 1000.. | this scalar of the result of a direct call |
//! | 2000.. | the same of a call through a pointer |
//!
//! Numbers come out of a volatile `box`, with bits above their width that no callee may see, and are compared as wide
//! as a register, so that a compiler counts on the extension that its calling convention promises.

use std::fmt::Write;

use super::random::{Batch, Prototype, Random, Value};
use super::types::{Scalar, Structs, Type};

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Native,
    Bpf,
}

impl Side {
    /// The first letter of the names of its callees.
    pub fn letter(self) -> char {
        match self {
            Side::Native => 'n',
            Side::Bpf => 'b',
        }
    }
}

/// Whether a function of this type can be defined in BPF by these compilers.
pub type Definable<'a> = &'a dyn Fn(&Prototype) -> bool;

const HEAD: &str = "\
typedef unsigned long long word;
enum below { BELOW_MIN = -2147483647 - 1, BELOW_MAX = 2147483647 };
enum above { ABOVE_MIN, ABOVE_MAX = 4294967295u };
union float_bits { unsigned bits; float value; };
union double_bits { word bits; double value; };
void report(int prototype, int what);
#define CHECK(what, is, expected) do { if ((word)(is) != expected) report(PROTOTYPE, what); } while (0)
#define FLOAT(word) ((union float_bits){ (unsigned)(word) }).value
#define DOUBLE(word) ((union double_bits){ word }).value
#define FLOAT_BITS(number) ((union float_bits){ .value = number }).bits
#define DOUBLE_BITS(number) ((union double_bits){ .value = number }).bits
";

/// Whether the BPF callee of this number is `static`, and only its address gets out.
pub fn is_hidden(number: usize) -> bool {
    number % 2 == 1
}

/// The file of one side.
pub fn file(batch: &Batch, side: Side, is_definable: Definable<'_>) -> String {
    let mut writer = Writer { batch, words: Vec::new(), random: Random::new(batch.seed ^ 0x5eed) };
    let mut text = String::new();
    for (number, prototype) in batch.prototypes.iter().enumerate() {
        let is_definable = is_definable(prototype);
        let has_callee = side == Side::Native || is_definable;
        let has_caller = side == Side::Bpf || is_definable;
        let _ = writeln!(text, "#undef PROTOTYPE\n#define PROTOTYPE {number}");
        if has_callee {
            text += &writer.callee(side, number, prototype);
        }
        if has_caller {
            text += &writer.caller(side, number, prototype);
        }
    }
    if side == Side::Native {
        text += &writer.main(is_definable);
    }
    let words: Vec<String> = writer.words.iter().map(|word| format!("{word:#x}ull")).collect();
    let words = format!("volatile word box[] = {{ 0, {} }};\n", words.join(", "));
    // One object has one of them.
    let words = words.replace("box", if side == Side::Native { "native_box" } else { "bpf_box" });
    let alias = if side == Side::Native { "#define box native_box\n" } else { "#define box bpf_box\n" };
    format!("{HEAD}{}{words}{alias}{text}", batch.structs.definitions())
}

/// The declaration of a prototype, for messages too.
pub fn declaration(structs: &Structs, prototype: &Prototype, name: &str) -> String {
    let mut parameters: Vec<String> = Vec::new();
    for (index, parameter) in prototype.parameters.iter().enumerate() {
        parameters.push(format!("{} p{index}", structs.name(parameter.ty)));
    }
    match &prototype.tail {
        Some(_) => parameters.push("...".to_owned()),
        None if parameters.is_empty() => parameters.push("void".to_owned()),
        None => {}
    }
    format!("{} {name}({})", structs.name(prototype.result.ty), parameters.join(", "))
}

struct Writer<'a> {
    batch: &'a Batch,
    words: Vec<u64>,
    random: Random,
}

impl Writer<'_> {
    fn callee(&mut self, side: Side, number: usize, prototype: &Prototype) -> String {
        let structs = &self.batch.structs;
        let is_static = side == Side::Bpf && is_hidden(number);
        let name = format!("{}{number}", side.letter());
        let mut text =
            format!("{}{} {{\n", if is_static { "static " } else { "" }, declaration(structs, prototype, &name));
        let mut what = 0;
        for (index, parameter) in prototype.parameters.iter().enumerate() {
            checks(structs, parameter, &format!("p{index}"), &mut what, &mut text);
        }
        if let Some(tail) = &prototype.tail {
            let last = prototype.parameters.len() - 1;
            let _ = writeln!(text, "  __builtin_va_list tail; __builtin_va_start(tail, p{last});");
            for (index, value) in tail.iter().enumerate() {
                let ty = structs.name(value.ty);
                let _ = writeln!(text, "  {ty} t{index} = __builtin_va_arg(tail, {ty});");
                checks(structs, value, &format!("t{index}"), &mut what, &mut text);
            }
            text += "  __builtin_va_end(tail);\n";
        }
        if prototype.result.ty != Type::Void {
            let result = self.expression(&prototype.result);
            let _ = writeln!(text, "  return {result};");
        }
        text += "}\n";
        if is_static {
            let _ = writeln!(text, "void *get_{name}(void) {{ return (void *){name}; }}");
        }
        text
    }

    /// The caller of the other side's callee.
    fn caller(&mut self, side: Side, number: usize, prototype: &Prototype) -> String {
        let structs = &self.batch.structs;
        let callee = if side == Side::Native { Side::Bpf } else { Side::Native };
        let is_static = callee == Side::Bpf && is_hidden(number);
        let name = format!("{}{number}", callee.letter());
        let pointer = declaration(structs, prototype, "(*volatile pointer)");
        let (mut text, value) = if is_static {
            (format!("void *get_{name}(void);\n"), format!("get_{name}()"))
        } else {
            (format!("{};\n", declaration(structs, prototype, &name)), name.clone())
        };
        let _ = writeln!(text, "void call_{name}(void) {{\n  {pointer} = {value};");
        let direct = (!is_static).then_some((name.as_str(), 1000));
        for (callee, first) in direct.into_iter().chain([("pointer", 2000)]) {
            let arguments: Vec<&Value> =
                prototype.parameters.iter().chain(prototype.tail.iter().flatten()).collect();
            let arguments: Vec<String> = arguments.iter().map(|value| self.expression(value)).collect();
            let call = format!("{callee}({})", arguments.join(", "));
            if prototype.result.ty == Type::Void {
                let _ = writeln!(text, "  {call};");
                continue;
            }
            let mut what = first;
            let _ = writeln!(text, "  {{ {} result = {call};", structs.name(prototype.result.ty));
            checks(structs, &prototype.result, "result", &mut what, &mut text);
            text += "  }\n";
        }
        text += "}\n";
        text
    }

    fn main(&self, is_definable: Definable<'_>) -> String {
        let (mut declarations, mut calls) = (String::new(), String::new());
        for (number, prototype) in self.batch.prototypes.iter().enumerate() {
            let _ = writeln!(declarations, "void call_n{number}(void);");
            let _ = writeln!(calls, "  call_n{number}();");
            if is_definable(prototype) {
                let _ = writeln!(calls, "  call_b{number}();");
            }
        }
        format!(
            "int printf(const char *, ...);\n{declarations}static int failures;\n\
             void report(int prototype, int what) {{ if (failures++ < 40) printf(\"%d %d\\n\", prototype, what); }}\n\
             int main(void) {{\n{calls}  printf(\"done\\n\");\n  return 0;\n}}\n"
        )
    }

    /// An expression that has the value.
    fn expression(&mut self, value: &Value) -> String {
        let mut bits = value.bits.iter().copied();
        match value.ty {
            Type::Void => String::new(),
            Type::Scalar(scalar) => self.scalar(scalar, bits.next().unwrap_or_default()),
            Type::Struct(index) => {
                let initializer = self.initializer(index, &mut bits);
                format!("({}){initializer}", self.batch.structs.name(value.ty))
            }
        }
    }

    fn initializer(&mut self, index: usize, bits: &mut dyn Iterator<Item = u128>) -> String {
        let structs = &self.batch.structs;
        let of = &structs.0[index];
        let visible = if of.is_union { 1 } else { usize::MAX };
        let mut members = Vec::new();
        for member in of.members.iter().take(visible) {
            let elements: Vec<String> = (0..member.count.max(1))
                .map(|_| match member.ty {
                    Type::Void => String::new(),
                    Type::Scalar(scalar) => self.scalar(scalar, bits.next().unwrap_or_default()),
                    Type::Struct(inner) => self.initializer(inner, bits),
                })
                .collect();
            let elements = elements.join(", ");
            members.push(if member.count > 0 { format!("{{ {elements} }}") } else { elements });
        }
        format!("{{ {} }}", members.join(", "))
    }

    fn scalar(&mut self, scalar: Scalar, bits: u128) -> String {
        let garbage = match scalar.size() {
            size @ ..8 => self.random.next() << (8 * size),
            _ => 0,
        };
        let mut word = |bits: u64| {
            self.words.push(bits);
            format!("box[{}]", self.words.len())
        };
        match scalar {
            Scalar::Bool => format!("(_Bool)({} & 1)", word(bits as u64 | garbage)),
            Scalar::Float => format!("FLOAT({})", word(bits as u64 | garbage)),
            Scalar::Double => format!("DOUBLE({})", word(bits as u64)),
            Scalar::Int128 { .. } => {
                let (high, low) = (word((bits >> 64) as u64), word(bits as u64));
                format!("({})((unsigned __int128){high} << 64 | {low})", scalar.name())
            }
            _ => format!("({}){}", scalar.name(), word(bits as u64 | garbage)),
        }
    }
}

/// The checks of a value.
fn checks(structs: &Structs, value: &Value, name: &str, what: &mut usize, text: &mut String) {
    for (leaf, &bits) in structs.leaves(value.ty).iter().zip(&value.bits) {
        let (place, scalar) = (format!("{name}{}", leaf.path), leaf.scalar);
        let expected = scalar.extended(bits);
        let is = match scalar {
            Scalar::Float => format!("FLOAT_BITS({place})"),
            Scalar::Double => format!("DOUBLE_BITS({place})"),
            Scalar::Int128 { .. } => {
                let high = (bits >> 64) as u64;
                let _ = writeln!(text, "  CHECK({what}, (unsigned __int128){place} >> 64, {high:#x}ull);");
                place
            }
            _ if scalar.is_signed() => format!("(long long){place}"),
            _ => place,
        };
        let _ = writeln!(text, "  CHECK({what}, {is}, {expected:#x}ull);");
        *what += 1;
    }
}
