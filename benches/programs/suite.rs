//! Which programs there are: the tables `programs.txt`, `floats.txt` and `vectors.txt`, and the bytes that they work on.

use std::path::PathBuf;

/// A program of the suite.
#[derive(Clone, Debug)]
pub struct Program {
    /// The name of its file in `c/`, `floats/` or `vectors/`.
    pub name: String,
    /// The kind of work.
    pub group: String,
    /// Bytes of its buffer.
    pub buffer: usize,
    /// Where its source is, and its object if that is committed: the packaged clangs have no floats for BPF.
    part: &'static str,
}

/// The folder of the programs with floats.
const FLOATS: &str = "floats";

/// The folder of the programs that are loops over elements.
const VECTORS: &str = "vectors";

/// The folder of this file.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/programs")
}

/// All programs of integers, in the table's order.
pub fn programs() -> Vec<Program> {
    table("programs.txt", "c")
}

/// All programs of floats, in the table's order.
pub fn float_programs() -> Vec<Program> {
    table("floats.txt", FLOATS)
}

/// All programs that are loops over elements, in the table's order.
pub fn vector_programs() -> Vec<Program> {
    table("vectors.txt", VECTORS)
}

fn table(name: &str, part: &'static str) -> Vec<Program> {
    let text = std::fs::read_to_string(folder().join(name)).expect("the table of programs is there");
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
        folder().join(self.part).join(format!("{}.c", self.name))
    }

    /// Its BPF object, if that is committed.
    pub fn object(&self) -> Option<PathBuf> {
        matches!(self.part, FLOATS | VECTORS).then(|| self.source().with_extension("o"))
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
