//! The code and the data of adapters ([`crate::declarations::adapters`]).
//!
//! In: what is declared. Out: compiled functions, as those of the program; data of a Cranelift module.
//!
//! | file | what |
//! |---|---|
//! | `search.rs` | the code that finds an adapter |
//! | `tables.rs` | the data |

mod search;
mod tables;

use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, Function, InstBuilder, UserExternalName, UserFuncName, Value,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::FuncId;

use crate::abi::{Abi, WORD};
use crate::codegen::{self, CompileError, CompiledFunction};
use crate::config::CodeGenerators;
use crate::declarations::adapters::{Adapted, Column};
use crate::lift::{Callee, Declarations, FUNCTIONS};
use crate::parallel::map_each;

pub use tables::define;

/// Compiles the adapters, and the search for them, if there are any.
///
/// # Errors
///
/// [`CompileError`] when Cranelift refuses one.
pub fn functions(
    declarations: &Declarations,
    generators: &CodeGenerators,
) -> Result<Vec<CompiledFunction>, CompileError> {
    let Some(adapters) = &declarations.adapters else { return Ok(Vec::new()) };
    let each = adapters.adapted.iter().flat_map(|adapted| {
        let Adapted { target, plain, in_registers } = *adapted;
        let callee = declarations.callee(target).expect("what has an adapter is a function");
        let other = (plain != in_registers).then_some((in_registers, callee, Column::InRegisters));
        [(plain, callee, Column::Plain)].into_iter().chain(other)
    });
    let each: Vec<(FuncId, &Callee, Column)> = each.collect();
    let compile = |(): &mut (), &(id, callee, column): &(FuncId, &Callee, Column)| {
        let (called, own) = adapters.abis(generators.platform(), callee, column);
        function(generators, id, &own, |builder, words| call(builder, callee, &called, words, own.returned_words()))
    };
    let search = function(generators, adapters.search.id, &adapters.search.abi, |builder, words| {
        search::build(builder, adapters, words);
    });
    let each = map_each(&each, || (), compile).into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(std::iter::once(search?).chain(each).collect())
}

/// The code of an adapter: calls `callee` as `called` says, with all of `words`, and returns as many words as it is said to.
fn call(builder: &mut FunctionBuilder<'_>, callee: &Callee, called: &Abi, words: &[Value], returned: usize) {
    let name = UserExternalName { namespace: FUNCTIONS, index: callee.id.as_u32() };
    let name = ExternalName::user(builder.func.declare_imported_user_function(name));
    let signature = builder.import_signature(called.signature(words.len()));
    let function = ExtFuncData { name, signature, colocated: callee.colocated, patchable: false };
    let function = builder.import_function(function);
    let arguments = called.arguments(builder, words);
    let call = builder.ins().call(function, &arguments.values);
    let results = builder.inst_results(call).to_vec();
    let result = called.result(builder, &results, words, &arguments);
    // A word of which the result has nothing, of none or of padding, is any value.
    let result = [result.first, result.second].into_iter().take(returned);
    let result = result.map(|word| word.unwrap_or_else(|| builder.ins().iconst(WORD, 0)));
    let result: Vec<Value> = result.collect();
    builder.ins().return_(&result);
}

/// Compiles a function of words, whose CLIF `body` makes of its parameters.
fn function(
    generators: &CodeGenerators,
    id: FuncId,
    abi: &Abi,
    body: impl FnOnce(&mut FunctionBuilder<'_>, &[Value]),
) -> Result<CompiledFunction, CompileError> {
    let mut context = FunctionBuilderContext::new();
    let name = UserFuncName::user(FUNCTIONS, id.as_u32());
    let mut function = Function::with_name_signature(name, abi.signature(abi.words(0)));
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    let parameters = builder.block_params(block).to_vec();
    body(&mut builder, &parameters);
    builder.seal_all_blocks();
    builder.finalize(generators.main.frontend_config());
    codegen::synthetic(&*generators.main, id, function)
}
