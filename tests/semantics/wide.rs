//! Numbers of many words, by products of two words and carries, as C's `unsigned __int128` and comparisons have them.

use crate::object::{self, Function};
use crate::support::random::Seed;
use bpf2native::config::{Pass, Passes};
use bpf2native::parse::{Input, Options, parse};
use bpf2native::{Config, Jit, Linker, Module, Program};

/// Words of a number.
const WORDS: usize = 5;

/// `to += from * by`; the carry out.
fn multiply_and_add() -> String {
    let step = |word: usize| {
        let at = word * 8;
        format!(
            "r1 = *(u64 *)(r6 + {at})\nr2 = 0\nr3 = r8\nr4 = 0\ncall -1\n\
             r0 += r9\nw5 = 1\nif r0 < r9 goto +1\nw5 = 0\nr2 += r5\n\
             r3 = *(u64 *)(r7 + {at})\nr3 += r0\nw5 = 1\nif r3 < r0 goto +1\nw5 = 0\nr2 += r5\n\
             *(u64 *)(r7 + {at}) = r3\nr9 = r2\n"
        )
    };
    format!("r6 = r1\nr7 = r2\nr8 = r3\nr9 = 0\n{}r0 = r9\nexit\n", (0..WORDS).map(step).collect::<String>())
}

/// `to += from` or `to -= from`; the carry or borrow out.
fn add(is_sum: bool) -> String {
    let add = |word: &str| match is_sum {
        true => format!("r3 += {word}\nw5 = 1\nif r3 < {word} goto +1\nw5 = 0\n"),
        false => format!("w5 = 1\nif r3 < {word} goto +1\nw5 = 0\nr3 -= {word}\n"),
    };
    let step = |word: usize| {
        let at = word * 8;
        let (first, second) = (add("r0"), add("r4"));
        format!(
            "r3 = *(u64 *)(r2 + {at})\n{first}r0 = r5\n*(u64 *)(r2 + {at}) = r3\nr4 = *(u64 *)(r1 + {at})\n{second}r0 += r5\n\
             *(u64 *)(r2 + {at}) = r3\n"
        )
    };
    format!("r0 = 0\n{}exit\n", (0..WORDS).map(step).collect::<String>())
}

fn program() -> Program {
    let (product, sum, difference) = (multiply_and_add(), add(true), add(false));
    let calls: Vec<(u64, &str)> = product
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("call"))
        .map(|(slot, _)| (slot as u64, "__multi3"))
        .collect();
    let function = |name, text, references| Function { name, text, weak: false, references };
    let functions = [
        function("product", &*product, &*calls),
        function("sum", &sum, &[]),
        function("difference", &difference, &[]),
    ];
    let input = Input { name: "wide.o".to_owned(), bytes: object::object(&functions, &[]) };
    parse(&[input], &Options::default()).unwrap()
}

/// The same, by Rust.
fn expected(name: &str, from: &[u64; WORDS], to: &mut [u64; WORDS], by: u64) -> u64 {
    let mut carry = 0;
    for (&from, to) in from.iter().zip(to) {
        let number = match name {
            "product" => u128::from(from) * u128::from(by) + u128::from(*to) + u128::from(carry),
            "sum" => u128::from(from) + u128::from(*to) + u128::from(carry),
            _ => u128::from(*to).wrapping_sub(u128::from(from)).wrapping_sub(u128::from(carry)),
        };
        *to = number as u64;
        carry = if name == "difference" { (number >> 127) as u64 } else { (number >> 64) as u64 };
    }
    carry
}

/// One of the words at which carries are made or not, or any.
fn word(seed: &mut Seed) -> u64 {
    match seed.below(3) {
        0 => *seed.pick(&[0, 1, 2, u64::MAX, u64::MAX - 1, 1 << 63, 1 << 32, u64::from(u32::MAX)]),
        _ => seed.next(),
    }
}

#[test]
fn numbers_of_many_words_are_those_of_rust() {
    let program = program();
    for passes in [
        Passes::ALL,
        Passes::NONE,
        Passes::NONE.with(Pass::WideArithmetic),
        Passes::ALL.without(Pass::WideArithmetic),
    ] {
        let module: Module =
            Jit::new(Config::new().passes(passes)).unwrap().load(&program, &Linker::new()).unwrap();
        let mut seed = Seed::new(1);
        for name in ["product", "sum", "difference"] {
            // SAFETY: the functions take these, and access nothing but the words.
            let function = unsafe { module.func::<(*const u64, *mut u64, u64), u64>(name) }.unwrap();
            for _ in 0..2000 {
                let (from, by) = ([0; WORDS].map(|_: u64| word(&mut seed)), word(&mut seed));
                let (mut to, mut wanted) = ([0; WORDS], [0; WORDS]);
                to.fill_with(|| word(&mut seed));
                wanted.copy_from_slice(&to);
                let shown = format!("{name} of {from:x?}, {to:x?}, {by:x}");
                let carry = expected(name, &from, &mut wanted, by);
                assert_eq!((function.call((from.as_ptr(), to.as_mut_ptr(), by)), to), (carry, wanted), "{shown}");
            }
        }
    }
}
