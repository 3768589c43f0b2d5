//! Functions that the translator adds to a program.
//!
//! | function | when | what it does |
//! |---|---|---|
//! | `main` | the program has BEGIN or END | calls BEGIN, `main`, END, in that order |
//! | `bpf_script_print` (helper 10000) | called and not defined, in an executable or a shared library | `printf(format, a, b, c)`; weak |
//!
//! In: a program and its entry points. Out: compiled functions, as those of the program.

use cranelift_codegen::ir::{Function, InstBuilder, Signature, UserFuncName, Value};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{FuncId, Linkage, Module};

use super::EmitError;
use crate::abi::{Abi, Platform, WORD, helpers};
use crate::codegen::{self, CompiledFunction};
use crate::config::CodeGenerators;
use crate::lift::{Callee, Declarations};
use crate::select::entry::EntryPoints;

/// The parameters of C's `main`: the count, the arguments, the environment.
const MAIN_WORDS: usize = 3;

/// The name of the origin's print helper.
fn print_symbol() -> String {
    helpers::symbol(helpers::PRINT)
}

/// The added `main`.
pub(super) fn main(
    entry: &EntryPoints,
    declarations: &Declarations,
    generators: &CodeGenerators,
    module: &mut dyn Module,
) -> Result<CompiledFunction, EmitError> {
    let signature = Abi::raw(generators.platform(), MAIN_WORDS).signature(MAIN_WORDS);
    let id = declare(module, "main", Linkage::Export, &signature)?;
    let calls = entry.all();
    let status_of = entry.status_of();
    let body = |builder: &mut FunctionBuilder<'_>, arguments: &[Value], module: &mut dyn Module| {
        let mut status = None;
        for function in calls {
            let callee = declarations.function(function);
            let result = call(builder, module, callee, arguments);
            if status_of == Some(function) {
                status = result;
            }
        }
        match status {
            Some(status) => status,
            None => builder.ins().iconst(WORD, 0),
        }
    };
    build(id, signature, generators, module, body)
}

fn call(
    builder: &mut FunctionBuilder<'_>,
    module: &mut dyn Module,
    callee: &Callee,
    arguments: &[Value],
) -> Option<Value> {
    let count = callee.abi.words(0);
    let words: Vec<Value> = (0..count)
        .map(|index| arguments.get(index).copied().unwrap_or_else(|| builder.ins().iconst(WORD, 0)))
        .collect();
    let native = callee.abi.arguments(builder, &words);
    let reference = module.declare_func_in_func(callee.id, builder.func);
    let call = builder.ins().call(reference, &native.values);
    let results = builder.inst_results(call).to_vec();
    callee.abi.result(builder, &results, &words, &native).first
}

/// The added `bpf_script_print`, if it is called and nothing defines it: `printf` without the size of the format, as the
/// origin's `print` had it.
pub(super) fn print(
    declarations: &Declarations,
    generators: &CodeGenerators,
    module: &mut dyn Module,
) -> Result<Option<CompiledFunction>, EmitError> {
    let name = print_symbol();
    let Some(callee) = declarations.runtime.get(&name) else { return Ok(None) };
    if module.declarations().get_function_decl(callee.id).linkage != Linkage::Import {
        return Ok(None);
    }
    let words = callee.abi.words(0);
    let signature = callee.abi.signature(words);
    let platform: Platform = generators.platform();
    let printf = Abi::raw(platform, words - 1);
    let printf_id = match module.declarations().get_name("printf") {
        Some(cranelift_module::FuncOrDataId::Func(id)) => id,
        _ => declare(module, "printf", Linkage::Import, &printf.signature(words - 1))?,
    };
    let id = declare(module, &name, Linkage::Preemptible, &signature)?;
    let body = |builder: &mut FunctionBuilder<'_>, arguments: &[Value], module: &mut dyn Module| {
        let reference = module.declare_func_in_func(printf_id, builder.func);
        let expected = builder.func.dfg.ext_funcs[reference].signature;
        let signature = printf.signature(words - 1);
        // On s390x, calls by name have to be relative.
        builder.func.dfg.ext_funcs[reference].colocated = callee.colocated;
        builder.func.dfg.signatures[expected] = signature;
        let passed: Vec<Value> =
            arguments.iter().enumerate().filter(|(index, _)| *index != 1).map(|(_, &value)| value).collect();
        let call = builder.ins().call(reference, &passed);
        builder.inst_results(call)[0]
    };
    build(id, signature, generators, module, body).map(Some)
}

fn declare(
    module: &mut dyn Module,
    name: &str,
    linkage: Linkage,
    signature: &Signature,
) -> Result<FuncId, EmitError> {
    module
        .declare_function(name, linkage, signature)
        .map_err(|error| EmitError::Define { name: name.to_owned(), reason: error.to_string() })
}

/// Builds a function of one block that returns what `body` computes.
fn build(
    id: FuncId,
    signature: Signature,
    generators: &CodeGenerators,
    module: &mut dyn Module,
    body: impl FnOnce(&mut FunctionBuilder<'_>, &[Value], &mut dyn Module) -> Value,
) -> Result<CompiledFunction, EmitError> {
    let isa: &dyn TargetIsa = &*generators.main;
    let mut context = FunctionBuilderContext::new();
    let mut function = Function::with_name_signature(UserFuncName::user(0, id.as_u32()), signature);
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    let arguments = builder.block_params(block).to_vec();
    let result = body(&mut builder, &arguments, module);
    builder.ins().return_(&[result]);
    builder.seal_all_blocks();
    builder.finalize(isa.frontend_config());
    Ok(codegen::synthetic(isa, id, function)?)
}
