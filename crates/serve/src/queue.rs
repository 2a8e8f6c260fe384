//! Who is let in and who is next. [`Gate`] bounds the requests that wait or run, in all and for each key; [`Fair`]
//! gives every key its turn, so that one that asks a hundred times waits for itself alone.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::refusal::{Answered, Refusal};

/// Whose request it is: an index into the keys, 0 where there are none.
pub(crate) type Key = usize;

/// Counts requests in and out.
#[derive(Debug)]
pub(crate) struct Gate {
    most: usize,
    most_per_key: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    all: usize,
    by_key: HashMap<Key, usize>,
    is_closed: bool,
}

/// A request that was let in; leaves when dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    gate: Arc<Gate>,
    key: Key,
}

impl Gate {
    pub(crate) fn new(most: usize, most_per_key: usize) -> Arc<Gate> {
        Arc::new(Gate { most, most_per_key, inside: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request in, or says why not.
    pub(crate) fn enter(self: &Arc<Gate>, key: Key) -> Answered<Ticket> {
        let mut inside = self.lock();
        if inside.is_closed {
            return Err(Refusal::unavailable("the server is stopping"));
        }
        if inside.all >= self.most {
            return Err(Refusal::busy("the queue is full; try again later"));
        }
        let of_key = inside.by_key.entry(key).or_default();
        if *of_key >= self.most_per_key {
            return Err(Refusal::busy(
                "this key has as many requests in progress as it may; wait for one to end",
            ));
        }
        *of_key += 1;
        inside.all += 1;
        Ok(Ticket { gate: self.clone(), key })
    }

    /// Lets nobody in any more.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Requests inside.
    pub(crate) fn inside(&self) -> usize {
        self.lock().all
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut inside = self.gate.lock();
        inside.all -= 1;
        let of_key = inside.by_key.get_mut(&self.key).expect("a ticket was counted");
        *of_key -= 1;
        if *of_key == 0 {
            inside.by_key.remove(&self.key);
        }
    }
}

/// Queues by key that take turns.
#[derive(Debug)]
pub(crate) struct Fair<T> {
    queues: BTreeMap<Key, VecDeque<T>>,
    /// The key that was served last.
    last: Key,
}

impl<T> Default for Fair<T> {
    fn default() -> Self {
        Fair { queues: BTreeMap::new(), last: Key::MAX }
    }
}

impl<T> Fair<T> {
    pub(crate) fn push(&mut self, key: Key, item: T) {
        self.queues.entry(key).or_default().push_back(item);
    }

    /// The oldest item of the key whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let after = self.queues.range(self.last.saturating_add(1)..).next();
        let key = *after.or_else(|| self.queues.iter().next())?.0;
        self.last = key;
        let queue = self.queues.get_mut(&key)?;
        let item = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&key);
        }
        item
    }

    /// Drops what is no longer wanted.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&T) -> bool) {
        self.queues.values_mut().for_each(|queue| queue.retain(&is_wanted));
        self.queues.retain(|_, queue| !queue.is_empty());
    }

    pub(crate) fn len(&self) -> usize {
        self.queues.values().map(VecDeque::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_asks_often_waits_for_itself() {
        let mut fair = Fair::default();
        for item in 0..5 {
            fair.push(1, format!("a{item}"));
        }
        fair.push(3, "b0".to_owned());
        assert_eq!(fair.pop().as_deref(), Some("a0"));
        fair.push(2, "c0".to_owned());
        fair.retain(|item| item != "a2");
        let order: Vec<String> = std::iter::from_fn(|| fair.pop()).collect();
        assert_eq!(order, ["c0", "b0", "a1", "a3", "a4"]);
        assert!(fair.is_empty());
    }

    #[test]
    fn the_gate_counts_all_and_each_key_and_forgets_who_left() {
        let gate = Gate::new(3, 2);
        let first = gate.enter(7).unwrap();
        let _second = gate.enter(7).unwrap();
        assert_eq!(gate.enter(7).unwrap_err().status, 429);
        let _third = gate.enter(8).unwrap();
        let full = gate.enter(9).unwrap_err();
        assert_eq!((full.status.as_u16(), full.retry_after_s), (429, Some(1)));
        drop(first);
        let _fourth = gate.enter(7).unwrap();
        gate.close();
        assert_eq!(gate.enter(1).unwrap_err().status, 503);
        assert_eq!(gate.inside(), 3);
    }
}
