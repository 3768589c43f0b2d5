//! Which programs there are: the table `programs.txt`, and the bytes that they work on.

use std::path::PathBuf;

/// A program of the suite.
#[derive(Clone, Debug)]
pub struct Program {
    /// The name of its file in `c/`.
    pub name: String,
    /// The kind of work.
    pub group: String,
    /// Bytes of its buffer.
    pub buffer: usize,
}

/// The folder of this file.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/programs")
}

/// All programs, in the table's order.
pub fn programs() -> Vec<Program> {
    let text = std::fs::read_to_string(folder().join("programs.txt")).expect("the table of programs is there");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let program = |line: &str| {
        let [name, group, buffer] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("programs.txt: `{line}` is not a name, a group and a number of bytes");
        };
        let buffer = buffer.parse().unwrap_or_else(|_| panic!("programs.txt: `{line}`: the bytes are no number"));
        Program { name: name.to_owned(), group: group.to_owned(), buffer }
    };
    lines.map(program).collect()
}

impl Program {
    /// Its C source.
    pub fn source(&self) -> PathBuf {
        folder().join("c").join(format!("{}.c", self.name))
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
