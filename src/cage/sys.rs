//! The allocator that counts, and ends the process where it counts too much.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI32, AtomicIsize, Ordering::Relaxed};

/// The process needed more memory than it may. The lowest of the codes that say so; [`charge_to`].
pub const MEMORY_EXIT: i32 = 128;
/// Whoever is charged has no number, or one above.
const NOBODY: i32 = 127;

/// Bytes allocated since [`end_above`]: less than nothing where what was there before was given back.
static USED: AtomicIsize = AtomicIsize::new(0);
/// 0: nothing is counted.
static MOST: AtomicIsize = AtomicIsize::new(0);
static CHARGED: AtomicI32 = AtomicI32::new(NOBODY);

/// The system's allocator. After [`end_above`] it counts; before, that costs a look.
#[derive(Debug)]
pub struct CountingAllocator;

/// From now on the process ends where it has so many bytes more than now.
pub(super) fn end_above(bytes: u64) {
    USED.store(0, Relaxed);
    MOST.store(isize::try_from(bytes).unwrap_or(isize::MAX), Relaxed);
}

/// Whoever has this number is the one for whom memory is asked from now on: the code with which the process
/// would end is then [`MEMORY_EXIT`] and this; 127: nobody.
pub fn charge_to(number: u16) {
    CHARGED.store(i32::from(number).min(NOBODY), Relaxed);
}

/// Bytes allocated since the process locked itself in; 0 where none are counted.
pub fn used_bytes() -> u64 {
    u64::try_from(USED.load(Relaxed)).unwrap_or(0)
}

#[inline]
fn count(change: isize) {
    let most = MOST.load(Relaxed);
    if most == 0 {
        return;
    }
    let before = USED.fetch_add(change, Relaxed);
    if change > 0 && before.saturating_add(change) > most {
        // SAFETY: ends the process without another step in it: no handler runs, nothing is allocated.
        unsafe { libc::_exit(MEMORY_EXIT + CHARGED.load(Relaxed)) }
    }
}

fn signed(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

// SAFETY: all memory is the system allocator's, which keeps the promises; counting touches none of it.
unsafe impl GlobalAlloc for CountingAllocator {
    // SAFETY: as the caller promises the system allocator.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: as the caller promises the system allocator.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    // SAFETY: as the caller promises the system allocator.
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-signed(layout.size()));
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(at, layout) }
    }

    // SAFETY: as the caller promises the system allocator.
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(signed(size).saturating_sub(signed(layout.size())));
        // SAFETY: the caller's promise, handed on.
        unsafe { System.realloc(at, layout, size) }
    }
}
