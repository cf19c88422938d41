//! The same work on many files at once: hashing and opening keep every core of the desk's machine busy.
//!
//! Promises: what comes out stands in the order of what went in, whichever thread was first; a few files are in memory
//! at a time; who has heard enough stops it, and nothing more is begun.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

/// Threads at most: as many items are in memory.
const MOST: usize = 4;
/// Threads for each core: while one waits for the disk to be sure of an item, another one works.
const FOR_EACH_CORE: usize = 2;

/// Does `work` with each of `items`. `done` is told of each on the caller's own thread, in the order in which they end,
/// and says whether to go on; what was not begun by then is nothing.
pub(super) fn each<I: Sync, T: Send>(
    items: &[I],
    work: impl Fn(&I) -> T + Sync,
    mut done: impl FnMut(&I, &T) -> bool,
) -> Vec<Option<T>> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = (FOR_EACH_CORE * threads).min(MOST).min(items.len());
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut results: Vec<Option<T>> = items.iter().map(|_| None).collect();
    thread::scope(|scope| {
        let (send, receive) = channel();
        for _ in 0..threads {
            let (send, work, next, stopped) = (send.clone(), &work, &next, &stopped);
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(nth) else { break };
                    if send.send((nth, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        for (nth, result) in receive {
            if !stopped.load(Ordering::Relaxed) && !done(&items[nth], &result) {
                stopped.store(true, Ordering::Relaxed);
            }
            results[nth] = Some(result);
        }
    });
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..1000).collect();
        let mut told = 0;
        let results = each(
            &items,
            |item| item * item,
            |_, _| {
                told += 1;
                true
            },
        );
        let expected: Vec<_> = items.iter().map(|item| Some(item * item)).collect();
        assert_eq!((results, told), (expected, 1000));
        assert_eq!(each(&[] as &[u8], |item| *item, |_, _| true), []);
    }

    #[test]
    fn nothing_more_is_begun_once_it_is_stopped() {
        let items: Vec<usize> = (0..100_000).collect();
        let begun = AtomicUsize::new(0);
        let stopped = AtomicBool::new(false);
        let late = AtomicUsize::new(0);
        let work = |_: &usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            late.fetch_add(usize::from(stopped.load(Ordering::SeqCst)), Ordering::SeqCst);
        };
        let results = each(&items, work, |_, ()| {
            stopped.store(true, Ordering::SeqCst);
            false
        });
        assert_eq!(results.iter().flatten().count(), begun.into_inner());
        // Those that each thread had in hand.
        assert!(late.into_inner() <= 2 * MOST);
    }
}
