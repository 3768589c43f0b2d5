//! Coverage of a program that is translated into an object and runs elsewhere.
//!
//! In: a program. Out: the same with counters, which whoever has loaded it finds by a symbol, and then what their values mean.

use super::{Coverage, CoverageMap, Wanted, instrument};
use crate::program::{Binding, DataSymbol, Program, Visibility};

/// A program that counts what runs of it.
#[derive(Debug)]
pub struct Counted {
    /// The program, to be translated with [`Config::coverage`](crate::Config::coverage).
    pub program: Program,
    map: CoverageMap,
}

impl Counted {
    /// The symbol of the counters: so many words of 8 bytes as [`Self::counters`] says. Without any it is not there.
    pub const SYMBOL: &str = "bpf2native_coverage_counters";

    /// Puts counters into a program.
    pub fn new(program: &Program) -> Counted {
        let (mut program, map) = instrument(program, Wanted { coverage: true, profile: false });
        if let Some(counters) = &program.counters {
            let section = counters.section;
            program.symbols.push(DataSymbol {
                name: Counted::SYMBOL.to_owned(),
                section,
                offset: 0,
                size: program.data[section].contents.len(),
                binding: Binding::Global,
                visibility: Visibility::Default,
            });
        }
        Counted { program, map }
    }

    /// How many counters there are.
    pub fn counters(&self) -> usize {
        self.map.counters()
    }

    /// What ran, by the counters' values.
    pub fn coverage(&self, counters: &[u64]) -> Coverage {
        self.map.coverage(counters)
    }
}
