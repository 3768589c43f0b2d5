//! The objects of `bpf2native test`: which are BPF's and are translated, and which are this machine's and only linked.
//!
//! In: paths. Out: BPF objects as the parser takes them; of native ones, their paths, what they refer to, and their tests. What is
//! not native is BPF's, and the parser says what is wrong with it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use bpf2native::parse::Input;
use object::read::archive::ArchiveFile;
use object::{Architecture, BinaryFormat, Object, ObjectSymbol, SymbolKind};

use crate::cli::outputs;

/// What a test's name begins with.
pub const TEST: &str = "test_";

/// A native object or an archive of such.
pub struct Native {
    pub path: PathBuf,
    /// The names that it refers to and does not define.
    pub undefined: Vec<String>,
    /// Its tests, by address.
    pub tests: Vec<String>,
}

/// All objects of one list.
#[derive(Default)]
pub struct Objects {
    pub bpf: Vec<Input>,
    pub native: Vec<Native>,
}

impl Objects {
    pub fn read(paths: &[PathBuf]) -> anyhow::Result<Objects> {
        let mut objects = Objects::default();
        for path in paths {
            let bytes = outputs::read(path)?;
            match native(path, &bytes)? {
                Some(native) => objects.native.push(native),
                None => objects.bpf.push(Input { name: path.display().to_string(), bytes }),
            }
        }
        Ok(objects)
    }
}

/// What a file has for the linker; none if it is no native one.
fn native(path: &Path, bytes: &[u8]) -> anyhow::Result<Option<Native>> {
    let mut native = Native { path: path.to_owned(), undefined: Vec::new(), tests: Vec::new() };
    let damaged = || format!("cannot read `{}`", path.display());
    let Ok(archive) = ArchiveFile::parse(bytes) else {
        let Some(file) = machine_object(bytes) else { return Ok(None) };
        native.add(&file);
        return Ok(Some(native));
    };
    let mut is_native = false;
    for member in archive.members() {
        let data = member.and_then(|member| member.data(bytes)).with_context(damaged)?;
        if let Some(file) = machine_object(data) {
            native.add(&file);
            is_native = true;
        }
    }
    // A linker takes members for what they define, so a test would be left out.
    native.tests.clear();
    Ok(is_native.then_some(native))
}

/// An ELF file of this machine.
fn machine_object(bytes: &[u8]) -> Option<object::File<'_>> {
    let file = object::File::parse(bytes).ok()?;
    let here = match std::env::consts::ARCH {
        "x86_64" => Architecture::X86_64,
        "aarch64" => Architecture::Aarch64,
        "riscv64" => Architecture::Riscv64,
        "s390x" => Architecture::S390x,
        _ => return None,
    };
    (file.format() == BinaryFormat::Elf && file.architecture() == here).then_some(file)
}

impl Native {
    fn add(&mut self, file: &object::File<'_>) {
        let mut tests = Vec::new();
        for symbol in file.symbols() {
            let Ok(name) = symbol.name() else { continue };
            if symbol.is_undefined() {
                self.undefined.push(name.to_owned());
            } else if symbol.kind() == SymbolKind::Text && symbol.is_global() && name.starts_with(TEST) {
                tests.push((symbol.section_index().map(|section| section.0), symbol.address(), name.to_owned()));
            }
        }
        tests.sort();
        self.tests.extend(tests.into_iter().map(|(.., name)| name));
        self.undefined.retain(|name| !name.is_empty());
    }
}
