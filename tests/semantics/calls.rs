//! Calls between functions of a program: what callers pass, and what they have of their callees instead.

use crate::object::Function;
use bpf2native::compare::listing;
use bpf2native::config::{OptLevel, PassChange, Passes};
use bpf2native::parse::{Input, Options, parse};
use bpf2native::{Config, Jit, Linker, Program};

/// The CLIF of a program, as it is lifted.
fn clif(text: &str) -> String {
    let program = Program::from_instructions("calls", &crate::support::asm::assemble(text).unwrap()).unwrap();
    let config = Config::for_target("x86_64".parse().unwrap()).opt_level(OptLevel::O1).clone();
    listing::clif(&program, &config, None).unwrap().text
}

/// How many parameters each function has, in order.
fn parameters(text: &str) -> Vec<usize> {
    let clif = clif(text);
    let functions = clif.lines().filter_map(|line| line.strip_prefix("function "));
    functions.map(|line| line.split_once(')').map_or(line, |(head, _)| head).matches("i64").count()).collect()
}

#[test]
fn callers_pass_what_callees_read() {
    let sum = "r0 = r1\nr0 += r2\nexit\n";
    // r3 to r5 are nothing to the function that calls it, nor to those that call that.
    assert_eq!(parameters(&format!("call f\nexit\nf:\ncall g\nexit\ng:\n{sum}")), [2, 2, 2]);
    // What the caller writes is not a parameter of its own.
    assert_eq!(parameters(&format!("r2 = 1\ncall f\nr0 += r6\nexit\nf:\n{sum}")), [1, 2]);
}

#[test]
fn recursive_functions_pass_what_they_read() {
    assert_eq!(parameters("call f\nexit\nf:\nr0 = r1\nif r1 == 0 goto +2\nr1 -= 1\ncall f\nexit"), [1, 1]);
    // In a ring, each reads what the others do.
    let ring = "call f\nexit
        f:\nr0 = r1\nif r1 == 0 goto +2\nr1 -= 1\ncall g\nexit
        g:\ncall h\nexit
        h:\nr0 = r3\ncall f\nexit";
    assert_eq!(parameters(ring), [3, 3, 3, 3]);
}

#[test]
fn calls_that_are_not_known_read_all() {
    // A pointer may lead to a function of five parameters.
    assert_eq!(parameters("call f\nexit\nf:\nr6 = 1\ncallx r6\nexit"), [5, 5]);
}

/// How many words each `callx` passes, in order.
fn passed(text: &str) -> Vec<usize> {
    let clif = clif(text);
    let calls = clif.lines().filter_map(|line| line.split_once("call_indirect"));
    let lists = calls.filter_map(|(_, call)| call.split_once('(')?.1.split_once(')'));
    lists.map(|(list, _)| list.split(',').filter(|word| !word.trim().is_empty()).count()).collect()
}

#[test]
fn calls_that_are_not_known_pass_what_has_a_value() {
    // Nobody has written r3 to r5 for f, or r2 to r5 after the call in it.
    let twice = "r6 = 1\ncallx r6\nr1 = 1\ncallx r6\nexit";
    let text = format!("r6 = r1\ncall g\nr1 = 1\nr2 = 2\ncall f\nexit\nf:\n{twice}\ng:\nr0 = 1\nexit");
    assert_eq!(parameters(&text), [1, 2, 0]);
    assert_eq!(passed(&text), [2, 1]);
    // What one call gives it, on one way.
    let one = "if r1 == 0 goto +1\nr3 = 3";
    let text = format!("call g\nr1 = r0\n{one}\ncall f\nr1 = 1\ncall f\nexit\nf:\n{twice}\ng:\nr0 = 1\nexit");
    assert_eq!(passed(&text), [3, 1]);
    // What another way round has left, and what is in r2 after a call that may return two words.
    assert_eq!(passed("r6 = r1\ncallx r6\nr1 = 1\nif r0 == 0 goto -3\nr0 = 0\nexit"), [5]);
    let pair = "r2 = r1\nr0 = r1\nexit";
    assert_eq!(passed("r6 = r1\ncall f\nr1 = r0\ncallx r6\nexit\nf:\nr0 = r1\nexit"), [1]);
    assert_eq!(passed(&format!("r6 = r1\ncall f\nr6 += r2\nr1 = r0\ncallx r6\nexit\nf:\n{pair}")), [2]);
}

/// Whether each function has a result, in order.
fn results(text: &str) -> Vec<bool> {
    let clif = clif(text);
    let heads = clif.lines().filter(|line| line.starts_with("function "));
    heads.map(|line| line.contains("-> i64")).collect()
}

