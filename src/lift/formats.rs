//! Formats of printf and scanf with `long double`.
//!
//! A `long double` of BPF is a `double` (see `abi::long_double`): what prints must read 8 bytes for `%Lf`, and
//! what scans must store 8. So the function is called with another format, in which the `L` of a floating-point conversion is an
//! `l`: `%lf` is a `double` for both. An `L` before an integer conversion, and other text, stay.
//!
//! | format | is |
//! |---|---|
//! | a constant without such an `L` | passed as it is |
//! | a constant with one | written to the stack, changed |
//! | not known, and the program's data has a format with one | copied with `strdup` (`wcsdup`), changed, freed after the call |
//! | not known, in any other program | passed as it is |
//!
//! s390x's `__nldbl_printf` and the like read 8 bytes themselves.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, StackSlotData, StackSlotKind, Type, Value, types};

use super::lifter::Lifter;
use crate::abi::WORD;
use crate::abi::libc::{Format, format_of};
use crate::decode::insn::{Callee, Insn, Reg};
use crate::graph::{Graph, Instruction, written};
use crate::program::{Contents, DataKind, Endianness, Program, Target};
use crate::resolution::Resolution;

/// What is done about the format of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    /// It is replaced by this one.
    To(Vec<u8>),
    /// It may have to be changed at run time.
    AtRunTime,
}

/// What may come between `%` and the conversion specifier, including scanf's `m`.
const BEFORE_CONVERSION: &[u8] = b"0123456789.*$+-# 'hlqjztLIm";

/// Floating-point conversion specifiers.
const CONVERSIONS: &[u8] = b"aAeEfFgG";

/// What frees a copy.
const FREE: &str = "free";

/// The names that a function's code calls for its formats, in a program that [`has_formats`].
pub fn runtime_symbols(program: &Program, resolution: &Resolution, graph: &Graph) -> Vec<&'static str> {
    let mut names = Vec::new();
    for block in &graph.blocks {
        let block = graph.instructions_of(block);
        for (index, call) in block.iter().enumerate() {
            if let Some((format, Change::AtRunTime)) = change(program, resolution, &block[..index], call) {
                names.extend([format.copier(), FREE]);
            }
        }
    }
    names
}

/// What a call does about its format; `before` are the instructions of its block before it.
fn change(
    program: &Program,
    resolution: &Resolution,
    before: &[Instruction],
    call: &Instruction,
) -> Option<(Format, Change)> {
    let (Insn::Call(callee), Some(Target::Import { import, addend: 0 })) = (call.insn, call.target) else {
        return None;
    };
    let format = resolution.facts(import).format?;
    if matches!(callee, Callee::Array(_)) {
        return Some((format, Change::AtRunTime));
    }
    let reg = Reg::arguments().nth(format.parameter)?;
    let writer = before.iter().rev().find(|instruction| written(instruction.insn).contains(reg));
    match writer.and_then(|writer| constant(program, writer, format)) {
        Some(mut text) => change_text(&mut text).then_some((format, Change::To(text))),
        None => Some((format, Change::AtRunTime)),
    }
}

/// The characters of the read-only string whose address an instruction loads; none if one of them is no byte.
fn constant(program: &Program, instruction: &Instruction, format: Format) -> Option<Vec<u8>> {
    let Some(Target::Data { section, offset }) = instruction.target else { return None };
    let data = &program.data[section];
    let Contents::Bytes(bytes) = &data.contents else { return None };
    // No format is a variable that is set.
    if !matches!(data.kind, DataKind::ReadOnly | DataKind::Settable) {
        return None;
    }
    let rest = bytes.get(usize::try_from(offset).ok()?..)?;
    let text = characters(program, rest, format.unit());
    // A wide string with other characters is examined at run time.
    let text: Option<Vec<u8>> = text.take_while(|&character| character != Some(0)).collect();
    text.filter(|text| text.len() < rest.len() / format.unit())
}

/// Characters of `unit` bytes each; none for one that is no byte.
fn characters<'a>(program: &Program, bytes: &'a [u8], unit: usize) -> impl Iterator<Item = Option<u8>> + use<'a> {
    let is_little = program.endianness == Endianness::Little;
    bytes.chunks_exact(unit).map(move |bytes| match *bytes {
        [byte] => Some(byte),
        [byte, 0, 0, 0] if is_little => Some(byte),
        [0, 0, 0, byte] if !is_little => Some(byte),
        _ => None,
    })
}

