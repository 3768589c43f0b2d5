//! Translates BPF objects, as clang, gcc and rustc make them, into native code with Cranelift.
//!
//! A call to an undefined symbol (`printf`, `qsort`, a function of yours) is a native call to that symbol, and a BPF
//! function is a native function: with a symbol and a frame of its own, and the platform's C calling convention. A
//! pointer is a pointer. So programs are ordinary C programs that happen to be compiled for BPF, and plugins are
//! loaded without a compiler on the machine.
//!
//! # In this process
//!
//! [`Program`] reads objects, [`Linker`] says what their undefined symbols are, [`Jit`] translates, and a [`Module`]
//! hands out typed functions, which are checked once against the types in the object's BTF:
//!
//! ```
//! use std::ffi::{c_char, c_int, c_void};
//! use std::ptr;
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use bpf2native::{Config, Jit, Linker, Program};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // clang -target bpf -O2 -g -mcpu=v4 -c words.c -o words.o
//! let program = Program::from_files(["fixtures/api/words.o"])?;
//! let mut linker = Linker::new(); // libc on; `.no_libc()` for an allow-list
//! let letters = Arc::new(AtomicU64::new(0));
//! let state = letters.clone();
//! // The program calls this for each word.
//! linker.func("host_word", move |_context: *mut c_void, _word: *const c_char, length: u64| -> c_int {
//!     state.fetch_add(length, Ordering::Relaxed);
//!     0
//! })?;
//! let module = Jit::new(&Config::new())?.load(&program, &linker)?;
//!
//! // SAFETY: the object is trusted, as any native library that is loaded must be.
//! let count_words = unsafe { module.func::<(*mut c_void, *const c_char, u64), i64>("count_words")? };
//! let text = "to be or not to be";
//! let count = count_words.call((ptr::null_mut(), text.as_ptr().cast(), text.len() as u64));
//! assert_eq!((count, letters.load(Ordering::Relaxed)), (6, 13));
//! # Ok(())
//! # }
//! ```
//!
//! Modules are `Send` and `Sync`, run their constructors before the first function is handed out, and free their
//! memory when they are dropped; no page of it is ever writable and executable. Exceptions and panics pass through
//! translated functions, and debuggers name them (with lines, by [`Config::debug`]).
//!
//! There is no sandbox: memory is native memory, and a program can do what any native library can. What it may
//! *call* can be limited with [`Linker::no_libc`].
//!
//! # Kernel programs
//!
//! Programs for the kernel run too: maps and helpers come out of a runtime, [`Module::xdp`] and [`Module::skb`] make packets, and
//! [`Module::map`] and [`Module::global`] are a program's maps and variables, so that a `#[test]` can do what a program's user does.
//! `examples/test_xdp.rs` is one.
//!
//! # To a file
//!
//! [`emit::object()`] makes a relocatable object for any supported target ([`config`]), and [`aot::link`] links it into an
//! executable or a shared library:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use bpf2native::emit::{self, Purpose};
//! use bpf2native::{Config, Program};
//!
//! let program = Program::from_files(["fixtures/api/words.o"])?;
//! let config = Config::for_target("aarch64".parse()?);
//! let object = emit::object(&program, &config, Purpose::Relocatable, "words.o")?;
//! assert_eq!(object.bytes[..4], *b"\x7fELF");
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `cli` (default) | the command `bpf2native`, and the two below |
//! | `cache` | `Cache`: compiled programs, kept on disk |
//! | `compare` | `compare`: native code read back, listings, reports and their differences |
//!
//! A program that embeds the translator needs none of them, and builds no command line and no disassembler:
//!
//! ```toml
//! bpf2native = { version = "0.1", default-features = false }
//! ```
//!
//! # The phases
//!
//! Each takes the last one's output by shared reference. Those without a link are inside, and no type of Cranelift's is in
//! the signature of anything that is not:
//!
//! | phase | module | |
//! |---|---|---|
//! | parse | [`parse`], [`btf`] | objects and archives, merged into one [`Program`] |
//! | decode | [`decode`] | bytes to instructions |
//! | graph | `graph` | basic blocks, the frame |
//! | select | `select` | what of it is translated, and who defines what it refers to |
//! | plan | `plan` | what the lift phase makes faster than the program says |
//! | lift | `lift`, `abi` | to Cranelift's intermediate language, CLIF |
//! | opt | `opt` | passes over CLIF |
//! | codegen | `codegen` | to machine code, in parallel; steps over it on x86-64: `x86` |
//! | emit | [`emit`], [`aot`], [`jit`] | to an object, a file, or this process |
//!
//! `compare` looks at what was made: native code read back, listings, numbers, reports and their differences. [`times`] says how long each took.

mod aarch64;
mod abi;
pub mod aot;
pub mod btf;
#[cfg(feature = "cache")]
pub mod cache;
#[cfg(not(feature = "cache"))]
#[path = "cache/absent.rs"]
mod cache;
mod codegen;
#[cfg(feature = "compare")]
pub mod compare;
pub mod config;
pub mod coverage;
mod declarations;
mod declare;
pub mod decode;
mod elf;
pub mod emit;
mod files;
mod graph;
mod halves;
mod inline;
#[doc(hidden)]
pub mod internals;
pub mod jit;
mod lift;
mod opt;
mod parallel;
pub mod parse;
mod pipeline;
mod plan;
pub mod profile;
pub mod program;
mod resolution;
mod select;
pub mod times;
mod warning;
mod x86;

#[cfg(feature = "cache")]
pub use cache::Cache;
pub use config::Config;
pub use jit::{Jit, Linker, LoadError, Module, OwnedFunction, TypedFunction, Words};
pub use program::Program;
pub use warning::{Warning, WarningKind};
