//! Bit idioms: BPF has no instruction that counts or reverses bits, so compilers expand their builtins, and programs have
//! their own ways.
//!
//! | value | becomes |
//! |---|---|
//! | the bits of `x` (those in a mask), added up in fields that double | `popcnt (x & mask)` |
//! | the same where `x` is all ones up to, from, or below the highest or lowest one bit of `y`, or the complement of that | `clz y`, `ctz y`, plus or minus a constant |
//! | an element of a constant table, at an index that is computed from that, such as by a de Bruijn sequence | the same |
//! | all bits of `x` (those in a mask), XORed into one | `popcnt (x & mask) & 1` |
//! | the bits of `x` (those in a mask) in reverse order, exchanged in fields that double | `bitrev x`, shifted |
//!
//! | to know what a value is | file |
//! |---|---|
//! | whether it is worth a look | `steps.rs` |
//! | the instructions that compute it | `cone.rs` |
//! | which bits it adds up, and what each counts; which it joins by OR and XOR | `sums.rs`, `rows.rs` |
//! | whether it tells where the lowest or highest bit of another is | `isolated.rs` |
//! | the count that a function of that is; what tables are such functions | `affine.rs`, `tables.rs` |
//!
//! None of these knows a sequence of instructions, or constants: what is computed decides, so it does not matter how it is
//! written. Each file says why it is sound. Instructions that are no more used go with Cranelift's dead code.
//!
//! Only where the target has instructions for it ([`TargetFacts`]): elsewhere Cranelift makes as many of it as there were, or loops.
//! Instructions of functions that do nothing else, without the pass and with it:
//!
//! | | x86-64 | with `popcnt`, `lzcnt`, `bmi1` | aarch64 | riscv64 with `zbb` | s390x |
//! |---|---|---|---|---|---|
//! | `popcount` of 64 bits | 35, 35 | 35, 2 | 14, 5 | 35, 2 | 22, 10 |
//! | `clz` | 55, 7 | 55, 2 | 27, 2 | 46, 2 | 36, 3 |
//! | `ctz` | 13, 5 | 9, 3 | 12, 4 | 14, 3 | 9, 9 |
//! | parity | 21, 21 | 21, 3 | 15, 6 | 16, 3 | 17, 12 |
//! | reversal | 35, 35 | 35, 35 | 14, 2 | 33, 33 | 24, 24 |

mod affine;
mod cone;
mod isolated;
mod rows;
mod steps;
mod sums;
mod tables;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Block, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, types};

use crate::config::TargetFacts;
use crate::opt::constants::Constants;
use crate::opt::ir::operands::{binary_operands, iconst, replace_inst};
use crate::opt::pass::PassContext;

use affine::{ZeroCount, resized};
use cone::{Cone, number, ones};
use isolated::Isolated;
use steps::with_constant;

/// How many instructions an idiom has at least, for it to be no more of them afterwards.
const MIN_WORK: usize = 8;

/// What replaces an instruction.
#[derive(Clone, Copy)]
enum Idiom {
    /// A count of leading or trailing zeros.
    Zeros(ZeroCount),
    /// How many bits of a value that are in a mask are ones; or whether that is odd.
    Ones { of: Value, width: u32, mask: Option<u64>, is_parity: bool },
    /// The reversed low `width` bits of a value, those that are in a mask, moved up (down, if negative).
    Reversed { of: Value, width: u32, mask: Option<u64>, up: i32 },
}

/// Runs the pass.
pub(crate) fn run(function: &mut Function, context: &mut PassContext<'_>) {
    let mut found = Vec::new();
    for block in function.layout.blocks() {
        let root = |inst| Root { function, block, inst, facts: &context.facts };
        let insts = function.layout.block_insts(block);
        found.extend(insts.filter_map(|inst| Some((inst, root(inst).idiom(context.constants)?))));
    }
    for (inst, idiom) in found {
        let ty = function.dfg.value_type(function.dfg.first_result(inst));
        let location = function.srcloc(inst);
        let mut cursor = FuncCursor::new(function).at_inst(inst).with_srcloc(location);
        let new = idiom.insert(&mut cursor, ty, &context.facts);
        replace_inst(function, inst, new);
    }
}

