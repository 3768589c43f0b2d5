//! `run --entry`: one function, called with standard input as a buffer.
//!
//! In: a module and the function's name. Out: its result, as its type says:
//!
//! | result | shown |
//! |---|---|
//! | `void` | not at all |
//! | integers, enums | decimal, of the type's width and sign |
//! | `_Bool` | `true`, `false` |
//! | `float`, `double` | the shortest decimal that reads back as the same number |
//! | pointers | hexadecimal |
//! | unknown | as an unsigned 64-bit integer |
//!
//! The first parameter is the buffer's address and the second its length, each where there is such a parameter.

use std::ffi::c_void;
use std::io::Read;

use anyhow::Context;
use bpf2native::btf::{CType, Prototype};
use bpf2native::{Module, Program};

use crate::cli::console::print;

/// The function, if it can be called so.
pub fn check(program: &Program, name: &str) -> anyhow::Result<bpf2native::program::FunctionId> {
    let Some(id) = program.function_named(name) else {
        let mut known: Vec<&str> = Vec::new();
        for (_, function) in program.functions.iter() {
            if program.function_named(&function.name).is_some() {
                known.push(&function.name);
            } else if function.name == name {
                anyhow::bail!("`{name}` is static: take the `static` away for `--entry` to find it");
            }
        }
        known.sort_unstable();
        anyhow::bail!("there is no function `{name}`; there are `{}`", known.join("`, `"));
    };
    if let Some(prototype) = program.functions[id].prototype.as_deref()
        && !fits(prototype)
    {
        let declared = prototype.declare(name);
        anyhow::bail!(
            "`--entry` gives a function a buffer and its length, and shows a number: that does not fit `{declared}`"
        );
    }
    Ok(id)
}

fn fits(prototype: &Prototype) -> bool {
    let is_word = |ty: &CType| matches!(ty, CType::Bool | CType::Int { bytes: 1..=8, .. } | CType::Pointer(_));
    let is_shown = !matches!(prototype.result, CType::Aggregate(_));
    is_shown
        && prototype.parameters.len() <= 2
        && prototype.parameters.iter().all(|parameter| is_word(&parameter.ty))
}

/// Calls it, and shows its result.
pub fn call(program: &Program, module: &Module, name: &str) -> anyhow::Result<()> {
    let mut buffer = Vec::new();
    std::io::stdin().lock().read_to_end(&mut buffer).context("cannot read standard input")?;
    let address = module.function_address(name).with_context(|| format!("there is no function `{name}`"))?;
    let prototype = program.function_named(name).and_then(|id| program.functions[id].prototype.clone());
    // SAFETY: the function takes two words at most, and has a result of this type, as `check` has found; the user
    // asked for it to run.
    let shown = unsafe {
        module.initialise();
        let result = prototype.as_deref().map(|prototype| &prototype.result);
        let shown = called(address, result, buffer.as_mut_ptr(), buffer.len() as u64);
        // What the program printed comes first.
        libc::fflush(std::ptr::null_mut());
        shown
    };
    if shown.is_empty() { Ok(()) } else { print(&format!("{shown}\n")) }
}

/// Calls a function, and says what its result is.
///
/// # Safety
///
/// The function takes at most these two words, and has a result of this type.
unsafe fn called(address: *const c_void, result: Option<&CType>, buffer: *mut u8, length: u64) -> String {
    /// Calls the function as one that returns this type.
    macro_rules! call {
        ($ty:ty) => {{
            // SAFETY: the caller vouches for the address and the type.
            let function: extern "C" fn(*mut u8, u64) -> $ty = unsafe { std::mem::transmute(address) };
            function(buffer, length)
        }};
    }
    match result {
        Some(CType::Void) => {
            call!(());
            String::new()
        }
        Some(CType::Float { bytes: 4 }) => format!("{:?}", call!(f32)),
        Some(CType::Float { .. }) => format!("{:?}", call!(f64)),
        // A caller looks at the low byte only.
        Some(CType::Bool) => (call!(u64) as u8 != 0).to_string(),
        Some(CType::Pointer(_)) => format!("{:#x}", call!(u64)),
        Some(CType::Int { bytes: 16, signed: true }) => call!(i128).to_string(),
        Some(CType::Int { bytes: 16, .. }) => call!(u128).to_string(),
        Some(&CType::Int { bytes, signed }) => {
            let unused = 64 - 8 * u32::from(bytes);
            let word = call!(u64) << unused;
            if signed { (word.cast_signed() >> unused).to_string() } else { (word >> unused).to_string() }
        }
        _ => call!(u64).to_string(),
    }
}
