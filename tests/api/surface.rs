//! No type of the code generator's is in a public signature: a new release of Cranelift changes nothing for users.
//!
//! It reads the source: which names are public (what public modules define, and what they hand on by `pub use`), and
//! what the signatures of these say. A name of the code generator's is one that the same file has from its crates.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates whose releases are the code generator's.
const CRATES: [&str; 3] = ["cranelift_", "target_lexicon", "regalloc2"];

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The text of a file without comments and without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The statements that start so, to their semicolon.
fn statements<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    let at = text.match_indices(start).filter(|(at, _)| *at == 0 || text[..*at].ends_with('\n'));
    at.map(|(at, _)| text[at..].split(';').next().unwrap_or_default())
}

/// Names that a file has from the code generator's crates, and the crates'.
fn foreign(text: &str) -> BTreeSet<&str> {
    let uses =
        statements(text, "use ").filter(|statement| CRATES.iter().any(|name| statement[4..].starts_with(name)));
    let common = ["use", "self", "as"];
    uses.flat_map(words).filter(|word| !common.contains(word)).collect()
}

/// The body in braces, or what comes before one, of an item that starts at the text's start.
fn item(text: &str, with_body: bool) -> &str {
    let open = text.find(['{', ';']).unwrap_or(text.len());
    if !with_body || text[open..].starts_with(';') {
        return &text[..open];
    }
    let mut depth = 0;
    let end = text[open..].find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0
    });
    &text[..end.map_or(text.len(), |end| open + end)]
}

#[test]
fn no_public_signature_names_the_code_generator() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let library = code(&root.join("lib.rs")).replace("#[doc(hidden)]\npub mod internals", "mod internals");
    let modules: Vec<&str> = statements(&library, "pub mod ").map(|statement| &statement[8..]).collect();
    assert!(modules.contains(&"emit") && !modules.contains(&"codegen"), "{modules:?}");
    let mut all = Vec::new();
    files(&root, &mut all);
    let module = |path: &Path| {
        let first = path.strip_prefix(&root).unwrap().components().next().unwrap().as_os_str().to_string_lossy();
        first.trim_end_matches(".rs").to_owned()
    };
    // A file that is a public module: all that it has is public. Of others, what is handed on.
    let mut handed_on: BTreeSet<(String, String)> = BTreeSet::new();
    let mut hand_on = |at: &str, text: &str| {
        for statement in statements(text, "pub use ") {
            let path: Vec<&str> = words(statement).skip(2).collect();
            // From another module, or from inside of its own.
            let from = if path[0] == "crate" {
                path[1]
            } else if at == "lib" {
                path[0]
            } else {
                at
            };
            let names = if path[0] == "crate" { &path[2..] } else { &path[..] };
            handed_on.extend(names.iter().map(|name| (from.to_owned(), (*name).to_owned())));
        }
    };
    let mut open: Vec<PathBuf> = modules
        .iter()
        .flat_map(|name| [root.join(name).join("mod.rs"), root.join(name).with_extension("rs")])
        .collect();
    let mut next = 0;
    while let Some(path) = open.get(next).cloned() {
        next += 1;
        if path.is_file() {
            let text = code(&path);
            let folder =
                if path.ends_with("mod.rs") { path.parent().unwrap().to_owned() } else { path.with_extension("") };
            for child in statements(&text, "pub mod ").map(|statement| &statement[8..]) {
                open.extend([folder.join(child).join("mod.rs"), folder.join(child).with_extension("rs")]);
            }
            hand_on(&module(&path), &text);
        }
    }
    hand_on("lib", &library);

    let (mut checked, mut wrong) = (0, Vec::new());
    for path in &all {
        let text = code(path);
        let foreign = foreign(&text);
        let is_open = open.contains(path);
        let mut check = |what: &str| {
            checked += 1;
            let is_foreign =
                |word: &&str| foreign.contains(word) || CRATES.iter().any(|name| word.starts_with(name));
            if let Some(word) = words(what).find(is_foreign) {
                wrong.push(format!(
                    "{}: `{word}` in `{}`",
                    path.display(),
                    what.lines().next().unwrap_or_default()
                ));
            }
        };
        let module = module(path);
        let is_public = |name: &str| is_open || handed_on.contains(&(module.clone(), name.to_owned()));
        for kind in ["struct", "enum", "trait", "type", "fn", "const", "unsafe trait"] {
            let start = format!("\npub {kind} ");
            for (at, _) in text.match_indices(&start) {
                let name = words(&text[at + start.len()..]).next().unwrap_or_default();
                match kind {
                    _ if !is_public(name) => {}
                    // Fields that are not public may be anything.
                    "struct" => {
                        let fields = item(&text[at + 1..], true).lines();
                        fields.filter(|line| line.starts_with("    pub ")).for_each(&mut check);
                    }
                    // A variant may have any name.
                    "enum" => {
                        for line in item(&text[at + 1..], true).lines() {
                            let is_variant = line.starts_with("    ") && !line.starts_with("     ");
                            let name = if is_variant { words(line).next() } else { None };
                            check(line.trim_start().trim_start_matches(name.unwrap_or_default()));
                        }
                    }
                    "trait" | "unsafe trait" => check(item(&text[at + 1..], true)),
                    _ => check(item(&text[at + 1..], false)),
                }
            }
        }
        for (at, _) in text.match_indices("\nimpl") {
            let header = item(&text[at + 1..], false);
            let of = header.rsplit(" for ").next().unwrap_or_default();
            let of = of.strip_prefix("impl").map_or(of, |of| {
                if of.starts_with('<') { of.split_once('>').map_or(of, |(_, of)| of) } else { of }
            });
            let name = words(of).next().unwrap_or_default();
            let is_type =
                ["struct", "enum", "trait"].iter().any(|kind| text.contains(&format!("\npub {kind} {name}")));
            if !is_type || !is_public(name) {
                continue;
            }
            let body = item(&text[at + 1..], true);
            for (at, _) in body.match_indices("\n    pub ") {
                check(item(&body[at + 1..], false));
            }
            // What is converted, or compared.
            if header.contains(" for ") {
                check(header);
            }
        }
    }
    assert!(checked > 500, "{checked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
