//! Where the C types of undefined symbols come from: BTF, the table of libc's functions, nothing. And that the table
//! says what clang's and gcc's BTF say of the same functions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bpf2native::internals::abi::libc;
use bpf2native::program::{Import, PrototypeSource};
use bpf2native::{Program, Warning};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

fn objects(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            objects(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "o") {
            found.push(path);
        }
    }
}

fn import<'a>(program: &'a Program, name: &str) -> &'a Import {
    program.imports.iter().map(|(_, import)| import).find(|import| import.name == name).unwrap()
}

#[test]
fn the_table_says_what_compilers_say() {
    let mut paths = Vec::new();
    objects(&fixture("obj"), &mut paths);
    let mut compared = BTreeSet::new();
    for path in &paths {
        let Ok(program) = Program::from_files([path]) else { continue };
        let conflicts: Vec<_> =
            program.warnings.iter().filter(|warning| warning.text().contains("in libc it is")).collect();
        assert!(conflicts.is_empty(), "{}: {conflicts:?}", path.display());
        let from_btf = program.imports.iter().map(|(_, import)| import);
        let from_btf = from_btf.filter(|import| import.prototype_from == PrototypeSource::Btf);
        compared.extend(from_btf.map(|import| import.name.clone()).filter(|name| libc::prototype(name).is_some()));
    }
    assert!(compared.len() > 80, "only {} functions are compared: {compared:?}", compared.len());
}

#[test]
fn objects_without_btf_get_the_tables_prototypes() {
    let program = Program::from_files([fixture("obj/clang19-v2/ctype.o")]).unwrap();
    let isalpha = import(&program, "isalpha");
    assert_eq!(isalpha.prototype_from, PrototypeSource::Table);
    assert_eq!(isalpha.prototype.as_ref().unwrap().declare("isalpha"), "int isalpha(int)");
    let stdin = import(&program, "stdin");
    assert_eq!((stdin.prototype_from, stdin.prototype.is_none()), (PrototypeSource::None, true));
}

#[test]
fn btf_wins_over_the_table_and_a_warning_names_both() {
    let program = Program::from_files([fixture("parse/conflict.o")]).unwrap();
    let labs = import(&program, "labs");
    assert_eq!(labs.prototype_from, PrototypeSource::Btf);
    assert_eq!(labs.prototype.as_ref().unwrap().declare("labs"), "int labs(int)");
    let warnings: Vec<&str> = program.warnings.iter().map(Warning::text).collect();
    let expected = [
        "`strtod` is declared as `double strtod(const char *)`, and in libc it is `double strtod(const char *, char **)`",
        "`labs` is declared as `int labs(int)`, and in libc it is `long labs(long)`",
    ];
    assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
    for (warning, expected) in warnings.iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
    }
    // Without parameters, `int abs()` says nothing.
    assert_eq!(import(&program, "abs").prototype_from, PrototypeSource::Table);
}
