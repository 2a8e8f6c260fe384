//! In which order the sums of a pass are added. A property of a piece of work like `precision`: answering takes whatever
//! is fastest for the rows at hand, reinforcement learning wants a token to have the same bits whoever computes it.

use std::cell::Cell;

use super::scope::within;

thread_local! {
    static CURRENT: Cell<Order> = const { Cell::new(Order::Fastest) };
}

/// Order of the sums of products and of attention in the decoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The fastest for each shape: a token computed alone differs from the same one among others in the last bits.
    #[default]
    Fastest,
    /// One for all shapes: a token has the same bits whether it is computed alone or in a batch, from a cache or in a
    /// whole sequence.
    One,
}

impl Order {
    /// Runs `work` with the passes it starts on this thread in this order.
    pub fn scope<R>(self, work: impl FnOnce() -> R) -> R {
        within(&CURRENT, self, work)
    }

    /// That of this thread.
    pub(crate) fn current() -> Order {
        CURRENT.get()
    }
}
