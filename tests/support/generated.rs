//! Instruction cases that are too long to be written down: programs of up to 200,000 instructions.
//!
//! In: nothing. Out: [`Case`]s. The rule: the result follows from how the program is made, never from a run.

use std::fmt::Write;

use super::asm::assemble;
use super::cases::Case;

/// Instructions in the longest programs: as many as the kernel's own tests have.
const LONG: usize = 200_000;

/// Cranelift's own assertions, which are in debug builds, are quadratic in how deep blocks dominate each other, and
/// slow in long loops: such programs are shorter there.
const fn without_assertions(long: usize, short: usize) -> usize {
    if cfg!(debug_assertions) { short } else { long }
}

/// All generated cases.
pub fn cases() -> Vec<Case> {
    vec![
        counting(),
        wide_immediates(),
        many_blocks(),
        many_functions(),
        jump("goto forward 32767", "goto", 32767),
        jump("gotol forward 32768", "gotol", 32768),
        jump("gotol forward 150000", "gotol", 150_000),
        backward("goto backward", "goto", 32765),
        backward("gotol backward", "gotol", without_assertions(150_000, 40_000)),
        deep_calls(),
        far_offsets(),
        atomics(),
        divisions(),
        compare_tree(),
        computed_goto(),
    ]
}

fn case(name: &str, text: &str, r0: u64) -> Case {
    let code = assemble(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    Case { name: format!("generated.{name}"), code, memory: Vec::new(), r0, memory_after: Vec::new() }
}

fn counting() -> Case {
    let count = LONG - 2;
    case("counting", &format!("r0 = 0\n{}exit", "r0 += 1\n".repeat(count)), count as u64)
}

/// Instructions of two slots: the sum of 1 to n.
fn wide_immediates() -> Case {
    let count = LONG / 3;
    let mut text = "r0 = 0\n".to_owned();
    for value in 1..=count {
        writeln!(text, "r1 = {value} ll\nr0 += r1").expect("a string takes all");
    }
    case("wide-immediates", &(text + "exit"), (count * (count + 1) / 2) as u64)
}

/// Every third instruction is a branch that is not taken, to its next but one.
fn many_blocks() -> Case {
    let count = without_assertions(LONG / 3, LONG / 60);
    let text = "if r0 == -1 goto +1\nr0 += 1\nr0 += 1\n".repeat(count);
    case("many-blocks", &format!("r0 = 0\n{text}exit"), 2 * count as u64)
}

fn many_functions() -> Case {
    let count = 5_000;
    let (mut main, mut functions) = ("r6 = 0\n".to_owned(), String::new());
    for index in 0..count {
        writeln!(main, "r1 = {index}\ncall f{index}\nr6 += r0").expect("a string takes all");
        writeln!(functions, "f{index}:\nr0 = r1\nr0 += 1\nexit").expect("a string takes all");
    }
    case("many-functions", &format!("{main}r0 = r6\nexit\n{functions}"), count * (count + 1) / 2)
}

/// A jump over `distance` instructions, which would spoil the result.
fn jump(name: &str, goto: &str, distance: usize) -> Case {
    let over = "r0 += 1\n".repeat(distance - 1);
    case(name, &format!("r0 = 0\n if r0 != 0 goto +1\n{goto} end\n{over}r0 = 7\nend:\nr0 += 2\nexit"), 2)
}

/// A jump back over `distance` instructions, once.
fn backward(name: &str, goto: &str, distance: usize) -> Case {
    let body = "r0 += 1\n".repeat(distance);
    let text = format!("r0 = 0\nr6 = 2\nback:\n{body}r6 -= 1\nif r6 == 0 goto end\n{goto} back\nend:\nexit");
    case(name, &text, 2 * distance as u64)
}

/// Recursion, 60 frames deep, each with 64 bytes of stack.
fn deep_calls() -> Case {
    let text = "r1 = 60\ncall f\nexit
        f:\nr6 = r1\n*(u64 *)(r10 - 64) = r1\nr0 = 0\nr1 -= 1\nif r1 == 0 goto end\ncall f
        end:\nr1 = *(u64 *)(r10 - 64)\nr0 += r1\nexit";
    case("deep-calls", text, 60 * 61 / 2)
}

/// The largest and the smallest offset of a load and a store.
fn far_offsets() -> Case {
    let text = "r3 = r1\nr3 += 32768\nr4 = *(u32 *)(r1 + 32767)\nr5 = *(u32 *)(r3 - 32768)
        *(u8 *)(r3 - 1) = r5\n*(u8 *)(r1 + 32764) = r4\nr0 = r4\nr0 <<= 32\nr0 |= r5\nexit";
    let mut case = case("far-offsets", text, 0x1122_3344_5566_7788);
    case.memory = vec![0; 40_000];
    case.memory[..4].copy_from_slice(&0x5566_7788_u32.to_le_bytes());
    case.memory[32767..32771].copy_from_slice(&0x1122_3344_u32.to_le_bytes());
    case.memory_after = case.memory.clone();
    case.memory_after[32767] = 0x88;
    case.memory_after[32764] = 0x44;
    case
}

fn atomics() -> Case {
    let count = 10_000;
    let text = "lock *(u64 *)(r1 + 0) += r3\n".repeat(count);
    let mut case = case("atomics", &format!("r3 = 3\n{text}r0 = *(u64 *)(r1 + 0)\nexit"), 3 * count as u64 + 1);
    case.memory = 1_u64.to_le_bytes().to_vec();
    case.memory_after = case.r0.to_le_bytes().to_vec();
    case
}

/// r0 = (r0 * 3 + 1) / 3 leaves r0 as it is.
fn divisions() -> Case {
    let text = "r0 *= r3\nr0 += 1\nr0 /= r3\n".repeat(10_000);
    case("divisions", &format!("r3 = 3\nr0 = 1234\n{text}exit"), 1234)
}

/// A jump to each of 600 labels in turn: more than a table of few labels is made for.
fn computed_goto() -> Case {
    let count = 600;
    // The last arm comes first: code that nothing goes past would count as a function of its own.
    let mut text =
        format!("r0 = 0\nr1 = 1\nr3 = code_addr(arm0) ll\nnext:\ngotox r3\narm{count}:\nr0 += r1\nexit\n");
    for arm in 0..count {
        let next = arm + 1;
        writeln!(text, "arm{arm}:\nr0 += {arm}\nr3 = code_addr(arm{next}) ll\ngoto next")
            .expect("a string takes all");
    }
    case("computed-goto", &text, count * (count - 1) / 2 + 1)
}

/// A switch over 4,000 values, as compilers without jump tables emit it.
fn compare_tree() -> Case {
    let (mut tests, mut arms) = (String::new(), String::new());
    for value in 0..4_000 {
        writeln!(tests, "if r3 == {value} goto arm{value}").expect("a string takes all");
        writeln!(arms, "arm{value}:\nr0 = {}\ngoto end", value * 7).expect("a string takes all");
    }
    let text = format!("r3 = *(u64 *)(r1 + 0)\nr0 = -1\n{tests}exit\n{arms}end:\nexit");
    let mut case = case("compare-tree", &text, 3_999 * 7);
    case.memory = 3_999_u64.to_le_bytes().to_vec();
    case.memory_after = case.memory.clone();
    case
}
