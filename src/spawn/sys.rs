//! The few calls into the kernel that stand between the birth of a process and its program, and that
//! `nix` and `std` do not wrap.
//!
//! The process is not forked: a fork writes down every page of ours as shared, holds whoever asks for
//! memory meanwhile (cameras, too), and makes each first write to a page afterwards a trap into the
//! kernel, which a press feels. It is born as `vfork` does it: in our memory, while the thread that
//! starts it waits for its exec.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};

use nix::sched::{CloneFlags, clone};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// A tenth of what the cameras may have of a busy processor, …
const NICE: libc::c_int = 10;
/// … and on the disk only when nobody else wants it: class idle (`linux/ioprio.h`).
const IOPRIO_IDLE: libc::c_int = 3 << 13;
const IOPRIO_WHO_PROCESS: libc::c_int = 1;
/// Bytes; what it needs is the search for a program.
const STACK: usize = 1 << 16;
/// The highest of the kernel's signals.
const SIGNALS: libc::c_int = 64;

/// A program, its arguments (itself the first), its whole environment.
pub struct SpawnRequest<'a> {
    /// Looked for in our `PATH`, unless there is a slash in it.
    pub program: &'a CStr,
    pub argv: &'a [CString],
    pub environment: &'a [CString],
    /// What it reads, where it prints, where it complains.
    pub standard: [BorrowedFd<'a>; 3],
    /// What it finds as [`CHANNEL`].
    pub channel: Option<BorrowedFd<'a>>,
    pub manners: ProcessManners,
}

/// How a program is to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessManners {
    /// Low priority, and a file that grows beyond so many bytes is its end.
    Humble { largest_file: u64 },
    /// The signals that end us say nothing to it: we end it ourselves, later.
    Deaf,
}

/// The descriptor at which a program finds its channel to us.
pub const CHANNEL: libc::c_int = 3;

/// Starts a program in a process group of its own, at `/`; it dies with the thread
/// that starts it.
pub fn start(wanted: &SpawnRequest) -> io::Result<Pid> {
    let (argv, environment) = (pointers(wanted.argv), pointers(wanted.environment));
    let parent = Pid::this().as_raw();
    let failed = AtomicI32::new(0);
    let child = || {
        // SAFETY: the arrays end with a null and hold pointers to texts that outlive the child's
        // stay in our memory: until then this thread waits.
        let errno = unsafe { become_it(wanted, parent, &argv, &environment) };
        failed.store(errno, SeqCst);
        127
    };
    let mut stack = vec![0; STACK];
    // A handler of ours must not run in a process that is not ours.
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    // SAFETY: until its exec or its end, the child runs on a stack of its own that stays where it
    // is, for `clone` returns only then; it takes no lock, allocates nothing, and cannot panic.
    let born = unsafe { clone(Box::new(child), &mut stack, flags, Some(libc::SIGCHLD)) };
    mask.thread_set_mask()?;
    let pid = born?;
    match failed.load(SeqCst) {
        0 => Ok(pid),
        errno => {
            let _ = waitpid(pid, None);
            Err(io::Error::from_raw_os_error(errno))
        }
    }
}

fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    let texts = texts.iter().map(|text| text.as_ptr());
    texts.chain([ptr::null()]).collect()
}

/// In the child. Returns only with an error, which is its number.
///
/// # Safety
/// Between `clone` and `exec`; both arrays end with a null.
unsafe fn become_it(
    wanted: &SpawnRequest,
    parent: libc::pid_t,
    argv: &[*const libc::c_char],
    environment: &[*const libc::c_char],
) -> i32 {
    // SAFETY: system calls on plain numbers, on texts that end with a null, and on structs that
    // outlive them. What the caller promises is what `execvpe` wants.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return errno();
        }
        // It may have died before it was asked to tell.
        if libc::getppid() != parent {
            libc::_exit(1);
        }
        if libc::setpgid(0, 0) != 0 || libc::chdir(c"/".as_ptr()) != 0 {
            return errno();
        }
        if let ProcessManners::Humble { largest_file } = wanted.manners {
            humble(largest_file);
        }
        // What is wanted at the highest number comes last: the others may stand there now.
        for (to, from) in (0..).zip(wanted.standard.iter().chain(&wanted.channel)) {
            let from = from.as_raw_fd();
            let given = match from == to {
                // Copied to itself it would still be closed by the exec.
                true => libc::fcntl(to, libc::F_SETFD, 0),
                false => libc::dup2(from, to),
            };
            if given < 0 {
                return errno();
            }
        }
        let highest = 2 + libc::c_int::from(wanted.channel.is_some());
        // What we were left by whoever started us is not its business; an old kernel cannot, and leaves it.
        libc::syscall(libc::SYS_close_range, highest + 1, libc::c_int::MAX, 0);
        forget_our_handlers();
        if wanted.manners == ProcessManners::Deaf {
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::signal(signal, libc::SIG_IGN);
            }
        }
        libc::execvpe(wanted.program.as_ptr(), argv.as_ptr(), environment.as_ptr());
    }
    errno()
}

/// Priorities are wishes: what the kernel refuses (a container may) changes nothing that is made.
///
/// # Safety
/// In the child.
unsafe fn humble(largest_file: u64) {
    // Narrower on a machine of 32 bits.
    let largest_file = libc::rlim_t::try_from(largest_file).unwrap_or(libc::RLIM_INFINITY);
    let limit = libc::rlimit {
        rlim_cur: largest_file,
        rlim_max: largest_file,
    };
    // SAFETY: plain numbers, and a struct that outlives the call.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
    }
}

/// Every signal does what it does to a program that has just begun, and none is held back.
///
/// # Safety
/// In the child, which has handlers of its own, and our memory, in which they would run.
unsafe fn forget_our_handlers() {
    // SAFETY: structs of plain data, for which zeroes are valid, and which outlive the calls.
    unsafe {
        let mut usual: libc::sigaction = std::mem::zeroed();
        usual.sa_sigaction = libc::SIG_DFL;
        for signal in 1..=SIGNALS {
            let mut now: libc::sigaction = std::mem::zeroed();
            let known = libc::sigaction(signal, ptr::null(), &raw mut now) == 0;
            let ignored = now.sa_sigaction == libc::SIG_IGN && signal != libc::SIGPIPE;
            if known && now.sa_sigaction != libc::SIG_DFL && !ignored {
                libc::sigaction(signal, &raw const usual, ptr::null_mut());
            }
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// In a program that was started with a channel: the channel. `None`: it was not, or this was asked before.
pub fn inherited_channel() -> Option<OwnedFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    // SAFETY: a query of a plain number.
    let open = unsafe { libc::fcntl(CHANNEL, libc::F_GETFD) };
    if open < 0 || open & libc::FD_CLOEXEC != 0 || TAKEN.swap(true, SeqCst) {
        return None;
    }
    // SAFETY: it is open, was not opened by this program (which opens nothing that an exec would keep), and
    // is handed out once.
    let channel = unsafe { OwnedFd::from_raw_fd(CHANNEL) };
    let of = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC);
    nix::fcntl::fcntl(&channel, of).ok()?;
    Some(channel)
}

fn errno() -> i32 {
    nix::errno::Errno::last_raw()
}
