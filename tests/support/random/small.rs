//! Functions that are worth putting into their callers: small ones that call nothing, and recursive ones whose first
//! instructions may end them.
//!
//! They have no frame. Their arguments are the memory in r1 and data in r2 to r5.

use super::instructions::{condition, immediate, instruction};
use super::{Piece, Seed, constants, write_pieces};

/// What a function is like.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A few instructions, and no call.
    Leaf,
    /// It calls itself so many times, three deep, unless its early tests end it.
    Recursive { tests: Vec<String>, calls: usize },
    /// It ends in its body, and may start with a call of that function: its values are alive across it.
    Quotient { callee: Option<usize> },
}

/// A small function, with its body.
pub fn function(seed: &mut Seed) -> (Kind, Vec<Piece>) {
    let body = (0..1 + seed.below(4)).map(|_| piece(seed)).collect();
    if seed.below(2) == 0 {
        return (Kind::Leaf, body);
    }
    let test = |seed: &mut Seed| {
        let (left, right) = (2 + seed.below(3), immediate(seed));
        let letter = *seed.pick(&['r', 'w']);
        let operator = *seed.pick(&["==", "!=", ">", "<=", "s>", "s<", "&"]);
        let result = format!("{letter}0 = {letter}{}\n{letter}0 ^= {}", 2 + seed.below(4), immediate(seed));
        format!("{result}\nif {letter}{left} {operator} {right} goto")
    };
    let tests = (0..seed.below(3)).map(|_| test(seed)).collect();
    (Kind::Recursive { tests, calls: 1 + seed.below(2) }, body)
}

/// A function of divisions, then of constants, that may call another one first.
pub fn quotient(seed: &mut Seed, callee: usize) -> (Kind, Vec<Piece>) {
    let divisions = (0..1 + seed.below(3)).map(|_| constants::division(seed)).collect::<Vec<_>>();
    let rest = (0..1 + seed.below(2)).map(|_| constants::operation(seed)).collect::<Vec<_>>();
    let mut pieces: Vec<String> = divisions.into_iter().chain(rest).collect();
    if seed.below(4) == 0 {
        pieces.insert(seed.below(pieces.len() + 1), constants::not_taken(seed));
    }
    let callee = (seed.below(3) != 0).then_some(callee);
    (Kind::Quotient { callee }, pieces.into_iter().map(Piece::Code).collect())
}

/// One that calls itself, and nothing else: it is not put into its callers.
pub fn recursive() -> (Kind, Vec<Piece>) {
    (Kind::Recursive { tests: Vec::new(), calls: 1 }, Vec::new())
}

/// One without the frame.
fn piece(seed: &mut Seed) -> Piece {
    let code = loop {
        let code = instruction(seed);
        if !code.contains("r10") {
            break Piece::Code(code);
        }
    };
    match seed.below(4) {
        0 => Piece::If { condition: condition(seed), then: vec![code], otherwise: Vec::new() },
        _ => code,
    }
}

/// Writes the function that is called `f<index>`, after its label.
pub fn write(kind: &Kind, index: usize, body: &[Piece], text: &mut String, labels: &mut usize) {
    let exit = super::label(labels);
    match kind {
        Kind::Leaf => {
            text.push_str("r9 = r1\nr6 = r2\nr7 = 3\nr8 = 5\nr0 = r4\nr1 = 7\n");
            write_pieces(body, text, labels, &exit);
            *text += &format!("{exit}:\nr0 += r6\nr0 ^= r1\nexit\n");
        }
        Kind::Quotient { callee } => {
            text.push_str("r6 = r2\nr7 = r3\nr8 = r4\nr9 = r1\nr0 = r5\n");
            if let Some(callee) = callee {
                *text += &format!("r2 = r0\ncall f{callee}\n");
            }
            write_pieces(body, text, labels, &exit);
            *text += &format!("{exit}:\nexit\n");
        }
        Kind::Recursive { tests, calls } => {
            *text += &format!("r5 &= 3\nr0 = r2\nif r5 == 0 goto {exit}\n");
            tests.iter().for_each(|test| *text += &format!("{test} {exit}\n"));
            text.push_str("r9 = r1\nr8 = r5\nr8 -= 1\nr7 = r2\nr6 = r3\nr0 = 1\nr1 = 2\n");
            write_pieces(body, text, labels, &exit);
            for call in 0..*calls {
                *text += &format!(
                    "r1 = r9\nr2 = r7\nr2 += {call}\nr3 = r6\nr4 = r8\nr5 = r8\ncall f{index}\nr6 ^= r0\n"
                );
            }
            *text += &format!("r0 = r6\n{exit}:\nexit\n");
        }
    }
}
