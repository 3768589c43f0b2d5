//! Unwind rows that Cranelift leaves out: its own are right only between the prologue and the epilogues.
//!
//! In: the rows of a function and its code. Out: rows that are right at every instruction, in functions that keep the frame
//! that Cranelift gave them (`../x86/steps/frame/` writes the rows of new frames).
//!
//! | machine | prologue | rows moved or added | epilogue | rows added |
//! |---|---|---|---|---|
//! | x86-64 | `push %rbp; mov %rsp, %rbp`, then probes | the frame is at `%rbp` before the probes | `mov %rbp, %rsp; pop %rbp; ret` | behind `pop` |
//! | aarch64 | `stp x29, x30, [sp, #-16]!; mov x29, sp`, then probes | the same | `ldp x19, x20, [sp], #16 ..; ldp x29, x30, [sp], #16; ret` | behind each `ldp` |
//! | riscv64 | `addi sp, sp, -16; sd ra ..; sd s0 ..; mv s0, sp` | behind `addi`, before the probes | `ld ra ..; ld s0 ..; addi sp, sp, 16; ret` | before and behind each |
//! | s390x | `stmg ..; aghi %r15, -N` | none | `lmg ..` or `aghi %r15, N`; `br %r14` | behind these |
//!
//! A register's rule ends where the memory is freed that it was saved in: memory below the stack pointer belongs to signal
//! handlers, except for the red zone of 128 bytes on x86-64. On s390x, registers are saved in the caller's frame.
//!
//! The rule: epilogues are found by their bytes. Rows of an epilogue hold from the end of its first instruction to that
//! of its last, so that bytes that only look like one do no harm: no instruction begins inside of them.

use cranelift_codegen::isa::TargetIsa;
use memchr::memmem;
use target_lexicon::Architecture;

use super::unwind::{FrameRow, FrameRows, Unwind};

/// `mov %rbp, %rsp; pop %rbp; ret`.
const X86_EPILOGUE: [u8; 5] = [0x48, 0x89, 0xec, 0x5d, 0xc3];

/// Rows, by the offset from which they hold.
type Rows = Vec<(u32, FrameRow)>;

/// What frames are like on a machine.
struct Machine {
    /// DWARF numbers of the stack pointer, the frame pointer and the return address.
    stack: u16,
    frame: Option<u16>,
    link: u16,
    /// Bytes from the stack pointer to the CFA at the start of a function.
    bias: i32,
    /// Instructions start at multiples of this.
    unit: usize,
}

/// A function's frame between the prologue and the epilogues.
struct Frame<'a> {
    machine: &'a Machine,
    code: &'a [u8],
    /// Saved registers.
    saved: Vec<u16>,
    /// Bytes from the stack pointer to the CFA, where the CFA is relative to that.
    size: i32,
}

/// Completes a function's unwind information, where it has the form of rows.
pub(super) fn complete(unwind: Unwind, code: &[u8], isa: &dyn TargetIsa) -> Unwind {
    let rows = match unwind {
        Unwind::Rows(rows) => rows,
        Unwind::Cranelift(_) => match unwind.rows(isa) {
            Some(rows) => rows,
            None => return unwind,
        },
    };
    Unwind::Rows(complete_rows(rows, code, isa.triple().architecture))
}

