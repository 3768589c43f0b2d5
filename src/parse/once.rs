//! Sections of which a program has one, though several objects have them.
//!
//! In: the objects. Out: for each section of each object whether it is left out.
//!
//! | sections | rule |
//! |---|---|
//! | members of a COMDAT group | the first group of a signature is kept |
//! | `license` and `version` of kernel objects | the first is kept, and all must say the same: what `bpftool gen object` does |

use std::collections::{HashMap, HashSet};

use super::error::ParseError;
use crate::elf::Object;

/// Sections that say something of the whole program.
const OF_PROGRAM: [&str; 2] = ["license", "version"];

/// For each object, for each section: it is left out.
pub(super) fn discarded(objects: &[Object<'_>]) -> Result<Vec<Vec<bool>>, ParseError> {
    let mut kept = HashSet::new();
    let mut said: HashMap<&str, (&Object<'_>, &[u8])> = HashMap::new();
    let mut all = Vec::with_capacity(objects.len());
    for object in objects {
        let mut discarded = vec![false; object.sections.len()];
        for group in object.groups.iter().filter(|group| group.is_comdat) {
            if !kept.insert(group.signature) {
                group.members.iter().for_each(|&member| discarded[member] = true);
            }
        }
        for (index, section) in object.sections.iter().enumerate() {
            if !OF_PROGRAM.contains(&section.name) || !section.is_of_program() {
                continue;
            }
            match said.get(section.name) {
                None => {
                    said.insert(section.name, (object, section.data));
                }
                Some((_, data)) if *data == section.data => discarded[index] = true,
                Some((first, _)) if !std::ptr::eq(*first, object) => {
                    return Err(ParseError::Differs {
                        section: section.name.to_owned(),
                        first: first.name.clone(),
                        second: object.name.clone(),
                    });
                }
                Some(_) => {}
            }
        }
        all.push(discarded);
    }
    Ok(all)
}
