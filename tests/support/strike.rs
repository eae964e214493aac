//! Strikes a child process at its n-th system call on files below one folder:
//! kills it there, or lets the call fail, once or from there on for ever.
//!
//! Calls of all its threads are counted together, in the order in which they
//! happen, so a sweep over n leaves none out. (A tracer that counts for each
//! thread apart would never strike the first write of a thread that starts late.)
//! Works on x86-64 only: there the number of a call lies in a register.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What happens at the n-th call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The whole process dies before the call is done; of a family, its head.
    Kill,
    /// With [`strike_family`]: whichever of them makes the call dies before it is done.
    KillCaller,
    /// The call fails; the ones after it work.
    FailOnce(Errno),
    /// It and every one after it fail.
    FailFrom(Errno),
}

/// Which calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// All that change something: open, write, sync, rename, …
    Changing,
    /// Those that need room on the disk: writes and allocations.
    NeedingSpace,
    /// All of them, reads too.
    Any,
}

/// How a struck child ended.
#[derive(Debug)]
pub struct Struck {
    /// Calls counted until its end.
    pub counted: u64,
    /// The call that was struck, with its path; `None` if there were fewer than n.
    pub at: Option<String>,
    pub exit_code: Option<i32>,
}

/// Starts `command` (which must call [`wait_until_watched`] first) and strikes its `n`-th (from 1) call below `folder`.
pub fn strike(command: &mut Command, folder: &Path, calls: Calls, n: u64, blow: Blow) -> Struck {
    struck(command, folder, calls, n, blow, options())
}

/// The same where the calls of the programs that it starts count too. Returns when all of them are gone.
pub fn strike_family(command: &mut Command, folder: &Path, n: u64, blow: Blow) -> Struck {
    let options = options() | Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_TRACEVFORK;
    struck(command, folder, Calls::Changing, n, blow, options)
}