#[test]
fn results_that_no_caller_reads_are_none() {
    let five = "f:\nr0 = 5\nexit\n";
    assert_eq!(results(&format!("call f\nr0 = 1\nexit\n{five}")), [true, false]);
    // Through a caller whose own result is dropped, and one that is not reached.
    assert_eq!(results("call f\nr0 = 1\nexit\nf:\ncall g\nexit\ng:\nr0 = 5\nexit"), [true, false, false]);
    assert_eq!(results(&format!("r0 = 1\nexit\ncall f\nexit\n{five}")), [true, false]);
    // A loop that keeps r0 for the end, and a function that calls itself last.
    let looped = "f:\nr0 = 5\nr1 += -1\nif r1 != 0 goto -2\nexit";
    assert_eq!(results(&format!("r1 = 9\ncall f\ncall f\nr0 = 1\nexit\n{looped}")), [true, false]);
    let recursive = "f:\nr0 = r1\nif r1 == 0 goto +2\nr1 += -1\ncall f\nexit";
    assert_eq!(results(&format!("r1 = 9\ncall f\nr0 = 1\nexit\n{recursive}")), [true, false]);
    // A packet load returns 0 where it fails.
    assert_eq!(results("call f\nr0 = 1\nexit\nf:\nr6 = r1\nr0 = *(u8 *)skb[3]\nexit"), [true, false]);
}

#[test]
fn results_that_a_caller_may_read_stay() {
    let five = "f:\nr0 = 5\nexit\n";
    for reader in [
        "call f\nexit",
        "call f\nr6 = r0\nr0 = r6\nexit",
        // On one of two paths, and after the other call.
        "r6 = r1\ncall f\nif r6 == 0 goto +1\nr0 = 1\nexit",
        "r6 = r1\ncall f\ncall f\nif r6 == 0 goto +1\nr0 = 1\nexit",
        // As a 32-bit half, a stored value, an address, an atomic's expected value.
        "call f\nw0 += 1\nr0 = 1\nexit",
        "call f\n*(u64 *)(r10 - 8) = r0\nr0 = 1\nexit",
        "call f\ncallx r0\nr0 = 1\nexit",
        "call f\nr1 = 1\n*(u64 *)(r10 - 8) = 0\nr0 = cmpxchg_64(r10 - 8, r0, r1)\nr0 = 1\nexit",
        // Its address is taken: who calls it is not known.
        "call f\nr1 = code_addr(f) ll\nr0 = 1\nexit",
    ] {
        assert_eq!(results(&format!("{reader}\n{five}")), [true, true], "{reader}");
    }
    // One of two callers; a caller that returns it, and is read itself; one that is read by itself only.
    assert_eq!(
        results(&format!("call f\ncall g\nr0 = 1\nexit\n{five}g:\ncall f\nr0 += 1\nexit")),
        [true, true, false]
    );
    assert_eq!(results(&format!("call g\nexit\n{five}g:\ncall f\nexit")), [true; 3]);
    let recursive = "f:\nr0 = r1\nif r1 == 0 goto +3\nr1 += -1\ncall f\nr0 += 1\nexit";
    assert_eq!(results(&format!("r1 = 9\ncall f\nr0 = 1\nexit\n{recursive}")), [true, true]);
}

#[test]
fn results_of_global_functions_stay() {
    let main = Function { name: "main", text: "call -1\nr0 = 1\nexit", weak: false, references: &[(0, "get")] };
    let get = Function { name: "get", text: "r0 = 7\nexit", weak: false, references: &[] };
    let config = Config::for_target("x86_64".parse().unwrap()).opt_level(OptLevel::O1).clone();
    let program = linked(&[crate::object::object(&[main, get], &[])]);
    let clif = listing::clif(&program, &config, Some("get")).unwrap().text;
    assert!(clif.contains("function get() -> i64"), "{clif}");
}

/// The program of these objects.
fn linked(objects: &[Vec<u8>]) -> Program {
    let inputs =
        objects.iter().enumerate().map(|(index, bytes)| Input { name: format!("{index}.o"), bytes: bytes.clone() });
    parse(&inputs.collect::<Vec<_>>(), &Options::default()).unwrap()
}

/// `main` reads `other`, and adds what `get`, of another object, reads of `value`.
fn two_objects(weak: bool) -> Program {
    let main = Function {
        name: "main",
        text: "r1 = 0 ll\nr6 = *(u64 *)(r1 + 0)\ncall -1\nr0 += r6\nexit",
        weak: false,
        references: &[(0, "other"), (3, "get")],
    };
    let get =
        Function { name: "get", text: "r1 = 0 ll\nr0 = *(u64 *)(r1 + 0)\nexit", weak, references: &[(0, "value")] };
    linked(&[crate::object::object(&[main], &[("other", 1000)]), crate::object::object(&[get], &[("value", 7)])])
}

/// The CLIF of `main` in an object.
fn main_in_object(program: &Program) -> String {
    let config = Config::for_target("x86_64".parse().unwrap());
    listing::clif(program, &config, Some("main")).unwrap().text
}

#[test]
fn small_functions_of_other_objects_are_inlined() {
    let program = two_objects(false);
    assert!(!main_in_object(&program).contains("call fn"), "{}", main_in_object(&program));
    for words in ["all", "no-inlining", "none"] {
        let passes = Passes::ALL.changed(&[words.parse::<PassChange>().unwrap()]);
        let jit = Jit::new(Config::new().passes(passes)).unwrap();
        let module = jit.load(&program, &Linker::new().no_libc()).unwrap();
        // SAFETY: `main` takes nothing, and reads data of its own.
        let main = unsafe { module.func::<(), u64>("main") }.unwrap();
        assert_eq!(main.call(()), 1007, "-Z {words}");
    }
}

#[test]
fn weak_functions_of_objects_stay_calls() {
    assert!(main_in_object(&two_objects(true)).contains("call fn"));
}
