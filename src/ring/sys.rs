//! Sleeping and waking on a ring's bell, between processes: the futex calls.
//!
//! Not here: mapping (`shm`), which value to sleep on (`protocol`).
#![allow(unsafe_code)]

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use nix::errno::Errno;

use super::shm::ReadWord;

const _: () = assert!(
    cfg!(target_pointer_width = "64"),
    "the futex call takes the kernel's 64-bit timespec"
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
    let wait = libc::timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    };
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
            &raw const wait,
        )
    };
    answer == 0 || Errno::last() == Errno::EAGAIN
}