/// The narrower type that has all bits of a mask, of those of a value; and the mask, if it leaves out any that may be there.
fn covering(mask: u64, bits: u64) -> (u32, Option<u64>) {
    let width = if mask <= ones(32) { 32 } else { 64 };
    (width, (mask != bits & ones(width)).then_some(mask))
}

fn type_of_width(width: u32) -> Type {
    if width == 32 { types::I32 } else { types::I64 }
}

impl Idiom {
    /// Inserts it, as a number of this type.
    fn insert(self, cursor: &mut FuncCursor<'_>, ty: Type, facts: &TargetFacts) -> Value {
        let masked = |cursor: &mut FuncCursor<'_>, of, width, mask: Option<u64>| {
            let value = resized(cursor, of, type_of_width(width));
            let Some(mask) = mask else { return value };
            let mask = iconst(cursor, type_of_width(width), mask as i64);
            cursor.ins().band(value, mask)
        };
        match self {
            Idiom::Zeros(count) => count.insert(cursor, ty, facts),
            Idiom::Ones { of, mask, width, is_parity } => {
                let value = masked(cursor, of, width, mask);
                let count = cursor.ins().popcnt(value);
                let count = if is_parity { cursor.ins().band_imm_u(count, 1) } else { count };
                resized(cursor, count, ty)
            }
            Idiom::Reversed { of, width, mask, up } => {
                let value = masked(cursor, of, width, mask);
                let value = cursor.ins().bitrev(value);
                match up {
                    0 => resized(cursor, value, ty),
                    up if up < 0 => {
                        let value = cursor.ins().ushr_imm_u(value, i64::from(-up));
                        resized(cursor, value, ty)
                    }
                    up => {
                        let value = resized(cursor, value, ty);
                        cursor.ins().ishl_imm_u(value, i64::from(up))
                    }
                }
            }
        }
    }
}

/// An instruction that may end an idiom.
struct Root<'f> {
    function: &'f Function,
    block: Block,
    inst: Inst,
    facts: &'f TargetFacts,
}

