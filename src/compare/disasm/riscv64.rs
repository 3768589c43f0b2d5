//! riscv64. Branch operands are distances.

use super::operands::{address, based, frame, operands, split};
use super::{Class, Control, Reference};

const BRANCHES: [&str; 16] = [
    "beq", "bne", "blt", "bge", "bltu", "bgeu", "beqz", "bnez", "blez", "bgez", "bltz", "bgtz", "bgt", "ble",
    "bgtu", "bleu",
];

const LOADS: [&str; 10] = ["lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "flw", "fld", "flh"];
const STORES: [&str; 7] = ["sb", "sh", "sw", "sd", "fsw", "fsd", "fsh"];

pub(crate) fn classify(text: &str, offset: u32) -> Class {
    let (mnemonic, from) = split(text);
    // Compressed instructions do what their long forms do.
    let name = mnemonic.strip_prefix("c.").unwrap_or(mnemonic);
    let operands = operands(text, from);
    let direct = || address(text, &operands, i64::from(offset));
    let first = operands.first().map_or("", |range| &text[range.clone()]);
    match name {
        "j" => return Class::control(Control::Jump, direct()),
        "jal" => return Class::control(Control::Call, direct()),
        "jalr" => return Class::control(Control::Call, None),
        "jr" if first == "ra" => return Class::control(Control::Return, None),
        "jr" => return Class::control(Control::Jump, None),
        "ret" | "mret" | "sret" => return Class::control(Control::Return, None),
        "unimp" | "ebreak" => return Class::control(Control::Trap, None),
        "auipc" => {
            let reference = operands.last().map(|span| Reference { offset: None, span: span.clone() });
            return Class::control(Control::Plain, reference);
        }
        name if BRANCHES.contains(&name) => return Class::control(Control::Branch, direct()),
        _ => {}
    }
    let plain = name.strip_suffix("sp").unwrap_or(name);
    let is_atomic = name.starts_with("amo");
    let loads = LOADS.contains(&plain) || name.starts_with("lr.") || is_atomic;
    let stores = STORES.contains(&plain) || name.starts_with("sc.") || is_atomic;
    let memory = operands.iter().find_map(|range| based(&text[range.clone()]));
    let frame = memory.and_then(|(displacement, register)| frame(register, "sp", "s0", displacement));
    Class { loads, stores, frame, ..Class::plain() }
}
