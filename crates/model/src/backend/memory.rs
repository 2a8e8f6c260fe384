//! How the C library treats freed memory. A pass allocates the same large activations block after block; by
//! default each is mapped, zeroed page by page by the kernel, and unmapped again, on one thread.

use std::sync::Once;

/// Lets freed memory be used again instead of giving it back: 15% of the processor time of a vision tower in
/// bf16, for 2% more resident memory. Only larger requests than 1 GiB are still mapped, which keeps a KV cache
/// that is not written non-resident. Does nothing where the C library is another.
pub(crate) fn keep_freed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: `mallopt` takes two numbers and locks its own state. A refused option changes nothing.
        #[allow(unsafe_code)]
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        }
    });
}
