//! The program's constant data, for passes that look into it.
//!
//! In: a program, and what its data sections are called in CLIF. Out: [`Constants`]. The rule: only read-only data that is where the
//! code has it, whatever is linked: what another definition may replace goes by a name of its own, which is no section's.

use std::collections::HashMap;

use cranelift_codegen::ir::{ExternalName, Function, GlobalValue, GlobalValueData, UserExternalName};

use crate::program::{DataSection, DataSectionId, Endianness, Program};

/// Constant data by its names in CLIF.
pub(crate) struct Constants<'a> {
    program: &'a Program,
    sections: HashMap<UserExternalName, DataSectionId>,
}

/// A section that has constants.
pub(crate) struct Table<'a> {
    section: &'a DataSection,
    endianness: Endianness,
}

impl<'a> Constants<'a> {
    /// The constants of a program, whose sections have these names in the CLIF of its functions.
    pub(crate) fn new(
        program: &'a Program,
        names: impl Iterator<Item = (UserExternalName, DataSectionId)>,
    ) -> Constants<'a> {
        Constants { program, sections: names.collect() }
    }

    /// The section whose start a global value is the address of.
    pub(crate) fn table(&self, function: &Function, global: GlobalValue) -> Option<Table<'a>> {
        let GlobalValueData::Symbol { name: ExternalName::User(name), offset, tls: false, .. } =
            &function.global_values[global]
        else {
            return None;
        };
        let name = function.params.user_named_funcs().get(*name)?;
        let section = &self.program.data[*self.sections.get(name)?];
        (offset.bits() == 0).then_some(Table { section, endianness: self.program.endianness })
    }
}

impl Table<'_> {
    /// The number of `size` bytes at an offset, if it is constant.
    pub(crate) fn number(&self, at: u64, size: u64) -> Option<u64> {
        let bytes = self.section.constant_bytes(at, size)?;
        let number = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(match self.endianness {
            Endianness::Little => bytes.iter().rev().fold(0, number),
            Endianness::Big => bytes.iter().fold(0, number),
        })
    }
}