/// Completes the rows of a function.
fn complete_rows(rows: FrameRows, code: &[u8], architecture: Architecture) -> FrameRows {
    let machine = match architecture {
        Architecture::X86_64 => Machine { stack: 7, frame: Some(6), link: 16, bias: 8, unit: 1 },
        Architecture::Aarch64(_) => Machine { stack: 31, frame: Some(29), link: 30, bias: 0, unit: 4 },
        Architecture::Riscv64(_) => Machine { stack: 2, frame: Some(8), link: 1, bias: 0, unit: 2 },
        Architecture::S390x => Machine { stack: 15, frame: None, link: 14, bias: 160, unit: 2 },
        _ => return rows,
    };
    let FrameRows { length, mut rows } = rows;
    let set_up = rows.iter().position(|(_, row)| matches!(row, FrameRow::CfaRegister(_)));
    if machine.frame.is_some() && set_up.is_none() {
        return FrameRows { length, rows };
    }
    if let (Some(at), Some(row)) = (frame_pointer_is_set(code, architecture), set_up) {
        rows[row].0 = rows[row].0.min(at);
    }
    if matches!(architecture, Architecture::Riscv64(_))
        && let Some(at) = riscv_frame_is_taken(code)
        && let Some(row) = rows.iter_mut().find(|(_, row)| matches!(row, FrameRow::CfaOffset(_)))
    {
        row.0 = row.0.min(at);
    }
    let saved = rows.iter().filter_map(|(_, row)| match row {
        FrameRow::Offset(register, _) => Some(*register),
        _ => None,
    });
    let size = rows.iter().rev().find_map(|(_, row)| match row {
        FrameRow::CfaOffset(offset) | FrameRow::Cfa(_, offset) => Some(*offset),
        _ => None,
    });
    let frame = Frame { machine: &machine, code, saved: saved.collect(), size: size.unwrap_or(machine.bias) };
    let places: Box<dyn Iterator<Item = usize>> = match architecture {
        // An epilogue is always the same bytes here.
        Architecture::X86_64 => Box::new(memmem::find_iter(code, &X86_EPILOGUE)),
        _ => Box::new((0..code.len()).step_by(machine.unit)),
    };
    let mut end = 0;
    for at in places {
        if at < end {
            continue;
        }
        let mut added = Rows::new();
        let found = match architecture {
            Architecture::X86_64 => Some(frame.x86(at, &mut added)),
            Architecture::Aarch64(_) => frame.aarch64(at, &mut added),
            Architecture::Riscv64(_) => frame.riscv(at, &mut added),
            _ => frame.s390x(at, &mut added),
        };
        let (Some(found), Some(&(first, _))) = (found, added.first()) else { continue };
        end = found;
        rows.push((first, FrameRow::RememberState));
        rows.append(&mut added);
        if end < length as usize {
            rows.push((end as u32, FrameRow::RestoreState));
        }
    }
    // Stable: rows at the same offset stay in order.
    rows.sort_by_key(|&(offset, _)| offset);
    FrameRows { length, rows }
}

/// The offset behind the instruction that sets the frame pointer.
fn frame_pointer_is_set(code: &[u8], architecture: Architecture) -> Option<u32> {
    /// Bytes of prologue before it, at most.
    const AHEAD: usize = 24;
    let (set, unit): (&[&[u8]], usize) = match architecture {
        Architecture::X86_64 => return code.starts_with(&[0x55, 0x48, 0x89, 0xe5]).then_some(4),
        Architecture::Aarch64(_) => (&[&[0xfd, 0x03, 0x00, 0x91]], 4),
        Architecture::Riscv64(_) => (&[&[0x13, 0x04, 0x01, 0x00], &[0x0a, 0x84]], 2),
        _ => return None,
    };
    let is_set = |at: &usize| set.iter().any(|set| code.get(*at..).is_some_and(|code| code.starts_with(set)));
    let at = (0..AHEAD).step_by(unit).find(is_set)?;
    let size = if unit == 4 || code[at] & 3 == 3 { 4 } else { 2 };
    Some((at + size) as u32)
}

/// The offset behind `addi sp, sp, -16`, which allocates 16 bytes for the frame pointer and the return address.
fn riscv_frame_is_taken(code: &[u8]) -> Option<u32> {
    match code {
        [0x13, 0x01, 0x01, 0xff, ..] => Some(4),
        [0x41, 0x11, ..] => Some(2),
        _ => None,
    }
}

