//! An interpreter of BPF that is simple enough to be seen to be right: the tests' second opinion.
//!
//! In: raw little-endian slots, the memory argument, a function for helper calls. Out: r0, or the [`Fault`] that
//! ended the run; the memory argument changes in place. Memory has the byte order of the machine that is asked for; the
//! slots do not, so that one program is for both. Written from RFC 9669 (section numbers below) and, for what
//! came later, the kernel's `Documentation/bpf` and `include/linux/filter.h`. The rule: nothing of `src/` is used
//! here, so that a misreading of the specification has to be made twice to go unseen. It checks no field that an
//! instruction does not use: legal programs come in.
//!
//! Registers that a call clobbers, and those that a callee has no right to read, hold [`POISON`] afterwards. A callee
//! in the program leaves r2 as it is, which may be the second word of its result. All
//! memory is in bounded regions: the argument, and a frame for each active function.

mod alu;

use alu::{arithmetic, condition};

/// What undefined registers and fresh stack hold.
const POISON: u64 = 0xdead_beef_dead_beef;
/// Bytes of stack for each function.
const FRAME: usize = 4096;
/// Stack arguments for each call.
const STACK_ARGUMENTS: usize = 16;
/// How deep calls may nest.
const DEPTH: usize = 64;
/// Where addresses of code begin: no access to it is ever in bounds.
const CODE: u64 = 0x7000_0000_0000_0000;
/// How often `may_goto` falls through. The kernel's number is 8 Mi, or a quarter of a second; it is no contract.
const MAY_GOTO_BUDGET: u64 = 1 << 16;

/// The order of the bytes of a number in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

/// Why a run ended without `exit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The instruction at this slot does not exist.
    Opcode(usize),
    /// An access at this slot to memory that is not the program's.
    Memory(usize, u64),
    /// Control left the program.
    Left(i64),
    /// No such helper.
    Helper(i32),
    /// Too many calls deep.
    Depth,
    /// Out of fuel.
    Fuel,
}

/// A function that may be called: number and r1 to r5 to r0.
pub type Helper<'a> = &'a dyn Fn(i32, [u64; 5]) -> Option<u64>;

/// An access to the memory argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether it writes.
    pub writes: bool,
    /// Bytes from the start of the memory.
    pub at: usize,
    /// How many bytes.
    pub size: usize,
    /// What is there afterwards, little-endian.
    pub value: u64,
}

/// The caller's state while its callee runs.
struct Caller {
    pc: i64,
    saved: [u64; 4],
    frame_pointer: u64,
    may_goto: u64,
    incoming: [u64; STACK_ARGUMENTS],
}

struct Machine<'a> {
    order: Order,
    code: &'a [u8],
    memory: &'a mut [u8],
    stack: Vec<u8>,
    r: [u64; 11],
    callers: Vec<Caller>,
    may_goto: u64,
    /// Stack arguments of this function, and those for the next call: r11 in loads and in stores (LLVM 23).
    incoming: [u64; STACK_ARGUMENTS],
    outgoing: [u64; STACK_ARGUMENTS],
    accesses: Vec<Access>,
}

/// The fields of a slot (RFC 9669 section 3.1).
#[derive(Clone, Copy)]
struct Slot {
    opcode: u8,
    dst: usize,
    src: usize,
    offset: i16,
    imm: i32,
}

/// Runs `code` from its first slot with r1 = the address of `memory` and r2 = its length, for at most `fuel`
/// instructions, on a little-endian machine.
pub fn run(code: &[u8], memory: &mut [u8], helper: Helper<'_>, fuel: u64) -> Result<u64, Fault> {
    run_in(Order::Little, code, memory, helper, fuel)
}

/// The same, on a machine of this byte order.
pub fn run_in(order: Order, code: &[u8], memory: &mut [u8], helper: Helper<'_>, fuel: u64) -> Result<u64, Fault> {
    recorded(order, code, memory, helper, fuel).map(|(r0, _)| r0)
}

/// The same, and all accesses to `memory` in order.
pub fn recorded(
    order: Order,
    code: &[u8],
    memory: &mut [u8],
    helper: Helper<'_>,
    fuel: u64,
) -> Result<(u64, Vec<Access>), Fault> {
    traced(order, code, memory, helper, fuel, |_| {})
}

