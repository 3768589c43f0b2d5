//! Layout: where each fragment lies, and how long branches are (branch relaxation).
//!
//! In: fragments in their order, and loops to align. Out: a [`Layout`], which also answers where something of Cranelift's code
//! is now.
//!
//! The rule: branches start out short, and become long where they do not reach; they never become short again, so that this
//! ends. After [`MAX_ITERATIONS`] all branches become long as soon as one does not reach. Inner loops have `nop`s before them
//! (`alignment.rs`); constants keep their place modulo the function's alignment.

use super::alignment::AlignedLoop;
use super::effects::Transfer;
use super::fragments::{Fragment, FragmentKind, Fragments, long_branch};
use crate::codegen::compiled::CodeRange;

/// Bytes of a branch whose distance is one byte.
pub(crate) const SHORT: u32 = 2;

/// How often branches that do not reach become long, before all of them do.
const MAX_ITERATIONS: usize = 16;

/// Where fragments are.
pub(crate) struct Layout {
    /// Where each fragment starts.
    pub(crate) starts: Vec<u32>,
    /// How long it is.
    pub(crate) sizes: Vec<u32>,
    /// Bytes of all of them.
    pub(crate) size: u32,
}

/// A branch, as relaxation looks at it.
struct Branch {
    /// The index of its fragment.
    index: usize,
    /// That of its target.
    to: Option<usize>,
    /// How many bytes it has where it is long.
    long: u32,
}

impl Layout {
    /// Lays out fragments. Branches are short where they reach if `shortens`.
    pub(crate) fn new(fragments: &Fragments, loops: &[AlignedLoop], align: u32, shortens: bool) -> Layout {
        let size = |fragment: &Fragment| match &fragment.kind {
            FragmentKind::Rewritten(bytes) => bytes.bytes().len() as u32,
            FragmentKind::Branch { .. } if shortens => SHORT,
            _ => fragment.size,
        };
        let sizes = fragments.iter().map(size).collect();
        let mut layout = Layout { starts: vec![0; fragments.len()], sizes, size: 0 };
        let branch = |(index, fragment): (usize, &Fragment)| match fragment.kind {
            FragmentKind::Branch { condition, to } => {
                Some(Branch { index, to: fragments.index_of(to), long: long_branch(condition) })
            }
            _ => None,
        };
        let branches: Vec<Branch> = fragments.iter().enumerate().filter_map(branch).collect();
        for iteration in 0.. {
            layout.place(fragments, loops, align);
            if !layout.grow(&branches, iteration >= MAX_ITERATIONS) {
                break;
            }
        }
        layout
    }

    /// Gives each fragment its offset.
    fn place(&mut self, fragments: &Fragments, loops: &[AlignedLoop], align: u32) {
        let mut loops = loops.iter().peekable();
        let mut at = 0;
        for (index, fragment) in fragments.iter().enumerate() {
            while let Some(inner) = loops.next_if(|inner| inner.fragments.start <= index) {
                if inner.fragments.start == index {
                    at += inner.nops(at, &self.sizes);
                }
            }
            if matches!(fragment.kind, FragmentKind::Constants) && align > 0 {
                at += (fragment.label % align + align - at % align) % align;
            }
            self.starts[index] = at;
            at += self.sizes[index];
        }
        self.size = at;
    }

    /// Makes branches long that do not reach, or, with `all`, all branches if one does not; says whether there are any.
    fn grow(&mut self, branches: &[Branch], all: bool) -> bool {
        let mut has_grown = false;
        for branch in branches {
            let Some(target) = branch.to.map(|to| self.starts[to]) else { continue };
            let end = self.starts[branch.index] + self.sizes[branch.index];
            let reaches = i8::try_from(i64::from(target) - i64::from(end)).is_ok();
            if self.sizes[branch.index] == SHORT && !reaches {
                self.sizes[branch.index] = branch.long;
                has_grown = true;
            }
        }
        if has_grown && all {
            branches.iter().for_each(|branch| self.sizes[branch.index] = branch.long);
        }
        has_grown
    }

    /// Where the fragment with a label starts now.
    pub(crate) fn at(&self, fragments: &Fragments, offset: u32) -> Option<u32> {
        fragments.index_of(offset).map(|index| self.starts[index])
    }

