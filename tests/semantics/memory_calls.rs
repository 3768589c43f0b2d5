//! Calls of `memcpy`, `memmove`, `memset` and `memcmp` for a few bytes, which are done in place: every size, overlaps, each
//! place where bytes may differ; and the calls that must stay.

use crate::object::Function;
use crate::support::random::Seed;
use bpf2native::compare::listing;
use bpf2native::config::{PassChange, Passes};
use bpf2native::parse::{Input, Options, parse};
use bpf2native::{Config, Jit, Linker, Module, Program};

/// More than are done in place.
const SIZES: u64 = 70;

/// Functions of a name and a text; what `call -1` in the slot calls.
type Functions = Vec<(String, String, (u64, &'static str))>;

fn program(functions: &Functions) -> Program {
    let references: Vec<_> = functions.iter().map(|function| [function.2]).collect();
    let functions: Vec<Function<'_>> = functions
        .iter()
        .zip(&references)
        .map(|((name, text, _), references)| Function { name, text, weak: false, references })
        .collect();
    let input = Input { name: "calls.o".to_owned(), bytes: crate::object::object(&functions, &[]) };
    parse(&[input], &Options::default()).unwrap()
}

/// Loads them with all passes, with none, and with this one alone.
fn loaded(functions: &Functions) -> Vec<Module> {
    let program = program(functions);
    let load = |passes| {
        let jit = Jit::new(Config::new().passes(passes)).unwrap();
        jit.load(&program, &Linker::new()).unwrap()
    };
    let alone: PassChange = "memory-calls".parse().unwrap();
    [Passes::ALL, Passes::NONE, Passes::NONE.changed(&[alone])].map(load).into()
}

fn call(module: &Module, name: &str, first: *const u8, second: u64) -> u64 {
    // SAFETY: the functions take two words; the memory that they get is as large as they access.
    let function = unsafe { module.func::<(u64, u64), u64>(name) }.unwrap();
    function.call((first as u64, second))
}

/// The CLIF of one function, optimised for a machine.
fn clif(target: &str, text: &str, callee: (u64, &'static str)) -> String {
    let program = program(&vec![("main".to_owned(), text.to_owned(), callee)]);
    listing::clif(&program, &Config::for_target(target.parse().unwrap()), None).unwrap().text
}

fn random_bytes(seed: &mut Seed, count: usize) -> Vec<u8> {
    (0..count).map(|_| seed.below(256) as u8).collect()
}

#[test]
fn copies_of_every_size_also_where_they_overlap() {
    let sizes = 0..SIZES;
    let function = |callee: &'static str| {
        move |size: u64| (format!("{callee}{size}"), format!("r3 = {size}\ncall -1\nexit"), (1, callee))
    };
    let modules =
        loaded(&sizes.clone().map(function("memcpy")).chain(sizes.clone().map(function("memmove"))).collect());
    let mut seed = Seed::new(1);
    for module in &modules {
        for size in sizes.clone() {
            for (to, from) in
                [(0, 100), (101, 3), (50, 50), (20, 21), (21, 20), (8, 24), (24, 8), (40, 33), (30, 47)]
            {
                // Where they overlap, libc's `memcpy` may do anything.
                let callee = if to.max(from) < 100 { "memmove" } else { "memcpy" };
                let mut memory = random_bytes(&mut seed, 200);
                let mut expected = memory.clone();
                expected.copy_within(from..from + size as usize, to);
                let start = memory.as_mut_ptr();
                let result =
                    call(module, &format!("{callee}{size}"), start.wrapping_add(to), start as u64 + from as u64);
                assert_eq!(result, start as u64 + to as u64);
                assert_eq!(memory, expected, "{callee} of {size} bytes from {from} to {to}");
            }
        }
    }
}

#[test]
fn fills_of_every_size_with_bytes_of_words() {
    let variable =
        (0..SIZES).map(|size| (format!("any{size}"), format!("r3 = {size}\ncall -1\nexit"), (1, "memset")));
    let constant = (0..SIZES)
        .map(|size| (format!("five{size}"), format!("r2 = 0x1a5\nw3 = {size}\ncall -1\nexit"), (2, "memset")));
    let modules = loaded(&variable.chain(constant).collect());
    let mut seed = Seed::new(2);
    for module in &modules {
        for size in 0..SIZES as usize {
            for (name, byte) in [("any", 0), ("any", 0x7f), ("any", 0xffff_ff80), ("any", 0x1234_5601), ("five", 0)]
            {
                let mut memory = random_bytes(&mut seed, 100);
                let mut expected = memory.clone();
                expected[13..13 + size].fill(if name == "five" { 0xa5 } else { byte as u8 });
                let start = memory.as_mut_ptr().wrapping_add(13);
                assert_eq!(call(module, &format!("{name}{size}"), start, byte), start as u64);
                assert_eq!(memory, expected, "{name}: {size} bytes of {byte:#x}");
            }
        }
    }
}

#[test]
fn comparisons_tell_the_first_byte_that_differs() {
    const SIZES: u64 = 20;
    let texts = [
        ("sign", "r3 = SIZE\ncall -1\nexit"),
        ("same", "r3 = SIZE\ncall -1\nw6 = w0\nr0 = 1\nif w6 == 0 goto +1\nr0 = 0\nexit"),
        ("same_word", "r3 = SIZE\ncall -1\nr0 <<= 32\nr0 s>>= 32\nif r0 == 0 goto +2\nr0 = 0\nexit\nr0 = 1\nexit"),
        // The result is looked at twice.
        ("both", "r3 = SIZE\ncall -1\nr6 = 5\nif w0 != 0 goto +1\nr6 = 7\nw0 *= w6\nexit"),
        ("less", "r3 = SIZE\ncall -1\nr6 = 1\nif w0 s< 0 goto +1\nr6 = 0\nr0 = r6\nexit"),
    ];
    let function = |(name, text): (&str, &str), size: u64| {
        (format!("{name}{size}"), text.replace("SIZE", &size.to_string()), (1, "memcmp"))
    };
    let modules = loaded(&(0..SIZES).flat_map(|size| texts.map(|text| function(text, size))).collect());
    let mut seed = Seed::new(3);
    for module in &modules {
        for size in 0..SIZES as usize {
            // None differs, or one, and maybe those after it the other way.
            for at in (0..=size).flat_map(|at| [(at, false), (at, true)]) {
                let mut left = random_bytes(&mut seed, size + 8);
                let mut right = left.clone();
                left[size..].fill(1);
                right[size..].fill(2);
                let pairs = [(0, 1), (0x7f, 0x80), (0, 0xff), (0xfe, 0xff)];
                let (low, high) = pairs[seed.below(pairs.len())];
                if at.0 < size {
                    (left[at.0], right[at.0]) = (low, high);
                    if at.1 {
                        left[at.0 + 1..size].fill(0xff);
                        right[at.0 + 1..size].fill(0);
                    }
                }
                for (first, second, sign) in [(&left, &right, -1), (&right, &left, 1)] {
                    let sign = if at.0 < size { sign } else { 0 };
                    let run =
                        |name: &str| call(module, &format!("{name}{size}"), first.as_ptr(), second.as_ptr() as u64);
                    let what = format!("{size} bytes, {at:?}: {first:x?} {second:x?}");
                    assert_eq!((run("sign") as i32).signum(), sign, "{what}");
                    assert_eq!(run("same"), u64::from(sign == 0), "{what}");
                    assert_eq!(run("same_word"), u64::from(sign == 0), "{what}");
                    assert_eq!((run("both") as i32).signum(), sign, "{what}");
                    assert_eq!(run("less"), u64::from(sign < 0), "{what}");
                }
            }
        }
    }
}

#[test]
fn two_comparisons_are_told_apart() {
    let text = "r6 = r1\nr7 = r2\nr3 = 4\ncall -1\nw8 = w0\nr1 = r6\nr2 = r7\nr2 += 1\nr3 = 4\ncall -1
        r1 = 0\nif w8 == 0 goto +1\nr1 = 1\nif w0 == 0 goto +1\nr1 += 2\nr0 = r1\nexit";
    // Both calls are of `memcmp`.
    let references = [(3, "memcmp"), (9, "memcmp")];
    let main = Function { name: "main", text, weak: false, references: &references };
    let input = Input { name: "calls.o".to_owned(), bytes: crate::object::object(&[main], &[]) };
    let program = parse(&[input], &Options::default()).unwrap();
    let module = Jit::new(&Config::new()).unwrap().load(&program, &Linker::new()).unwrap();
    for (left, right, expected) in
        [(*b"aaaaa", *b"aaaaa", 0), (*b"abcde", *b"abcde", 2), (*b"bcdea", *b"abcde", 1), (*b"aaaaa", *b"bbbbb", 3)]
    {
        assert_eq!(call(&module, "main", left.as_ptr(), right.as_ptr() as u64), expected);
    }
}

#[test]
fn read_only_bytes_are_constants_and_others_are_loaded() {
    let program = |text: &str, references: &[(u64, &str)]| {
        let main = Function { name: "main", text, weak: false, references };
        let data = [("const_text", u64::from_le_bytes(*b"abcdefgh")), ("text", u64::from_le_bytes(*b"abcdefgh"))];
        let input = Input { name: "calls.o".to_owned(), bytes: crate::object::object(&[main], &data) };
        parse(&[input], &Options::default()).unwrap()
    };
    let config = Config::for_target("x86_64".parse().unwrap());
    let loads = |program: &Program| {
        let clif = listing::clif(program, &config, None).unwrap().text;
        assert!(!clif.contains("call fn") || clif.contains("strlen"), "{clif}");
        clif.matches("load.").count()
    };
    let compare = "r2 = 0 ll\nr3 = 8\ncall -1\nexit";
    let constant = program(compare, &[(0, "const_text"), (3, "memcmp")]);
    let variable = program(compare, &[(0, "text"), (3, "memcmp")]);
    assert_eq!([loads(&constant), loads(&variable)], [1, 2]);
    // A part of it, and one that ends behind it; either side.
    let part = program("r2 = 3 ll\nr3 = 5\ncall -1\nexit", &[(0, "const_text"), (3, "memcmp")]);
    assert_eq!(loads(&part), 2);
    let behind = program("r2 = 3 ll\nr3 = 6\ncall -1\nexit", &[(0, "const_text"), (3, "memcmp")]);
    assert_eq!(loads(&behind), 4);
    let left = program("r2 = r1\nr1 = 0 ll\nr3 = 8\ncall -1\nexit", &[(1, "const_text"), (4, "memcmp")]);
    assert_eq!(loads(&left), 1);
    // What was in the register before a call is not there after it, and an address may be added to.
    let called = "r6 = r1\nr2 = 0 ll\ncall -1\nr1 = r6\nr3 = 8\ncall -1\nexit";
    assert_eq!(loads(&program(called, &[(1, "const_text"), (3, "strlen"), (6, "memcmp")])), 2);
    let added = "r2 = 0 ll\nr2 += 1\nr3 = 4\ncall -1\nexit";
    assert_eq!(loads(&program(added, &[(0, "const_text"), (4, "memcmp")])), 2);
    for program in [&constant, &variable] {
        let module = Jit::new(&Config::new()).unwrap().load(program, &Linker::new()).unwrap();
        for (text, sign) in
            [(b"abcdefgh", 0), (b"abcdefga", -1), (b"bbcdefgh", 1), (b"abcdefgz", 1), (b"aacdefgz", -1)]
        {
            assert_eq!((call(&module, "main", text.as_ptr(), 0) as i32).signum(), sign, "{text:?}");
        }
    }
    let module = Jit::new(&Config::new()).unwrap().load(&part, &Linker::new()).unwrap();
    for (text, sign) in [(b"defgh", 0), (b"defga", -1), (b"eefgh", 1), (b"defgz", 1), (b"ddfgz", -1)] {
        assert_eq!((call(&module, "main", text.as_ptr(), 0) as i32).signum(), sign, "{text:?}");
    }
}

#[test]
fn calls_that_stay() {
    let stays = |target, text, callee| clif(target, text, callee).contains("call fn");
    assert!(!stays("x86_64", "r3 = 64\ncall -1\nexit", (1, "memcpy")));
    assert!(!stays("aarch64", "r3 = 64\ncall -1\nexit", (1, "memset")));
    assert!(!stays("x86_64", "r3 = 16\ncall -1\nexit", (1, "memcmp")));
    for (target, text, callee) in [
        // Too many bytes; accesses that should be aligned.
        ("x86_64", "r3 = 65\ncall -1\nexit", (1, "memcpy")),
        ("x86_64", "r3 = 17\ncall -1\nexit", (1, "memcmp")),
        ("x86_64", "r3 = -1\ncall -1\nexit", (1, "memcpy")),
        ("x86_64", "r3 = 0x100000008 ll\ncall -1\nexit", (2, "memcpy")),
        ("riscv64", "r3 = 8\ncall -1\nexit", (1, "memcpy")),
        // How many bytes is not known, or only on the way by another block.
        ("x86_64", "call -1\nexit", (0, "memcpy")),
        ("x86_64", "r3 = 8\nr3 += r1\ncall -1\nexit", (2, "memcpy")),
        ("x86_64", "r3 = 8\nif r1 == 0 goto +1\nr3 = 9\nr4 = 1\ncall -1\nexit", (4, "memcpy")),
        // Other functions.
        ("x86_64", "r3 = 8\ncall -1\nexit", (1, "memccpy")),
        ("x86_64", "r3 = 8\ncall -1\nexit", (1, "strncmp")),
    ] {
        assert!(stays(target, text, callee), "{target}: {text}");
    }
}

extern "C" fn own(to: u64, _from: u64, size: u64) -> u64 {
    to + size
}

#[test]
fn a_function_of_that_name_that_is_not_c_s_is_called() {
    let text = "r3 = 8\ncall -1\nexit";
    let functions = vec![("main".to_owned(), text.to_owned(), (1, "memcpy"))];
    // An embedder's.
    let mut linker = Linker::new();
    linker.func("memcpy", own as extern "C" fn(u64, u64, u64) -> u64).unwrap();
    let jit = Jit::new(&Config::new()).unwrap();
    let module = jit.load(&program(&functions), &linker).unwrap();
    let memory = [1; 16];
    assert_eq!(call(&module, "main", memory.as_ptr(), memory.as_ptr() as u64 + 8), memory.as_ptr() as u64 + 8);
    // The program's.
    let main = Function { name: "main", text, weak: false, references: &[(1, "memcpy")] };
    let memcpy = Function { name: "memcpy", text: "r0 = r3\nexit", weak: false, references: &[] };
    let input = Input { name: "own.o".to_owned(), bytes: crate::object::object(&[main, memcpy], &[]) };
    let module = jit.load(&parse(&[input], &Options::default()).unwrap(), &Linker::new()).unwrap();
    assert_eq!(call(&module, "main", memory.as_ptr(), 0), 8);
}
