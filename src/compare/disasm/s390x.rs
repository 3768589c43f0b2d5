//! s390x. Branch operands are addresses.
//!
//! | memory operand of | access |
//! |---|---|
//! | `la`, `lay`, shifts and rotations, prefetches | none: it is a number |
//! | `st*`, `mv*` of an immediate | store |
//! | compare and swap, load and operate, operations on memory with an immediate, from storage to storage | both |
//! | others | load |

use super::operands::{address, based, frame, operands, split};
use super::{Class, Control};

/// Branches that compare two registers, or one and an immediate.
const COMPARE_AND_BRANCH: [&str; 8] = ["crj", "cgrj", "clrj", "clgrj", "cij", "cgij", "clij", "clgij"];

/// Instructions whose memory operand is not accessed.
const NUMBERS: [&str; 17] = [
    "la", "lay", "sll", "srl", "sla", "sra", "sllk", "srlk", "slak", "srak", "sllg", "srlg", "slag", "srag", "rll",
    "rllg", "pfd",
];

const LOAD_AND_STORE: [&str; 29] = [
    "cs", "csy", "csg", "cds", "cdsy", "cdsg", "laa", "laag", "laal", "laalg", "lan", "lang", "lao", "laog", "lax",
    "laxg", "asi", "agsi", "alsi", "algsi", "ni", "niy", "oi", "oiy", "xi", "xiy", "mvc", "nc", "xc",
];

pub(crate) fn classify(text: &str) -> Class {
    let (mnemonic, from) = split(text);
    let operands = operands(text, from);
    let direct = || address(text, &operands, 0);
    let last = operands.last().map_or("", |range| &text[range.clone()]);
    match mnemonic {
        "j" | "jg" => return Class::control(Control::Jump, direct()),
        "jnop" | "jgnop" => return Class::plain(),
        "brasl" | "bras" => return Class::control(Control::Call, direct()),
        // A branch through %r0 does not jump.
        _ if last == "%r0" && mnemonic.starts_with('b') => return Class::plain(),
        "basr" | "balr" => return Class::control(Control::Call, None),
        "br" if last == "%r14" => return Class::control(Control::Return, None),
        "br" | "b" => return Class::control(Control::Jump, None),
        "brct" | "brctg" | "brxh" | "brxle" | "brxhg" | "brxlg" => {
            return Class::control(Control::Branch, direct());
        }
        name if name.starts_with('j') => return Class::control(Control::Branch, direct()),
        name if COMPARE_AND_BRANCH.iter().any(|start| name.starts_with(start)) => {
            return Class::control(Control::Branch, direct());
        }
        name if is_conditional_through_register(name) => return Class::control(Control::Branch, None),
        "larl" => return Class::control(Control::Plain, direct()),
        name if name.ends_with("rl") && operands.len() == 2 && direct().is_some() => {
            let stores = name.starts_with("st");
            let is_prefetch = name.starts_with("pfd");
            return Class { loads: !stores && !is_prefetch, stores, reference: direct(), ..Class::plain() };
        }
        _ => {}
    }
    let Some((displacement, registers)) = operands.iter().find_map(|range| based(&text[range.clone()])) else {
        return Class::plain();
    };
    if NUMBERS.contains(&mnemonic) {
        return Class::plain();
    }
    let both = LOAD_AND_STORE.contains(&mnemonic);
    let stores = both || mnemonic.starts_with("st") || mnemonic.starts_with("mv");
    let loads = both || !stores;
    Class { loads, stores, frame: frame(registers, "%r15", "", displacement), ..Class::plain() }
}

/// `ber`, `bnher` and so on.
fn is_conditional_through_register(mnemonic: &str) -> bool {
    let condition = mnemonic.strip_prefix('b').and_then(|rest| rest.strip_suffix('r'));
    condition.is_some_and(|condition| {
        let positive = condition.strip_prefix('n').unwrap_or(condition);
        matches!(positive, "e" | "h" | "l" | "he" | "le" | "lh" | "o" | "p" | "m" | "z")
    })
}
