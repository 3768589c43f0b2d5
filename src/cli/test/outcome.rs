//! What became of tests.

use std::time::Duration;

use super::find::Test;

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// With the reason, where the test's output does not say it.
    Failed(Option<String>),
    /// With the reason that the test gave.
    Skipped(String),
}

/// A test that was run.
#[derive(Clone, Debug)]
pub struct Finished {
    pub test: Test,
    pub outcome: Outcome,
    /// What it printed, to standard output and to standard error, in the order in which it came.
    pub output: String,
    pub time: Duration,
}

impl Finished {
    /// The output, and then the reason.
    pub fn told(&self) -> String {
        let mut text = self.output.clone();
        if let Outcome::Failed(Some(reason)) = &self.outcome {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text += reason;
            text.push('\n');
        }
        text
    }

    pub fn has_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_))
    }
}
