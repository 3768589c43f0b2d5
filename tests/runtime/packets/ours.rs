//! Objects here: translated with the runtime, and run in this process.

use std::ffi::c_void;

use bpf2native::parse::{Input, Options, parse};
use bpf2native::{Config, Jit, Linker, Module};

/// The functions of the runtime's interface that a test here calls.
const ROOTS: [&str; 4] = ["bpf2native_xdp", "bpf2native_skb", "bpf2native_free", "bpf2native_packet"];

/// A program that is loaded.
pub struct Loaded {
    pub module: Module,
}

impl Loaded {
    pub fn new(name: &str, bytes: &[u8], more: &[&str]) -> Loaded {
        let mut options = Options::default();
        options.roots = ROOTS.iter().chain(more).map(|&root| root.to_owned()).collect();
        let program = parse(&[Input { name: name.to_owned(), bytes: bytes.to_vec() }], &options).unwrap();
        Loaded { module: Jit::new(&Config::default()).unwrap().load(&program, &Linker::new()).unwrap() }
    }

    fn address(&self, name: &str) -> *const c_void {
        self.module.function_address(name).unwrap_or_else(|| panic!("there is no function {name}"))
    }

    /// A context with a packet: `function` is `bpf2native_xdp` or `bpf2native_skb`.
    pub fn context(&self, function: &str, packet: &[u8]) -> *mut u8 {
        type New = unsafe extern "C" fn(*const u8, u32) -> *mut u8;
        // SAFETY: the function has this type in include/bpf2native_runtime.h.
        let context = unsafe {
            std::mem::transmute::<*const c_void, New>(self.address(function))(packet.as_ptr(), packet.len() as u32)
        };
        assert!(!context.is_null() && context.addr() < 1 << 32);
        context
    }

    /// The packet of a context, from `data` on.
    pub fn packet(&self, context: *const u8) -> Vec<u8> {
        type Packet = unsafe extern "C" fn(*const u8, *mut u32) -> *const u8;
        let mut length = 0;
        // SAFETY: as above; the context is the runtime's.
        unsafe {
            let packet = std::mem::transmute::<*const c_void, Packet>(self.address("bpf2native_packet"))(
                context,
                &raw mut length,
            );
            std::slice::from_raw_parts(packet, length as usize).to_vec()
        }
    }

    pub fn free(&self, context: *mut u8) {
        // SAFETY: as above.
        unsafe {
            let free: unsafe extern "C" fn(*mut u8) = std::mem::transmute(self.address("bpf2native_free"));
            free(context);
        }
    }

    /// Runs a program.
    pub fn run(&self, program: &str, context: *mut u8) -> u32 {
        // SAFETY: the programs here are our own, and take a context.
        unsafe {
            let program: unsafe extern "C" fn(*mut u8) -> u32 = std::mem::transmute(self.address(program));
            program(context)
        }
    }

    /// A variable of the program.
    pub fn variable<T: Copy>(&self, name: &str) -> *mut T {
        self.module.data_address(name).unwrap_or_else(|| panic!("there is no variable {name}")).cast()
    }
}
