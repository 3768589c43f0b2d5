//! The fragments of a function's code, as the steps change them: instructions, jump tables, constants.
//!
//! In: what was read (`read.rs`). Out: [`Fragments`], in the order in which they will be written.
//!
//! The rule: a fragment is found by its label, which stays the same wherever the fragment goes and whatever takes its
//! place, so that branches and tables need no change when code moves. Each label belongs to one fragment, and [`Labels`]
//! knows where that is; so only [`Fragments`] can change the list, and what it lets change is never a label.

use super::bytes::InstructionBytes;
use super::effects::Effects;
use super::labels::Labels;

/// An instruction, a jump table, or the constants.
#[derive(Clone, Copy)]
pub(crate) struct Fragment {
    /// The offset in Cranelift's code of what it is or replaces; for one that is neither, a number beyond that code.
    pub(crate) label: u32,
    /// Bytes of Cranelift's code that the label stands for; 0 beyond that code.
    pub(crate) extent: u32,
    /// Where in Cranelift's code its own bytes are, which may have moved here from elsewhere.
    pub(crate) start: u32,
    /// How many those are.
    pub(crate) size: u32,
    pub(crate) kind: FragmentKind,
    /// Whether there is a relocation in it.
    pub(crate) is_relocated: bool,
    pub(crate) effects: Effects,
}

/// How a fragment's bytes are made.
#[derive(Clone, Copy)]
pub(crate) enum FragmentKind {
    /// An instruction whose bytes stay.
    Instruction,
    /// An instruction with other bytes, or with none, which is gone.
    Rewritten(InstructionBytes),
    /// A direct branch; its size depends on its distance.
    Branch {
        /// The condition's number in the opcode; none for a jump.
        condition: Option<u8>,
        /// The label that it goes to.
        to: u32,
    },
    /// An instruction with an address relative to itself.
    PcRelative {
        /// What it refers to: an offset in Cranelift's code, of a table or of constants.
        to: u32,
        /// At which of its bytes the 4 bytes of distance are.
        at: u8,
    },
    /// A jump table: distances of blocks from its start, 4 bytes each.
    JumpTable,
    /// All constants of the function.
    Constants,
}

impl Fragment {
    /// A jump table or constants, at a range of Cranelift's code.
    pub(crate) fn data(start: u32, end: u32, kind: FragmentKind) -> Fragment {
        let size = end - start;
        Fragment { label: start, extent: size, start, size, kind, is_relocated: false, effects: Effects::default() }
    }

    /// A new instruction.
    pub(crate) fn new(label: u32, bytes: InstructionBytes, effects: Effects) -> Fragment {
        let kind = FragmentKind::Rewritten(bytes);
        Fragment { label, extent: 0, start: 0, size: 0, kind, is_relocated: false, effects }
    }

    /// A new branch.
    pub(crate) fn branch(label: u32, condition: Option<u8>, to: u32) -> Fragment {
        let kind = FragmentKind::Branch { condition, to };
        let size = long_branch(condition);
        Fragment { label, extent: 0, start: 0, size, kind, is_relocated: false, effects: Effects::NOTHING }
    }

    /// Past the bytes of Cranelift's code that its label stands for.
    pub(crate) fn end(&self) -> u32 {
        self.label + self.extent
    }

    /// Its bytes in Cranelift's code.
    pub(crate) fn bytes<'a>(&self, code: &'a [u8]) -> Option<&'a [u8]> {
        code.get(self.start as usize..(self.start + self.size) as usize)
    }

    /// Its bytes as they are now; for a branch and the like, those in Cranelift's code.
    pub(crate) fn current_bytes<'a>(&'a self, code: &'a [u8]) -> Option<&'a [u8]> {
        match &self.kind {
            FragmentKind::Rewritten(bytes) => Some(bytes.bytes()),
            _ => self.bytes(code),
        }
    }

    /// The labels that the entries of a jump table lead to.
    pub(crate) fn entries(&self, code: &[u8]) -> impl Iterator<Item = u32> {
        let (entries, _) = self.bytes(code).unwrap_or_default().as_chunks();
        entries.iter().map(|&entry| self.start.wrapping_add(u32::from_le_bytes(entry)))
    }

    /// Whether it has no bytes.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.kind, FragmentKind::Rewritten(bytes) if bytes.bytes().is_empty())
    }

    pub(crate) fn is_data(&self) -> bool {
        matches!(self.kind, FragmentKind::Constants | FragmentKind::JumpTable)
    }

    /// Lets a branch go to another label, on the opposite condition if it `inverts`.
    pub(crate) fn retarget(&mut self, label: u32, inverts: bool) {
        if let FragmentKind::Branch { condition, to } = &mut self.kind {
            *to = label;
            *condition = condition.map(|condition| condition ^ u8::from(inverts));
        }
    }

    /// Leaves no bytes of it; its label then is the next fragment's place.
    pub(crate) fn remove(&mut self) {
        self.kind = FragmentKind::Rewritten(InstructionBytes::NONE);
        self.effects = Effects::NOTHING;
    }
}

/// Bytes of a branch whose distance is 4 bytes.
pub(crate) fn long_branch(condition: Option<u8>) -> u32 {
    if condition.is_some() { 6 } else { 5 }
}

/// The fragments of a function, in the order in which they will be written.
#[derive(Clone, Default)]
pub(crate) struct Fragments {
    list: Vec<Fragment>,
    labels: Labels,
}

impl std::ops::Deref for Fragments {
    type Target = [Fragment];

    fn deref(&self) -> &[Fragment] {
        &self.list
    }
}

impl Fragments {
    /// Fragments of a function that Cranelift gave so many bytes; labels are given once each.
    pub(crate) fn new(list: Vec<Fragment>, size: u32) -> Fragments {
        let labels = Labels::new(list.iter().map(|fragment| fragment.label..fragment.end()), size);
        Fragments { list, labels }
    }

    /// The list, for one in another order or with others added, and the size of Cranelift's code.
    pub(crate) fn into_list(self) -> (Vec<Fragment>, u32) {
        let size = self.size();
        (self.list, size)
    }

    /// Puts another instruction in the place of one, whose label it gets.
    pub(crate) fn replace(&mut self, index: usize, by: Fragment) {
        let place = &mut self.list[index];
        *place = Fragment { label: place.label, extent: place.extent, ..by };
    }

    /// Gives an instruction other bytes that do the same.
    pub(crate) fn rewrite(&mut self, index: usize, bytes: InstructionBytes) {
        self.list[index].kind = FragmentKind::Rewritten(bytes);
    }

    /// Leaves no bytes of one.
    pub(crate) fn remove(&mut self, index: usize) {
        self.list[index].remove();
    }

    /// The fragment with a label.
    pub(crate) fn index_of(&self, label: u32) -> Option<usize> {
        self.labels.index(label).filter(|&index| self.list[index].label == label)
    }

    /// The fragment that stands for a byte of Cranelift's code.
    pub(crate) fn containing(&self, offset: u32) -> Option<usize> {
        let index = self.labels.around(offset).filter(|_| offset < self.size())?;
        (self.list[index].label..self.list[index].end()).contains(&offset).then_some(index)
    }

    /// A label that no fragment has, nor any that is greater.
    pub(crate) fn next_label(&self) -> u32 {
        self.labels.next()
    }

    /// Bytes of Cranelift's code: labels from here on are of what was added.
    pub(crate) fn size(&self) -> u32 {
        self.labels.size()
    }
}
