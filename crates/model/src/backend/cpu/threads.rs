//! A pool that runs numbered tasks on all cores. Workers wait actively for some microseconds before they sleep:
//! a decoding step makes hundreds of small parallel calls, and waking a sleeping thread costs more than one.
//!
//! One call runs at a time; a call from inside a task, or while another thread's runs, is done by its caller
//! alone. Tasks must not depend on who runs them, so results do not depend on the number of threads.
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long an idle worker watches for work before it sleeps.
const WATCH: Duration = Duration::from_micros(100);

/// The low half counts workers inside the open call, this bit says that it is open, the high half numbers calls.
const OPEN: u64 = 1 << 31;
const CALL: u64 = 1 << 32;

#[derive(Clone, Copy)]
struct Job {
    run: *const (dyn Fn(usize) + Sync),
    tasks: usize,
}

struct Pool {
    threads: usize,
    caller: Mutex<()>,
    state: AtomicU64,
    job: std::cell::UnsafeCell<Option<Job>>,
    next: AtomicUsize,
    panicked: AtomicBool,
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
}

// SAFETY: `job` is written only while no call is open (holding `caller`) and read only by workers counted in
// `state`, whom the writer waits for; its pointer is to a `Sync` closure.
unsafe impl Sync for Pool {}
// SAFETY: as above; the pool is made once and never moved again.
unsafe impl Send for Pool {}

/// Threads a call is spread over.
pub(crate) fn count() -> usize {
    pool().threads
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    static STARTED: OnceLock<()> = OnceLock::new();
    let pool = POOL.get_or_init(|| Pool {
        threads: rayon::current_num_threads(),
        caller: Mutex::new(()),
        state: AtomicU64::new(0),
        job: std::cell::UnsafeCell::new(None),
        next: AtomicUsize::new(0),
        panicked: AtomicBool::new(false),
        sleepers: AtomicUsize::new(0),
        sleep: Mutex::new(()),
        wake: Condvar::new(),
    });
    STARTED.get_or_init(|| {
        for i in 1..pool.threads {
            let name = format!("kernels-{i}");
            // A thread that cannot be started only leaves more work to the others.
            let _ = std::thread::Builder::new().name(name).spawn(move || pool.work());
        }
    });
    pool
}

/// Runs `task(0)` to `task(tasks - 1)`, each once, in any order, and returns when all are done.
pub(crate) fn run(tasks: usize, task: impl Fn(usize) + Sync) {
    let pool = pool();
    let owner = if tasks > 1 && pool.threads > 1 { pool.caller.try_lock().ok() } else { None };
    if owner.is_none() {
        return (0..tasks).for_each(task);
    }
    let run: &(dyn Fn(usize) + Sync) = &task;
    // SAFETY: only the lifetime changes; `finish` below waits until no worker uses the pointer any more.
    let run = unsafe {
        std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync)>(run)
    };
    // SAFETY: no call is open and `caller` is held, so nobody else touches `job`.
    unsafe { *pool.job.get() = Some(Job { run, tasks }) };
    pool.next.store(0, Ordering::Relaxed);
    pool.state.fetch_add(CALL | OPEN, Ordering::SeqCst);
    if pool.sleepers.load(Ordering::SeqCst) > 0 {
        let _guard = pool.sleep.lock();
        pool.wake.notify_all();
    }
    let own = catch_unwind(AssertUnwindSafe(|| pool.take_tasks(Job { run, tasks })));
    if own.is_err() {
        pool.next.store(tasks, Ordering::Relaxed);
    }
    pool.finish();
    let panicked = pool.panicked.swap(false, Ordering::Relaxed);
    drop(owner);
    if let Err(panic) = own {
        resume_unwind(panic);
    }
    assert!(!panicked, "a kernel task panicked");
}

/// Cuts `data` into pieces of `len` elements and runs `task(index, piece)` on each.
pub(crate) fn for_pieces<T: Send>(data: &mut [T], len: usize, task: impl Fn(usize, &mut [T]) + Sync) {
    if data.is_empty() {
        return;
    }
    let (all, shared) = (data.len(), Shared::new(data));
    run(all.div_ceil(len), |i| {
        // SAFETY: pieces of different indices do not overlap, and each index is run once.
        task(i, unsafe { shared.piece(i * len, len.min(all - i * len)) });
    });
}

