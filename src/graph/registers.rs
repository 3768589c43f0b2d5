//! Sets of registers.

use crate::decode::insn::Reg;

/// A set of registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RegSet(u16);

impl RegSet {
    /// None.
    pub const EMPTY: RegSet = RegSet(0);

    /// All: r0 to r10.
    pub const ALL: RegSet = RegSet((1 << Reg::COUNT) - 1);

    /// The registers of `regs`.
    pub fn of(regs: impl IntoIterator<Item = Reg>) -> RegSet {
        regs.into_iter().fold(RegSet::EMPTY, RegSet::with)
    }

    /// This set and `reg`.
    pub const fn with(self, reg: Reg) -> RegSet {
        RegSet(self.0 | 1 << reg.number())
    }

    /// Its registers, lowest first.
    pub fn iter(self) -> impl Iterator<Item = Reg> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let reg = Reg::new(rest.trailing_zeros() as u8)?;
            rest &= rest - 1;
            Some(reg)
        })
    }

    /// Whether `reg` is in it.
    pub const fn contains(self, reg: Reg) -> bool {
        self.0 & 1 << reg.number() != 0
    }

    /// The registers of one, the other or both.
    pub const fn union(self, other: RegSet) -> RegSet {
        RegSet(self.0 | other.0)
    }

    /// The registers of this one that are not in the other.
    pub const fn minus(self, other: RegSet) -> RegSet {
        RegSet(self.0 & !other.0)
    }

    /// The registers that are in both.
    pub const fn intersection(self, other: RegSet) -> RegSet {
        RegSet(self.0 & other.0)
    }

    /// How many of r1, r2, ... a function with these registers live at entry has as parameters.
    pub fn parameters(self) -> usize {
        let last = Reg::arguments().filter(|&reg| self.contains(reg)).last();
        last.map_or(0, Reg::index)
    }
}
