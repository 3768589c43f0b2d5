//! Loads from a constant table whose index tells where a number's lowest or highest one bit is: multiplication by a de Bruijn
//! sequence, remainders by 37, and whatever else a table was made for.
//!
//! In: a load. Out: the [`ZeroCount`] that it gives for each of the numbers' `w + 1` cases. The rule: the index is computed for all
//! of them, and each must be an element of the table.
//!
//! Sound: the bytes are those of the program's own read-only data, which no link replaces ([`Constants`]), and their contents are
//! the same whenever they are read. Nothing is observed of reading such data: docs/memory-model.md.

use cranelift_codegen::ir::{Block, Function, GlobalValue, Inst, InstructionData, Opcode, Value};

use super::affine::ZeroCount;
use super::cone::{Cone, Node, Operation, number, ones};
use super::isolated::Isolated;
use super::steps;
use crate::opt::constants::Constants;
use crate::opt::ir::operands::binary_operands;

/// How many sums an address is looked through.
const MAX_SUMS: usize = 8;

/// How many instructions an index is computed by, from what tells of a bit.
const MAX_COMPUTED: usize = 16;

/// An address in a table: `table + offset + index`.
struct Address {
    table: GlobalValue,
    offset: u64,
    index: Value,
}

/// The count that a load is.
pub(super) fn zero_count(function: &Function, inst: Inst, constants: &Constants<'_>) -> Option<ZeroCount> {
    let InstructionData::Load { opcode, arg, offset, .. } = function.dfg.insts[inst] else { return None };
    let size = match opcode {
        Opcode::Uload8 | Opcode::Sload8 => 1,
        Opcode::Uload16 | Opcode::Sload16 => 2,
        Opcode::Uload32 | Opcode::Sload32 => 4,
        Opcode::Load => 8,
        _ => return None,
    };
    let signed = matches!(opcode, Opcode::Sload8 | Opcode::Sload16 | Opcode::Sload32);
    let bits = function.dfg.value_type(function.dfg.first_result(inst)).bits();
    let address = Address::of(function, arg)?;
    if !may_tell(function, address.index) {
        return None;
    }
    let table = constants.table(function, address.table)?;
    let (cone, leaf, isolated) = index(function, function.layout.inst_block(inst)?, address.index)?;
    let start = address.offset.wrapping_add(i64::from(i32::from(offset)) as u64);
    ZeroCount::new(&isolated, bits, |value| {
        let index = evaluate(&cone, leaf, value)?;
        let number = table.number(start.wrapping_add(index), size)?;
        let unused = 64 - 8 * size as u32;
        Some(if signed { ((number << unused).cast_signed() >> unused) as u64 } else { number })
    })
}

impl Address {
    fn of(function: &Function, address: Value) -> Option<Address> {
        let dfg = &function.dfg;
        let (mut table, mut index, mut offset) = (None, None, 0u64);
        // An address of one term has no index.
        let mut terms = binary_operands(dfg, address, Opcode::Iadd)?.map(|term| dfg.resolve_aliases(term)).to_vec();
        for _ in 0..MAX_SUMS {
            let Some(term) = terms.pop() else { break };
            let sum =
                binary_operands(dfg, term, Opcode::Iadd).map(|sum| sum.map(|value| dfg.resolve_aliases(value)));
            // What is added to itself is doubled, and no two terms.
            if let Some([left, right]) = sum.filter(|[left, right]| left != right) {
                terms.extend([left, right]);
            } else if let Some(number) = number(dfg, term) {
                offset = offset.wrapping_add(number);
            } else if let Some(global) = symbol(function, term) {
                if table.replace(global).is_some() {
                    return None;
                }
            } else if index.replace(term).is_some() {
                return None;
            }
        }
        terms.is_empty().then_some(Address { table: table?, offset, index: index? })
    }
}

/// The symbol whose address a value is.
fn symbol(function: &Function, value: Value) -> Option<GlobalValue> {
    match function.dfg.insts[function.dfg.value_def(value).inst()?] {
        InstructionData::UnaryGlobalValue { opcode: Opcode::SymbolValue, global_value } => Some(global_value),
        _ => None,
    }
}