/// A mutable slice whose disjoint parts are handed to different tasks.
pub(crate) struct Shared<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: access goes through `piece`, whose contract forbids overlap.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn new(data: &mut [T]) -> Self {
        Shared { start: data.as_mut_ptr(), len: data.len() }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The first element, for callers that check bounds themselves.
    pub(crate) fn start(&self) -> *mut T {
        self.start
    }

    /// # Safety
    /// The slice given to `new` must still be borrowed, and no two pieces in use may overlap.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn piece(&self, at: usize, len: usize) -> &mut [T] {
        assert!(at <= self.len && len <= self.len - at, "piece {at}+{len} of {}", self.len);
        // SAFETY: in bounds by the assertion, disjoint by the contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), len) }
    }

    /// A pointer to element `at`, from which `len` elements lie inside the slice.
    ///
    /// # Safety
    /// The slice given to `new` must still be borrowed, and no element may be written by two tasks.
    pub(crate) unsafe fn start_of(&self, at: usize, len: usize) -> *mut T {
        assert!(at <= self.len && len <= self.len - at, "piece {at}+{len} of {}", self.len);
        self.start.wrapping_add(at)
    }
}

impl Pool {
    fn take_tasks(&self, job: Job) {
        loop {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            if i >= job.tasks {
                return;
            }
            // SAFETY: the call that owns the closure is still waiting for this thread.
            unsafe { (*job.run)(i) };
        }
    }

    /// Closes the call and waits for the workers that are in it.
    fn finish(&self) {
        self.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0u32;
        while self.state.load(Ordering::Acquire) & (OPEN - 1) != 0 {
            spins += 1;
            if spins.is_multiple_of(4096) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }

    /// A worker's life.
    fn work(&self) {
        let mut done = 0;
        loop {
            let state = self.await_call(done);
            let entered = self.state.compare_exchange(state, state + 1, Ordering::AcqRel, Ordering::Relaxed);
            if entered.is_err() {
                continue;
            }
            done = state / CALL;
            // SAFETY: this worker is counted in the open call, so `job` is its job and stays.
            let job = unsafe { (*self.job.get()).expect("an open call has a job") };
            if catch_unwind(AssertUnwindSafe(|| self.take_tasks(job))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.state.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Waits for an open call other than number `done`; returns the state that shows it.
    fn await_call(&self, done: u64) -> u64 {
        let ready = |state: u64| state & OPEN != 0 && state / CALL != done;
        let started = Instant::now();
        loop {
            for _ in 0..64 {
                let state = self.state.load(Ordering::Acquire);
                if ready(state) {
                    return state;
                }
                std::hint::spin_loop();
            }
            if started.elapsed() > WATCH {
                break;
            }
        }
        let mut guard = self.sleep.lock().expect("nothing panics while holding it");
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let state = loop {
            let state = self.state.load(Ordering::SeqCst);
            if ready(state) {
                break state;
            }
            guard = self.wake.wait(guard).expect("nothing panics while holding it");
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once_from_any_caller() {
        for tasks in [0, 1, 2, 3, 100, 5000] {
            let mut counts = vec![0u32; tasks];
            for_pieces(&mut counts, 1, |i, piece| {
                piece[0] += 1;
                // A call from inside a task is done by its caller.
                let inner = AtomicUsize::new(0);
                run(i % 3, |_| {
                    inner.fetch_add(1, Ordering::Relaxed);
                });
                assert_eq!(inner.into_inner(), i % 3);
            });
            assert!(counts.iter().all(|&count| count == 1), "{tasks}");
        }
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let sum = AtomicUsize::new(0);
                        run(10, |i| {
                            sum.fetch_add(i, Ordering::Relaxed);
                        });
                        assert_eq!(sum.into_inner(), 45);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_survives() {
        for bad in [0, 7, 99] {
            let caught = catch_unwind(|| run(100, |i| assert_ne!(i, bad)));
            assert!(caught.is_err(), "{bad}");
        }
        every_task_runs_once_from_any_caller();
    }
}