fn struck(
    command: &mut Command,
    folder: &Path,
    calls: Calls,
    n: u64,
    blow: Blow,
    options: Options,
) -> Struck {
    let ready = tempfile::tempdir().expect("a folder for the child's sign");
    let ready = ready.path().join("ready");
    let mut at_start = 0;
    let mut child = command
        .env(READY, &ready)
        .stdin(Stdio::piped())
        .spawn()
        .expect("starting the child");
    let main = Pid::from_raw(i32::try_from(child.id()).expect("a pid fits"));
    while !ready.exists() {
        assert!(
            child.try_wait().expect("the child").is_none(),
            "the child ended too early"
        );
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    // All its threads stand still now; those that it starts later are followed from their birth.
    for thread in std::fs::read_dir(format!("/proc/{main}/task")).expect("the child's threads") {
        let name = thread.expect("a thread").file_name();
        let thread = Pid::from_raw(name.to_string_lossy().parse().expect("a thread's number"));
        ptrace::seize(thread, options).expect("tracing the child (may this machine use ptrace?)");
        ptrace::interrupt(thread).expect("stopping the child");
        at_start += 1;
    }
    let mut tracer = Tracer {
        folder: folder.to_path_buf(),
        calls,
        n,
        blow,
        main,
        inside: HashMap::new(),
        at_start,
        known: HashSet::new(),
        counted: 0,
        at: None,
    };
    let exit_code = tracer.run(&mut child);
    let _ = child.wait();
    Struck {
        counted: tracer.counted,
        at: tracer.at,
        exit_code,
    }
}

/// Names the file by which the child says that it waits.
const READY: &str = "HINDSIGHT_TEST_READY";

/// The child's side: says that it waits, and waits until it is watched.
pub fn wait_until_watched() {
    let ready = std::env::var_os(READY).expect("started by `strike`");
    std::fs::write(ready, "").expect("saying that it waits");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("waiting");
}

fn options() -> Options {
    Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL
}

struct Tracer {
    folder: PathBuf,
    calls: Calls,
    n: u64,
    blow: Blow,
    main: Pid,
    /// Threads inside a call, and the error it shall return.
    inside: HashMap<Pid, Option<Errno>>,
    known: HashSet<Pid>,
    /// Threads that the child had when it was attached.
    at_start: usize,
    counted: u64,
    at: Option<String>,
}

impl Tracer {
    fn run(&mut self, child: &mut Child) -> Option<i32> {
        let mut exit_code = None;
        let mut go = child.stdin.take();
        loop {
            // Only children of this thread: other tests have theirs.
            let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
            let status = match waitpid(None, Some(flags)) {
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(_) => return exit_code,
            };
            match status {
                WaitStatus::Exited(pid, code) if pid == self.main => exit_code = Some(code),
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {}
                WaitStatus::PtraceSyscall(pid) => {
                    self.on_syscall(pid);
                    let _ = ptrace::syscall(pid, None);
                }
                WaitStatus::Stopped(pid, signal) => {
                    let first = self.known.insert(pid);
                    let pass = (!first && signal != Signal::SIGTRAP && signal != Signal::SIGSTOP)
                        .then_some(signal);
                    let _ = ptrace::syscall(pid, pass);
                }
                WaitStatus::PtraceEvent(pid, ..) => {
                    self.known.insert(pid);
                    let _ = ptrace::syscall(pid, None);
                    // Every thread has stopped once: from here on all are watched.
                    if self.known.len() >= self.at_start
                        && let Some(mut stdin) = go.take()
                    {
                        use std::io::Write;
                        let _ = stdin.write_all(b"\n");
                    }
                }
                _ => {}
            }
        }
    }

    fn on_syscall(&mut self, pid: Pid) {
        if let Some(error) = self.inside.remove(&pid) {
            if let Some(error) = error {
                self.set_result(pid, error);
            }
            return;
        }
        let error = self.on_entry(pid);
        self.inside.insert(pid, error);
    }

    fn on_entry(&mut self, pid: Pid) -> Option<Errno> {
        let regs = ptrace::getregs(pid).ok()?;
        let call = DiskCall::of(regs.orig_rax)?;
        if !call.counts(self.calls) {
            return None;
        }
        let path = call.path(pid, &[regs.rdi, regs.rsi, regs.rdx, regs.r10])?;
        if !path.starts_with(&self.folder) {
            return None;
        }
        if call.name == "openat" && self.calls != Calls::Any {
            // Only an open that may create or change something.
            let flags = i32::try_from(regs.rdx & 0xffff_ffff).unwrap_or(0);
            if flags & (libc::O_CREAT | libc::O_TRUNC | libc::O_WRONLY | libc::O_RDWR) == 0 {
                return None;
            }
        }
        self.counted += 1;
        if self.counted < self.n
            || (self.counted > self.n && !matches!(self.blow, Blow::FailFrom(_)))
        {
            return None;
        }
        if self.counted == self.n {
            self.at = Some(format!("{} {}", call.name, path.display()));
        }
        match self.blow {
            Blow::Kill => {
                let _ = nix::sys::signal::kill(self.main, Signal::SIGKILL);
                None
            }
            Blow::KillCaller => {
                let _ = nix::sys::signal::kill(process_of(pid)?, Signal::SIGKILL);
                None
            }
            Blow::FailOnce(error) | Blow::FailFrom(error) => {
                let mut regs = regs;
                regs.orig_rax = u64::MAX; // no such call: the kernel does nothing
                ptrace::setregs(pid, regs).ok()?;
                Some(error)
            }
        }
    }

    fn set_result(&self, pid: Pid, error: Errno) {
        if let Ok(mut regs) = ptrace::getregs(pid) {
            regs.rax = (-i64::from(error as i32)).cast_unsigned();
            let _ = ptrace::setregs(pid, regs);
        }
    }
}

/// The process that a thread belongs to.
fn process_of(thread: Pid) -> Option<Pid> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok().map(Pid::from_raw)
}

/// Where a call names its file.
#[derive(Clone, Copy)]
enum Names {
    /// A descriptor in this argument.
    Fd(usize),
    /// A path in this argument, relative to the descriptor before it.
    At(usize),
    /// A path in this argument.
    Path(usize),
}

#[derive(Clone, Copy)]
struct DiskCall {
    name: &'static str,
    names: Names,
    needs_space: bool,
    changes: bool,
}

