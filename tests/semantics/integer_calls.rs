//! Calls of `abs`, `labs`, `llabs` and `imaxabs`, which are done in place.

use crate::object::{self, Function};
use bpf2native::compare::listing;
use bpf2native::config::{PassChange, Passes};
use bpf2native::parse::{Input, Options, parse};
use bpf2native::{Config, Jit, Linker, Program};

/// Functions of these names, each of which calls the one of the other.
fn program(functions: &[(&str, &str)]) -> Program {
    let references: Vec<_> = functions.iter().map(|&(_, callee)| [(0, callee)]).collect();
    let functions: Vec<Function<'_>> = functions
        .iter()
        .zip(&references)
        .map(|(&(name, _), references)| Function { name, text: "call -1\nexit", weak: false, references })
        .collect();
    let input = Input { name: "calls.o".to_owned(), bytes: object::object(&functions, &[]) };
    parse(&[input], &Options::default()).unwrap()
}

#[test]
fn absolute_values_are_those_of_libc() {
    let program = program(&[("of_int", "abs"), ("of_long", "labs"), ("of_llong", "llabs"), ("of_max", "imaxabs")]);
    let alone: PassChange = "integer-calls".parse().unwrap();
    for passes in [Passes::ALL, Passes::NONE, Passes::NONE.changed(&[alone])] {
        let jit = Jit::new(Config::new().passes(passes)).unwrap();
        let module = jit.load(&program, &Linker::new()).unwrap();
        let call = |name: &str, number: i64| {
            // SAFETY: the functions take a word and access no memory.
            let function = unsafe { module.func::<(i64,), i64>(name) }.unwrap();
            function.call((number,))
        };
        let numbers = [
            0,
            1,
            -1,
            5,
            -7,
            i64::from(i32::MAX),
            i64::from(i32::MIN) + 1,
            1 << 32,
            -1 << 40,
            i64::MAX,
            i64::MIN + 1,
        ];
        for number in numbers {
            for name in ["of_long", "of_llong", "of_max"] {
                assert_eq!(call(name, number), number.abs(), "{name} of {number}");
            }
            // Of an int, only the low half matters, of the argument and of the result.
            for high in [0, -1 << 32, 0x1234_5678 << 32] {
                let word = high | number & 0xffff_ffff;
                assert_eq!(call("of_int", word) as i32, (number as i32).wrapping_abs(), "{word:#x}");
            }
        }
    }
}

#[test]
fn what_may_be_another_function_is_called() {
    // Nothing says the type of `abs` here, and a link that is to come may have another one.
    let program = program(&[("main", "abs")]);
    let clif = listing::clif(&program, &Config::for_target("x86_64".parse().unwrap()), None).unwrap().text;
    assert!(clif.contains("call fn0") && !clif.contains("iabs"), "{clif}");
}
