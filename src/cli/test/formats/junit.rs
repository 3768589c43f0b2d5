//! Results as JUnit's XML, as CI services read it: a test suite for each object.

use anyhow::Context;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::cli::test::outcome::{Finished, Outcome};

/// The whole report.
pub fn report(all: &[Finished]) -> anyhow::Result<String> {
    let mut report = Report::new("bpf2native");
    for object in all.chunk_by(|one, next| one.test.object == next.test.object) {
        let name = &object[0].test.object;
        let mut suite = TestSuite::new(name.as_str());
        suite.set_time(object.iter().map(|finished| finished.time).sum());
        suite.add_test_cases(object.iter().map(case));
        report.add_test_suite(suite);
    }
    report.set_time(all.iter().map(|finished| finished.time).sum());
    report.to_string().context("cannot write the results as XML")
}

fn case(finished: &Finished) -> TestCase {
    let status = match &finished.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Skipped(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
        Outcome::Failed(reason) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let told = finished.told();
            let first = told.lines().next().unwrap_or_default();
            status.set_message(reason.as_deref().unwrap_or(first)).set_description(told.as_str());
            status
        }
    };
    let mut case = TestCase::new(finished.test.name.as_str(), status);
    case.set_classname(finished.test.object.as_str()).set_time(finished.time);
    if !finished.output.is_empty() {
        case.set_system_out(finished.output.as_str());
    }
    case
}
