//! Names in objects cannot break out of where they are shown: lines, tables, cells, Markdown, a terminal.

use std::fs;
use std::path::Path;

use crate::command::{command, fixture, run};

/// What each name of the fixtures becomes; as long as the part that it replaces.
const NAMES: [(&str, &[u8]); 5] = [
    ("import_aaaaaaaaaaaaaaa", b"=import\n\x1b[31mred\x1b[0m|`"),
    ("variable_aaaaaaaaaaaaa", b"+variable\r\n\x1b]0;own\x07\x7f"),
    ("section_aaaaaaaaaaaaaa", b"section\n| `x` |\x1b[2J\\n"),
    ("function_aaaaaaaaaaaaa", b"=cmd|' /C calc'!A0\n\x1b["),
    ("structure_aaaaaaaaaaaa", b"structure\n\x1b[8m\xe2\x80\xaebidi"),
];

/// An object with such names, in a folder.
fn write(folder: &Path, source: &str, name: &str) {
    let mut bytes = fs::read(fixture("faults").join(source)).unwrap();
    for (from, to) in NAMES {
        let to = &to[..from.len().min(to.len())];
        let starts = bytes.windows(from.len()).enumerate();
        let starts: Vec<usize> = starts.filter(|(_, part)| *part == from.as_bytes()).map(|(at, _)| at).collect();
        for at in starts {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    fs::write(folder.join(name), bytes).unwrap();
}

/// Whether text has what a terminal would obey, or a line that an object's name began.
fn breaks_out(text: &str) -> Option<String> {
    let obeyed = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
    let begun =
        |line: &&str| line.starts_with("\u{1b}") || line.starts_with("| `x` |") || line.starts_with('\u{202e}');
    text.chars()
        .find(|&c| obeyed(c))
        .map(|c| c.escape_unicode().to_string())
        .or_else(|| text.lines().find(begun).map(str::to_owned))
}

#[test]
fn no_name_breaks_out_of_any_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, "names.o", "x.o");
    write(path, "names2.o", "y.o");
    let mut printed = 0;
    for words in [
        "inspect x.o",
        "-c x.o -o out.o",
        "x.o -o out",
        "-c x.o y.o -o out.o",
        "run x.o",
        "run --entry nope x.o",
        "--emit bpf x.o",
        "--emit clif x.o",
        "--emit clif-opt x.o",
        "--emit asm x.o",
        "--emit asm -g x.o --target aarch64",
        "report x.o",
        "report x.o --format csv",
        "report x.o --format json --texts",
        "report x.o --format html",
        "diff x.o y.o",
        "diff x.o y.o --format csv",
        "diff x.o y.o --format md",
        "diff x.o y.o --format html",
        "diff x.o y.o --show asm",
        "diff x.o y.o --show bpf",
        "diff x.o --a -O1 --b -O2 --format md",
        "diff x.o --against out.o",
        "golden golden x.o --bless --text asm --text bpf",
    ] {
        let (_, out, error) = run(&mut command(path, &words.split(' ').collect::<Vec<_>>()));
        for text in [&out, &error] {
            assert_eq!(breaks_out(text), None, "{words}:\n{text}");
        }
        assert!(!out.contains("\n| `x` |"), "{words}:\n{out}");
        printed += usize::from(out.contains("=cmd") || error.contains("=cmd"));
    }
    assert!(printed > 12, "only {printed} commands show the names");
    for file in fs::read_dir(path.join("golden/x.o")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        assert_eq!(breaks_out(&text), None, "{text}");
    }
}

/// A spreadsheet computes what starts with such a character.
#[test]
fn csv_has_no_formulas() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "names.o", "x.o");
    write(folder.path(), "names2.o", "y.o");
    for words in ["report x.o --format csv", "diff x.o y.o --format csv -e function,file,bytes_diff,bytes_pct"] {
        let (_, out, _) = run(&mut command(folder.path(), &words.split(' ').collect::<Vec<_>>()));
        assert!(out.contains("'=cmd|"), "{out}");
        for cell in out.split([',', '\n']).map(|cell| cell.trim_start_matches('"')) {
            let is_number = cell.parse::<f64>().is_ok();
            assert!(is_number || !cell.starts_with(['=', '+', '-', '@']), "{cell} in:\n{out}");
        }
    }
}

#[test]
fn cells_of_markdown_stay_cells() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "names.o", "x.o");
    write(folder.path(), "names2.o", "y.o");
    let (_, out, _) = run(&mut command(folder.path(), &["diff", "x.o", "y.o", "--format", "md"]));
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<&str> = out.lines().filter(|line| line.starts_with("| ") && line.contains(".o`")).collect();
    assert!(!rows.is_empty(), "{out}");
    for row in rows {
        assert_eq!(columns(row), 12, "{row}");
    }
}

/// Natively the symbols have the names that the object gives them.
#[test]
fn symbols_keep_their_names() {
    use object::{Object, ObjectSymbol};

    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "names.o", "x.o");
    let (status, _, error) = run(&mut command(folder.path(), &["-c", "x.o", "-o", "out.o"]));
    assert_eq!(status, 0, "{error}");
    let bytes = fs::read(folder.path().join("out.o")).unwrap();
    let object = object::File::parse(&*bytes).unwrap();
    for (old, new) in [NAMES[0], NAMES[1], NAMES[3]] {
        // The end of a longer name is left.
        let name = &[new, &old.as_bytes()[new.len()..]].concat()[..];
        assert!(object.symbols().any(|symbol| symbol.name_bytes() == Ok(name)), "{}", name.escape_ascii());
    }
}

/// A report is checked as an object is: it may come from anywhere.
#[test]
fn a_report_with_names_that_no_report_has_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::copy(fixture("faults/names.o"), path.join("x.o")).unwrap();
    let (status, json, _) = run(&mut command(path, &["report", "x.o", "--texts", "--format", "json"]));
    assert_eq!(status, 0);
    for (from, to) in
        [("of_struct", "of\\u001b[2J"), ("x.o", "x\\n.o"), ("r0 = ", "r0\\r = "), ("return", "re\\u202eturn")]
    {
        fs::write(path.join("made.json"), json.replace(from, to)).unwrap();
        let (status, out, error) = run(&mut command(path, &["diff", "made.json", "x.o", "--show", "bpf"]));
        assert_eq!((status, out.as_str()), (2, ""), "{from}: {error}");
        assert!(error.contains("not printable"), "{error}");
        assert_eq!(breaks_out(&error), None, "{error}");
    }
}
