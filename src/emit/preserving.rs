//! The code of calls that keep all registers ([`crate::declarations::preserving`]).
//!
//! In: what is declared. Out: compiled functions, as those of the program.

use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, Function, InstBuilder, MemFlagsData, UserExternalName, UserFuncName, Value, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use crate::abi::WORD;
use crate::abi::libcalls::Float;
use crate::codegen::{self, CompileError, CompiledFunction};
use crate::config::CodeGenerators;
use crate::declarations::preserving::Between;
use crate::lift::{Declarations, FUNCTIONS};

/// Compiles the functions in between, if there are any.
///
/// # Errors
///
/// [`CompileError`] when Cranelift refuses one.
pub fn functions(
    declarations: &Declarations,
    generators: &CodeGenerators,
) -> Result<Vec<CompiledFunction>, CompileError> {
    declarations.preserving.all().map(|between| function(between, generators)).collect()
}

fn function(between: &Between, generators: &CodeGenerators) -> Result<CompiledFunction, CompileError> {
    let mut context = FunctionBuilderContext::new();
    let name = UserFuncName::user(FUNCTIONS, between.id.as_u32());
    let mut function = Function::with_name_signature(name, between.signature());
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    let float = builder.block_params(block)[0];
    let bits = match between.format {
        Float::F32 => {
            let bits = builder.ins().bitcast(types::I32, MemFlagsData::new(), float);
            builder.ins().uextend(WORD, bits)
        }
        Float::F64 => builder.ins().bitcast(WORD, MemFlagsData::new(), float),
    };
    let abi = &between.callee.abi;
    let mut words: Vec<Value> = vec![bits];
    words.resize_with(abi.words(0), || builder.ins().iconst(WORD, 0));
    let name = UserExternalName { namespace: FUNCTIONS, index: between.callee.id.as_u32() };
    let name = ExternalName::user(builder.func.declare_imported_user_function(name));
    let signature = builder.import_signature(abi.signature(words.len()));
    let colocated = between.callee.colocated;
    let callee = builder.import_function(ExtFuncData { name, signature, colocated, patchable: false });
    let arguments = abi.arguments(&mut builder, &words);
    builder.ins().call(callee, &arguments.values);
    builder.ins().return_(&[]);
    builder.seal_all_blocks();
    builder.finalize(generators.main.frontend_config());
    codegen::synthetic(&*generators.main, between.id, function)
}
