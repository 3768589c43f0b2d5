//! The tables of instruction cases and of encodings: their text formats.
//!
//! In: the files `tests/isa/*.txt` and `*.hex`. Out: a [`Case`] for each line of a table. The rule: what the format does not
//! know is an error that names the file and the line, so that no case is skipped by a slip.
//!
//! ```text
//! case NAME                  a block; its cases are called NAME, NAME/FORM, and then the row's cells
//! in 01 02 | in u64 {a} 7    the memory that r1 points at, r2 long: hex bytes, or little-endian numbers
//! out ...                    the memory after the run, in the same way; without this line it has not changed
//! r0 5                       the result
//! form NAME                  one of several programs that the same rows are for
//!     r0 = {a}               assembly (indented), with the row's cells in braces
//! rows a b r0                one case for each row below; `r0`, `in` and `out` may be columns
//!     1 2 3
//! rows a b | += -=           columns after the bar are values of {op}; their cells are r0: a case for each cell
//!     1 2   3 -1
//! ```

use std::path::Path;

use super::asm;
use super::hex;

/// One program with its input and its result.
#[derive(Clone, Debug)]
pub struct Case {
    /// Which block, form and row it is.
    pub name: String,
    /// The instructions.
    pub code: Vec<u8>,
    /// What r1 points at.
    pub memory: Vec<u8>,
    /// All 64 bits of the result.
    pub r0: u64,
    /// What r1 points at afterwards.
    pub memory_after: Vec<u8>,
}

/// A block while it is read.
#[derive(Default)]
struct Block {
    name: String,
    line: usize,
    memory: Option<String>,
    memory_after: Option<String>,
    r0: Option<String>,
    forms: Vec<(String, String)>,
    header: Option<String>,
    rows: Vec<String>,
}

/// The values that a row gives to names.
type Cells<'a> = Vec<(&'a str, &'a str)>;

/// All cases of the `.txt` files in `folder` that name starts with a `case` line, in the order of their names.
pub fn read(folder: &Path) -> Result<Vec<Case>, String> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        cases.extend(parse(&text).map_err(|error| format!("{}:{error}", file.display()))?);
    }
    Ok(cases)
}

/// The lines `name: hex bytes` of a `.hex` file: programs without a result, each with `exit` put behind it.
pub fn encodings(file: &Path) -> Result<Vec<(String, Vec<u8>)>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut programs: Vec<(String, Vec<u8>)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, bytes) = line.split_once(':').ok_or_else(|| format!("no name: `{line}`"))?;
        let mut code = hex::decode(bytes)?;
        if code.is_empty() || code.len() % 8 != 0 {
            return Err(format!("not whole slots: `{line}`"));
        }
        if programs.iter().any(|program| program.0 == name) {
            return Err(format!("`{name}` stands twice"));
        }
        code.extend_from_slice(&[0x95, 0, 0, 0, 0, 0, 0, 0]);
        programs.push((name.to_owned(), code));
    }
    Ok(programs)
}

/// The cases of one file's text.
pub fn parse(text: &str) -> Result<Vec<Case>, String> {
    let mut blocks: Vec<Block> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let at = |error: &str| format!("{}: {error}", index + 1);
        let content = line.split('#').next().unwrap_or("").trim_end();
        if content.trim().is_empty() {
            continue;
        }
        if let Some(name) = content.strip_prefix("case ") {
            blocks.push(Block { name: name.trim().to_owned(), line: index + 1, ..Block::default() });
            continue;
        }
        let block = blocks.last_mut().ok_or_else(|| at("a line before the first `case`"))?;
        block.line(content).map_err(|error| at(&error))?;
    }
    let mut cases = Vec::new();
    for block in blocks {
        block.expand(&mut cases).map_err(|error| format!("{}: case `{}`: {error}", block.line, block.name))?;
    }
    Ok(cases)
}

impl Block {
    fn line(&mut self, content: &str) -> Result<(), String> {
        if content.starts_with([' ', '\t']) {
            if self.header.is_some() {
                self.rows.push(content.to_owned());
                return Ok(());
            }
            if self.forms.is_empty() {
                self.forms.push(Default::default());
            }
            let code = &mut self.forms.last_mut().expect("there is a form").1;
            code.push_str(content);
            code.push('\n');
            return Ok(());
        }
        let (key, value) = content.split_once(' ').unwrap_or((content, ""));
        let value = value.trim().to_owned();
        let field = match key {
            "in" => &mut self.memory,
            "out" => &mut self.memory_after,
            "r0" => &mut self.r0,
            "rows" => &mut self.header,
            "form" => {
                self.forms.push((value, String::new()));
                return Ok(());
            }
            _ => return Err(format!("unknown key `{key}`")),
        };
        match field.replace(value) {
            None => Ok(()),
            Some(_) => Err(format!("`{key}` stands twice")),
        }
    }

