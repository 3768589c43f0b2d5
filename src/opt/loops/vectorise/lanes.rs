//! Vectors of the lanes of nodes.
//!
//! In: the nodes of a loop with their widths, the vectors that were loaded. Out: for a node and a width, the vectors of so many
//! lanes, the first lane first. Fewer bytes than a vector has lie in its low lanes. What does not change in the loop is made before
//! it. What each operation becomes is in `operations.rs`.

use std::collections::HashMap;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    Block, ConstantData, Function, InstBuilder, MemFlagsData, Opcode, SourceLoc, Type, Value, types,
};

use super::nodes::{Compare, Kind, Node, NodeId};
use super::streams::{integer, vector};
use super::widths::Lanes;
use crate::opt::ir::operands::iconst;

/// The even lanes of 32 bits of two vectors.
const EVEN_WORDS: [u8; 16] = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];

/// Makes the vectors of one iteration of a vector loop.
pub(super) struct LaneBuilder<'a> {
    pub(super) function: &'a mut Function,
    pub(super) nodes: &'a [Node],
    pub(super) lanes: &'a [Lanes],
    /// Iterations of the loop in one of the vector loop.
    pub(super) count: u32,
    /// Where vectors are made.
    pub(super) body: Block,
    /// Where those are made that do not change.
    pub(super) before: Block,
    pub(super) location: SourceLoc,
    /// The values of the loop's uniform values before it.
    pub(super) at_entry: &'a HashMap<Value, Value>,
    made: HashMap<(NodeId, u32), Vec<Value>>,
    splats: HashMap<(NodeId, Type), Value>,
    constants: HashMap<(Type, u64), Value>,
}

