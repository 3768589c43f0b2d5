//! Embeds a program: loads an object, gives it a host function to call, and calls its function.
//!
//!     cargo run --example embed
//!
//! The object is `fixtures/api/words.o`, compiled from the C file beside it. Its `count_words` calls `host_word` for
//! each word of a text: a closure, which has the list that it keeps them in. (Where a C function would have no state, the
//! program hands back a `context` that it is given; nothing needs it here.)

use std::error::Error;
use std::ffi::{c_char, c_int, c_void};
use std::io::Write;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use bpf2native::{Config, Jit, Linker, Program};

/// Loads the program, runs it, and writes what comes out.
pub fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let object = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/api/words.o");
    let program = Program::from_files([object])?;

    // The program may call `host_word`, and nothing else: not even libc.
    let mut linker = Linker::new().no_libc();
    let words: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = words.clone();
    // Keeps a word, and asks for no more once there are four.
    linker.func("host_word", move |_context: *mut c_void, word: *const c_char, length: u64| {
        // SAFETY: the program passes a word of that length.
        let word = unsafe { std::slice::from_raw_parts(word.cast::<u8>(), length as usize) };
        let mut words = kept.lock().unwrap_or_else(PoisonError::into_inner);
        words.push(String::from_utf8_lossy(word).into_owned());
        c_int::from(words.len() == 4)
    })?;

    let module = Jit::new(&Config::new())?.load(&program, &linker)?;

    // The type is checked here, against the one that the compiler recorded. A wrong one is an error:
    // SAFETY: the object is our own; this function is not called.
    let refused = unsafe { module.func::<(i32,), i64>("count_words") }.err();
    writeln!(out, "refused: {}", refused.ok_or("a wrong type is accepted")?)?;

    // SAFETY: the object is our own, and its function keeps none of the pointers.
    let count_words = unsafe { module.func::<(*mut c_void, *const c_char, u64), i64>("count_words")? };
    let text = "to be or not to be";
    let count = count_words.call((ptr::null_mut(), text.as_ptr().cast(), text.len() as u64));
    writeln!(out, "{count} words: {}", words.lock().unwrap_or_else(PoisonError::into_inner).join(", "))?;
    Ok(())
}

#[allow(dead_code, reason = "the tests call `run`")]
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout())
}
