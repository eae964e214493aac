//! Sleeping and waking on a ring's bell, between processes: the futex calls.
//!
//! Not here: mapping (`shm`), which value to sleep on (`protocol`).
#![allow(unsafe_code)]

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;

use super::shm::ReadWord;

const _: () = assert!(
    size_of::<libc::time_t>() == size_of::<usize>(),
    "this futex call takes a timespec of two machine words"
);

/// Wakes all who sleep on the low half of `word`, in whatever process. A system
/// call, always: sleepers register nowhere but in the kernel.
pub fn wake(word: &AtomicU64) {
    wake_at(word.as_ptr());
}

/// As [`wake`], for who can only read the word: waking stores nothing.
pub fn wake_read_only(word: &ReadWord) {
    wake_at(word.as_ptr());
}

fn wake_at(word: *const u64) {
    let (wait, value): (*const libc::timespec, u32) = (std::ptr::null(), 0);
    // SAFETY: the word is borrowed by the caller and so mapped; FUTEX_WAKE only
    // needs its address, and neither reads nor writes it.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word,
            libc::FUTEX_WAKE,
            i32::MAX,
            wait,
            word,
            value,
        )
    };
}

/// Sleeps while the low half of `word` is `value`, for `limit` at most; whether it
/// was woken, or never slept. The word may be mapped read-only.
pub fn sleep(word: &ReadWord, value: u32, limit: Duration) -> bool {
    let wait = TimeSpec::from_duration(limit);
    // The low half has the word's own address: rings are little-endian.
    let word = word.as_ptr().cast::<u32>();
    // SAFETY: the word is borrowed and so mapped, and the kernel only loads it;
    // the time limit outlives the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word,
            libc::FUTEX_WAIT,
            value,
            std::ptr::from_ref::<libc::timespec>(wait.as_ref()),
        )
    };
    answer == 0 || Errno::last() == Errno::EAGAIN
}
