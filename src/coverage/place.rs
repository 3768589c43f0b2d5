//! A program that counts, for an object: what its writer needs.
//!
//! In: a program with counters and with the writer's object (`parse/coverage.rs`), and the file that is written. Out: the program
//! whose writer has the counters, the words of `template.rs` and the path.

use super::map::CoverageMap;
use super::{instrument, template};
use crate::program::{Contents, DataKind, DataSection, DataSectionId, FileId, IdVec, Program, Relocation, Target};

/// The section of the writer's table, of three pointers: the counters, the words, the path.
const TABLE: &str = ".data.bpf2native_coverage";

/// The program with counters, and with a writer that writes to `path`, if it has one.
pub(crate) fn instrument_object(program: &Program, path: &[u8]) -> Program {
    let (mut program, map) = instrument(program);
    let table = program.data.iter().find(|(_, data)| data.name == TABLE).map(|(id, data)| (id, data.file));
    if let (Some((table, file)), Some(counters)) = (table, program.counters.clone()) {
        fill(&mut program, table, file, counters.section, &map, path);
    }
    program
}

fn fill(
    program: &mut Program,
    table: DataSectionId,
    file: FileId,
    counters: DataSectionId,
    map: &CoverageMap,
    path: &[u8],
) {
    let words = template::words(map, program.endianness);
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
