//! A program that counts, for an object: what its writers need.
//!
//! In: a program with writers' objects (`parse/coverage.rs`), and the files that are written. Out: the program with counters, whose
//! writers have the counters, the words of `template.rs` and the path.

use super::writers::{COVERAGE_TABLE, PROFILE_TABLE};
use super::{Wanted, instrument, template};
use crate::program::{Contents, DataKind, DataSection, DataSectionId, FileId, IdVec, Program, Relocation, Target};

/// The program with counters, and with writers that write to these paths, if it has them.
pub(crate) fn instrument_object(program: &Program, wanted: Wanted, coverage: &[u8], profile: &[u8]) -> Program {
    let (mut program, map) = instrument(program, wanted);
    if let Some(counters) = program.counters.clone().map(|counters| counters.section) {
        if wanted.coverage {
            let words = template::coverage(&map, program.endianness);
            fill(&mut program, COVERAGE_TABLE, counters, words, coverage);
        }
        if wanted.profile {
            let words = template::profile(&map, program.endianness);
            fill(&mut program, PROFILE_TABLE, counters, words, profile);
        }
    }
    program
}

/// Fills in a writer's table.
fn fill(program: &mut Program, table: &str, counters: DataSectionId, words: Vec<u8>, path: &[u8]) {
    let found = program.data.iter().find(|(_, data)| data.name == table).map(|(id, data)| (id, data.file));
    let Some((table, file)) = found else { return };
    let words = read_only(&mut program.data, file, ".rodata.coverage", words);
    let path = path.iter().copied().chain([0]).collect();
    let path = read_only(&mut program.data, file, ".rodata.str.coverage", path);
    let pointer = |(index, section): (u64, DataSectionId)| Relocation {
        offset: 8 * index,
        target: Target::Data { section, offset: 0 },
    };
    program.data[table].relocations = (0..).zip([counters, words, path]).map(pointer).collect();
}

fn read_only(
    data: &mut IdVec<DataSectionId, DataSection>,
    file: FileId,
    name: &str,
    bytes: Vec<u8>,
) -> DataSectionId {
    data.push(DataSection {
        file,
        name: name.to_owned(),
        group: None,
        retained: false,
        kind: DataKind::ReadOnly,
        align: 8,
        contents: Contents::Bytes(bytes),
        relocations: Vec::new(),
    })
}