impl Frame<'_> {
    /// Whether these bytes are at an offset.
    fn has(&self, at: usize, bytes: &[u8]) -> bool {
        self.code.get(at..).is_some_and(|code| code.starts_with(bytes))
    }

    /// The 4 bytes at an offset, of a little-endian machine.
    fn word(&self, at: usize) -> Option<u32> {
        let bytes = self.code.get(at..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }

    /// From an offset on, registers have the caller's values.
    fn restore(&self, at: usize, registers: impl IntoIterator<Item = u16>, rows: &mut Rows) {
        let saved = registers.into_iter().filter(|register| self.saved.contains(register));
        rows.extend(saved.map(|register| (at as u32, FrameRow::Restore(register))));
    }

    /// From an offset on, the stack pointer is as at the start of the function.
    fn leave(&self, at: usize, rows: &mut Rows) {
        rows.push((at as u32, FrameRow::Cfa(self.machine.stack, self.machine.bias)));
    }

    /// [`X86_EPILOGUE`] at an offset. This and the following return the end of the epilogue.
    fn x86(&self, at: usize, rows: &mut Rows) -> usize {
        self.leave(at + 4, rows);
        self.restore(at + 4, self.machine.frame, rows);
        at + X86_EPILOGUE.len()
    }

    /// `ldp x29, x30, [sp], #16; ret`, with the loads of other registers that come before.
    fn aarch64(&self, at: usize, rows: &mut Rows) -> Option<usize> {
        /// `ldp x0, x0, [sp], #16`, `ldr x0, [sp], #16`, and the same of d0; masks; the first DWARF number.
        const LOADS: [(u32, u32, u16); 4] = [
            (0xa8c1_03e0, 0xffff_83e0, 0),
            (0xf841_07e0, 0xffff_ffe0, 0),
            (0x6cc1_03e0, 0xffff_83e0, 64),
            (0xfc41_07e0, 0xffff_ffe0, 64),
        ];
        let mut end = at;
        loop {
            let word = self.word(end)?;
            let &(_, mask, base) = LOADS.iter().find(|&&(load, mask, _)| word & mask == load)?;
            end += 4;
            if word == 0xa8c1_7bfd {
                break;
            }
            let first = base + (word & 31) as u16;
            let second = (mask == 0xffff_83e0).then_some(base + (word >> 10 & 31) as u16);
            self.restore(end, [first].into_iter().chain(second), rows);
            end = self.over_constants(end, |word| {
                let distance = (word << 6).cast_signed() >> 4;
                (word >> 26 == 0b00_0101).then_some(distance)
            });
        }
        self.leave(end, rows);
        self.restore(end, [29, 30], rows);
        (self.word(end)? == 0xd65f_03c0).then_some(end + 4)
    }

    /// `addi sp, sp, N; ld ra, 8(sp); ld s0, 0(sp); addi sp, sp, 16; ret`: once that begins, all other registers are restored.
    fn riscv(&self, at: usize, rows: &mut Rows) -> Option<usize> {
        /// Encodings of 4 bytes, and compressed ones.
        const STEPS: [(u32, u16); 4] =
            [(0x0081_3083, 0x60a2), (0x0001_3403, 0x6402), (0x0101_0113, 0x0141), (0x0000_8067, 0x8082)];
        // The first instruction is `addi`, `add` of a register or `c.addi16sp`.
        let start = match self.word(at)? {
            word if word & 0xf_ffff == 0x1_0113 || word & 0xfe0f_ffff == 0x1_0133 => at + 4,
            word if word & 0xef83 == 0x6101 => at + 2,
            _ => at,
        };
        let is_set_up = |register: &u16| *register == self.machine.link || Some(*register) == self.machine.frame;
        self.restore(start, self.saved.iter().copied().filter(|register| !is_set_up(register)), rows);
        let mut ends = [0; 4];
        let mut end = start;
        for ((long, short), place) in STEPS.into_iter().zip(&mut ends) {
            end = self.over_constants(end, |word| {
                let bits = |from: u32, count: u32, to: u32| (word >> from & ((1 << count) - 1)) << to;
                let distance = bits(21, 10, 1) | bits(20, 1, 11) | bits(12, 8, 12);
                (word & 0x8000_0fff == 0x6f).then_some(distance.cast_signed())
            });
            end += match () {
                () if self.has(end, &long.to_le_bytes()) => 4,
                () if self.has(end, &short.to_le_bytes()) => 2,
                () => return None,
            };
            *place = end;
        }
        let [link, frame, taken, end] = ends;
        self.restore(link, [self.machine.link], rows);
        rows.push((frame as u32, FrameRow::Cfa(self.machine.stack, 16)));
        self.restore(frame, self.machine.frame, rows);
        self.leave(taken, rows);
        Some(end)
    }

    /// The target of the jump that Cranelift puts before an island of constants, which may lie between any two instructions;
    /// the offset itself if there is none. `distance` decodes the jump.
    fn over_constants(&self, at: usize, distance: impl Fn(u32) -> Option<i32>) -> usize {
        let distance = self.word(at).and_then(distance).and_then(|distance| usize::try_from(distance).ok());
        distance.filter(|&distance| distance > 0).map_or(at, |distance| at.saturating_add(distance))
    }

    /// What restores the stack pointer, up to `br %r14`.
    fn s390x(&self, at: usize, rows: &mut Rows) -> Option<usize> {
        const RETURN: [u8; 2] = [0x07, 0xfe];
        let size = self.size - self.machine.bias;
        // lmg %rN, %rM, k(%r15)
        let loads = |at: usize| match *self.code.get(at..)?.first_chunk()? {
            [0xeb, registers, base, _, _, 0x04] if base >> 4 == 15 => Some(registers & 15),
            _ => None,
        };
        if loads(at) == Some(15) && self.has(at + 6, &RETURN) {
            self.leave(at + 6, rows);
            self.restore(at + 6, self.saved.iter().copied(), rows);
            return Some(at + 8);
        }
        // aghi %r15, N; agfi %r15, N
        let given = match *self.code.get(at..)? {
            [0xa7, 0xfb, a, b, ..] => Some((4, i32::from(i16::from_be_bytes([a, b])))),
            [0xc2, 0xf8, a, b, c, d, ..] => Some((6, i32::from_be_bytes([a, b, c, d]))),
            _ => None,
        };
        let (length, given) = given?;
        let behind = at + length;
        let end = if loads(behind).is_some() { behind + 6 } else { behind };
        (given == size && size > 0 && self.has(end, &RETURN)).then_some(())?;
        self.leave(behind, rows);
        self.restore(end, self.saved.iter().copied(), rows);
        Some(end + 2)
    }
}

