//! The one call into the kernel that `evdev` does not make for us.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

mod calls {
    nix::ioctl_write_ptr!(eviocsclockid, b'E', 0xa0, libc::c_int);
}

/// Has an input device stamp its events with `CLOCK_MONOTONIC`.
pub fn stamp_monotonic(device: BorrowedFd) -> std::io::Result<()> {
    let clock = libc::CLOCK_MONOTONIC;
    // SAFETY: the descriptor is open while it is borrowed, and the call only
    // reads one integer, which outlives it.
    unsafe { calls::eviocsclockid(device.as_raw_fd(), &clock) }?;
    Ok(())
}
