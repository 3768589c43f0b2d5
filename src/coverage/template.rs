//! The text of an executable's coverage, for `writer.c`, and of its profile, for `profile.c`, which run in it and fill in the counts.
//!
//! In: what counters mean. Out: 32-bit words in the program's byte order:
//!
//! | words | written |
//! |---|---|
//! | `VALUES`, the first one's index, how many; for each its length, and so many terms | nothing: it is what these values are |
//! | `TEXT`, length, bytes, up to three zeros | the bytes |
//! | `SUM`, groups; for each its length, and so many counts | the sum of the largest count of each group |
//! | `BRANCH`, outcomes, line, number, a count for each | `BRDA` records |
//! | `NUMBER`, a count | it |
//! | `HITS` | how many of the counts since the last `HITS` were not zero |
//! | `END` | |
//!
//! A count is the index of a value: counters come first, then what follows from them, in the same section. A term is twice an
//! index, and one more where that value is subtracted. A profile is `VALUES`, `TEXT` and `NUMBER` alone. The rule: what is written is
//! what [`Coverage::to_lcov`](super::Coverage::to_lcov) and [`Profile::to_text`](crate::profile::Profile::to_text) make of the same
//! counters.

use super::lcov::on_one_line;
use super::map::{Count, CoverageMap, File, MappedProfile};
use crate::profile;
use crate::program::Endianness;

const END: u32 = 0;
const TEXT: u32 = 1;
const SUM: u32 = 2;
const BRANCH: u32 = 3;
const HITS: u32 = 4;
const VALUES: u32 = 5;
const NUMBER: u32 = 6;

/// The words of coverage, as bytes.
pub(super) fn coverage(map: &CoverageMap, endianness: Endianness) -> Vec<u8> {
    let mut template = Template::new(map, endianness);
    for (name, file) in map.files() {
        template.file(name, &file);
    }
    template.finish()
}

/// The words of a profile, as bytes.
pub(super) fn profile(map: &CoverageMap, endianness: Endianness) -> Vec<u8> {
    let mut template = Template::new(map, endianness);
    template.text(&profile::head());
    map.profiles.iter().for_each(|function| template.profile(function));
    template.text(profile::END);
    template.finish()
}

struct Template<'a> {
    map: &'a CoverageMap,
    bytes: Vec<u8>,
    /// Text that is not written yet.
    text: String,
    endianness: Endianness,
}

impl<'a> Template<'a> {
    /// What follows from counters comes first.
    fn new(map: &'a CoverageMap, endianness: Endianness) -> Template<'a> {
        let mut template = Template { map, bytes: Vec::new(), text: String::new(), endianness };
        template.values();
        template
    }

    fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.word(END);
        self.bytes
    }

    fn word(&mut self, word: u32) {
        self.bytes.extend(match self.endianness {
            Endianness::Little => word.to_le_bytes(),
            Endianness::Big => word.to_be_bytes(),
        });
    }

    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            self.word(TEXT);
            self.word(text.len() as u32);
            self.bytes.extend(text.bytes());
            self.bytes.resize(self.bytes.len().next_multiple_of(size_of::<u32>()), 0);
        }
    }

    fn count(&mut self, count: Count) {
        self.word(self.map.index(count) as u32);
    }

    /// What follows from counters.
    fn values(&mut self) {
        let map = self.map;
        [VALUES, map.counters as u32, map.derived.len() as u32].into_iter().for_each(|word| self.word(word));
        for terms in &map.derived {
            self.word(terms.len() as u32);
            terms.iter().for_each(|term| {
                self.word(2 * map.index(term.count) as u32 + u32::from(term.is_subtracted));
            });
        }
    }

    fn sum(&mut self, groups: &[Vec<Count>]) {
        self.flush();
        self.word(SUM);
        self.word(groups.len() as u32);
        for group in groups {
            self.word(group.len() as u32);
            group.iter().for_each(|&count| self.count(count));
        }
    }

    fn number(&mut self, count: Count) {
        self.flush();
        self.word(NUMBER);
        self.count(count);
    }

    fn profile(&mut self, function: &MappedProfile) {
        let (before, after) = profile::function_head(&function.name, function.digest, function.blocks.len());
        self.text(&before);
        self.number(function.calls);
        self.text(&after);
        for block in &function.blocks {
            self.text(&format!("{} ", block.start));
            self.number(block.count);
            for &outcome in &block.outcomes {
                self.text(" ");
                self.number(outcome);
            }
            self.text("\n");
        }
    }

    fn hits(&mut self) {
        self.flush();
        self.word(HITS);
    }

    fn file(&mut self, name: &str, File { functions, lines, branches }: &File) {
        self.text(&format!("TN:\nSF:{}\n", on_one_line(name)));
        for (line, name) in functions.keys() {
            self.text(&format!("FN:{line},{}\n", on_one_line(name)));
        }
        for ((_, name), groups) in functions {
            self.text("FNDA:");
            self.sum(groups);
            self.text(&format!(",{}\n", on_one_line(name)));
        }
        self.text(&format!("FNF:{}\nFNH:", functions.len()));
        self.hits();
        self.text("\n");
        for (line, of_line) in branches {
            for (number, outcomes) in (0..).zip(of_line) {
                self.flush();
                [BRANCH, outcomes.len() as u32, *line, number].into_iter().for_each(|word| self.word(word));
                outcomes.iter().for_each(|&count| self.count(count));
            }
        }
        self.text(&format!("BRF:{}\nBRH:", branches.values().flatten().map(Vec::len).sum::<usize>()));
        self.hits();
        self.text("\n");
        for (line, groups) in lines {
            self.text(&format!("DA:{line},"));
            self.sum(groups);
            self.text("\n");
        }
        self.text(&format!("LF:{}\nLH:", lines.len()));
        self.hits();
        self.text("\nend_of_record\n");
    }
}
