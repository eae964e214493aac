//! The few calls into the kernel that stand between fork and exec of FFmpeg, and that `nix` and `std`
//! do not wrap.
#![allow(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::process::Command;

/// A tenth of what the cameras may have of a busy processor, …
const NICE: libc::c_int = 10;
/// … and on the disk only when nobody else wants it: class idle (`linux/ioprio.h`).
const IOPRIO_IDLE: libc::c_int = 3 << 13;
const IOPRIO_WHO_PROCESS: libc::c_int = 1;

/// The child works at low priority, writes no file larger than this, and dies with the thread that starts it.
pub fn humble(command: &mut Command, largest_file: u64) {
    let parent = std::process::id();
    // SAFETY: between fork and exec the closure only makes system calls on plain numbers and
    // reads its captured numbers: it takes no lock and allocates nothing.
    unsafe {
        command.pre_exec(move || before_exec(parent, largest_file));
    }
}

fn before_exec(parent: u32, largest_file: u64) -> std::io::Result<()> {
    // Narrower on a machine of 32 bits.
    let largest_file = libc::rlim_t::try_from(largest_file).unwrap_or(libc::RLIM_INFINITY);
    let limit = libc::rlimit {
        rlim_cur: largest_file,
        rlim_max: largest_file,
    };
    // SAFETY: plain numbers, and a struct that outlives the call. Priorities are wishes: what the
    // kernel refuses (a container may) changes nothing that is made.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return Err(std::io::Error::last_os_error());
        }
        // It may have died before it was asked to tell.
        if u32::try_from(libc::getppid()) != Ok(parent) {
            libc::_exit(1);
        }
    }
    Ok(())
}
