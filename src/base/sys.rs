//! The few calls into the kernel that ground needs and `nix` does not wrap.
#![allow(unsafe_code)]

use nix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in nanoseconds. It exists on every kernel we run on.
pub fn monotonic_ns() -> u64 {
    read_ns(ClockId::CLOCK_MONOTONIC).try_into().unwrap_or(0)
}

/// `CLOCK_REALTIME` in nanoseconds since 1970.
pub fn realtime_ns() -> i64 {
    read_ns(ClockId::CLOCK_REALTIME)
}

fn read_ns(clock: ClockId) -> i64 {
    match clock_gettime(clock) {
        // Narrower on a machine of 32 bits.
        #[allow(clippy::useless_conversion)]
        Ok(time) => i64::from(time.tv_sec()) * 1_000_000_000 + i64::from(time.tv_nsec()),
        Err(_) => 0,
    }
}

/// Whether the kernel believes that its wall clock is kept by somebody (NTP,
/// PTP, GPS). False where it cannot be asked.
pub fn clock_synchronised() -> bool {
    // SAFETY: `timex` is plain data for which zeroes are valid; with `modes`
    // zero the call only reads, into a struct that outlives it.
    let (state, status) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        let state = libc::adjtimex(&mut timex);
        (state, timex.status)
    };
    state >= 0 && status & libc::STA_UNSYNC == 0
}
