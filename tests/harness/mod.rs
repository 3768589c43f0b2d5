//! What the tests over `fixtures` share: the two data files, and running programs and comparing what they do.
#![allow(dead_code, reason = "each test uses its part of it")]

pub mod cases;
pub mod matrix;
pub mod native;
pub mod run;
pub mod words;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The folder with the fixtures.
pub fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Whether a name is wanted: the variable has all wanted ones with commas, or is not set.
pub fn filter(variable: &str) -> impl Fn(&str) -> bool {
    let list = std::env::var(variable).ok();
    move |name| list.as_ref().is_none_or(|list| list.split(',').any(|wanted| wanted == name))
}

/// Calls `work` for all items, on as many threads as there are processors; gives the results in the items' order.
pub fn parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    results.lock().unwrap().push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
