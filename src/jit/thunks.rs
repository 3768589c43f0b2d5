//! C functions in a program's memory that call functions with state ([`super::host`]).
//!
//! In: the names that refer to such functions. Out: a compiled thunk for each, and its address once it is defined.
//!
//! ```text
//! result thunk(arguments)          // as the C type that the function is registered with
//!     words   = the arguments, as words on the stack
//!     entry(state, words, result)  // addresses that the thunk knows
//!     return the words of the result, as the C type wants them
//! ```
//!
//! The border is crossed as any BPF function crosses it ([`Abi`]), so `entry` needs no calling convention but the one of three
//! pointers.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use cranelift_codegen::ir::{
    AbiParam, Function, InstBuilder, MemFlagsData, Signature, StackSlotData, StackSlotKind, UserFuncName, Value,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Module, ModuleRelocTarget};

use super::host::{Code, Entry, HostFunction};
use crate::abi::{Abi, WORD};
use crate::codegen::{self, CompiledFunction};
use crate::config::CodeGenerators;
use crate::emit::EmitError;
use crate::lift::FUNCTIONS;
use crate::program::{StructResult, names};

/// The addresses that names have when thunks are defined.
type Addresses = Arc<OnceLock<BTreeMap<String, usize>>>;

/// The thunks of a program.
#[derive(Default)]
pub(super) struct Thunks {
    declared: Vec<(FuncId, String)>,
    addresses: Addresses,
}

impl Thunks {
    /// Lets a module find thunks by the names that refer to them, before there are any.
    pub fn announce(&self, builder: &mut JITBuilder) {
        let addresses = self.addresses.clone();
        let find = move |name: &str| Some(*addresses.get()?.get(name)? as *const u8);
        builder.symbol_lookup_fn(Box::new(find));
    }

    /// Declares and compiles a thunk for each function that needs one.
    ///
    /// # Errors
    ///
    /// [`EmitError`] for a type that cannot cross the border.
    pub fn compile(
        &mut self,
        functions: &BTreeMap<String, HostFunction>,
        module: &mut JITModule,
        generators: &CodeGenerators,
    ) -> Result<Vec<CompiledFunction>, EmitError> {
        let mut compiled = Vec::new();
        for (name, function) in functions {
            let Code::Entry { entry, is_signed } = function.code else { continue };
            let failed = |reason: String| EmitError::Define { name: name.to_owned(), reason };
            let prototype = function.signature.prototype(is_signed);
            let abi = Abi::new(generators.platform(), &prototype, StructResult::Registers);
            let abi = abi.map_err(|error| failed(error.to_string()))?;
            let signature = abi.signature(abi.words(0));
            let id = module.declare_anonymous_function(&signature);
            let id = id.map_err(|error| failed(error.to_string()))?;
            let clif = thunk(&abi, signature, id, entry, function.context() as i64, generators);
            compiled.push(codegen::synthetic(&*generators.main, id, clif)?);
            self.declared.push((id, name.to_owned()));
        }
        Ok(compiled)
    }

    /// Says where the thunks are that have been defined.
    pub fn place(&self, module: &JITModule) {
        let address = |id: &FuncId| module.get_address(&ModuleRelocTarget::user(FUNCTIONS, id.as_u32())) as usize;
        let addresses = self.declared.iter().map(|(id, name)| (name.clone(), address(id)));
        self.addresses.get_or_init(|| addresses.collect());
    }

    /// The functions, with names for symbol tables.
    pub fn names(&self) -> impl Iterator<Item = (FuncId, String)> + '_ {
        self.declared.iter().map(|(id, name)| (*id, format!("{}.thunk", names::raw(name))))
    }
}

/// The code of a thunk.
fn thunk(
    abi: &Abi,
    signature: Signature,
    id: FuncId,
    entry: Entry,
    state: i64,
    generators: &CodeGenerators,
) -> Function {
    let mut context = FunctionBuilderContext::new();
    let mut function = Function::with_name_signature(UserFuncName::user(FUNCTIONS, id.as_u32()), signature);
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    let parameters = builder.block_params(block).to_vec();
    let entered = abi.enter(&mut builder, &parameters);

    let mut room = |words: usize| {
        let size = words as u32 * WORD.bytes();
        builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3))
    };
    let (arguments, result) = (room(entered.words.len()), room(2));
    for (index, word) in (0i32..).zip(&entered.words) {
        // A word that is all padding is any value.
        if let Some(word) = *word {
            let at = builder.ins().stack_addr(WORD, arguments, index * WORD.bytes() as i32);
            builder.ins().store(MemFlagsData::new(), word, at, 0);
        }
    }
    let mut called = Signature::new(generators.platform().call_conv);
    called.params.extend([AbiParam::new(WORD); 3]);
    let called = builder.import_signature(called);
    let entry = builder.ins().iconst(WORD, entry as *const () as i64);
    let state = builder.ins().iconst(WORD, state);
    let arguments = builder.ins().stack_addr(WORD, arguments, 0);
    let result = builder.ins().stack_addr(WORD, result, 0);
    builder.ins().call_indirect(called, entry, &[state, arguments, result]);

    let word =
        |index: usize| builder.ins().load(WORD, MemFlagsData::new(), result, index as i32 * WORD.bytes() as i32);
    let words: Vec<Value> = (0..abi.returned_words()).map(word).collect();
    let results = abi.results(&mut builder, &entered, &words);
    builder.ins().return_(&results);
    builder.seal_all_blocks();
    builder.finalize(generators.main.frontend_config());
    function
}

#[cfg(test)]
mod tests {
    use cranelift_module::FuncId;

    use super::thunk;
    use crate::abi::Abi;
    use crate::codegen;
    use crate::config::{CodeGenerators, Config, Placement};
    use crate::jit::host::{Code, NativeFunction};
    use crate::jit::native::Words;
    use crate::program::StructResult;

    /// Thunks run on the machine that the tests run on only; for others, they can at least be made.
    #[test]
    fn every_target_has_thunks() {
        let state = 1u64;
        let many = move |a: i8, b: bool, c: f32, d: f64, e: Words, f: i128, g: *const u8, h: u16| {
            let _ = (a, b, c, d, e, f, g, h, state);
            Words { first: state, second: state }
        };
        let of_i128 = move |value: u128, narrow: i16| value + u128::from(state) + narrow as u128;
        let of_float = move |value: f32| value + state as f32;
        let of_narrow = move |value: i8| value + state as i8;
        let functions = [
            many.into_host_function(),
            of_i128.into_host_function(),
            of_float.into_host_function(),
            of_narrow.into_host_function(),
        ];
        for target in ["x86_64", "aarch64", "riscv64", "s390x"] {
            let config = Config::for_target(target.parse().expect("a target"));
            let generators = CodeGenerators::new(&config, Placement::Memory).expect("a code generator");
            for function in &functions {
                let Code::Entry { entry, is_signed } = function.code else { panic!("it has state") };
                let prototype = function.signature.prototype(is_signed);
                let abi = Abi::new(generators.platform(), &prototype, StructResult::Registers).expect(target);
                let (id, signature) = (FuncId::from_u32(0), abi.signature(abi.words(0)));
                let clif = thunk(&abi, signature, id, entry, function.context() as i64, &generators);
                cranelift_codegen::verify_function(&clif, &*generators.main).expect(target);
                let compiled = codegen::synthetic(&*generators.main, id, clif).expect(target);
                assert!(!compiled.code.is_empty() && compiled.unwind.is_some(), "{target}");
            }
        }
    }
}
