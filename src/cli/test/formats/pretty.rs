//! Results as cargo's test prints them. There are no times in it, so the same results are the same text.

use bpf2native::program::names;

use crate::cli::test::outcome::{Finished, Outcome};

/// The line before the first test.
pub fn head(tests: usize) -> String {
    format!("\nrunning {tests} test{}\n", if tests == 1 { "" } else { "s" })
}

/// The line of a test.
pub fn line(finished: &Finished) -> String {
    let outcome = match &finished.outcome {
        Outcome::Passed => "ok".to_owned(),
        Outcome::Failed(_) => "FAILED".to_owned(),
        Outcome::Skipped(reason) => format!("skipped, {}", names::shown(reason)),
    };
    format!("test {} ... {outcome}\n", names::shown(&finished.test.name))
}

/// What the failed tests printed, their names, and the sums; `filtered_out` tests were not run.
pub fn tail(all: &[Finished], filtered_out: usize) -> String {
    let mut text = String::new();
    let failed: Vec<&Finished> = all.iter().filter(|finished| finished.has_failed()).collect();
    if !failed.is_empty() {
        text += "\nfailures:\n";
        for finished in &failed {
            let (name, object) = (names::shown(&finished.test.name), names::shown(&finished.test.object));
            text += &format!("\n---- {name} ({object}) ----\n{}", names::shown(&finished.told()));
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        text += "\nfailures:\n";
        for finished in &failed {
            text += &format!("    {}\n", names::shown(&finished.test.name));
        }
    }
    let count = |is: fn(&Outcome) -> bool| all.iter().filter(|finished| is(&finished.outcome)).count();
    text += &format!(
        "\ntest result: {}. {} passed; {} failed; {} skipped; {filtered_out} filtered out\n\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        count(|outcome| *outcome == Outcome::Passed),
        failed.len(),
        count(|outcome| matches!(outcome, Outcome::Skipped(_))),
    );
    text
}
