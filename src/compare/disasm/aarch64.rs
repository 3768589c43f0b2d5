//! aarch64.
//!
//! | mnemonic | access |
//! |---|---|
//! | `ld*` | load; the atomic ones (`ldadd`, `ldclr`, ...) store too |
//! | `st*` | store |
//! | `swp*`, `cas*` | load and store |

use super::operands::{address, frame, operands, split};
use super::{Class, Control, Reference};

pub(crate) fn classify(text: &str) -> Class {
    let (mnemonic, from) = split(text);
    let operands = operands(text, from);
    let direct = || address(text, &operands, 0);
    match mnemonic {
        "b" => return Class::control(Control::Jump, direct()),
        "bl" => return Class::control(Control::Call, direct()),
        "cbz" | "cbnz" | "tbz" | "tbnz" => return Class::control(Control::Branch, direct()),
        "ret" | "retaa" | "retab" | "eret" => return Class::control(Control::Return, None),
        "udf" | "brk" => return Class::control(Control::Trap, None),
        name if name.starts_with("b.") || name.starts_with("bc.") => {
            return Class::control(Control::Branch, direct());
        }
        name if name.starts_with("blr") => return Class::control(Control::Call, None),
        "br" | "braa" | "brab" | "braaz" | "brabz" => return Class::control(Control::Jump, None),
        "adr" => return Class::control(Control::Plain, direct()),
        // The address of a page: where it is depends on where the code is.
        "adrp" => {
            let reference = operands.last().map(|span| Reference { offset: None, span: span.clone() });
            return Class::control(Control::Plain, reference);
        }
        _ => {}
    }
    let memory = operands.iter().find(|range| text[(*range).clone()].starts_with('['));
    let starts = |prefix: &str| mnemonic.starts_with(prefix);
    let loads = starts("ld") || starts("swp") || starts("cas");
    let is_atomic = ["ldadd", "ldclr", "ldeor", "ldset", "ldsmax", "ldsmin", "ldumax", "ldumin"];
    let stores = starts("st") || starts("swp") || starts("cas") || is_atomic.iter().any(|name| starts(name));
    let mut class = Class { loads, stores, ..Class::plain() };
    match memory {
        Some(range) => {
            let inner = text[range.clone()].trim_start_matches('[').trim_end_matches(['!', ']']);
            let (base, rest) = inner.split_once(", ").unwrap_or((inner, ""));
            class.frame = frame(base, "sp", "x29", rest);
        }
        // A load from the code: `ldr x0, #0x20`.
        None if loads => class.reference = direct(),
        None => {}
    }
    class
}
