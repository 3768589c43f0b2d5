//! The same work on many items.
//!
//! In: items, and what to do with each. Out: the results, in the order of the items. The rule: on a thread of a pool, the pool's threads
//! share the items; on any other, that thread does all of them, and no thread is started.

use rayon::prelude::*;

/// Does the same with each item; each thread makes what it reuses from one item to the next by `init`.
pub(crate) fn map_each<I: Sync, C, T: Send>(
    items: &[I],
    init: impl Fn() -> C + Send + Sync,
    work: impl Fn(&mut C, &I) -> T + Send + Sync,
) -> Vec<T> {
    if items.len() > 1 && rayon::current_thread_index().is_some() {
        return items.par_iter().map_init(init, work).collect();
    }
    let mut reused = init();
    items.iter().map(|item| work(&mut reused, item)).collect()
}

#[cfg(test)]
mod tests {
    use super::map_each;

    #[test]
    fn results_are_in_order_on_a_pool_and_on_one_thread() {
        let items: Vec<u32> = (0..1000).collect();
        let here = std::thread::current().id();
        let both = |(): &mut (), item: &u32| (item * 3, std::thread::current().id());
        let alone = map_each(&items, || (), both);
        assert!(alone.iter().all(|&(_, thread)| thread == here));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let shared = pool.install(|| map_each(&items, || (), both));
        assert!(shared.iter().all(|&(_, thread)| thread != here));
        let results = |all: &[(u32, _)]| all.iter().map(|&(result, _)| result).collect::<Vec<_>>();
        assert_eq!(results(&alone), results(&shared));
    }
}
