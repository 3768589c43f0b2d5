//! The pieces of a function's code: what they are, in the order in which they will lie, and by what names they are found.
//!
//! In: what was read (`read.rs`). Out: [`Items`], which the steps change.

use super::effects::Uses;
use super::relaxation;
use crate::x86::steps::short_encodings::Bytes;

/// A piece of code.
#[derive(Clone, Copy)]
pub(crate) struct Item {
    /// What its place is called: byte offset in the code as it was, or beyond that code if it was not in it.
    pub(crate) name: u32,
    /// Bytes that were in its place.
    pub(crate) extent: u32,
    /// Where its bytes are in the code as it was.
    pub(crate) start: u32,
    /// Their number.
    pub(crate) size: u32,
    pub(crate) kind: Kind,
    /// Whether a relocation is in it.
    pub(crate) is_relocated: bool,
    pub(crate) uses: Uses,
}

/// The pieces, in the order in which they will lie.
#[derive(Clone, Default)]
pub(crate) struct Items {
    list: Vec<Item>,
    /// For each byte of the code as it was, the index of the item that it was in, or of the first one behind it.
    at: Vec<u32>,
    /// The indexes of those that were not there, by name, from the first name behind that code on.
    new: Vec<u32>,
}

/// The index of no item.
const NONE: u32 = u32::MAX;

impl std::ops::Deref for Items {
    type Target = [Item];

    fn deref(&self) -> &[Item] {
        &self.list
    }
}

impl std::ops::DerefMut for Items {
    fn deref_mut(&mut self) -> &mut [Item] {
        &mut self.list
    }
}

impl Items {
    /// Pieces of code that had so many bytes.
    pub(crate) fn new(list: Vec<Item>, size: u32) -> Items {
        let mut items = Items { at: Vec::with_capacity(size as usize), new: Vec::new(), list };
        let mut old = Vec::with_capacity(items.list.len());
        for (index, item) in (0..).zip(&items.list) {
            if item.name < size {
                old.push(index);
                continue;
            }
            let name = (item.name - size) as usize;
            if name >= items.new.len() {
                items.new.resize(name + 1, NONE);
            }
            items.new[name] = index;
        }
        // They rarely are not.
        old.sort_unstable_by_key(|&index| items.list[index as usize].name);
        for index in old {
            items.at.resize(items.list[index as usize].end() as usize, index);
        }
        items.at.resize(size as usize, NONE);
        items
    }

    /// What they are made of: the list, the bytes of the code as it was, and a name that none has, nor any number above it.
    pub(crate) fn into_list(self) -> (Vec<Item>, u32, u32) {
        let (size, new) = (self.size(), self.new.len() as u32);
        (self.list, size, size + new)
    }

    /// The one of a name.
    pub(crate) fn index_of(&self, name: u32) -> Option<usize> {
        let index = match name.checked_sub(self.size()) {
            None => self.at.get(name as usize),
            Some(new) => self.new.get(new as usize),
        };
        let &index = index.filter(|&&index| index != NONE)?;
        (self.list[index as usize].name == name).then_some(index as usize)
    }

    /// The one that a byte of the code was in.
    pub(crate) fn containing(&self, offset: u32) -> Option<usize> {
        let &index = self.at.get(offset as usize).filter(|&&index| index != NONE)?;
        (self.list[index as usize].name <= offset).then_some(index as usize)
    }

    /// Bytes of the code as it was.
    pub(crate) fn size(&self) -> u32 {
        self.at.len() as u32
    }
}

/// What is done with it.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// An instruction, as it is.
    Plain,
    /// One that has other bytes, or none.
    Short(Bytes),
    /// A direct branch, of any size.
    Branch {
        /// The processor's number of the condition; none for a jump.
        condition: Option<u8>,
        /// Where it goes, in the code as it was.
        to: u32,
    },
    /// An instruction with an address relative to itself.
    Relative {
        /// What it refers to, in the code as it was.
        to: u32,
        /// At which byte of it the distance is.
        at: u8,
    },
    /// Distances of blocks from its start, of 4 bytes each.
    Table,
    /// Constants.
    Data,
}

impl Item {
    pub(crate) fn data(start: u32, end: u32, kind: Kind) -> Item {
        let size = end - start;
        Item { name: start, extent: size, start, size, kind, is_relocated: false, uses: Uses::default() }
    }

    /// One that was not there.
    pub(crate) fn new(name: u32, bytes: Bytes, uses: Uses) -> Item {
        Item { name, extent: 0, start: 0, size: 0, kind: Kind::Short(bytes), is_relocated: false, uses }
    }

    /// A branch that was not there.
    pub(crate) fn branch(name: u32, condition: Option<u8>, to: u32) -> Item {
        let kind = Kind::Branch { condition, to };
        let size = relaxation::long(condition);
        Item { name, extent: 0, start: 0, size, kind, is_relocated: false, uses: Uses::NOTHING }
    }

    /// The place of one, with what another is.
    pub(crate) fn replaced(self, by: Item) -> Item {
        Item { name: self.name, extent: self.extent, ..by }
    }

    /// Where what was in its place ended.
    pub(crate) fn end(&self) -> u32 {
        self.name + self.extent
    }

    /// Its bytes in the code as it was.
    pub(crate) fn bytes<'a>(&self, code: &'a [u8]) -> Option<&'a [u8]> {
        code.get(self.start as usize..(self.start + self.size) as usize)
    }

    /// Where the entries of a jump table lead.
    pub(crate) fn entries(&self, code: &[u8]) -> impl Iterator<Item = u32> {
        let (entries, _) = self.bytes(code).unwrap_or_default().as_chunks();
        entries.iter().map(|&entry| self.start.wrapping_add(u32::from_le_bytes(entry)))
    }

    /// Whether it is there at all.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.kind, Kind::Short(bytes) if bytes.bytes().is_empty())
    }

    pub(crate) fn is_data(&self) -> bool {
        matches!(self.kind, Kind::Data | Kind::Table)
    }

    /// Lets a branch lead to another item.
    pub(crate) fn lead_to(&mut self, name: u32, inverts: bool) {
        if let Kind::Branch { condition, to } = &mut self.kind {
            *to = name;
            *condition = condition.map(|condition| condition ^ u8::from(inverts));
        }
    }

    /// Leaves nothing of it.
    pub(crate) fn remove(&mut self) {
        self.kind = Kind::Short(Bytes::NONE);
        self.uses = Uses::NOTHING;
    }
}