impl DiskCall {
    fn of(number: u64) -> Option<DiskCall> {
        use Names::{At, Fd, Path};
        let table: &[(libc::c_long, &'static str, Names, bool, bool)] = &[
            (libc::SYS_openat, "openat", At(1), true, true),
            (libc::SYS_open, "open", Path(0), true, true),
            (libc::SYS_write, "write", Fd(0), true, true),
            (libc::SYS_writev, "writev", Fd(0), true, true),
            (libc::SYS_pwrite64, "pwrite64", Fd(0), true, true),
            (libc::SYS_pwritev, "pwritev", Fd(0), true, true),
            (libc::SYS_pwritev2, "pwritev2", Fd(0), true, true),
            (
                libc::SYS_copy_file_range,
                "copy_file_range",
                Fd(2),
                true,
                true,
            ),
            (libc::SYS_fallocate, "fallocate", Fd(0), true, true),
            (libc::SYS_ftruncate, "ftruncate", Fd(0), false, true),
            (libc::SYS_fsync, "fsync", Fd(0), true, true),
            (libc::SYS_fdatasync, "fdatasync", Fd(0), true, true),
            (
                libc::SYS_sync_file_range,
                "sync_file_range",
                Fd(0),
                true,
                true,
            ),
            (libc::SYS_rename, "rename", Path(0), true, true),
            (libc::SYS_renameat, "renameat", At(1), true, true),
            (libc::SYS_renameat2, "renameat2", At(1), true, true),
            (libc::SYS_link, "link", Path(1), true, true),
            (libc::SYS_linkat, "linkat", At(1), true, true),
            (libc::SYS_unlink, "unlink", Path(0), false, true),
            (libc::SYS_unlinkat, "unlinkat", At(1), false, true),
            (libc::SYS_rmdir, "rmdir", Path(0), false, true),
            (libc::SYS_mkdir, "mkdir", Path(0), true, true),
            (libc::SYS_mkdirat, "mkdirat", At(1), true, true),
            (libc::SYS_read, "read", Fd(0), false, false),
            (libc::SYS_pread64, "pread64", Fd(0), false, false),
            (libc::SYS_getdents64, "getdents64", Fd(0), false, false),
        ];
        let number = libc::c_long::try_from(number).ok()?;
        let row = table.iter().find(|row| row.0 == number)?;
        Some(DiskCall {
            name: row.1,
            names: row.2,
            needs_space: row.3,
            changes: row.4,
        })
    }

    fn counts(self, calls: Calls) -> bool {
        match calls {
            Calls::Any => true,
            Calls::Changing => self.changes,
            Calls::NeedingSpace => self.needs_space,
        }
    }

    fn path(self, pid: Pid, arguments: &[u64; 4]) -> Option<PathBuf> {
        match self.names {
            Names::Fd(argument) => fd_path(pid, arguments[argument]),
            Names::Path(argument) => text_at(pid, arguments[argument]),
            Names::At(argument) => {
                let path = text_at(pid, arguments[argument])?;
                if path.is_absolute() {
                    return Some(path);
                }
                Some(fd_path(pid, arguments[argument - 1])?.join(path))
            }
        }
    }
}

fn fd_path(pid: Pid, fd: u64) -> Option<PathBuf> {
    let fd = i32::try_from(fd & 0xffff_ffff).ok()?;
    std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).ok()
}

/// The zero-terminated text at `address` of the traced process.
fn text_at(pid: Pid, address: u64) -> Option<PathBuf> {
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut text = Vec::new();
    let mut at = address;
    while text.len() < 4096 {
        // Up to the page's end: the next page may not be there.
        let mut piece = vec![0; usize::try_from(4096 - at % 4096).ok()?];
        let read = memory.read_at(&mut piece, at).ok()?;
        if read == 0 {
            return None;
        }
        if let Some(end) = piece[..read].iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&piece[..end]);
            return Some(PathBuf::from(String::from_utf8(text).ok()?));
        }
        text.extend_from_slice(&piece[..read]);
        at += u64::try_from(read).ok()?;
    }
    None
}
