//! Settings of a piece of work that kernels look up instead of every layer handing them down: one cell per thread.

use std::cell::Cell;
use std::thread::LocalKey;

/// Runs `work` with a cell of this thread set to `value`, and puts the former value back, also when `work` panics.
pub(super) fn within<T: Copy + 'static, R>(
    cell: &'static LocalKey<Cell<T>>,
    value: T,
    work: impl FnOnce() -> R,
) -> R {
    struct Leave<T: Copy + 'static>(&'static LocalKey<Cell<T>>, T);
    impl<T: Copy + 'static> Drop for Leave<T> {
        fn drop(&mut self) {
            self.0.set(self.1);
        }
    }
    let _leave = Leave(cell, cell.replace(value));
    work()
}
