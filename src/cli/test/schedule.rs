//! Running tests on several threads, with results in the order of the tests.
//!
//! In: tests and how each is run. Out: each result, as soon as it and those of all tests before it are there. The first error of the
//! machinery (not of a test) ends the run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::find::Test;
use super::outcome::Finished;
use super::process::Runner;

/// Runs tests, as many at a time as there are threads (0: processors), and hands their results on.
pub fn run(
    runner: &Runner,
    tests: &[Test],
    threads: usize,
    mut take: impl FnMut(Finished) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { processors() } else { threads }.min(tests.len());
    let next = &AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..threads {
            let sender = sender.clone();
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(test) = tests.get(number) else { break };
                    if sender.send((number, runner.run(number, test))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut expected = 0;
        let done = results.iter().try_for_each(|(number, result)| {
            early.insert(number, result?);
            while let Some(finished) = early.remove(&expected) {
                take(finished)?;
                expected += 1;
            }
            Ok(())
        });
        // No further test is started after an error.
        next.store(tests.len(), Ordering::Relaxed);
        done
    })
}
