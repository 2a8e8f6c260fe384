//! What the products that a thread starts round their operands to. A property of a piece of work, not of a
//! weight: training keeps f32 weights and multiplies in bf16, answering with the same weights does not.

use std::cell::Cell;

use super::scope::within;

thread_local! {
    static CURRENT: Cell<Precision> = const { Cell::new(Precision::F32) };
}

/// Number type of the operands of products of f32 matrices. Sums are f32 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// Rounded to bf16 where the processor multiplies that (AVX512-BF16), else as they are.
    Bf16,
}

impl Precision {
    /// Runs `work` with the products it starts on this thread in this precision.
    pub fn scope<R>(self, work: impl FnOnce() -> R) -> R {
        within(&CURRENT, self, work)
    }

    /// That of this thread.
    pub(crate) fn current() -> Precision {
        CURRENT.get()
    }
}