impl Root<'_> {
    /// The idiom that it ends.
    fn idiom(&self, constants: &Constants<'_>) -> Option<Idiom> {
        let dfg = &self.function.dfg;
        let &[value] = dfg.inst_results(self.inst) else { return None };
        if !matches!(dfg.value_type(value), types::I32 | types::I64) {
            return None;
        }
        match dfg.insts[self.inst] {
            InstructionData::Load { .. } if self.facts.counts_zeros => {
                tables::zero_count(self.function, self.inst, constants).map(Idiom::Zeros)
            }
            InstructionData::Binary { opcode, args } => match opcode {
                Opcode::Iadd if !steps::may_be_sides(dfg, args) => None,
                Opcode::Ushr | Opcode::Urem | Opcode::Iadd => self.count(value, opcode),
                Opcode::Band => self.count(value, opcode).or_else(|| self.parity(value)),
                Opcode::Bor => self.reversal(value),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a value may be the last instruction of a count of bits, which has this opcode.
    fn may_count(&self, value: Value, last: Opcode) -> bool {
        let dfg = &self.function.dfg;
        let is_low_ones = |number: u64| number >= 15 && number.trailing_ones() + number.leading_zeros() == 64;
        if last == Opcode::Iadd {
            return steps::sums(dfg, value) >= 3;
        }
        let Some((operand, number)) = with_constant(dfg, value, last) else { return false };
        match last {
            Opcode::Ushr => {
                let mut product = steps::unconverted(dfg, operand);
                if let Some((masked, _)) = with_constant(dfg, product, Opcode::Band) {
                    product = steps::unconverted(dfg, masked);
                }
                let factor = with_constant(dfg, product, Opcode::Imul);
                factor.is_some_and(|(fields, _)| steps::sums(dfg, fields) >= 2)
            }
            Opcode::Band => number <= 255 && is_low_ones(number) && steps::sums(dfg, operand) >= 3,
            _ => is_low_ones(number) && steps::sums(dfg, operand) >= 2,
        }
    }

    /// The count of bits that a value is, whose instruction has this opcode.
    fn count(&self, value: Value, last: Opcode) -> Option<Idiom> {
        if !self.may_count(value, last) {
            return None;
        }
        let sum = sums::bit_sum(&self.cone(value))?;
        let mask = (0..64).filter(|&bit| sum.terms[bit] != 0).fold(0, |mask, bit| mask | 1 << bit);
        if sum.terms.iter().any(|&term| term > 1) {
            return None;
        }
        let (width, other) = covering(mask, sum.bits);
        let dfg = &self.function.dfg;
        if self.facts.counts_zeros
            && dfg.value_type(sum.of).bits() >= width
            && let Some(isolated) = Isolated::of(self.function, sum.of, width)
        {
            let ones = |value: u64| Some(u64::from((value & mask).count_ones()));
            if let Some(count) = ZeroCount::new(&isolated, dfg.value_type(value).bits(), ones) {
                return Some(Idiom::Zeros(count));
            }
        }
        let pays = self.facts.counts_ones && sum.work >= MIN_WORK;
        pays.then_some(Idiom::Ones { of: sum.of, width, mask: other, is_parity: false })
    }

    /// The parity that a value is.
    fn parity(&self, value: Value) -> Option<Idiom> {
        let dfg = &self.function.dfg;
        let (folded, 1) = with_constant(dfg, value, Opcode::Band)? else { return None };
        if !self.facts.counts_ones {
            return None;
        }
        let folded = steps::unconverted(dfg, folded);
        let from_table = self.parity_of_four(folded);
        let folded = from_table.unwrap_or(folded);
        if steps::folds(dfg, folded) < if from_table.is_some() { 2 } else { 3 } {
            return None;
        }
        let joined = rows::joined_bits(&self.cone(folded), Opcode::Bxor)?;
        let mask = if from_table.is_some() {
            // A number of more than four bits would shift the table away.
            let [low, high] = [&joined.rows[..4], &joined.rows[4..]];
            if high.iter().any(|&row| row != 0) {
                return None;
            }
            low.iter().fold(0, |mask, row| mask ^ row)
        } else {
            joined.rows[0]
        };
        let (width, mask) = covering(mask, joined.bits);
        (joined.work >= MIN_WORK - 2).then_some(Idiom::Ones { of: joined.of, width, mask, is_parity: true })
    }

    /// The number of four bits whose parity is the lowest bit of a value: 6996 in hexadecimal, shifted by it.
    fn parity_of_four(&self, value: Value) -> Option<Value> {
        let dfg = &self.function.dfg;
        let shift = binary_operands(dfg, value, Opcode::Ushr).or_else(|| binary_operands(dfg, value, Opcode::Sshr));
        let [table, by] = shift?;
        let table = number(dfg, table)?;
        (table & 0xffff == 0x6996).then_some(by)
    }

    /// The reversal of bits that a value is.
    fn reversal(&self, value: Value) -> Option<Idiom> {
        if !self.facts.reverses_bits || steps::exchanges(&self.function.dfg, value) < 2 {
            return None;
        }
        let sum = sums::bit_sum(&self.cone(value))?;
        let terms = || (0..64).zip(sum.terms).filter(|&(_, term)| term != 0);
        let mask = terms().fold(0, |mask, (bit, _)| mask | 1 << bit);
        let (first, term) = terms().next()?;
        // Bit `i` goes to bit `top - i`.
        let top = term.trailing_zeros() + first;
        let is_reversal = terms().all(|(bit, term)| bit <= top && term == 1 << (top - bit));
        if !is_reversal || sum.work < MIN_WORK {
            return None;
        }
        let width = covering(mask, sum.bits).0;
        let up = top as i32 - (width as i32 - 1);
        // What is shifted out is none of the mask's.
        let shifted = if up < 0 { ones((width as i32 + up) as u32) } else { ones(width) };
        let mask = (mask != sum.bits & shifted).then_some(mask);
        Some(Idiom::Reversed { of: sum.of, width, mask, up })
    }

    fn cone(&self, value: Value) -> Cone {
        Cone::new(self.function, self.block, value, |_| false)
    }
}