    /// The cases of all rows and forms.
    fn expand(&self, cases: &mut Vec<Case>) -> Result<(), String> {
        for (form, code) in &self.forms {
            let name = if form.is_empty() { self.name.clone() } else { format!("{}/{form}", self.name) };
            let Some(header) = &self.header else {
                cases.push(self.case(name, code, &Vec::new())?);
                continue;
            };
            let (columns, operators) = header.split_once('|').unwrap_or((header, ""));
            let columns: Vec<&str> = columns.split_whitespace().collect();
            let operators: Vec<&str> = operators.split_whitespace().collect();
            for row in &self.rows {
                let cells: Vec<&str> = row.split_whitespace().filter(|cell| *cell != "|").collect();
                if cells.len() != columns.len() + operators.len() {
                    return Err(format!("the row `{}` has not as many cells as the head", row.trim()));
                }
                let (given, results) = cells.split_at(columns.len());
                let given: Cells<'_> = columns.iter().copied().zip(given.iter().copied()).collect();
                if operators.is_empty() {
                    let name = format!("{name} {}", cells.join(" "));
                    cases.push(self.case(name, code, &given)?);
                }
                for (operator, result) in operators.iter().zip(results) {
                    let mut given = given.clone();
                    let values: Vec<&str> = given.iter().map(|cell| cell.1).collect();
                    let name = format!("{name} {operator} {}", values.join(" "));
                    given.extend([("op", *operator), ("r0", *result)]);
                    cases.push(self.case(name, code, &given)?);
                }
            }
        }
        if cases.is_empty() { Err("no code".to_owned()) } else { Ok(()) }
    }

    fn case(&self, name: String, code: &str, cells: &Cells<'_>) -> Result<Case, String> {
        let cell = |key: &str| cells.iter().find(|cell| cell.0 == key).map(|cell| cell.1.to_owned());
        let value = |key: &str, line: &Option<String>| match line {
            Some(text) => substitute(text, cells).map(Some),
            None => Ok(cell(key)),
        };
        let located = |error: String| format!("`{name}`: {error}");
        let code = substitute(code, cells).and_then(|code| asm::assemble(&code)).map_err(located)?;
        let r0 = value("r0", &self.r0)?.ok_or("no r0")?;
        let memory = value("in", &self.memory)?.map(|text| bytes(&text)).transpose()?.unwrap_or_default();
        let memory_after = value("out", &self.memory_after)?.map(|text| bytes(&text)).transpose()?;
        let memory_after = memory_after.unwrap_or_else(|| memory.clone());
        if memory.len() != memory_after.len() {
            return Err(located("`in` and `out` differ in length".to_owned()));
        }
        Ok(Case { r0: number(&r0)?, name, code, memory, memory_after })
    }
}

/// Puts cells into braces; a brace that is left is an error.
fn substitute(text: &str, cells: &Cells<'_>) -> Result<String, String> {
    let text = cells.iter().fold(text.to_owned(), |text, (name, cell)| text.replace(&format!("{{{name}}}"), cell));
    if text.contains(['{', '}']) { Err(format!("no column for `{}`", text.trim())) } else { Ok(text) }
}

/// Hex bytes, or `u16`, `u32` or `u64` and numbers.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let (kind, numbers) = text.split_once(' ').unwrap_or((text, ""));
    let size = match kind {
        "u16" => 2,
        "u32" => 4,
        "u64" => 8,
        _ => return hex::decode(text),
    };
    let mut bytes = Vec::new();
    for text in numbers.split_whitespace() {
        bytes.extend_from_slice(&number(text)?.to_le_bytes()[..size]);
    }
    Ok(bytes)
}

/// A decimal or hexadecimal number; negative ones are 64 bits wide.
fn number(text: &str) -> Result<u64, String> {
    let value = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if text.starts_with('-') => text.parse().map(i64::cast_unsigned).ok(),
        None => text.parse().ok(),
    };
    value.ok_or_else(|| format!("not a number: `{text}`"))
}
