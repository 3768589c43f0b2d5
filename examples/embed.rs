//! Embeds a program: loads an object, gives it a host function to call, and calls its function.
//!
//!     cargo run --example embed
//!
//! The object is `fixtures/api/words.o`, compiled from the C file beside it. Its `count_words` calls `host_word` for
//! each word of a text. State goes through a pointer, as between any two C functions: the program hands back the
//! `context` that it is given.

use std::error::Error;
use std::ffi::{c_char, c_int, c_void};
use std::io::Write;

use bpf2native::{Config, Jit, Linker, Program};

/// What the program calls for each word: keeps it, and asks for no more once there are four.
unsafe extern "C" fn host_word(context: *mut c_void, word: *const c_char, length: u64) -> c_int {
    // SAFETY: the context is the list that `run` passes, and the program passes a word of that length.
    let (words, word) = unsafe {
        let words = &mut *context.cast::<Vec<String>>();
        (words, std::slice::from_raw_parts(word.cast::<u8>(), length as usize))
    };
    words.push(String::from_utf8_lossy(word).into_owned());
    c_int::from(words.len() == 4)
}

/// Loads the program, runs it, and writes what comes out.
pub fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let object = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/api/words.o");
    let program = Program::from_files([object])?;

    // The program may call `host_word`, and nothing else: not even libc.
    let mut linker = Linker::new().no_libc();
    linker.func("host_word", host_word as unsafe extern "C" fn(*mut c_void, *const c_char, u64) -> c_int)?;

    let module = Jit::new(&Config::new())?.load(&program, &linker)?;

    // The type is checked here, against the one that the compiler recorded. A wrong one is an error:
    // SAFETY: the object is our own; this function is not called.
    let refused = unsafe { module.func::<(i32,), i64>("count_words") }.err();
    writeln!(out, "refused: {}", refused.ok_or("a wrong type is accepted")?)?;

    // SAFETY: the object is our own, and its function keeps none of the pointers.
    let count_words = unsafe { module.func::<(*mut c_void, *const c_char, u64), i64>("count_words")? };
    let mut words: Vec<String> = Vec::new();
    let text = "to be or not to be";
    let count = count_words.call(((&raw mut words).cast(), text.as_ptr().cast(), text.len() as u64));
    writeln!(out, "{count} words: {}", words.join(", "))?;
    Ok(())
}

#[allow(dead_code, reason = "the tests call `run`")]
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout())
}
