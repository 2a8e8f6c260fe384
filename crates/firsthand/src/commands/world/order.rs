//! Work that many threads do and one takes in order, with a bound on what is done ahead.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};

use anyhow::{Result, anyhow};

/// Pieces done ahead of the one that is taken, per worker.
const AHEAD: usize = 2;

/// Who may do which piece.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: usize,
    taken: usize,
    stopped: bool,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece to do, once it is not too far ahead.
    fn enter(&self, count: usize, ahead: usize) -> Option<usize> {
        let mut state = self.state();
        while !state.stopped && state.next < count && state.next >= state.taken + ahead {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let index = (!state.stopped && state.next < count).then_some(state.next)?;
        state.next += 1;
        Some(index)
    }

    fn taken(&self) {
        self.state().taken += 1;
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }
}

/// Ends the others when its thread panics.
struct Watch<'a>(&'a Gate);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// Runs `make` for 0 to `count` on `workers` threads and `take` on this one, in order, until it fails.
pub(super) fn in_order<T: Send>(
    count: usize,
    workers: usize,
    make: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    let gate = Gate::default();
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (send, gate, make) = (send.clone(), &gate, &make);
            scope.spawn(move || {
                let _watch = Watch(gate);
                while let Some(index) = gate.enter(count, workers * AHEAD) {
                    if send.send((index, make(index))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        let mut early = BTreeMap::new();
        let outcome = (0..count).try_for_each(|index| {
            let piece = loop {
                if let Some(piece) = early.remove(&index) {
                    break piece;
                }
                let (done, piece) = receive.recv().map_err(|_| anyhow!("a worker thread died"))?;
                early.insert(done, piece);
            };
            take(index, piece)?;
            gate.taken();
            Ok(())
        });
        gate.stop();
        outcome
    })
}
