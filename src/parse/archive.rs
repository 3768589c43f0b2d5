//! The objects of the program: those that are given, and the members of archives that they need.
//!
//! In: the files. Out: the objects, in the order in which a linker takes them.
//!
//! Rule, as of ld: an archive is looked at when its turn comes. A member is taken if it defines a name that is undefined
//! so far; what it needs is looked for in the same archive again. An archive that is given earlier is not looked at
//! again. A weak reference takes nothing. If two members define a name, the first counts. The runtime is an archive that is
//! given last (`runtime.rs`).

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use object::read::archive::ArchiveFile;

use super::coverage;
use super::error::ParseError;
use super::input::{self, InputKind};
use super::libraries;
use super::maps;
use super::runtime::{self, Lacks};
use super::script::{self, Wanted};
use super::{Input, Options};
use crate::abi::helpers;
use crate::elf::{self, Object, Symbol, SymbolHome};
use crate::program::Binding;

/// Members' names may share their bytes; as parts of the objects' names they do not.
const MAX_MEMBER_NAME: usize = 256;

/// The objects of a program.
pub(super) struct Chosen<'data> {
    pub(super) objects: Vec<Object<'data>>,
    /// How many of them are given, or from given archives; the others are the runtime's.
    pub(super) given: usize,
    /// Whether maps are the runtime's, and no plain data.
    pub(super) has_maps: bool,
    /// Whose programs the kernel runs.
    pub(super) halves: Option<Wanted>,
    /// How many of the objects are not the translator's own.
    pub(super) users: usize,
    /// Names that the program defines, and the translator's own objects have of libraries.
    pub(super) library_names: BTreeSet<&'data str>,
}

/// Reads the files and chooses the members.
pub(super) fn select<'data>(inputs: &'data [Input], options: &Options) -> Result<Chosen<'data>, ParseError> {
    let mut selection = MemberSelection::default();
    let mut archives = Vec::new();
    // All objects before the first archive: `main` in an object, given after the archive, is not looked for in it.
    let mut kinds = Vec::with_capacity(inputs.len());
    for file in inputs {
        kinds.push(input::classify(&file.name, &file.bytes)?);
    }
    let mut objects = Vec::with_capacity(inputs.len());
    for (file, kind) in inputs.iter().zip(&kinds) {
        objects.push(match kind {
            InputKind::Object => Some(elf::read(file.name.clone(), &file.bytes)?),
            InputKind::Archive => None,
        });
    }
    let defined: HashSet<&str> = objects.iter().flatten().flat_map(libraries::defined_names).collect();
    for root in options.roots.iter().filter(|root| !defined.contains(root.as_str())) {
        selection.want(root.clone());
    }
    drop(defined);
    for (file, object) in inputs.iter().zip(objects) {
        match object {
            Some(object) => selection.add(object),
            None => {
                archives.push(file.name.clone());
                selection.search(members(file)?);
            }
        }
    }
    let users = selection.objects.len();
    if let Some(endianness) = selection.objects.first().map(|first| first.endian) {
        for (writer, is_wanted) in [(coverage::COVERAGE, options.coverage), (coverage::PROFILE, options.profile)] {
            if is_wanted {
                selection.add(writer.object(endianness)?);
            }
        }
    }
    let given = selection.objects.len();
    let halves = script::find(&selection.objects, options)?;
    let has_maps = options.runtime && selection.search_runtime(options.interface, halves.as_ref())?;
    if selection.objects.is_empty() {
        return Err(match archives.is_empty() {
            true => ParseError::NoInput,
            false => ParseError::NoMember { archives, roots: options.roots.clone() },
        });
    }
    check_byte_order(&selection.objects)?;
    let objects = selection.objects;
    let library_names = match objects.first() {
        Some(first) if objects.len() > users => {
            let runtime = runtime::Archive::of(first.endian)?;
            libraries::names(&objects, users, |name| runtime.place(name).is_some())
        }
        _ => BTreeSet::new(),
    };
    Ok(Chosen { objects, given, has_maps, halves, users, library_names })
}

/// The objects so far, and what they lack.
#[derive(Default)]
struct MemberSelection<'data> {
    objects: Vec<Object<'data>>,
    defined: HashSet<String>,
    /// Undefined names, in the order of their references; some may be defined since.
    wanted: Vec<String>,
    known: HashSet<String>,
}

impl<'data> MemberSelection<'data> {
    fn want(&mut self, name: String) {
        if !self.defined.contains(&name) && self.known.insert(name.clone()) {
            self.wanted.push(name);
        }
    }

    fn add(&mut self, mut object: Object<'data>) {
        object.maps = maps::read(&object);
        self.defined.extend(libraries::defined_names(&object).map(str::to_owned));
        for symbol in &object.symbols {
            if symbol.home == SymbolHome::Undefined && symbol.binding == Binding::Global {
                self.want(symbol.name.to_owned());
            }
        }
        self.objects.push(object);
    }

