//! Calls that keep all registers: of C's `sqrt` for what it sets `errno` for.
//!
//! Owns [`Preserving`], which says which functions are called so: `declare` finds out, `lift/float_calls.rs` uses it, and
//! `emit/preserving.rs` makes the code.
//!
//! A call keeps no float in a register where the platform's convention saves none (x86-64's, but for Windows). So what lives across
//! a call that hardly ever happens is in memory in the loop around it too. A function in between takes one float by Cranelift's
//! convention `preserve_all`, saves what the platform's convention does not, calls C's function, and returns nothing: the instruction has
//! made the result.

use std::collections::BTreeMap;

use cranelift_codegen::ir::{AbiParam, Signature, Type, types};
use cranelift_codegen::isa::CallConv;
use cranelift_module::{FuncId, Module, ModuleError};

use super::callee::{Callee, FUNCTIONS};
use crate::abi::libc::{FloatCall, FloatFunction, InPlace};
use crate::abi::libcalls::Float;

/// The functions that are called so, and what is called in between, by the function.
#[derive(Clone, Debug, Default)]
pub struct Preserving(BTreeMap<FuncId, Between>);

/// What is called in place of a function.
#[derive(Clone, Debug)]
pub struct Between {
    /// Its id in the module.
    pub id: FuncId,
    /// Reached by a relative address.
    pub colocated: bool,
    /// The function that it calls.
    pub callee: Callee,
    /// What it takes.
    pub format: Float,
}

impl Between {
    /// How it is called.
    pub fn signature(&self) -> Signature {
        signature(self.format)
    }

    /// Its name in symbol tables.
    fn name(&self) -> &'static str {
        match self.format {
            Float::F32 => "sqrtf.preserving",
            Float::F64 => "sqrt.preserving",
        }
    }
}

fn signature(format: Float) -> Signature {
    let ty: Type = match format {
        Float::F32 => types::F32,
        Float::F64 => types::F64,
    };
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params.push(AbiParam::new(ty));
    signature
}

impl Preserving {
    /// Declares what is called in between, for those of these functions for which it is. `is_near` says whether own functions are reached by relative addresses.
    ///
    /// # Errors
    ///
    /// The module's.
    pub(crate) fn declare<'a>(
        called: impl Iterator<Item = &'a Callee>,
        module: &mut dyn Module,
        is_near: bool,
    ) -> Result<Preserving, Box<ModuleError>> {
        let mut all = BTreeMap::new();
        for callee in called {
            if let Some(InPlace::Float(FloatCall { function: FloatFunction::SquareRoot, format })) =
                callee.c_function
            {
                let id = module.declare_anonymous_function(&signature(format))?;
                let between = Between { id, colocated: is_near, callee: callee.clone(), format };
                all.insert(callee.id, between);
            }
        }
        Ok(Preserving(all))
    }

    /// What is called in place of a function, if there is something.
    pub fn of(&self, callee: &Callee) -> Option<&Between> {
        self.0.get(&callee.id)
    }

    /// All that there is.
    pub fn all(&self) -> impl Iterator<Item = &Between> {
        self.0.values()
    }

    /// What lifted functions refer to, as Cranelift numbers it, with names for listings.
    pub fn references(&self) -> impl Iterator<Item = ((u32, u32), &'static str)> {
        self.all().map(|between| ((FUNCTIONS, between.id.as_u32()), between.name()))
    }

    /// The functions, with names for symbol tables.
    pub fn names(&self) -> impl Iterator<Item = (FuncId, String)> {
        self.all().map(|between| (between.id, between.name().to_owned()))
    }
}
