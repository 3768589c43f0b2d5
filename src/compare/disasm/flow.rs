//! Which bytes of a function are instructions.
//!
//! In: bytes and their [`Shape`]. Out: instructions and data that cover them.
//!
//! | shape | instructions |
//! |---|---|
//! | `Entries` | what control reaches from the start and from the entries, along branches; Cranelift puts constants behind the code and jump tables into it, where control never goes |
//! | `Foreign` | the same, and then all other bytes in order, except for the ranges of data |

use std::ops::Range;

use super::{Control, DATA_SIZE, Disassembler, Instruction, Machine, Shape, aarch64, riscv64, s390x, x86};

/// Decodes a function.
pub(crate) fn decode(disassembler: &Disassembler, bytes: &[u8], shape: Shape<'_>) -> Vec<Instruction> {
    // Larger functions do not exist; bytes beyond are not shown.
    let bytes = &bytes[..bytes.len().min(u32::MAX as usize)];
    let mut traversal = Traversal {
        disassembler,
        bytes,
        is_taken: vec![false; bytes.len()],
        found: Vec::new(),
        x86: x86::Classifier::new(),
    };
    match shape {
        Shape::Entries(entries) => {
            traversal.reach(0);
            for &entry in entries {
                traversal.reach(entry);
            }
        }
        Shape::Foreign(data) => {
            for range in data {
                traversal.take(range);
            }
            traversal.reach(0);
            let mut next = 0;
            while let Some(free) = traversal.is_taken[next..].iter().position(|taken| !taken) {
                traversal.reach((next + free) as u32);
                next += free;
                // Bytes that decode to an instruction overlapping another one or data are data.
                let size = disassembler.machine.undecodable(&bytes[next..]);
                if !traversal.is_taken[next] {
                    traversal.take(&(next as u32..(next + size) as u32));
                }
            }
        }
    }
    traversal.with_data()
}

struct Traversal<'a> {
    disassembler: &'a Disassembler,
    bytes: &'a [u8],
    /// Bytes that belong to an instruction, or are known to be data.
    is_taken: Vec<bool>,
    /// Instructions, in the order in which they are reached.
    found: Vec<Instruction>,
    x86: x86::Classifier,
}

impl Traversal<'_> {
    fn take(&mut self, range: &Range<u32>) {
        let end = (range.end as usize).min(self.bytes.len());
        let start = (range.start as usize).min(end);
        self.is_taken[start..end].fill(true);
    }

    /// Decodes everything that control reaches from here.
    fn reach(&mut self, from: u32) {
        let Ok(mut decoder) = self.disassembler.capstone.disasm_iter(&[], 0) else { return };
        let mut pending = vec![from];
        while let Some(mut at) = pending.pop() {
            let Some(rest) = self.bytes.get(at as usize..) else { continue };
            decoder.reset(rest, u64::from(at));
            while let Some(false) = self.is_taken.get(at as usize) {
                let (size, text) = match decoder.next() {
                    Some(decoded) => {
                        let mnemonic = decoded.mnemonic().unwrap_or_default().trim_end();
                        let operands = decoded.op_str().unwrap_or_default().trim_end();
                        let space = if operands.is_empty() { "" } else { " " };
                        (decoded.len(), format!("{mnemonic}{space}{operands}"))
                    }
                    // What capstone does not know is skipped as data where its size is known; otherwise decoding ends here.
                    None => {
                        let rest = &self.bytes[at as usize..];
                        let size = self.disassembler.machine.undecodable(rest);
                        let end = at + size as u32;
                        let is_trap = rest[..size].iter().all(|&byte| byte == 0);
                        self.take(&(at..end));
                        if self.disassembler.machine == Machine::S390x && is_trap {
                            let trap = Instruction { kind: Control::Trap, ..data(self.bytes, at..end) };
                            self.found.push(trap);
                        }
                        if self.disassembler.machine == Machine::X86 || is_trap {
                            break;
                        }
                        at = end;
                        decoder.reset(&self.bytes[at as usize..], u64::from(at));
                        continue;
                    }
                };
                if size == 0 || !self.is_free(at, size) {
                    break;
                }
                let size = size as u32;
                let bytes = &self.bytes[at as usize..(at + size) as usize];
                let class = match self.disassembler.machine {
                    Machine::X86 => self.x86.classify(bytes, &text, at),
                    Machine::Aarch64 => aarch64::classify(&text),
                    Machine::Riscv64 => riscv64::classify(&text, at),
                    Machine::S390x => s390x::classify(&text),
                };
                let mut instruction = Instruction {
                    offset: at,
                    size,
                    text,
                    kind: class.kind,
                    reference: class.reference,
                    loads: class.loads,
                    stores: class.stores,
                    frame: class.frame,
                };
                spell_conditional_trap(&mut instruction);
                self.take(&(at..at + size));
                pending.extend(instruction.branch_target(self.bytes.len()));
                let is_end = instruction.kind.ends_flow();
                self.found.push(instruction);
                at += size;
                if is_end {
                    break;
                }
            }
        }
    }

    /// Whether none of these bytes is taken.
    fn is_free(&self, at: u32, size: usize) -> bool {
        let range = at as usize..at as usize + size;
        self.is_taken.get(range).is_some_and(|taken| taken.iter().all(|taken| !taken))
    }

    /// The instructions in order, with data in the gaps.
    fn with_data(mut self) -> Vec<Instruction> {
        self.found.sort_by_key(|instruction| instruction.offset);
        // Data that is referred to starts a new piece.
        let mut cuts: Vec<u32> = self.found.iter().filter_map(|found| found.target(self.bytes.len())).collect();
        cuts.sort_unstable();
        let mut all = Vec::with_capacity(self.found.len());
        let mut at = 0;
        for instruction in self.found {
            push_data(&mut all, self.bytes, &cuts, at..instruction.offset);
            at = instruction.end();
            all.push(instruction);
        }
        push_data(&mut all, self.bytes, &cuts, at..self.bytes.len() as u32);
        all
    }
}

/// A branch into its own bytes traps: that is how s390x traps conditionally. Its target is not a position in the code.
fn spell_conditional_trap(instruction: &mut Instruction) {
    let Some(target) = instruction.reference.as_ref().and_then(|reference| reference.offset) else { return };
    let distance = target.wrapping_sub(i64::from(instruction.offset));
    let kind = match instruction.kind {
        Control::Branch => Control::Plain,
        Control::Jump => Control::Trap,
        _ => return,
    };
    if (1..i64::from(instruction.size)).contains(&distance) {
        instruction.text = instruction.text_with(&format!(".+{distance}"));
        instruction.kind = kind;
        instruction.reference = None;
    }
}

/// Data, in pieces that start at multiples of [`DATA_SIZE`] and at `cuts`.
fn push_data(all: &mut Vec<Instruction>, bytes: &[u8], cuts: &[u32], range: Range<u32>) {
    let mut at = range.start;
    while at < range.end {
        let mut end = (at + 1).next_multiple_of(DATA_SIZE).min(range.end);
        let next = cuts.partition_point(|&cut| cut <= at);
        if let Some(&cut) = cuts.get(next) {
            end = end.min(cut);
        }
        all.push(data(bytes, at..end));
        at = end;
    }
}

fn data(bytes: &[u8], range: Range<u32>) -> Instruction {
    let bytes = &bytes[range.start as usize..range.end as usize];
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:#04x}")).collect();
    Instruction {
        offset: range.start,
        size: range.end - range.start,
        text: format!(".byte {}", bytes.join(", ")),
        kind: Control::Data,
        reference: None,
        loads: false,
        stores: false,
        frame: None,
    }
}