/// The same; `trace` sees the slot of each instruction that is executed.
pub fn traced(
    order: Order,
    code: &[u8],
    memory: &mut [u8],
    helper: Helper<'_>,
    mut fuel: u64,
    mut trace: impl FnMut(i64),
) -> Result<(u64, Vec<Access>), Fault> {
    let stack = POISON.to_le_bytes().repeat(FRAME * DEPTH / 8);
    let mut r = [POISON; 11];
    (r[1], r[2]) = (memory.as_ptr() as u64, memory.len() as u64);
    r[10] = stack.as_ptr() as u64 + stack.len() as u64;
    let arguments = [POISON; STACK_ARGUMENTS];
    let (callers, may_goto) = (Vec::new(), MAY_GOTO_BUDGET);
    let (incoming, outgoing, accesses) = (arguments, arguments, Vec::new());
    let mut machine = Machine { order, code, memory, stack, r, callers, may_goto, incoming, outgoing, accesses };
    let mut pc = 0;
    loop {
        fuel = fuel.checked_sub(1).ok_or(Fault::Fuel)?;
        trace(pc);
        match machine.step(pc, helper)? {
            Some(next) => pc = next,
            None => return Ok((machine.r[0], machine.accesses)),
        }
    }
}

impl Machine<'_> {
    fn slot(&self, pc: i64) -> Result<Slot, Fault> {
        let at = usize::try_from(pc).map_err(|_| Fault::Left(pc))?;
        let bytes: [u8; 8] =
            self.code.get(at * 8..at * 8 + 8).and_then(|slot| slot.try_into().ok()).ok_or(Fault::Left(pc))?;
        let [opcode, registers, o0, o1, i0, i1, i2, i3] = bytes;
        let slot = Slot {
            opcode,
            dst: usize::from(registers & 0xf),
            src: usize::from(registers >> 4),
            offset: i16::from_le_bytes([o0, o1]),
            imm: i32::from_le_bytes([i0, i1, i2, i3]),
        };
        let stack_argument = (opcode == 0x79 && slot.src == 11 && slot.dst <= 10)
            || (matches!(opcode, 0x7a | 0x7b) && slot.dst == 11 && slot.src <= 10);
        if stack_argument || slot.dst <= 10 && slot.src <= 10 { Ok(slot) } else { Err(Fault::Opcode(at)) }
    }

    /// Executes the instruction at `pc`: the next `pc`, or `None` after the last `exit`.
    fn step(&mut self, pc: i64, helper: Helper<'_>) -> Result<Option<i64>, Fault> {
        let slot = self.slot(pc)?;
        let unknown = Fault::Opcode(pc as usize);
        match slot.opcode & 7 {
            0 => return self.load_special(pc, slot),
            1 => self.load(pc, slot)?,
            2 | 3 => self.store(pc, slot)?,
            4 | 7 => {
                let (dst, src) = (self.r[slot.dst], self.r[slot.src]);
                self.r[slot.dst] = arithmetic(self.order, slot, dst, src).ok_or(unknown)?;
            }
            _ => return self.jump(pc, slot, helper),
        }
        Ok(Some(pc + 1))
    }

    /// Section 5.4 (64-bit immediates) and 5.5 (packets).
    fn load_special(&mut self, pc: i64, slot: Slot) -> Result<Option<i64>, Fault> {
        let size = size_of(slot.opcode);
        match (slot.opcode & 0xe0, slot.src) {
            (0x00, 0) if size == 8 => {
                let high = self.slot(pc + 1)?.imm;
                self.r[slot.dst] = u64::from(slot.imm as u32) | u64::from(high as u32) << 32;
                Ok(Some(pc + 2))
            }
            (0x00, 4) if size == 8 => {
                self.r[slot.dst] = CODE + 8 * (pc + 1 + i64::from(slot.imm)) as u64;
                Ok(Some(pc + 2))
            }
            // The packet is the memory argument. A load past its end ends the program with 0.
            (0x20 | 0x40, _) if size != 8 => {
                let index = if slot.opcode & 0xe0 == 0x40 { self.r[slot.src] as u32 } else { 0 };
                let start = index.wrapping_add(slot.imm as u32) as usize;
                self.r[1..=5].fill(POISON);
                let Some(bytes) = self.memory.get(start..start.saturating_add(size)) else {
                    self.r[0] = 0;
                    return Ok(None);
                };
                self.r[0] = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
                Ok(Some(pc + 1))
            }
            _ => Err(Fault::Opcode(pc as usize)),
        }
    }

    /// Section 5.1 and 5.2.
    fn load(&mut self, pc: i64, slot: Slot) -> Result<(), Fault> {
        if slot.src == 11 {
            let position = usize::from(slot.offset.unsigned_abs() / 8);
            self.r[slot.dst] = *self.incoming.get(position - 1).ok_or(Fault::Opcode(pc as usize))?;
            return Ok(());
        }
        let address = self.r[slot.src].wrapping_add_signed(i64::from(slot.offset));
        let size = size_of(slot.opcode);
        let value = self.read(pc, address, size)?;
        self.r[slot.dst] = match (slot.opcode & 0xe0, size) {
            (0x60, _) => value,
            (0x80, 1) => value as i8 as u64,
            (0x80, 2) => value as i16 as u64,
            (0x80, 4) => value as i32 as u64,
            _ => return Err(Fault::Opcode(pc as usize)),
        };
        Ok(())
    }

    fn store(&mut self, pc: i64, slot: Slot) -> Result<(), Fault> {
        if slot.dst == 11 {
            let position = usize::from(slot.offset.unsigned_abs() / 8);
            let value = if slot.opcode == 0x7b { self.r[slot.src] } else { i64::from(slot.imm) as u64 };
            *self.outgoing.get_mut(position - 1).ok_or(Fault::Opcode(pc as usize))? = value;
            return Ok(());
        }
        let address = self.r[slot.dst].wrapping_add_signed(i64::from(slot.offset));
        let size = size_of(slot.opcode);
        match (slot.opcode & 7, slot.opcode & 0xe0) {
            (2, 0x60) => self.write(pc, address, size, i64::from(slot.imm) as u64),
            (3, 0x60) => self.write(pc, address, size, self.r[slot.src]),
            (3, 0xc0) => self.atomic(pc, slot, address, size),
            _ => Err(Fault::Opcode(pc as usize)),
        }
    }

    /// Section 5.3; load-acquire and store-release as the kernel has them.
    fn atomic(&mut self, pc: i64, slot: Slot, address: u64, size: usize) -> Result<(), Fault> {
        match slot.imm {
            0x100 => {
                let address = self.r[slot.src].wrapping_add_signed(i64::from(slot.offset));
                self.r[slot.dst] = self.read(pc, address, size)?;
                return Ok(());
            }
            0x110 => return self.write(pc, address, size, self.r[slot.src]),
            _ if size < 4 => return Err(Fault::Opcode(pc as usize)),
            _ => {}
        }
        let mask = if size == 4 { u64::from(u32::MAX) } else { u64::MAX };
        let old = self.read(pc, address, size)?;
        let src = self.r[slot.src];
        let (new, receiver) = match slot.imm {
            0x00 => (old.wrapping_add(src), None),
            0x40 => (old | src, None),
            0x50 => (old & src, None),
            0xa0 => (old ^ src, None),
            0x01 => (old.wrapping_add(src), Some(slot.src)),
            0x41 => (old | src, Some(slot.src)),
            0x51 => (old & src, Some(slot.src)),
            0xa1 => (old ^ src, Some(slot.src)),
            0xe1 => (src, Some(slot.src)),
            0xf1 if old == self.r[0] & mask => (src, Some(0)),
            0xf1 => (old, Some(0)),
            _ => return Err(Fault::Opcode(pc as usize)),
        };
        self.write(pc, address, size, new)?;
        if let Some(register) = receiver {
            self.r[register] = old;
        }
        Ok(())
    }

    /// Section 4.3.
    fn jump(&mut self, pc: i64, slot: Slot, helper: Helper<'_>) -> Result<Option<i64>, Fault> {
        let near = pc + 1 + i64::from(slot.offset);
        let far = pc + 1 + i64::from(slot.imm);
        match slot.opcode {
            0x05 => Ok(Some(near)),
            0x06 => Ok(Some(far)),
            0x0d => Ok(Some(code_slot(self.r[slot.dst])?)),
            0xe5 => {
                let spent = self.may_goto == 0;
                self.may_goto = self.may_goto.saturating_sub(1);
                Ok(Some(if spent { near } else { pc + 1 }))
            }
            0x85 if slot.src == 0 => {
                let arguments = [self.r[1], self.r[2], self.r[3], self.r[4], self.r[5]];
                self.r[0] = helper(slot.imm, arguments).ok_or(Fault::Helper(slot.imm))?;
                self.r[1..=5].fill(POISON);
                Ok(Some(pc + 1))
            }
            0x85 if slot.src == 1 => self.call(pc, far),
            0x8d => {
                let register = if slot.dst == 0 { slot.imm as usize } else { slot.dst };
                let target = *self.r.get(register).ok_or(Fault::Opcode(pc as usize))?;
                self.call(pc, code_slot(target)?)
            }
            0x95 => Ok(self.leave()),
            _ => {
                let taken =
                    condition(slot, self.r[slot.dst], self.r[slot.src]).ok_or(Fault::Opcode(pc as usize))?;
                Ok(Some(if taken { near } else { pc + 1 }))
            }
        }
    }

    fn call(&mut self, pc: i64, target: i64) -> Result<Option<i64>, Fault> {
        if self.callers.len() + 1 == DEPTH {
            return Err(Fault::Depth);
        }
        let saved = [self.r[6], self.r[7], self.r[8], self.r[9]];
        let may_goto = std::mem::replace(&mut self.may_goto, MAY_GOTO_BUDGET);
        let incoming = std::mem::replace(&mut self.incoming, self.outgoing);
        self.outgoing = [POISON; STACK_ARGUMENTS];
        self.callers.push(Caller { pc, saved, frame_pointer: self.r[10], may_goto, incoming });
        self.r[0] = POISON;
        self.r[6..=9].fill(POISON);
        self.r[10] -= FRAME as u64;
        Ok(Some(target))
    }

    fn leave(&mut self) -> Option<i64> {
        let caller = self.callers.pop()?;
        self.r[1] = POISON;
        self.r[3..=5].fill(POISON);
        self.r[6..=9].copy_from_slice(&caller.saved);
        self.r[10] = caller.frame_pointer;
        self.may_goto = caller.may_goto;
        self.incoming = caller.incoming;
        Some(caller.pc + 1)
    }

    /// The bytes at `address`, when they are the program's.
    fn at(&mut self, pc: i64, address: u64, size: usize) -> Result<&mut [u8], Fault> {
        for region in [&mut *self.memory, &mut *self.stack] {
            let start = address.wrapping_sub(region.as_ptr() as u64);
            let end = start.checked_add(size as u64);
            if end.is_some_and(|end| end <= region.len() as u64) {
                return Ok(&mut region[start as usize..][..size]);
            }
        }
        Err(Fault::Memory(pc as usize, address))
    }

    fn read(&mut self, pc: i64, address: u64, size: usize) -> Result<u64, Fault> {
        let order = self.order;
        let bytes = self.at(pc, address, size)?;
        let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let value = match order {
            Order::Little => bytes.iter().rev().fold(0, join),
            Order::Big => bytes.iter().fold(0, join),
        };
        self.record(false, address, size, value);
        Ok(value)
    }

    fn write(&mut self, pc: i64, address: u64, size: usize, value: u64) -> Result<(), Fault> {
        let order = self.order;
        let bytes = self.at(pc, address, size)?;
        match order {
            Order::Little => bytes.copy_from_slice(&value.to_le_bytes()[..size]),
            Order::Big => bytes.copy_from_slice(&value.to_be_bytes()[8 - size..]),
        }
        self.record(true, address, size, value);
        Ok(())
    }

    fn record(&mut self, writes: bool, address: u64, size: usize, value: u64) {
        let at = address.wrapping_sub(self.memory.as_ptr() as u64);
        if at < self.memory.len() as u64 {
            self.accesses.push(Access { writes, at: at as usize, size, value });
        }
    }
}

fn code_slot(address: u64) -> Result<i64, Fault> {
    let offset = address.wrapping_sub(CODE).cast_signed();
    if offset % 8 == 0 { Ok(offset / 8) } else { Err(Fault::Left(offset)) }
}

fn size_of(opcode: u8) -> usize {
    match opcode & 0x18 {
        0x00 => 4,
        0x08 => 2,
        0x10 => 1,
        _ => 8,
    }
}