    /// Where a jump table or a constant is now that was at an offset.
    pub(crate) fn data(&self, fragments: &Fragments, offset: u32) -> Option<u32> {
        let index = fragments.containing(offset)?;
        match fragments[index].kind {
            FragmentKind::JumpTable => self.at(fragments, offset),
            FragmentKind::Constants => Some(self.starts[index] + (offset - fragments[index].label)),
            _ => None,
        }
    }

    /// Where instructions and jump tables end; constants follow, or their padding.
    pub(crate) fn end_of_code(&self, fragments: &Fragments) -> u32 {
        let last = fragments.iter().rposition(|fragment| !matches!(fragment.kind, FragmentKind::Constants));
        last.map_or(0, |last| self.starts[last] + self.sizes[last])
    }

    /// Where the fragment ends now that ended at an offset.
    pub(crate) fn end(&self, fragments: &Fragments, offset: u32) -> Option<u32> {
        if offset == 0 {
            return Some(0);
        }
        let index = fragments.containing(offset - 1)?;
        let fragment = &fragments[index];
        (fragment.end() == offset).then(|| self.starts[index] + self.sizes[index])
    }

    /// Where a byte is now, if the bytes of its fragment stay.
    pub(crate) fn inside(&self, fragments: &Fragments, offset: u32) -> Option<u32> {
        let index = fragments.containing(offset)?;
        let is_same = matches!(fragments[index].kind, FragmentKind::Instruction | FragmentKind::Constants);
        is_same.then(|| self.starts[index] + (offset - fragments[index].label))
    }

    /// Where blocks start that were none: targets of branches that were added, and what nothing falls through to.
    pub(crate) fn new_blocks(&self, fragments: &Fragments) -> Vec<u32> {
        let targets = fragments.iter().filter_map(|fragment| match fragment.kind {
            FragmentKind::Branch { to, .. } if to >= fragments.size() => fragments.index_of(to),
            _ => None,
        });
        let is_left = |fragment: &Fragment| {
            let is_jump =
                matches!(fragment.kind, FragmentKind::Branch { condition: None, .. } | FragmentKind::JumpTable);
            is_jump
                || !matches!(fragment.kind, FragmentKind::Branch { .. })
                    && !matches!(fragment.effects.transfer, Transfer::Next | Transfer::Call)
        };
        let mut new: Vec<u32> = targets.map(|index| self.starts[index]).collect();
        let mut is_apart = false;
        for (index, fragment) in fragments.iter().enumerate().filter(|&(index, _)| self.sizes[index] > 0) {
            if is_apart && !fragment.is_data() {
                new.push(self.starts[index]);
            }
            is_apart = is_left(fragment);
        }
        new
    }

    /// The source locations, moved with their instructions.
    pub(crate) fn locations(&self, fragments: &Fragments, old: &[CodeRange]) -> Vec<CodeRange> {
        let mut locations: Vec<CodeRange> = Vec::with_capacity(old.len());
        let holds =
            |at: usize, label: u32| old.get(at).is_some_and(|range| (range.start..range.end).contains(&label));
        // Where the last location was found: most instructions have the same one, or the next.
        let mut at = 0;
        for (index, fragment) in fragments.iter().enumerate().filter(|(index, _)| self.sizes[*index] > 0) {
            if !holds(at, fragment.label) {
                at = match holds(at + 1, fragment.label) {
                    true => at + 1,
                    false => old.partition_point(|range| range.start <= fragment.label).saturating_sub(1),
                };
            }
            let Some(range) = old.get(at).filter(|_| holds(at, fragment.label)) else { continue };
            let (start, end) = (self.starts[index], self.starts[index] + self.sizes[index]);
            match locations.last_mut() {
                Some(last) if last.end == start && last.offset == range.offset => last.end = end,
                _ => locations.push(CodeRange { start, end, offset: range.offset }),
            }
        }
        locations
    }

    /// Where padding with `nop`s starts that nothing falls through to.
    pub(crate) fn nops_apart(&self, fragments: &Fragments) -> Vec<u32> {
        let ends = self.starts.iter().zip(&self.sizes).map(|(start, size)| start + size);
        let starts = self.starts.iter().zip(fragments.iter()).skip(1);
        let apart = ends
            .zip(starts)
            .filter(|(end, (start, fragment))| end < start && !matches!(fragment.kind, FragmentKind::Constants));
        apart.map(|(end, _)| end).collect()
    }
}
