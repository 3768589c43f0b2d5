//! A profile as text, version 1.
//!
//! In: a [`Profile`]; a text. Out: the other. Lines end with `\n`, words are separated by one space, numbers are decimal of 64 bits:
//!
//! | line | |
//! |---|---|
//! | `bpf2native profile 1` | the first: what it is, and the version |
//! | `function DIGEST CALLS BLOCKS NAME` | a function: 16 hexadecimal digits; how often it was called; how many lines of blocks follow; its name, as listings have it |
//! | `START COUNT [OUTCOME ...]` | a block: its first instruction, in slots of eight bytes from the function's start, which grows from line to line; how often it ran; for each way out, if there are several, how often it went there |
//! | `end` | the last: nothing is missing |
//!
//! Executables write the same text (`../coverage/profile.c`), from a template with these heads.
//! The rule: what is read takes memory in proportion to the text.

use std::fmt::Write;
use std::str::FromStr;

use super::model::{BlockProfile, FunctionProfile, Profile};

/// What the first line begins with, and the version.
const MAGIC: &str = "bpf2native profile ";
const VERSION: u64 = 1;

/// The last line.
pub(crate) const END: &str = "end\n";

/// The most bytes of a text: of more blocks than programs have.
const LARGEST: usize = 256 << 20;

/// Why a text is no profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// It is something else.
    #[error("it is no profile: the first line of one is `{MAGIC}{VERSION}`")]
    Other,
    /// It is of a later version of the format.
    #[error(
        "it is of version {0} of the format, and this translator reads version {VERSION}: make it with this one"
    )]
    Version(u64),
    /// It has more than 256 MiB.
    #[error("it has {0} bytes, and a profile has {LARGEST} at most")]
    TooLarge(usize),
    /// A line is wrong.
    #[error("line {line}: {reason}")]
    Line {
        /// Its number, from 1 on.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The last line is missing.
    #[error("it is not whole: `end` is missing, as when the disk was full; make it again")]
    Truncated,
}

/// The first line.
pub(crate) fn head() -> String {
    format!("{MAGIC}{VERSION}\n")
}

/// The line of a function, up to its calls, and behind them.
pub(crate) fn function_head(name: &str, digest: u64, blocks: usize) -> (String, String) {
    (format!("function {digest:016x} "), format!(" {blocks} {name}\n"))
}

impl Profile {
    /// As text.
    pub fn to_text(&self) -> String {
        let mut text = head();
        for FunctionProfile { name, digest, calls, blocks } in &self.functions {
            let (before, after) = function_head(name, *digest, blocks.len());
            let _ = write!(text, "{before}{calls}{after}");
            for BlockProfile { start, count, outcomes } in blocks {
                let _ = write!(text, "{start} {count}");
                outcomes.iter().for_each(|outcome| {
                    let _ = write!(text, " {outcome}");
                });
                text.push('\n');
            }
        }
        text.push_str(END);
        text
    }

    /// Reads a text.
    ///
    /// # Errors
    ///
    /// [`ProfileError`], with the line that is wrong.
    pub fn parse(text: &[u8]) -> Result<Profile, ProfileError> {
        if text.len() > LARGEST {
            return Err(ProfileError::TooLarge(text.len()));
        }
        let text = std::str::from_utf8(text).map_err(|_| ProfileError::Other)?;
        let (first, rest) = text.split_once('\n').ok_or(ProfileError::Other)?;
        let version = first.strip_prefix(MAGIC).and_then(number::<u64>).ok_or(ProfileError::Other)?;
        if version != VERSION {
            return Err(ProfileError::Version(version));
        }
        let mut lines = Lines { rest, line: 1 };
        let mut profile = Profile::default();
        loop {
            let line = lines.next()?;
            if line == END.trim_end() {
                break;
            }
            profile.functions.push(lines.function(line)?);
        }
        match lines.rest {
            "" => Ok(profile),
            _ => Err(ProfileError::Line { line: lines.line + 1, reason: "nothing follows `end`" }),
        }
    }
}

/// A number without a sign.
fn number<N: FromStr>(word: &str) -> Option<N> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten()
}

struct Lines<'a> {
    rest: &'a str,
    /// The number of the last one.
    line: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, ProfileError> {
        let (line, rest) = self.rest.split_once('\n').ok_or(ProfileError::Truncated)?;
        self.rest = rest;
        self.line += 1;
        Ok(line)
    }

    fn wrong(&self, reason: &'static str) -> ProfileError {
        ProfileError::Line { line: self.line, reason }
    }

    /// A function that this line is the head of.
    fn function(&mut self, line: &str) -> Result<FunctionProfile, ProfileError> {
        let mut words = line.splitn(5, ' ');
        if words.next() != Some("function") {
            return Err(self.wrong("a function is expected (`function DIGEST CALLS BLOCKS NAME`), or `end`"));
        }
        let digest = words.next().filter(|digest| digest.len() == 16 && !digest.starts_with('+'));
        let digest = digest.and_then(|digest| u64::from_str_radix(digest, 16).ok());
        let digest = digest.ok_or_else(|| self.wrong("the digest is no 16 hexadecimal digits"))?;
        let calls = words.next().and_then(number).ok_or_else(|| self.wrong("the number of calls is none"))?;
        let blocks: usize =
            words.next().and_then(number).ok_or_else(|| self.wrong("the number of blocks is none"))?;
        let name = words.next().ok_or_else(|| self.wrong("the name is missing"))?.to_owned();
        // A block has a line of at least four bytes.
        if blocks > self.rest.len() / 4 {
            return Err(self.wrong("there are fewer lines than it has blocks"));
        }
        let mut function = FunctionProfile { name, digest, calls, blocks: Vec::with_capacity(blocks) };
        for _ in 0..blocks {
            let line = self.next()?;
            let block =
                block(line).ok_or_else(|| self.wrong("a block is expected (`START COUNT [OUTCOME ...]`)"))?;
            if function.blocks.last().is_some_and(|last| last.start >= block.start) {
                return Err(self.wrong("blocks are in the order of their first instructions"));
            }
            function.blocks.push(block);
        }
        Ok(function)
    }
}

fn block(line: &str) -> Option<BlockProfile> {
    let mut numbers = line.split(' ').map(number::<u64>);
    let (start, count) = (numbers.next()??, numbers.next()??);
    Some(BlockProfile { start, count, outcomes: numbers.collect::<Option<_>>()? })
}
