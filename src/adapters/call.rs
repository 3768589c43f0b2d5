//! The code of an adapter: words in, a call by the function's type, words out.

use cranelift_codegen::ir::{ExtFuncData, ExternalName, InstBuilder, UserExternalName, Value};
use cranelift_frontend::FunctionBuilder;

use crate::abi::{Abi, WORD};
use crate::lift::{Callee, FUNCTIONS};

/// Calls `callee` as `called` says, with all of `words`, and returns what it does.
pub(super) fn build(builder: &mut FunctionBuilder<'_>, callee: &Callee, called: &Abi, words: &[Value]) {
    let name = UserExternalName { namespace: FUNCTIONS, index: callee.id.as_u32() };
    let name = ExternalName::user(builder.func.declare_imported_user_function(name));
    let signature = builder.import_signature(called.signature(words.len()));
    let function = ExtFuncData { name, signature, colocated: callee.colocated, patchable: false };
    let function = builder.import_function(function);
    let arguments = called.arguments(builder, words);
    let call = builder.ins().call(function, &arguments.values);
    let results = builder.inst_results(call).to_vec();
    let result = called.result(builder, &results, words, &arguments);
    // No result is any value, as after each call of what returns nothing.
    let first = result.first.unwrap_or_else(|| builder.ins().iconst(WORD, 0));
    let returned: Vec<Value> = [Some(first), result.second].into_iter().flatten().collect();
    builder.ins().return_(&returned);
}
