//! Functions whose type is known only when the embedder runs: called with words.
//!
//! In: a module, the name of a function. Out: [`DynamicFunction`]. A function is compiled for each, which takes the words
//! from memory and passes them on as the prototype says, floating-point numbers in their registers: as BPF code that calls
//! it does, so one rule (`crate::abi`) serves both.

use std::ffi::c_void;
use std::sync::Arc;

use cranelift_codegen::ir::{AbiParam, Function, InstBuilder, MemFlagsData, Signature, UserFuncName, Value};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Module as _, default_libcall_names};

use super::Jit;
use super::error::{FunctionError, LoadError};
use super::module::Module;
use super::native::Words;
use crate::abi::{Abi, WORD};
use crate::btf::Prototype;
use crate::codegen;
use crate::config::CodeGenerators;
use crate::emit::EmitError;
use crate::lift::FUNCTIONS;
use crate::program::StructResult;

/// How many words a function gets that has no known type: as many as BPF passes in registers.
const UNTYPED_WORDS: usize = 5;

/// What is compiled: the function that is called, its words, room for two words of its result.
type Caller = unsafe extern "C-unwind" fn(*const c_void, *const u64, *mut Words);

/// A function of a loaded program, of any type, which is called with words.
pub struct DynamicFunction<'m> {
    _module: &'m Module,
    address: *const c_void,
    prototype: Option<Arc<Prototype>>,
    caller: Caller,
    words: usize,
    /// Only taken by `drop`.
    code: Option<JITModule>,
}

impl Jit {
    /// The function of this name, whatever its type is: to be called with words that are made while the embedder runs. Where
    /// the type is known when the embedder is compiled, [`Module::func`] is shorter, and faster.
    ///
    /// ```
    /// use bpf2native::{Config, Jit, Linker, Program};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // r0 = r1; r0 += r2; exit
    /// let code = [
    ///     [0xbf, 0x10, 0, 0, 0, 0, 0, 0],
    ///     [0x0f, 0x20, 0, 0, 0, 0, 0, 0],
    ///     [0x95, 0, 0, 0, 0, 0, 0, 0],
    /// ];
    /// let program = Program::from_instructions("sum", code.as_flattened())?;
    /// let jit = Jit::new(&Config::new())?;
    /// let module = jit.load(&program, &Linker::new())?;
    /// // SAFETY: the function takes two numbers and returns one.
    /// let sum = unsafe { jit.dynamic(&module, "main")? };
    /// // It has no type, so it is called with all that BPF passes in registers.
    /// assert_eq!((sum.prototype(), sum.words()), (None, 5));
    /// assert_eq!(sum.call(&[40, 2, 0, 0, 0]).first, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`LoadError::Root`] if there is no such function, [`LoadError::Emit`] if its type cannot cross the border to native
    /// code.
    ///
    /// # Panics
    ///
    /// As [`Module::initialise`].
    ///
    /// # Safety
    ///
    /// The program's code runs, its constructors now and the function when it is called: its author must be trusted as that
    /// of any native library, and each call must pass words that are right for it.
    pub unsafe fn dynamic<'m>(&self, module: &'m Module, name: &str) -> Result<DynamicFunction<'m>, LoadError> {
        let (address, prototype) = module.entry(name).map_err(LoadError::Root)?;
        let platform = self.generators.platform();
        let abi = match &prototype {
            Some(prototype) => Abi::new(platform, prototype, StructResult::Registers)
                .map_err(|error| EmitError::Define { name: name.to_owned(), reason: error.to_string() })?,
            None => Abi::raw(platform, UNTYPED_WORDS),
        };
        let failed = |error: cranelift_module::ModuleError| EmitError::Define {
            name: name.to_owned(),
            reason: error.to_string(),
        };
        let mut code = JITModule::new(JITBuilder::with_isa(self.generators.main.clone(), default_libcall_names()));
        let defined = define(&abi, &self.generators, &mut code, name);
        let finished = defined.and_then(|id| code.finalize_definitions().map(|()| id).map_err(failed));
        let id = match finished {
            Ok(id) => id,
            Err(error) => {
                // SAFETY: nothing of it has run, and nothing points to it.
                unsafe { code.free_memory() };
                return Err(error.into());
            }
        };
        // SAFETY: the code was compiled as a function of this type.
        let caller = unsafe { std::mem::transmute::<*const u8, Caller>(code.get_finalized_function(id)) };
        // SAFETY: the caller vouches for the program's code.
        unsafe { module.initialise() };
        let words = abi.words(0);
        Ok(DynamicFunction { _module: module, address, prototype, caller, words, code: Some(code) })
    }
}

