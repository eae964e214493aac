//! The one call into the kernel that `nix` does not wrap.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::AsRawFd;

/// Asks the kernel to begin writing `[from, from + len)` out (`len` 0: to the
/// end), and does not wait. A hint: what it cannot do, the sync will.
pub fn start_writeback(file: &File, from: u64, len: u64) {
    let (Ok(from), Ok(len)) = (i64::try_from(from), i64::try_from(len)) else {
        return;
    };
    // SAFETY: plain numbers and a descriptor that `file` keeps open; no memory is passed.
    unsafe {
        libc::sync_file_range(file.as_raw_fd(), from, len, libc::SYNC_FILE_RANGE_WRITE);
    }
}
