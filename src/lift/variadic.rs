//! Calls of variadic functions that take floating-point numbers.
//!
//! BPF passes a `double` after the `...` as a word, like an integer; natively it belongs in a floating-point register, and nothing
//! in the object says which words are doubles. So the function's `v` form is called instead,
//! `vprintf` for `printf`, with a `va_list` whose register areas are used up: then integers and doubles alike are
//! read from 8-byte slots.
//!
//! | target | `va_list` | is passed |
//! |---|---|---|
//! | x86-64 (psABI 3.5.7) | `{ u32 gp_offset = 48, u32 fp_offset = 304, slots, 0 }` | by address |
//! | aarch64 (AAPCS64 Appendix B) | `{ slots, 0, 0, i32 gr_offs = 0, i32 vr_offs = 0 }` | by address |
//! | s390x (ELF ABI) | `{ i64 gpr = 5, i64 fpr = 4, slots, 0 }` | by address |
//! | riscv64, Apple, Windows | `slots` | as it is |
//!
//! Where the format is a constant without a floating-point conversion, the function itself is called.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, StackSlotData, StackSlotKind, Value};
use target_lexicon::Architecture;

use super::lifter::Lifter;
use crate::abi::libc::VForm;
use crate::abi::{ResultWords, WORD};
use crate::decode::insn::{Callee, Insn, Reg};
use crate::graph::{Instruction, written};
use crate::program::{ArrayForm, Contents, DataKind, Program};
use crate::resolution::Resolution;

/// The `v` form that a call needs; `before` are the instructions of its block before it.
pub fn needed(
    program: &Program,
    resolution: &Resolution,
    before: &[Instruction],
    call: &Instruction,
) -> Option<VForm> {
    needs(program, resolution.facts_of(call.target).v_form?, before, call)
}

/// The `v` form of the callee, if the call needs it.
pub(crate) fn needs(
    program: &Program,
    function: VForm,
    before: &[Instruction],
    call: &Instruction,
) -> Option<VForm> {
    let Insn::Call(callee) = call.insn else { return None };
    if let Callee::Array(array) = callee {
        return (array.form == ArrayForm::Doubles).then_some(function);
    }
    // Wide formats are not parsed.
    if function.name.contains("wprintf") {
        return Some(function);
    }
    let format = Reg::arguments().nth(function.fixed - 1)?;
    let writer = before.iter().rev().find(|instruction| written(instruction.insn).contains(format));
    let constant = writer.and_then(|writer| constant_string(program, writer));
    constant.is_none_or(has_float_conversion).then_some(function)
}

/// The read-only string whose address an instruction loads.
fn constant_string<'a>(program: &'a Program, instruction: &Instruction) -> Option<&'a [u8]> {
    let (section, offset) = program.data_place(instruction.target?)?;
    let data = &program.data[section];
    let Contents::Bytes(bytes) = &data.contents else { return None };
    // No format is a variable that is set.
    if !matches!(data.kind, DataKind::ReadOnly | DataKind::Settable) {
        return None;
    }
    let rest = bytes.get(usize::try_from(offset).ok()?..)?;
    Some(&rest[..rest.iter().position(|&byte| byte == 0)?])
}

/// Whether a format of printf converts a floating-point number.
fn has_float_conversion(format: &[u8]) -> bool {
    let mut rest = format.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            continue;
        }
        // Flags, width, precision, length.
        let conversion = rest.by_ref().find(|byte| !b"0123456789.*$+-# 'hlqjztLI".contains(byte));
        if conversion.is_some_and(|byte| b"aAeEfFgG".contains(byte)) {
            return true;
        }
    }
    false
}

impl Lifter<'_, '_> {
    /// Calls the `v` form of a variadic function with these words.
    pub(super) fn call_v_form(&mut self, function: VForm, words: &[Value]) -> ResultWords {
        let declarations = self.declarations;
        let (fixed, variable) = words.split_at(function.fixed.min(words.len()));
        let list = self.va_list(variable);
        let mut passed = fixed.to_vec();
        passed.push(list);
        self.call_function(&declarations.runtime[function.name], &passed)
    }

    /// A `va_list` of these words.
    pub(super) fn va_list(&mut self, words: &[Value]) -> Value {
        let slots = self.stack(words);
        let number = |lifter: &mut Self, value: i64| lifter.builder.ins().iconst(WORD, value);
        let platform = self.declarations.platform;
        let fields = match platform.architecture {
            _ if !platform.has_va_list_struct() => return slots,
            Architecture::X86_64 => {
                let offsets = number(self, 48 | 304 << 32);
                vec![offsets, slots, number(self, 0)]
            }
            Architecture::Aarch64(_) => {
                let zero = number(self, 0);
                vec![slots, zero, zero, zero]
            }
            Architecture::S390x => vec![number(self, 5), number(self, 4), slots, number(self, 0)],
            _ => return slots,
        };
        self.stack(&fields)
    }

    /// The address of words in a stack slot of their own.
    fn stack(&mut self, words: &[Value]) -> Value {
        let size = words.len().max(1) as u32 * WORD.bytes();
        let data = StackSlotData::new(StackSlotKind::ExplicitSlot, size, 4);
        let slot = self.builder.create_sized_stack_slot(data);
        for (index, &word) in words.iter().enumerate() {
            let address = self.builder.ins().stack_addr(WORD, slot, index as i32 * WORD.bytes() as i32);
            self.builder.ins().store(MemFlagsData::new(), word, address, 0);
        }
        self.builder.ins().stack_addr(WORD, slot, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::has_float_conversion;

    #[test]
    fn conversions_of_formats() {
        for format in ["%f", "%5.2f\n", "%d %-+08.3e", "%%%g", "%*.*Lf", "%1$a"] {
            assert!(has_float_conversion(format.as_bytes()), "{format}");
        }
        for format in ["", "%", "%d", "%%f", "100%% free", "%ld %s %5c\n", "e%d f", "%-5"] {
            assert!(!has_float_conversion(format.as_bytes()), "{format}");
        }
    }
}