/// Whether an index may be computed from what tells of a bit: most tables are for something else, so this looks at one operand of
/// each instruction only.
fn may_tell(function: &Function, index: Value) -> bool {
    let dfg = &function.dfg;
    let mut value = index;
    for _ in 0..MAX_COMPUTED {
        value = steps::unconverted(dfg, value);
        if Isolated::of_lowest(function, value).is_some() {
            return true;
        }
        let Some(inst) = dfg.value_def(value).inst() else { return false };
        let InstructionData::Binary { opcode, args: [left, right] } = dfg.insts[inst] else { return false };
        value = match (number(dfg, left), number(dfg, right)) {
            (_, Some(_)) => left,
            (Some(_), None) => right,
            // A remainder is a difference.
            (None, None) if matches!(opcode, Opcode::Iadd | Opcode::Isub) => left,
            (None, None) => return steps::smears(dfg, value) >= 3,
        };
    }
    false
}

/// The cone of an index that is computed from what tells of a bit, which node that is, and what it tells.
fn index(function: &Function, block: Block, index: Value) -> Option<(Cone, usize, Isolated)> {
    let is_lowest = |value| Isolated::of_lowest(function, value).is_some();
    let cone = Cone::new(function, block, index, is_lowest);
    if let Some((leaf, isolated)) = only_leaf(function, &cone) {
        return Some((cone, leaf, isolated));
    }
    // A cone looks into smeared bits as into anything else; the last OR is the whole of them.
    let is_or = |node: &&Node| matches!(node.operation, Operation::Binary(Opcode::Bor, ..));
    let smeared = cone.nodes.iter().rev().find(is_or)?.value;
    let cone = Cone::new(function, block, index, |value| value == smeared);
    let (leaf, isolated) = only_leaf(function, &cone)?;
    Some((cone, leaf, isolated))
}

/// The leaf of a cone that has one, and what it tells.
fn only_leaf(function: &Function, cone: &Cone) -> Option<(usize, Isolated)> {
    let mut leaves = (0..).zip(&cone.nodes).filter(|(_, node)| node.operation == Operation::Leaf);
    let (Some((index, leaf)), None) = (leaves.next(), leaves.next()) else { return None };
    Some((index, Isolated::of(function, leaf.value, leaf.width)?))
}

/// The value of a cone if that of its leaf is `number`.
fn evaluate(cone: &Cone, leaf: usize, number: u64) -> Option<u64> {
    let mut values: Vec<u64> = Vec::with_capacity(cone.nodes.len());
    for (index, node) in cone.nodes.iter().enumerate() {
        let value = if index == leaf { number } else { result(node, &values)? };
        values.push(value & ones(node.width));
    }
    values.last().copied()
}

/// What an instruction gives; bits above its width are any.
fn result(node: &Node, values: &[u64]) -> Option<u64> {
    let width = node.width;
    let of_two = |opcode, a: u64, b: u64| {
        let by = b as u32 % width;
        Some(match opcode {
            Opcode::Band => a & b,
            Opcode::Bor => a | b,
            Opcode::Bxor => a ^ b,
            Opcode::Iadd => a.wrapping_add(b),
            Opcode::Isub => a.wrapping_sub(b),
            Opcode::Imul => a.wrapping_mul(b),
            Opcode::Ishl => a << by,
            Opcode::Ushr => a >> by,
            Opcode::Rotl => a << by | a >> ((width - by) % width),
            Opcode::Rotr => a >> by | a << ((width - by) % width),
            Opcode::Udiv => a.checked_div(b)?,
            Opcode::Urem => a.checked_rem(b)?,
            _ => return None,
        })
    };
    match node.operation {
        Operation::Leaf => None,
        Operation::Unary(opcode, a) => match opcode {
            Opcode::Uextend | Opcode::Ireduce => Some(values[a]),
            Opcode::Bswap => Some(values[a].swap_bytes() >> (64 - width)),
            Opcode::Bnot => Some(!values[a]),
            Opcode::Ineg => Some(values[a].wrapping_neg()),
            _ => None,
        },
        Operation::WithConstant(opcode, a, number) => of_two(opcode, values[a], number),
        Operation::OfConstant(opcode, number, a) => of_two(opcode, number, values[a]),
        Operation::Binary(opcode, a, b) => of_two(opcode, values[a], values[b]),
    }
}