/// Changes a format; whether there was anything to change.
fn change_text(text: &mut [u8]) -> bool {
    let mut is_changed = false;
    let mut at = 0;
    while at < text.len() {
        at += 1;
        if text[at - 1] != b'%' {
            continue;
        }
        let mut long = None;
        while at < text.len() && BEFORE_CONVERSION.contains(&text[at]) {
            if text[at] == b'L' {
                long = Some(at);
            }
            at += 1;
        }
        if let (Some(long), true) = (long, at < text.len() && CONVERSIONS.contains(&text[at])) {
            text[long] = b'l';
            is_changed = true;
        }
        at += 1;
    }
    is_changed
}

/// Whether data of the program has what may be a format with a `long double`.
pub fn has_formats(program: &Program) -> bool {
    let has_format = |bytes: &[u8], unit| {
        let text = characters(program, bytes, unit).map(|character| character.unwrap_or(0));
        change_text(&mut text.collect::<Vec<u8>>())
    };
    if !program.imports.iter().any(|(_, import)| format_of(&import.name).is_some()) {
        return false;
    }
    program.data.iter().any(|(_, data)| match &data.contents {
        Contents::Bytes(bytes) => has_format(bytes, 1) || has_format(bytes, 4),
        Contents::Zeros(_) => false,
    })
}

impl Lifter<'_, '_> {
    /// Before a call: replaces the format in its register, if needed; the copy that is to be freed after the call.
    pub(super) fn change_format(&mut self) -> Option<Value> {
        let (format, change) = change(self.program, self.resolution, self.before, &self.at)?;
        let reg = Reg::arguments().nth(format.parameter)?;
        let (address, copy) = match change {
            Change::To(text) => (self.text(&text, format), None),
            Change::AtRunTime => {
                let given = self.get(reg);
                let (address, copy) = self.changed_copy(given, format)?;
                (address, Some(copy))
            }
        };
        self.set(reg, address);
        copy
    }

    /// The same for arguments that are not in registers.
    pub(super) fn change_format_of_words(&mut self, format: Format, words: &mut [Value]) -> Option<Value> {
        let word = words.get_mut(format.parameter)?;
        let (address, copy) = self.changed_copy(*word, format)?;
        *word = address;
        Some(copy)
    }

    /// Frees the copy of a format.
    pub(super) fn free_format(&mut self, copy: Option<Value>) {
        if let Some(copy) = copy {
            let declarations = self.declarations;
            self.call_function(&declarations.runtime[FREE], &[copy]);
        }
    }

