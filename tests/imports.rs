//! The files of the library import each other without circles, and folders only what lies below them.
//!
//! In: the `use` lines of `src/`, and paths from `crate::` and `super::` in its code; tests inside of files do not count. An
//! arrow goes from a file to the one that defines the name, through re-exports. The rule: no circle of files, of the library or of the
//! command, and no arrow from a folder of the library to one that is above it in [`LAYERS`].

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The folders and files of `src/`, the lowest first: each imports what stands before it, or beside it.
const LAYERS: &[&[&str]] = &[
    &["warning", "files", "parallel", "profile"],
    &["program", "btf"],
    &["elf"],
    &["decode"],
    &["abi"],
    &["config", "times"],
    &["halves"],
    &["parse"],
    &["resolution"],
    &["graph"],
    &["coverage"],
    &["plan"],
    &["opt"],
    &["declarations"],
    &["lift"],
    &["select"],
    &["inline"],
    &["declare"],
    &["codegen", "x86", "aarch64"],
    &["pipeline"],
    &["cache"],
    &["emit"],
    &["aot"],
    &["jit"],
    &["compare"],
    &["internals"],
];

/// The modules of the library, by path.
struct Modules {
    /// The text of each, without comments and tests.
    texts: BTreeMap<String, String>,
    /// Names that are re-exported, and what they stand for.
    exports: BTreeMap<String, String>,
}

/// Modules, and the modules that they import from, each with a name that is imported.
type Arrows = BTreeMap<String, BTreeMap<String, String>>;

impl Modules {
    fn read(folder: &str, module: &str) -> Modules {
        let mut modules = Modules { texts: BTreeMap::new(), exports: BTreeMap::new() };
        modules.read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), module);
        for (module, text) in &modules.texts {
            for (is_export, path, name) in uses(text) {
                if let (true, Some(path)) = (is_export, modules.absolute(module, &path)) {
                    modules.exports.insert(format!("{module}::{name}"), path);
                }
            }
        }
        modules
    }

    fn read_folder(&mut self, folder: &Path, module: &str) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            // The command is a crate of its own, over this one.
            if path.is_dir() {
                if stem != "cli" && stem != "tests" {
                    self.read_folder(&path, &format!("{module}::{stem}"));
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") && stem != "main" {
                let name = match stem.as_str() {
                    "mod" | "lib" => module.to_owned(),
                    stem => format!("{module}::{stem}"),
                };
                self.texts.insert(name, code(&fs::read_to_string(&path).unwrap()));
            }
        }
    }

    /// A path from the root of the crate; none where it is another crate's.
    fn absolute(&self, module: &str, path: &str) -> Option<String> {
        let (mut base, mut rest) = (module, path);
        if path.starts_with("crate::") {
            return Some(path.to_owned());
        }
        let mut is_relative = false;
        while let Some((first, behind)) = rest.split_once("::") {
            match first {
                "self" => {}
                "super" => base = base.rsplit_once("::")?.0,
                _ => break,
            }
            (is_relative, rest) = (true, behind);
        }
        let first = rest.split("::").next()?;
        (is_relative || self.texts.contains_key(&format!("{base}::{first}"))).then(|| format!("{base}::{rest}"))
    }

    /// The module that defines what a path from the root names.
    fn definer(&self, path: &str) -> Option<String> {
        let mut path = path.to_owned();
        // A chain of re-exports is short.
        for _ in 0..8 {
            let starts = prefixes(&path).find_map(|prefix| Some((prefix.len(), self.exports.get(prefix)?)));
            let Some((length, target)) = starts else { break };
            path = format!("{target}{}", &path[length..]);
        }
        prefixes(path.as_str()).find(|prefix| self.texts.contains_key(*prefix)).map(str::to_owned)
    }

    fn arrows(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (module, text) in &self.texts {
            let to = arrows.entry(module.clone()).or_default();
            let used = uses(text).into_iter().filter(|(is_export, ..)| !is_export).map(|(_, path, _)| path);
            for path in used.chain(paths(text)) {
                let Some(path) = self.absolute(module, &path) else { continue };
                match self.definer(&path) {
                    Some(definer) if definer != *module && definer != "crate" => to.insert(definer, path),
                    _ => None,
                };
            }
        }
        arrows
    }
}

/// A path, and what it begins with, the longest first.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once("::").map(|(prefix, _)| prefix))
}

/// What counts of a file.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\n").next().unwrap_or_default();
    text.lines().map(|line| format!("{}\n", line.split("//").next().unwrap_or_default())).collect()
}

/// The names that `use` lines bring: whether each is re-exported, its path, and its name here.
fn uses(text: &str) -> Vec<(bool, String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let (before, behind) = (&rest[..at], &rest[at + "use ".len()..]);
        let start = before.rsplit(['\n', ';']).next().unwrap_or_default().trim();
        let Some(end) = behind.find(';') else { break };
        if start.is_empty() || start == "pub" || start.starts_with("pub(") && start.ends_with(')') {
            let mut leaves = Vec::new();
            expand(&behind[..end], "", &mut leaves);
            for leaf in leaves {
                let (path, name) = leaf.split_once(" as ").unwrap_or((&leaf, ""));
                let path = path.strip_suffix("::self").unwrap_or(path);
                let name = if name.is_empty() { path.rsplit("::").next().unwrap_or_default() } else { name };
                found.push((start.starts_with("pub"), path.to_owned(), name.to_owned()));
            }
            rest = &behind[end..];
        } else {
            rest = behind;
        }
    }
    found
}