impl<'a> LaneBuilder<'a> {
    /// Makes vectors of `count` lanes in `body`, and what does not change in `before`.
    pub(super) fn new(
        function: &'a mut Function,
        (nodes, lanes): (&'a [Node], &'a [Lanes]),
        count: u32,
        [before, body]: [Block; 2],
        location: SourceLoc,
        at_entry: &'a HashMap<Value, Value>,
    ) -> LaneBuilder<'a> {
        let (made, splats, constants) = (HashMap::new(), HashMap::new(), HashMap::new());
        LaneBuilder { function, nodes, lanes, count, body, before, location, at_entry, made, splats, constants }
    }

    /// A cursor at the end of the body.
    pub(super) fn at_body(&mut self) -> FuncCursor<'_> {
        at_end(self.function, self.body, self.location)
    }

    /// Says which vectors were loaded for a node.
    pub(super) fn loaded(&mut self, node: NodeId, vectors: Vec<Value>) {
        self.made.insert((node, self.lanes[node].width), vectors);
    }

    /// How many vectors lanes of so many bits take.
    fn vectors(&self, width: u32) -> usize {
        (self.count * width).div_ceil(128) as usize
    }

    /// The vectors of a node, with lanes of this width; as floats if the node is one.
    pub(super) fn at(&mut self, node: NodeId, width: u32) -> Option<Vec<Value>> {
        if let Some(known) = self.made.get(&(node, width)) {
            return Some(known.clone());
        }
        let vectors = match self.nodes[node].kind {
            Kind::Uniform(value) => {
                let ty = if self.function.dfg.value_type(value).is_float() {
                    self.function.dfg.value_type(value)
                } else {
                    integer(width)?
                };
                let splat = self.splat(node, value, ty)?;
                vec![splat; self.vectors(width)]
            }
            kind if self.lanes[node].width == width => self.compute(kind, node, width)?,
            _ => {
                let own = self.lanes[node].width;
                let vectors = self.at(node, own)?;
                self.converted(node, vectors, own, width)?
            }
        };
        self.made.insert((node, width), vectors.clone());
        Some(vectors)
    }

    fn splat(&mut self, node: NodeId, value: Value, lane: Type) -> Option<Value> {
        if let Some(&known) = self.splats.get(&(node, lane)) {
            return Some(known);
        }
        let range = self.nodes[node].range;
        let scalar = self.at_entry.get(&value).copied().unwrap_or(value);
        let mut cursor = at_end(self.function, self.before, self.location);
        let ty = cursor.func.dfg.value_type(scalar);
        let scalar = if lane.is_int() && range.min == range.max {
            iconst(&mut cursor, lane, range.min as i64)
        } else if ty == lane {
            scalar
        } else if ty.bits() > lane.bits() {
            cursor.ins().ireduce(lane, scalar)
        } else if range.min < 0 {
            cursor.ins().sextend(lane, scalar)
        } else {
            cursor.ins().uextend(lane, scalar)
        };
        let splat = cursor.ins().splat(vector(lane)?, scalar);
        self.splats.insert((node, lane), splat);
        Some(splat)
    }

    /// A vector whose lanes are all this.
    pub(super) fn constant(&mut self, lane: Type, number: u64) -> Option<Value> {
        if let Some(&known) = self.constants.get(&(lane, number)) {
            return Some(known);
        }
        let mut cursor = at_end(self.function, self.before, self.location);
        let scalar = iconst(&mut cursor, lane, number as i64);
        let splat = cursor.ins().splat(vector(lane)?, scalar);
        self.constants.insert((lane, number), splat);
        Some(splat)
    }

    /// The operation of a node.
    fn compute(&mut self, kind: Kind, node: NodeId, width: u32) -> Option<Vec<Value>> {
        match kind {
            Kind::Uniform(_) | Kind::Load(_) => None,
            Kind::Low(operand) => self.at(operand, width),
            Kind::Saturated(operand) => {
                let vectors = self.at(operand, 2 * width)?;
                let mut cursor = self.at_body();
                let narrow = |pair: &[Value]| cursor.ins().snarrow(pair[0], *pair.last().unwrap_or(&pair[0]));
                Some(vectors.chunks(2).map(narrow).collect())
            }
            Kind::Unary(opcode, operand) | Kind::FloatUnary(opcode, operand) => {
                let vectors = self.at(operand, width)?;
                let mut cursor = self.at_body();
                let one = |vector| match opcode {
                    Opcode::Bnot => cursor.ins().bnot(vector),
                    Opcode::Ineg => cursor.ins().ineg(vector),
                    Opcode::Fneg => cursor.ins().fneg(vector),
                    Opcode::Fabs => cursor.ins().fabs(vector),
                    _ => cursor.ins().sqrt(vector),
                };
                Some(vectors.into_iter().map(one).collect())
            }
            Kind::Binary(opcode, operands) | Kind::FloatBinary(opcode, operands) => {
                let pairs = self.pairs(self.uniform_second(opcode, operands), width)?;
                let mut cursor = self.at_body();
                Some(pairs.into_iter().map(|pair| binary(&mut cursor, opcode, pair)).collect())
            }
            Kind::Shift(opcode, operand, by) => {
                let vectors = self.at(operand, width)?;
                let is_signed = self.lanes[node].is_signed;
                let mut cursor = self.at_body();
                let by = iconst(&mut cursor, types::I32, by.into());
                let one = |vector| match (opcode, is_signed) {
                    (Opcode::Ishl, _) => cursor.ins().ishl(vector, by),
                    (_, true) => cursor.ins().sshr(vector, by),
                    (_, false) => cursor.ins().ushr(vector, by),
                };
                Some(vectors.into_iter().map(one).collect())
            }
            Kind::Extreme { is_max, compare } => {
                let pairs = self.pairs(compare.operands, width)?;
                let is_signed = self.lanes[node].is_signed;
                let mut cursor = self.at_body();
                Some(pairs.into_iter().map(|pair| extreme(&mut cursor, is_max, is_signed, pair)).collect())
            }
            Kind::Select { code, compare, values } => self.select(code, &compare, values, width, self.lanes[node]),
        }
    }

    fn select(
        &mut self,
        code: IntCC,
        compare: &Compare,
        values: [NodeId; 2],
        width: u32,
        lanes: Lanes,
    ) -> Option<Vec<Value>> {
        let (compared, values) = (self.pairs(compare.operands, width)?, self.pairs(values, width)?);
        let code = match (code, lanes.is_signed) {
            (IntCC::Equal | IntCC::NotEqual, _) => code,
            (_, true) => signed(code),
            (_, false) => code.unsigned(),
        };
        let mut cursor = self.at_body();
        let one = |([a, b], [one, other]): ([Value; 2], [Value; 2])| {
            let mask = cursor.ins().icmp(code, a, b);
            cursor.ins().bitselect(mask, one, other)
        };
        Some(compared.into_iter().zip(values).map(one).collect())
    }

    /// The operands, such that what does not change in the loop comes second: x86-64 writes the result over the first.
    fn uniform_second(&self, opcode: Opcode, [one, other]: [NodeId; 2]) -> [NodeId; 2] {
        let is_uniform = |node: NodeId| matches!(self.nodes[node].kind, Kind::Uniform(_));
        let commutes = !matches!(opcode, Opcode::Isub | Opcode::Fsub | Opcode::Fdiv);
        if commutes && is_uniform(one) && !is_uniform(other) { [other, one] } else { [one, other] }
    }

    fn pairs(&mut self, [one, other]: [NodeId; 2], width: u32) -> Option<Vec<[Value; 2]>> {
        let (one, other) = (self.at(one, width)?, self.at(other, width)?);
        Some(one.into_iter().zip(other).map(|(one, other)| [one, other]).collect())
    }

    /// Vectors of other lanes.
    fn converted(&mut self, node: NodeId, mut vectors: Vec<Value>, from: u32, to: u32) -> Option<Vec<Value>> {
        let range = self.nodes[node].range;
        let mut width = from;
        while width < to {
            let total = self.vectors(2 * width);
            let wide = vector(integer(2 * width)?)?;
            let mut cursor = self.at_body();
            let is_signed = range.min < 0;
            let halves = vectors.into_iter().flat_map(|narrow| {
                let low = widen(&mut cursor, narrow, is_signed, false);
                [low, widen(&mut cursor, narrow, is_signed, true)]
            });
            let mut wider: Vec<Value> = halves.collect();
            wider.truncate(total);
            debug_assert!(wider.iter().all(|&value| self.function.dfg.value_type(value) == wide));
            (vectors, width) = (wider, 2 * width);
        }
        while width > to {
            vectors =
                self.narrowed(vectors, width, range.fits_unsigned(width / 2), range.fits_signed(width / 2))?;
            width /= 2;
        }
        Some(vectors)
    }

    /// Vectors of the low halves of lanes, which may be known to be all of the number, zero-extended or sign-extended.
    fn narrowed(&mut self, vectors: Vec<Value>, width: u32, is_zero: bool, is_sign: bool) -> Option<Vec<Value>> {
        let lane = integer(width)?;
        let mask = if width == 16 && !is_zero && !is_sign { Some(self.constant(lane, 0xff)?) } else { None };
        let mut cursor = self.at_body();
        let pairs = vectors.chunks(2).map(|pair| [pair[0], *pair.last().unwrap_or(&pair[0])]);
        let narrow = |pair: [Value; 2]| match width {
            16 if is_sign && !is_zero => cursor.ins().snarrow(pair[0], pair[1]),
            16 => {
                let [one, other] = pair.map(|value| match mask {
                    Some(mask) => cursor.ins().band(value, mask),
                    None => value,
                });
                cursor.ins().unarrow(one, other)
            }
            32 => {
                let [one, other] = pair.map(|value| match is_sign {
                    true => value,
                    false => {
                        let by = iconst(&mut cursor, types::I32, 16);
                        let high = cursor.ins().ishl(value, by);
                        cursor.ins().sshr(high, by)
                    }
                });
                cursor.ins().snarrow(one, other)
            }
            _ => {
                let bytes = pair.map(|value| bitcast(&mut cursor, types::I8X16, value));
                let mask = cursor.func.dfg.immediates.push(ConstantData::from(&EVEN_WORDS[..]));
                let words = cursor.ins().shuffle(bytes[0], bytes[1], mask);
                bitcast(&mut cursor, types::I32X4, words)
            }
        };
        Some(pairs.map(narrow).collect())
    }
}