    /// The address of a string on the stack.
    fn text(&mut self, text: &[u8], format: Format) -> Value {
        let (unit, is_big) = (format.unit(), self.is_big_endian());
        let mut bytes = Vec::with_capacity((text.len() + 1) * unit + 8);
        for &character in text.iter().chain([&0]) {
            let mut wide = [0; 4];
            wide[if is_big { 3 } else { 0 }] = character;
            bytes.extend_from_slice(if format.is_wide { &wide } else { std::slice::from_ref(&character) });
        }
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let size = u32::try_from(bytes.len()).expect("a constant of an object is shorter than 4 GiB");
        let slot = self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3));
        for (index, bytes) in (0i32..).zip(bytes.chunks_exact(8)) {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            let word = if is_big { i64::from_be_bytes(word) } else { i64::from_le_bytes(word) };
            let word = self.builder.ins().iconst(WORD, word);
            let address = self.builder.ins().stack_addr(WORD, slot, index * 8);
            self.builder.ins().store(MemFlagsData::new(), word, address, 0);
        }
        self.builder.ins().stack_addr(WORD, slot, 0)
    }

    /// A changed copy of a format, which is the copy's address too; where there is no memory for one, the format itself.
    /// None in a program that has no format to change.
    fn changed_copy(&mut self, format: Value, of: Format) -> Option<(Value, Value)> {
        let declarations = self.declarations;
        let copier = declarations.runtime.get(of.copier())?;
        let copy = self.call_function(copier, &[format]).first?;
        let (start, done) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(copy, start, &[], done, &[]);
        self.builder.switch_to_block(start);
        self.change_loop(copy, of, done);
        self.builder.switch_to_block(done);
        let address = self.builder.ins().select(copy, copy, format);
        Some((address, copy))
    }

    /// [`change_text`] as code: goes to `done` at the end of the string.
    ///
    /// | block | parameters |
    /// |---|---|
    /// | header | the character's address; whether a `%` came before; where its `L` is, or 0 |
    fn change_loop(&mut self, copy: Value, of: Format, done: cranelift_codegen::ir::Block) {
        let ty: Type = if of.is_wide { types::I32 } else { types::I8 };
        let flags = MemFlagsData::new();
        let [header, next, store, after] = [0; 4].map(|_| self.builder.create_block());
        let [at, is_inside, long] = [0; 3].map(|_| self.builder.append_block_param(header, WORD));
        let zero = self.builder.ins().iconst(WORD, 0);
        self.builder.ins().jump(header, &[copy.into(), zero.into(), zero.into()]);
        self.builder.switch_to_block(header);
        let character = self.builder.ins().load(ty, flags, at, 0);
        let character = self.builder.ins().uextend(WORD, character);
        self.builder.ins().brif(character, next, &[], done, &[]);

        self.builder.switch_to_block(next);
        let is_percent = self.is_character(character, b'%');
        let is_before = self.is_one_of(character, BEFORE_CONVERSION);
        let is_conversion = self.is_one_of(character, CONVERSIONS);
        let is_long = self.is_character(character, b'L');
        let long_here = self.builder.ins().select(is_long, at, long);
        // Between `%` and the specifier it stays inside a conversion; a specifier ends it, and so does `%%`.
        let stays = self.builder.ins().band(is_inside, is_before);
        let starts = self.builder.ins().bxor_imm_u(is_inside, 1);
        let starts = self.builder.ins().band(starts, is_percent);
        let inside = self.builder.ins().bor(stays, starts);
        let long_next = self.builder.ins().select(stays, long_here, zero);
        let ends = self.builder.ins().band(is_inside, is_conversion);
        let has_long = self.builder.ins().icmp_imm_u(IntCC::NotEqual, long, 0);
        let has_long = self.builder.ins().uextend(WORD, has_long);
        let ends = self.builder.ins().band(ends, has_long);
        self.builder.ins().brif(ends, store, &[], after, &[]);

        self.builder.switch_to_block(store);
        let small = self.builder.ins().iconst(ty, i64::from(b'l'));
        self.builder.ins().store(flags, small, long, 0);
        self.builder.ins().jump(after, &[]);

        self.builder.switch_to_block(after);
        let following = self.builder.ins().iadd_imm_u(at, i64::from(ty.bytes()));
        self.builder.ins().jump(header, &[following.into(), inside.into(), long_next.into()]);
    }

    /// 1 if it is this character, else 0.
    fn is_character(&mut self, character: Value, of: u8) -> Value {
        let is = self.builder.ins().icmp_imm_u(IntCC::Equal, character, i64::from(of));
        self.builder.ins().uextend(WORD, is)
    }

    /// 1 if it is one of these ASCII characters, else 0: a bit set of two 64-bit constants.
    fn is_one_of(&mut self, character: Value, of: &[u8]) -> Value {
        let bits_of = |index: u8| {
            let bits = of.iter().filter(|&&of| of / 64 == index).fold(0u64, |bits, of| bits | 1 << (of % 64));
            bits.cast_signed()
        };
        let [low, high] = [bits_of(0), bits_of(1)].map(|bits| self.builder.ins().iconst(WORD, bits));
        let is_high = self.builder.ins().band_imm_u(character, 64);
        let bits = self.builder.ins().select(is_high, high, low);
        let bits = self.builder.ins().ushr(bits, character);
        let bit = self.builder.ins().band_imm_u(bits, 1);
        let is_ascii = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, character, 128);
        let is_ascii = self.builder.ins().uextend(WORD, is_ascii);
        self.builder.ins().band(bit, is_ascii)
    }
}

#[cfg(test)]
mod tests {
    use super::change_text;

    #[test]
    fn formats() {
        for (text, expected) in [
            ("%Lf", "%lf"),
            ("a %d %-+08.3Le%%Lf", "a %d %-+08.3le%%Lf"),
            ("%*.*Lg|%2$La", "%*.*lg|%2$la"),
            ("%*Lf", "%*lf"),
        ] {
            let mut changed = text.as_bytes().to_vec();
            assert!(change_text(&mut changed), "{text}");
            assert_eq!(changed, expected.as_bytes());
        }
        for text in ["", "%", "%L", "%Ld", "%%Lf", "L", "%f", "%d L%f", "%5", "%sLf"] {
            assert!(!change_text(&mut text.as_bytes().to_vec()), "{text}");
        }
    }
}
