//! Which programs there are: the tables `programs.txt`, `floats.txt`, `whole.txt` and `vectors.txt`, and the bytes that they work on.

use std::path::PathBuf;

/// A part of the suite, and of BENCHMARKS.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Programs of integers, compiled by the packaged clangs, with all peers.
    Programs,
    /// Programs of floats, whose objects are committed: the packaged clangs have no floats for BPF.
    Floats,
    /// Whole programs: interpreters, parsers, data structures, codecs; their objects are committed.
    Whole,
    /// Programs that are loops over elements, which clang computes in vectors; their objects are committed.
    Vectors,
}

/// A program of the suite.
#[derive(Clone, Debug)]
pub struct Program {
    /// The name of its file in the part's folder.
    pub name: String,
    /// The kind of work.
    pub group: String,
    /// Bytes of its buffer.
    pub buffer: usize,
    /// Which part it is of.
    part: Part,
}

/// The folder of this file.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/programs")
}

impl Part {
    /// All of them.
    #[allow(dead_code, reason = "the tests run all, and a benchmark one")]
    pub const ALL: [Part; 4] = [Part::Programs, Part::Floats, Part::Whole, Part::Vectors];

    /// The name of its table, and of its marks in BENCHMARKS.md.
    pub fn name(self) -> &'static str {
        match self {
            Part::Programs => "programs",
            Part::Floats => "floats",
            Part::Whole => "whole",
            Part::Vectors => "vectors",
        }
    }

    /// The folder of its sources.
    fn folder(self) -> &'static str {
        match self {
            Part::Programs => "c",
            Part::Floats | Part::Whole | Part::Vectors => self.name(),
        }
    }
}

/// All programs of a part, in the table's order.
pub fn programs(part: Part) -> Vec<Program> {
    let name = format!("{}.txt", part.name());
    let text = std::fs::read_to_string(folder().join(&name)).expect("the table of programs is there");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let program = |line: &str| {
        let [program, group, buffer] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{name}: `{line}` is not a name, a group and a number of bytes");
        };
        let buffer = buffer.parse().unwrap_or_else(|_| panic!("{name}: `{line}`: the bytes are no number"));
        Program { name: program.to_owned(), group: group.to_owned(), buffer, part }
    };
    lines.map(program).collect()
}

impl Program {
    /// Its C source.
    pub fn source(&self) -> PathBuf {
        folder().join(self.part.folder()).join(format!("{}.c", self.name))
    }

    /// Its BPF object, if that is committed.
    pub fn object(&self) -> Option<PathBuf> {
        (self.part != Part::Programs).then(|| self.source().with_extension("o"))
    }
}

/// Fills a buffer with the bytes that every run starts with (xorshift).
pub fn fill(buffer: &mut [u8]) {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for chunk in buffer.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
}
