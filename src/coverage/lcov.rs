//! Coverage as an lcov tracefile, which genhtml, editors and coverage services read (`man geninfo`, "TRACEFILE FORMAT").
//!
//! | record | of |
//! |---|---|
//! | `SF` to `end_of_record` | a source file |
//! | `FN:line,name`, `FNDA:count,name`, `FNF`, `FNH` | functions: all, those that were called |
//! | `BRDA:line,block,branch,count`, `BRF`, `BRH` | outcomes of branches; `-` for the count where the branch was never reached |
//! | `DA:line,count`, `LF`, `LH` | lines |

use std::fmt::{self, Write};

use super::model::{BranchCount, Coverage, FileCoverage};

impl Coverage {
    /// The coverage as an lcov tracefile.
    pub fn to_lcov(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            // Writing to a string does not fail.
            let _ = write(&mut text, file);
        }
        text
    }
}

fn write(text: &mut String, file: &FileCoverage) -> fmt::Result {
    writeln!(text, "TN:\nSF:{}", on_one_line(&file.name))?;
    for function in &file.functions {
        writeln!(text, "FN:{},{}", function.line, on_one_line(&function.name))?;
    }
    for function in &file.functions {
        writeln!(text, "FNDA:{},{}", function.count, on_one_line(&function.name))?;
    }
    let called = file.functions.iter().filter(|function| function.count > 0).count();
    writeln!(text, "FNF:{}\nFNH:{called}", file.functions.len())?;
    for BranchCount { line, number, outcomes } in &file.branches {
        let is_reached = outcomes.iter().any(|&count| count > 0);
        for (outcome, count) in outcomes.iter().enumerate() {
            match is_reached {
                true => writeln!(text, "BRDA:{line},{number},{outcome},{count}")?,
                false => writeln!(text, "BRDA:{line},{number},{outcome},-")?,
            }
        }
    }
    let outcomes = || file.branches.iter().flat_map(|branch| &branch.outcomes);
    writeln!(text, "BRF:{}\nBRH:{}", outcomes().count(), outcomes().filter(|&&count| count > 0).count())?;
    for line in &file.lines {
        writeln!(text, "DA:{},{}", line.line, line.count)?;
    }
    let hit = file.lines.iter().filter(|line| line.count > 0).count();
    writeln!(text, "LF:{}\nLH:{hit}\nend_of_record", file.lines.len())
}

/// A name, without what would end its record.
fn on_one_line(name: &str) -> String {
    name.replace(['\n', '\r'], " ")
}
