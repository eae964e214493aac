//! Locks that outlive a panic.
//!
//! Not here: what is locked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a thread that panicked while it held the lock takes nobody with it. Only for
/// values that are right between any two statements that change them.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_outlives_who_panicked_with_it() {
        let mutex = Mutex::new(3);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = lock(&mutex);
            panic!("while it is locked");
        }));
        assert!(panicked.is_err());
        assert_eq!(*lock(&mutex), 3);
    }
}
