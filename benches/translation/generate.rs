//! Programs of any size, in C: what is translated here and by llc.
//!
//! In: how many functions. Out: C text. The rule: functions are pieces of `functions.c` in turn, with other numbers in
//! each, and each calls the one before it, so that nothing is dead.

use std::fmt::Write;

const PIECES: &str = include_str!("functions.c");

/// A program of so many functions; `bench.h` is its only header.
pub fn source(functions: usize) -> String {
    let pieces: Vec<&str> = PIECES.split("---\n").collect();
    let mut text = String::from("#include \"bench.h\"\n");
    let mut state = 1_u32;
    let mut number = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (1 + state % 997).to_string()
    };
    for index in 0..functions {
        let mut piece = pieces[index % pieces.len()].replace('@', &index.to_string());
        for place in ["$1", "$2", "$3", "$4"] {
            piece = piece.replace(place, &number());
        }
        let callee = match index {
            0 => "#define call0(a, b) ((a) * (b))".to_owned(),
            _ => format!("#define call{index}(a, b) f{}((void *)(a), b)", index - 1),
        };
        writeln!(text, "{callee}\n{piece}").expect("a string takes all");
    }
    let last = functions - 1;
    writeln!(text, "u64 bench(void *buffer, u64 size)\n{{\n\treturn f{last}(buffer, size);\n}}")
        .expect("a string takes all");
    text
}
