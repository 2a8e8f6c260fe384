//! A tap on intermediate tensors, for parity tests. Costs one thread-local read per tap when nobody listens;
//! names are only formatted for a listener.

use std::cell::RefCell;
use std::fmt::Arguments;

use candle_core::Tensor;

type Listener = Box<dyn FnMut(&str, &Tensor)>;

thread_local! {
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// Shows a tensor to the listener of this thread, if there is one.
pub fn probe(name: Arguments<'_>, tensor: &Tensor) {
    LISTENER.with_borrow_mut(|listener| {
        if let Some(listener) = listener {
            listener(&name.to_string(), tensor);
        }
    });
}

/// Runs `work` with `listener` seeing every probe of this thread. The listener must not run a model itself.
pub fn listen<R>(listener: impl FnMut(&str, &Tensor) + 'static, work: impl FnOnce() -> R) -> R {
    /// Removes the listener also when `work` panics.
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            LISTENER.with_borrow_mut(|slot| *slot = None);
        }
    }
    LISTENER.with_borrow_mut(|slot| *slot = Some(Box::new(listener)));
    let _leave = Leave;
    work()
}