    /// Takes what is wanted out of an archive.
    fn search(&mut self, members: Vec<Object<'data>>) {
        let mut by_name: HashMap<String, usize> = HashMap::new();
        for (index, member) in members.iter().enumerate() {
            for name in libraries::defined_names(member) {
                by_name.entry(name.to_owned()).or_insert(index);
            }
        }
        let mut members: Vec<Option<Object<'data>>> = members.into_iter().map(Some).collect();
        let mut queue: VecDeque<String> = std::mem::take(&mut self.wanted).into();
        let mut missing = Vec::new();
        while let Some(name) = queue.pop_front() {
            if self.defined.contains(&name) {
                continue;
            }
            match by_name.get(&name).and_then(|&index| members[index].take()) {
                Some(member) => {
                    self.add(member);
                    queue.extend(self.wanted.drain(..));
                }
                None => missing.push(name),
            }
        }
        self.wanted = missing;
    }
}

impl MemberSelection<'_> {
    /// Takes what is wanted out of the runtime, with what embedders call or without. Whether maps are the runtime's then.
    fn search_runtime(&mut self, interface: bool, halves: Option<&Wanted>) -> Result<bool, ParseError> {
        let Some(first) = self.objects.first() else { return Ok(false) };
        let archive = runtime::Archive::of(first.endian)?;
        let (mut lacks, given) = (Lacks::default(), self.objects.len());
        let kernel = halves.map(|halves| halves.object);
        self.objects.iter().enumerate().for_each(|(index, object)| lacks.add(object, kernel == Some(index)));
        if halves.is_some_and(|halves| halves.is_script) {
            self.want(script::DRIVER.to_owned());
        }
        for (name, number) in halves.map(Wanted::named_helpers).unwrap_or_default() {
            if self.known.contains(name) && !self.defined.contains(name) {
                self.want(helpers::symbol(number));
            }
        }
        for name in lacks.functions(|name| self.defined.contains(name)) {
            self.want(name);
        }
        // As a kernel has them, whether or not the program insists.
        let undefined =
            |symbol: &&Symbol<'_>| symbol.home == SymbolHome::Undefined && archive.place(symbol.name).is_some();
        let weak = self.objects.iter().flat_map(|object| object.symbols.iter().filter(undefined));
        for name in weak.map(|symbol| symbol.name.to_owned()).collect::<Vec<_>>() {
            self.want(name);
        }
        self.take(&archive)?;
        let has_maps = self.objects.len() > given;
        if has_maps {
            lacks.operations().for_each(|name| self.want(name));
            lacks.arena_base().into_iter().for_each(|name| self.want(name.to_owned()));
        }
        if interface {
            lacks.interface(has_maps).for_each(|name| self.want(name.to_owned()));
        }
        self.take(&archive)?;
        Ok(has_maps)
    }

    /// Takes the members that define what is wanted.
    fn take(&mut self, archive: &runtime::Archive) -> Result<(), ParseError> {
        while let Some(name) = self.wanted.pop() {
            if self.defined.contains(&name) {
                continue;
            }
            if let Some(place) = archive.place(&name) {
                self.add(archive.member(place)?);
            }
        }
        Ok(())
    }
}

/// The objects in an archive. Other files, such as a text, are passed over.
fn members(file: &Input) -> Result<Vec<Object<'_>>, ParseError> {
    let damaged =
        |error: object::read::Error| ParseError::Damaged { file: file.name.clone(), what: elf::text(error) };
    let archive = ArchiveFile::parse(file.bytes.as_slice()).map_err(damaged)?;
    let mut objects = Vec::new();
    for member in archive.members() {
        let member = member.map_err(damaged)?;
        let bytes = member.data(file.bytes.as_slice()).map_err(damaged)?;
        if input::is_object(bytes) {
            let member = &member.name()[..member.name().len().min(MAX_MEMBER_NAME)];
            let name = format!("{}({})", file.name, String::from_utf8_lossy(member));
            input::classify(&name, bytes)?;
            objects.push(elf::read(name, bytes)?);
        }
    }
    Ok(objects)
}

fn check_byte_order(objects: &[Object<'_>]) -> Result<(), ParseError> {
    let order = |object: &Object<'_>| match object.endian {
        object::Endianness::Little => "little-endian",
        object::Endianness::Big => "big-endian",
    };
    let Some((first, others)) = objects.split_first() else { return Ok(()) };
    match others.iter().find(|other| other.endian != first.endian) {
        None => Ok(()),
        Some(second) => Err(ParseError::ByteOrder {
            first: first.name.clone(),
            first_order: order(first),
            second: second.name.clone(),
            second_order: order(second),
        }),
    }
}
