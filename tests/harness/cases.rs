//! `fixtures/cases.txt`: how each program is run, and what it must do. The file's head has the format.

use std::fs;
use std::path::Path;

use super::fixtures;
use super::words;

/// A program and its cases.
pub struct Program {
    pub name: String,
    /// Sources and archives, as `matrix.txt` names them.
    pub inputs: Vec<String>,
    pub cases: Vec<Case>,
}

/// One run of a program.
#[derive(Default)]
pub struct Case {
    pub name: String,
    pub args: Vec<String>,
    pub stdin: Vec<u8>,
    pub env: Vec<(String, String)>,
    setup: Vec<Setup>,
    pub status: Status,
    /// What it prints, where no native compiler makes this program.
    pub stdout: Option<Vec<u8>>,
}

/// How a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Exit(i32),
    Signal(i32),
    /// By the signal of an illegal instruction or of a trap.
    Trap,
}

impl Default for Status {
    fn default() -> Status {
        Status::Exit(0)
    }
}

/// What is made in the folder where the program runs.
enum Setup {
    File { name: String, contents: Vec<u8> },
    Folder { name: String },
    Link { name: String, target: String },
}

impl Case {
    /// Makes the files that the case wants.
    pub fn prepare(&self, folder: &Path) -> std::io::Result<()> {
        for setup in &self.setup {
            match setup {
                Setup::File { name, contents } => fs::write(folder.join(name), contents)?,
                Setup::Folder { name } => fs::create_dir_all(folder.join(name))?,
                Setup::Link { name, target } => std::os::unix::fs::symlink(target, folder.join(name))?,
            }
        }
        Ok(())
    }
}

/// Reads the file.
pub fn read() -> Result<Vec<Program>, String> {
    let path = fixtures().join("cases.txt");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut programs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let read = words::split(line).and_then(|words| match words.split_first() {
            None => Ok(()),
            Some((key, rest)) => statement(&mut programs, &words::text(key)?, rest),
        });
        read.map_err(|error| format!("{}:{}: {error}", path.display(), number + 1))?;
    }
    match programs.iter().find(|program: &&Program| program.cases.is_empty()) {
        Some(program) => Err(format!("{}: `{}` has no case", path.display(), program.name)),
        None => Ok(programs),
    }
}

fn statement(programs: &mut Vec<Program>, key: &str, rest: &[Vec<u8>]) -> Result<(), String> {
    if key == "program" {
        let mut names = rest.iter().map(|word| words::text(word)).collect::<Result<Vec<_>, _>>()?;
        if names.len() < 2 {
            return Err("`program` wants a name and sources".to_owned());
        }
        let name = names.remove(0);
        if programs.iter().any(|program| program.name == name) {
            return Err(format!("`{name}` is there twice"));
        }
        programs.push(Program { name, inputs: names, cases: Vec::new() });
        return Ok(());
    }
    let cases = &mut programs.last_mut().ok_or("nothing can come before `program`")?.cases;
    if key == "case" {
        let [name] = rest else { return Err("`case` wants one name".to_owned()) };
        cases.push(Case { name: words::text(name)?, ..Case::default() });
        return Ok(());
    }
    let case = cases.last_mut().ok_or_else(|| format!("`{key}` belongs to a `case`"))?;
    detail(case, key, rest)
}

fn detail(case: &mut Case, key: &str, rest: &[Vec<u8>]) -> Result<(), String> {
    match (key, rest) {
        ("args", args) => case.args = args.iter().map(|arg| words::text(arg)).collect::<Result<_, _>>()?,
        ("stdin", contents) => case.stdin = repeated(contents)?,
        ("stdout", contents) => case.stdout = Some(repeated(contents)?),
        ("env", [name, value]) => case.env.push((words::text(name)?, words::text(value)?)),
        ("file", [name, contents @ ..]) => {
            case.setup.push(Setup::File { name: words::text(name)?, contents: repeated(contents)? });
        }
        ("folder", [name]) => case.setup.push(Setup::Folder { name: words::text(name)? }),
        ("link", [name, target]) => {
            case.setup.push(Setup::Link { name: words::text(name)?, target: words::text(target)? });
        }
        ("status", [word]) if word == b"trap" => case.status = Status::Trap,
        ("status", [word]) => case.status = Status::Exit(number(word)?),
        ("signal", [word]) => case.status = Status::Signal(number(word)?),
        _ => return Err(format!("not understood: `{key}` with {} words", rest.len())),
    }
    Ok(())
}

/// Strings one after the other; a number after a `*` repeats the one before.
fn repeated(words: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut last = 0;
    for word in words {
        if let Some(times) = word.strip_prefix(b"*") {
            let piece = bytes.split_off(last);
            bytes.extend(piece.repeat(number(times)?));
        } else {
            last = bytes.len();
            bytes.extend_from_slice(word);
        }
    }
    Ok(bytes)
}

fn number<T: std::str::FromStr<Err = std::num::ParseIntError>>(word: &[u8]) -> Result<T, String> {
    let text = words::text(word)?;
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}
