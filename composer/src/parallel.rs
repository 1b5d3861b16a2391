//! Work on several threads, with one answer.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::{Error, Result, interrupt};

/// Does `work` for each item on at most `threads` threads; answers come in the items' order. After the first error, or
/// once the user has asked to stop, no more is started.
pub fn map<T: Sync, R: Send>(items: &[T], threads: usize, work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    let failed: Mutex<Option<Error>> = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    match interrupt::check().and_then(|()| work(item)) {
                        Ok(result) => keep(&done, |done| done.push((index, result))),
                        Err(error) => {
                            next.store(items.len(), Ordering::Relaxed);
                            keep(&failed, |first| {
                                first.get_or_insert(error);
                            });
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().ok().flatten() {
        return Err(error);
    }
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_unstable_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

/// Does two things side by side; of two errors it is the first one's.
pub fn both<A: Send, B: Send>(
    first: impl FnOnce() -> Result<A>,
    second: impl FnOnce() -> Result<B> + Send,
) -> Result<(A, B)> {
    thread::scope(|scope| {
        let second = scope.spawn(second);
        let first = first();
        let second = second.join().unwrap_or_else(|_| Err(Error::internal("a thread failed")));
        Ok((first?, second?))
    })
}

/// As many threads as there are processors for this process.
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn keep<T>(place: &Mutex<T>, change: impl FnOnce(&mut T)) {
    if let Ok(mut place) = place.lock() {
        change(&mut place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_order() {
        let items: Vec<u32> = (0..100).collect();
        assert_eq!(map(&items, 4, |n| Ok(n * 2)).unwrap(), items.iter().map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_error_ends_it() {
        let started = AtomicUsize::new(0);
        let result = map(&(0..1000).collect::<Vec<u32>>(), 2, |n| {
            started.fetch_add(1, Ordering::Relaxed);
            if *n == 3 { Err(Error::network("gone")) } else { Ok(()) }
        });
        assert_eq!(result.unwrap_err().to_string(), "gone");
        assert!(started.load(Ordering::Relaxed) < 1000);
    }
}