/// The leaves of a tree of names: `a::{b, c::d}`.
fn expand(tree: &str, prefix: &str, leaves: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, body)) = tree.split_once('{').and_then(|(head, body)| Some((head, body.strip_suffix('}')?)))
    else {
        if !tree.is_empty() {
            leaves.push(format!("{prefix}{tree}"));
        }
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut start) = (0, 0);
    for (at, character) in body.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&body[start..at], &prefix, leaves);
                start = at + 1;
            }
            _ => {}
        }
    }
    expand(&body[start..], &prefix, leaves);
}

/// Paths from `crate::` and `super::` that stand in code.
fn paths(text: &str) -> Vec<String> {
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | ':');
    let words = text.split(|character| !is_part(character));
    let found = words.filter(|word| word.starts_with("crate::") || word.starts_with("super::"));
    found.map(|word| word.trim_end_matches(':').to_owned()).collect()
}

/// A circle of modules, if there is one, as a walk along arrows that ends where it starts.
fn circle(arrows: &Arrows) -> Option<Vec<&str>> {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in arrows.keys() {
        let mut walk: Vec<(&str, Vec<&str>)> = Vec::new();
        let targets =
            |module: &str| arrows.get(module).into_iter().flat_map(BTreeMap::keys).map(String::as_str).collect();
        if done.insert(start) {
            walk.push((start, targets(start)));
        }
        while let Some((_, left)) = walk.last_mut() {
            let Some(next) = left.pop() else {
                walk.pop();
                continue;
            };
            if let Some(at) = walk.iter().position(|(module, _)| *module == next) {
                return Some(walk[at..].iter().map(|(module, _)| *module).chain([next]).collect());
            }
            if done.insert(next) {
                walk.push((next, targets(next)));
            }
        }
    }
    None
}

/// The layer of a module: that of its folder or file in `src/`.
fn layer(module: &str) -> Option<usize> {
    let top = module.split("::").nth(1)?;
    LAYERS.iter().position(|layer| layer.contains(&top))
}

#[test]
fn files_import_each_other_without_circles() {
    has_no_circle(&Modules::read("src", "crate"), 500);
}

#[test]
fn files_of_the_command_import_each_other_without_circles() {
    has_no_circle(&Modules::read("src/cli", "crate::cli"), 100);
}

fn has_no_circle(modules: &Modules, least: usize) {
    let arrows = modules.arrows();
    let found = arrows.values().map(BTreeMap::len).sum::<usize>();
    assert!(found > least, "few arrows are found: {found}");
    if let Some(circle) = circle(&arrows) {
        let steps: Vec<String> =
            circle.windows(2).map(|pair| format!("{} takes `{}`", pair[0], arrows[pair[0]][pair[1]])).collect();
        panic!("these import each other; put what they share into a file below them:\n{}", steps.join("\n"));
    }
}

#[test]
fn folders_import_what_lies_below_them() {
    let mut upwards = Vec::new();
    for (module, to) in Modules::read("src", "crate").arrows().iter().filter(|(module, _)| *module != "crate") {
        let own = layer(module).unwrap_or_else(|| panic!("`{module}` has no place in LAYERS"));
        upwards.extend(
            to.iter().filter(|(to, _)| layer(to) > Some(own)).map(|(_, path)| format!("{module} takes `{path}`")),
        );
    }
    assert!(upwards.is_empty(), "these import what lies above them:\n{}", upwards.join("\n"));
}

#[test]
fn circles_are_found() {
    let text = |text: &str| text.to_owned();
    let texts = [
        ("crate", "pub mod a;\npub mod b;"),
        ("crate::a", "mod x;\npub use x::{X, Y as Z};\n"),
        ("crate::a::x", "// use crate::b::C;\npub struct X;\nfn f() { crate::b::c() }"),
        ("crate::b", "use std::fs;\nuse super::a::{\n    Z,\n};"),
    ];
    let mut modules = Modules {
        texts: texts.iter().map(|&(module, code_of)| (text(module), code(code_of))).collect(),
        exports: BTreeMap::new(),
    };
    modules.exports.insert(text("crate::a::X"), text("crate::a::x::X"));
    modules.exports.insert(text("crate::a::Z"), text("crate::a::x::Y"));
    let arrows = modules.arrows();
    assert_eq!(circle(&arrows), Some(vec!["crate::a::x", "crate::b", "crate::a::x"]));
    assert_eq!(
        uses("pub use a::{b, c as d};\nuse e;"),
        [(true, text("a::b"), text("b")), (true, text("a::c"), text("d")), (false, text("e"), text("e"))]
    );
}