/// A vector of the low or the high lanes, twice as wide.
pub(super) fn widen(cursor: &mut FuncCursor<'_>, vector: Value, is_signed: bool, is_high: bool) -> Value {
    match (is_signed, is_high) {
        (true, false) => cursor.ins().swiden_low(vector),
        (true, true) => cursor.ins().swiden_high(vector),
        (false, false) => cursor.ins().uwiden_low(vector),
        (false, true) => cursor.ins().uwiden_high(vector),
    }
}

/// The same bits as another vector.
pub(super) fn bitcast(cursor: &mut FuncCursor<'_>, ty: Type, vector: Value) -> Value {
    if cursor.func.dfg.value_type(vector) == ty {
        return vector;
    }
    let little = MemFlagsData::new().with_endianness(cranelift_codegen::ir::Endianness::Little);
    cursor.ins().bitcast(ty, little, vector)
}

/// An operation on two vectors.
pub(super) fn binary(cursor: &mut FuncCursor<'_>, opcode: Opcode, [one, other]: [Value; 2]) -> Value {
    match opcode {
        Opcode::Iadd => cursor.ins().iadd(one, other),
        Opcode::Isub => cursor.ins().isub(one, other),
        Opcode::Imul => cursor.ins().imul(one, other),
        Opcode::Band => cursor.ins().band(one, other),
        Opcode::Bor => cursor.ins().bor(one, other),
        Opcode::Bxor => cursor.ins().bxor(one, other),
        Opcode::Fadd => cursor.ins().fadd(one, other),
        Opcode::Fsub => cursor.ins().fsub(one, other),
        Opcode::Fmul => cursor.ins().fmul(one, other),
        _ => cursor.ins().fdiv(one, other),
    }
}

/// The lesser or the greater.
pub(super) fn extreme(
    cursor: &mut FuncCursor<'_>,
    is_max: bool,
    is_signed: bool,
    [one, other]: [Value; 2],
) -> Value {
    match (is_max, is_signed) {
        (true, true) => cursor.ins().smax(one, other),
        (true, false) => cursor.ins().umax(one, other),
        (false, true) => cursor.ins().smin(one, other),
        (false, false) => cursor.ins().umin(one, other),
    }
}

/// The same comparison, of signed numbers.
fn signed(code: IntCC) -> IntCC {
    match code {
        IntCC::UnsignedLessThan => IntCC::SignedLessThan,
        IntCC::UnsignedLessThanOrEqual => IntCC::SignedLessThanOrEqual,
        IntCC::UnsignedGreaterThan => IntCC::SignedGreaterThan,
        IntCC::UnsignedGreaterThanOrEqual => IntCC::SignedGreaterThanOrEqual,
        code => code,
    }
}

/// A cursor at the end of a block.
pub(super) fn at_end(function: &mut Function, block: Block, location: SourceLoc) -> FuncCursor<'_> {
    FuncCursor::new(function).at_bottom(block).with_srcloc(location)
}

/// Puts a new block before another one.
pub(super) fn block_before(function: &mut Function, block: Block) -> Block {
    let new = function.dfg.make_block();
    function.layout.insert_block(new, block);
    new
}