#[cfg(test)]
mod tests {
    use target_lexicon::{Architecture, Riscv64Architecture};

    use super::{FrameRow, FrameRows, complete_rows};

    #[test]
    fn rows_of_an_epilogue_end_with_it() {
        let code = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xec, 0x5d, 0xc3, 0xcc];
        let rows = vec![(1, FrameRow::CfaOffset(16)), (1, FrameRow::Offset(6, -16)), (6, FrameRow::CfaRegister(6))];
        let completed = complete_rows(FrameRows { length: 10, rows }, &code, Architecture::X86_64);
        let expected = [
            (1, FrameRow::CfaOffset(16)),
            (1, FrameRow::Offset(6, -16)),
            (4, FrameRow::CfaRegister(6)),
            (8, FrameRow::RememberState),
            (8, FrameRow::Cfa(7, 8)),
            (8, FrameRow::Restore(6)),
            (9, FrameRow::RestoreState),
        ];
        assert_eq!(completed.rows, expected);
    }

    #[test]
    fn short_code_is_no_epilogue() {
        for architecture in [Architecture::S390x, Architecture::Riscv64(Riscv64Architecture::Riscv64gc)] {
            for code in [&[][..], &[0xa7, 0xfb], &[0x83, 0x30, 0x81, 0x00], &[0xeb, 0xef, 0xf0]] {
                let rows = FrameRows { length: code.len() as u32, rows: Vec::new() };
                assert!(complete_rows(rows, code, architecture).rows.is_empty());
            }
        }
    }
}