impl DynamicFunction<'_> {
    /// Its C type, if the object says it.
    pub fn prototype(&self) -> Option<&Prototype> {
        self.prototype.as_deref()
    }

    /// How many words it takes: one for each parameter of up to 8 bytes, two for one of up to 16; where its result is a
    /// struct of more than 16 bytes, one before them, the address where that goes.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Calls it. A word has an integer in its low bits, the bits of a `float` or a `double`, 0 or 1, or an address; of more
    /// than 8 bytes, two words in the order of memory. The result is in such words too, of which only the bytes of its type
    /// mean anything.
    ///
    /// # Panics
    ///
    /// If there are not [`Self::words`] words.
    pub fn call(&self, words: &[u64]) -> Words {
        assert_eq!(words.len(), self.words, "a function of {} words is called with others", self.words);
        let mut result = Words::default();
        // SAFETY: there are as many words as it loads, and room for the result; whoever asked for the function vouched for it
        // and for the words.
        unsafe { (self.caller)(self.address, words.as_ptr(), &raw mut result) }
        result
    }

    /// Its address, as a C function pointer. It is good as long as the module lives.
    pub fn address(&self) -> *const c_void {
        self.address
    }
}

impl Drop for DynamicFunction<'_> {
    fn drop(&mut self) {
        if let Some(code) = self.code.take() {
            // SAFETY: only `call` runs it, which borrows this.
            unsafe { code.free_memory() }
        }
    }
}

impl Module {
    /// A function's address and type.
    fn entry(&self, name: &str) -> Result<(*const c_void, Option<Arc<Prototype>>), FunctionError> {
        let address = self.function_address(name).ok_or_else(|| self.missing(name))?;
        Ok((address, self.prototype(name)))
    }
}

/// Compiles the caller of functions that are called so, and defines it.
fn define(abi: &Abi, generators: &CodeGenerators, code: &mut JITModule, name: &str) -> Result<FuncId, EmitError> {
    let failed = |error: cranelift_module::ModuleError| EmitError::Define {
        name: name.to_owned(),
        reason: error.to_string(),
    };
    let mut signature = Signature::new(generators.platform().call_conv);
    signature.params.extend([AbiParam::new(WORD); 3]);
    let id = code.declare_anonymous_function(&signature).map_err(failed)?;
    let compiled = codegen::synthetic(&*generators.main, id, caller(abi, signature, id, generators))?;
    code.define_function_bytes(id, compiled.align, &compiled.code, &compiled.relocations).map_err(failed)?;
    Ok(id)
}

/// The code of a caller.
fn caller(abi: &Abi, signature: Signature, id: FuncId, generators: &CodeGenerators) -> Function {
    let mut context = FunctionBuilderContext::new();
    let mut function = Function::with_name_signature(UserFuncName::user(FUNCTIONS, id.as_u32()), signature);
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    let &[called, from, to] = builder.block_params(block) else {
        unreachable!("the signature has three parameters");
    };
    let count = abi.words(0);
    let offset = |index: usize| index as i32 * WORD.bytes() as i32;
    let words: Vec<Value> =
        (0..count).map(|index| builder.ins().load(WORD, MemFlagsData::new(), from, offset(index))).collect();
    let arguments = abi.arguments(&mut builder, &words);
    let signature = builder.import_signature(abi.signature(count));
    let call = builder.ins().call_indirect(signature, called, &arguments.values);
    let results = builder.inst_results(call).to_vec();
    let result = abi.result(&mut builder, &results, &words, &arguments);
    for (index, word) in [result.first, result.second].into_iter().enumerate() {
        if let Some(word) = word {
            builder.ins().store(MemFlagsData::new(), word, to, offset(index));
        }
    }
    builder.ins().return_(&[]);
    builder.seal_all_blocks();
    builder.finalize(generators.main.frontend_config());
    function
}

#[cfg(test)]
mod tests {
    use cranelift_codegen::ir::{AbiParam, Signature};
    use cranelift_module::FuncId;

    use super::{Abi, WORD, caller};
    use crate::btf::{CType, Parameter, Prototype};
    use crate::codegen;
    use crate::config::{CodeGenerators, Config, Placement};
    use crate::program::StructResult;

    /// They run on the machine that the tests run on only; for others, they can at least be made.
    #[test]
    fn every_target_has_callers() {
        let float = CType::Float { bytes: 4 };
        let types = [float, CType::Float { bytes: 8 }, CType::Bool, CType::Int { bytes: 16, signed: true }];
        let of = |result: &CType| Prototype {
            parameters: types.iter().cycle().take(9).map(|ty| Parameter { name: None, ty: ty.clone() }).collect(),
            variadic: false,
            result: result.clone(),
        };
        for target in ["x86_64", "aarch64", "riscv64", "s390x"] {
            let config = Config::for_target(target.parse().expect("a target"));
            let generators = CodeGenerators::new(&config, Placement::Memory).expect("a code generator");
            for result in types.iter().chain([&CType::Void]) {
                let abi = Abi::new(generators.platform(), &of(result), StructResult::Registers).expect(target);
                let mut signature = Signature::new(generators.platform().call_conv);
                signature.params.extend([AbiParam::new(WORD); 3]);
                let id = FuncId::from_u32(0);
                let clif = caller(&abi, signature, id, &generators);
                cranelift_codegen::verify_function(&clif, &*generators.main).expect(target);
                let compiled = codegen::synthetic(&*generators.main, id, clif).expect(target);
                assert!(!compiled.code.is_empty(), "{target}");
            }
        }
    }
}
