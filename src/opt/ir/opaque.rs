//! Opaque values: copies that Cranelift's optimiser cannot look through.
//!
//! In: a 64-bit value. Out: the same number as the low half of a pair (`iconcat`, `isplit`). Cranelift's rules know nothing of
//! pairs, so it neither folds the copy into its users nor moves its definition, and where the target has register pairs no
//! instruction comes of it. Sound: the low half of `iconcat x, y` is `x`.

use cranelift_codegen::cursor::FuncCursor;
use cranelift_codegen::ir::{InstBuilder, Type, Value, types};

/// An opaque copy of a 64-bit value.
pub(crate) fn opaque(cursor: &mut FuncCursor<'_>, value: Value) -> Value {
    let pair = cursor.ins().iconcat(value, value);
    cursor.ins().isplit(pair).0
}

/// An opaque copy of a value of at most 64 bits, of its type.
pub(crate) fn opaque_like(cursor: &mut FuncCursor<'_>, value: Value) -> Value {
    let ty = cursor.func.dfg.value_type(value);
    let wide = if ty == types::I64 { value } else { cursor.ins().uextend(types::I64, value) };
    opaque_low(cursor, wide, ty)
}

/// An opaque copy of the low bits of a 64-bit value.
pub(crate) fn opaque_low(cursor: &mut FuncCursor<'_>, value: Value, ty: Type) -> Value {
    let copy = opaque(cursor, value);
    if ty == types::I64 { copy } else { cursor.ins().ireduce(ty, copy) }
}
