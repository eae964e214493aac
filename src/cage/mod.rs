//! How a process that reads what strangers send locks itself in, once it has all that it needs: what
//! it then does, whoever makes it do it, harms little but itself.
//!
//! * no new privileges, nobody may look into its memory, first to go where memory runs out
//! * few descriptors, no file that grows, bounded memory: an allocator that counts, and ends the process
//!   with a code of its own; above it the kernel's limit
//! * `files`: no file at all, by Landlock; `calls`: only what reading needs, by seccomp: no program, no
//!   process, no other's memory, signals to itself only, sockets of the internet only
//!
//! Landlock and seccomp are had where the kernel and whoever confines us give them; [`CageReport`] says so.
//!
//! Ground: knows no camera. Not here: what such a process does (`ingest`).

mod calls;
mod files;
mod report;
mod sys;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

pub use report::{CageReport, LockState};
pub use sys::{CountingAllocator, MEMORY_EXIT, charge_to, used_bytes};

/// What the kernel may give beyond what the allocator counts: tables, stacks, what was there before.
const UNCOUNTED: u64 = 16 * 1024 * 1024;
/// Of a process that reads cameras: it goes first where memory runs out.
const OOM_SCORE: &str = "500";

/// How much room there is in the cage.
#[derive(Clone, Copy, Debug)]
pub struct CageLimits {
    /// Bytes that it may allocate from now on.
    pub memory_bytes: u64,
    /// Descriptors, with those that are open.
    pub descriptors: u64,
}

/// What a process could not do without.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct CageError {
    what: &'static str,
    source: std::io::Error,
}

/// Locks the process in, for good. It has one thread, and everything open that it will need.
pub fn lock_in(limits: &CageLimits) -> Result<CageReport, CageError> {
    let failed = |what| move |source| CageError { what, source };
    // First: afterwards the file would be root's.
    std::fs::write("/proc/self/oom_score_adj", OOM_SCORE)
        .map_err(failed("cannot be the first to go"))?;
    prctl::set_no_new_privs().map_err(|e| failed("cannot give up privileges")(e.into()))?;
    prctl::set_dumpable(false).map_err(|e| failed("cannot hide its memory")(e.into()))?;
    let memory = limits.memory_bytes.saturating_add(UNCOUNTED);
    for (what, resource, most) in [
        ("core", Resource::RLIMIT_CORE, 0),
        ("files", Resource::RLIMIT_FSIZE, 0),
        ("descriptors", Resource::RLIMIT_NOFILE, limits.descriptors),
        ("memory", Resource::RLIMIT_DATA, memory),
    ] {
        // What somebody has bounded more narrowly stays so. (Narrower on a machine of 32 bits.)
        let (_, hard) = getrlimit(resource).map_err(|e| failed(what)(e.into()))?;
        let most = rlim_t::try_from(most).unwrap_or(rlim_t::MAX).min(hard);
        setrlimit(resource, most, most).map_err(|e| failed(what)(e.into()))?;
    }
    sys::end_above(limits.memory_bytes);
    Ok(lock_thread_in())
}

/// What this machine's kernel gives, tried on a thread that ends with it.
pub fn possible() -> CageReport {
    let tried = std::thread::Builder::new().spawn(|| match prctl::set_no_new_privs() {
        Ok(()) => lock_thread_in(),
        Err(error) => missing_both(&format!("privileges cannot be given up: {error}")),
    });
    tried
        .ok()
        .and_then(|thread| thread.join().ok())
        .unwrap_or_else(|| missing_both("it could not be tried"))
}

fn missing_both(why: &str) -> CageReport {
    CageReport {
        landlock: LockState::Missing(why.to_owned()),
        seccomp: LockState::Missing(why.to_owned()),
    }
}

/// Files first: the call that locks them is none that reading needs.
fn lock_thread_in() -> CageReport {
    CageReport {
        landlock: files::lock(),
        seccomp: calls::lock(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_this_kernel_gives_can_be_asked_without_being_locked_in() {
        let report = possible();
        // Whatever it says of the kernel, this thread still opens files.
        assert!(std::fs::read("/proc/self/stat").is_ok());
        for word in report.words() {
            assert!(!word.is_empty() && word.len() < 200, "{word}");
        }
    }

    #[test]
    fn a_locked_thread_opens_no_file_and_no_socket_but_the_internets() {
        use nix::errno::Errno;
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
        // The kernel's answer, asked on a thread that ends with the lock.
        let (report, file, unix, inet, process) = std::thread::spawn(|| {
            prctl::set_no_new_privs().unwrap();
            let report = lock_thread_in();
            let open = |family| socket(family, SockType::Stream, SockFlag::empty(), None).err();
            let file = nix::fcntl::open(
                "/etc/passwd",
                nix::fcntl::OFlag::O_RDONLY,
                nix::sys::stat::Mode::empty(),
            );
            let signal = nix::sys::signal::kill(nix::unistd::getppid(), None).err();
            (
                report,
                file.err(),
                open(AddressFamily::Unix),
                open(AddressFamily::Inet),
                signal,
            )
        })
        .join()
        .unwrap();
        assert_eq!(inet, None);
        match report.seccomp {
            LockState::Holds => {
                assert_eq!(file, Some(Errno::ENOSYS));
                assert_eq!(unix, Some(Errno::ENOSYS));
                assert_eq!(process, Some(Errno::ENOSYS));
            }
            LockState::Missing(why) => eprintln!("SKIPPED: no seccomp here: {why}"),
        }
        if report.landlock != LockState::Holds {
            eprintln!("SKIPPED: no Landlock here: {}", report.landlock);
        }
    }
}
