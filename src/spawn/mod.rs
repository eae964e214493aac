//! Programs in processes of their own, as `std` has it for processes that it starts itself.
//!
//! Ground: knows neither FFmpeg (`finish`) nor cameras (`ingest`). How a process is born stands in `sys`.
//! Not here: what a program is told and how long it may take.

mod sys;

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};

use sys::SpawnRequest;

pub use sys::{ProcessManners, inherited_channel};

/// A process that was started, and its ends of two pipes.
pub struct Child {
    /// Also of its process group.
    pub pid: Pid,
    /// What it prints.
    pub stdout: Option<File>,
    /// What it complains of.
    pub stderr: Option<File>,
    ended: Option<ExitStatus>,
}

impl Child {
    /// One that prints and complains to us. `NotFound`: there is no such program.
    pub fn start(
        program: &Path,
        argv: &[OsString],
        environment: &[(&str, OsString)],
        largest_file: u64,
    ) -> io::Result<Child> {
        let nothing = File::open("/dev/null")?;
        let (stdout, prints) = pipe2(OFlag::O_CLOEXEC)?;
        let (stderr, complains) = pipe2(OFlag::O_CLOEXEC)?;
        let standard = [nothing.as_fd(), prints.as_fd(), complains.as_fd()];
        let manners = ProcessManners::Humble { largest_file };
        let name = program.as_os_str();
        let pid = born(program, name, argv, environment, standard, None, manners)?;
        Ok(Child {
            pid,
            stdout: Some(stdout.into()),
            stderr: Some(stderr.into()),
            ended: None,
        })
    }

    /// One that speaks to us by a channel only, and is deaf to the signals that end us. Its
    /// environment is empty; `name` is what it is called by.
    pub fn start_with_channel(
        program: &Path,
        name: &OsStr,
        argv: &[OsString],
        channel: BorrowedFd<'_>,
    ) -> io::Result<Child> {
        let nothing = File::options().read(true).write(true).open("/dev/null")?;
        let standard = [nothing.as_fd(); 3];
        let manners = ProcessManners::Deaf;
        let pid = born(program, name, argv, &[], standard, Some(channel), manners)?;
        Ok(Child {
            pid,
            stdout: None,
            stderr: None,
            ended: None,
        })
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.wait_with(WaitPidFlag::WNOHANG)
    }

    /// Sleeps until it has ended.
    pub fn wait(&mut self) -> io::Result<()> {
        while self.wait_with(WaitPidFlag::empty())?.is_none() {}
        Ok(())
    }

    fn wait_with(&mut self, flags: WaitPidFlag) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = match waitpid(self.pid, Some(flags)) {
                Ok(WaitStatus::Exited(_, code)) => Some(ExitStatus::from_raw(code << 8)),
                Ok(WaitStatus::Signaled(_, signal, _)) => Some(ExitStatus::from_raw(signal as i32)),
                Ok(_) | Err(Errno::EINTR) => None,
                Err(errno) => return Err(errno.into()),
            };
        }
        Ok(self.ended)
    }
}

fn born(
    program: &Path,
    name: &OsStr,
    argv: &[OsString],
    environment: &[(&str, OsString)],
    standard: [BorrowedFd<'_>; 3],
    channel: Option<BorrowedFd<'_>>,
    manners: ProcessManners,
) -> io::Result<Pid> {
    let program = CString::new(program.as_os_str().as_bytes())?;
    let mut texts = vec![CString::new(name.as_bytes())?];
    for argument in argv {
        texts.push(CString::new(argument.as_bytes())?);
    }
    let variable = |(name, value): &(&str, OsString)| {
        let text = [name.as_bytes(), b"=", value.as_bytes()].concat();
        CString::new(text)
    };
    let environment: Result<Vec<CString>, _> = environment.iter().map(variable).collect();
    sys::start(&SpawnRequest {
        program: &program,
        argv: &texts,
        environment: &environment?,
        standard,
        channel,
        manners,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{ErrorKind, Read};

    use nix::sys::signal::{SigSet, Signal};

    use super::*;

    fn start(program: &str, argv: &[&str]) -> io::Result<Child> {
        let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
        Child::start(Path::new(program), &argv, &[("A", "b".into())], 1 << 20)
    }

    fn printed(child: &mut Child) -> String {
        let mut text = String::new();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_program_gets_what_is_said_and_nothing_else_and_its_end_is_known() {
        let mut child = start("sh", &["-c", "pwd; env; cat; exit 7"]).unwrap();
        let text = printed(&mut child);
        let mut lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.remove(0), "/");
        lines.retain(|line| !["PWD=/", "SHLVL=0", "_=/usr/bin/env"].contains(line));
        assert_eq!(lines, ["A=b"]);
        child.wait().unwrap();
        assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(7));
        let mut child = start("sh", &["-c", "kill -9 $$"]).unwrap();
        child.wait().unwrap();
        assert_eq!(child.try_wait().unwrap().unwrap().signal(), Some(9));
    }

    #[test]
    fn a_program_speaks_by_its_channel_and_does_not_hear_the_signals_that_end_us() {
        use std::io::Write;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        // Each said by one write: the shell reads byte by byte.
        let argv =
            ["-c", "kill -TERM $$; env >&3; read a <&3; echo got $a >&3"].map(OsString::from);
        let mut child =
            Child::start_with_channel(Path::new("sh"), OsStr::new("sh"), &argv, theirs.as_fd())
                .unwrap();
        drop(theirs);
        (&ours).write_all(b"this\n").unwrap();
        let mut text = String::new();
        (&ours).read_to_string(&mut text).unwrap();
        child.wait().unwrap();
        assert!(text.ends_with("got this\n"), "{text}");
        assert!(!text.contains("PATH="), "{text}");
    }

    #[test]
    fn what_cannot_be_started_is_an_error_and_leaves_no_process() {
        let kinds = [
            ("/no/such/program", ErrorKind::NotFound),
            ("no-such-program", ErrorKind::NotFound),
            ("/etc/passwd", ErrorKind::PermissionDenied),
        ];
        for (program, kind) in kinds {
            let error = start(program, &[]).err().unwrap();
            assert_eq!(error.kind(), kind, "{program}: {error}");
        }
        let error = start("a\0b", &[]).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn no_signal_is_held_back_or_ignored_because_we_do_it() {
        let mut ours = SigSet::empty();
        ours.add(Signal::SIGUSR2);
        ours.thread_block().unwrap();
        // Who starts us in the background may have us ignore some; those stay so. The pipe's is ours.
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
        let inherited = ignored & !(1 << (libc::SIGPIPE - 1));
        let argv = ["-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"];
        let mut child = start("grep", &argv).unwrap();
        let held_back = SigSet::thread_get_mask().unwrap();
        ours.thread_unblock().unwrap();
        for line in printed(&mut child).lines() {
            let (what, signals) = line.split_once(':').unwrap();
            let signals = u64::from_str_radix(signals.trim(), 16).unwrap();
            // Its C library may catch some; the two behind the usual ones belong to ours.
            let usual = signals & !inherited & 0x7fff_ffff;
            assert!(what == "SigCgt" || usual == 0, "{line}");
        }
        child.wait().unwrap();
        assert!(held_back.contains(Signal::SIGUSR2));
        assert!(!held_back.contains(Signal::SIGTERM));
    }

    /// After a fork each first write to a page is a trap into the kernel.
    #[test]
    fn starting_a_program_makes_none_of_our_pages_dearer() {
        const PAGES: usize = 2_000;
        const PAGE: usize = 4096;
        fn faults() -> u64 {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let fields = stat.rsplit_once(')').unwrap().1;
            fields.split_whitespace().nth(7).unwrap().parse().unwrap()
        }
        let mut memory = vec![1_u8; PAGES * PAGE];
        let mut touch = |with: u8| {
            let before = faults();
            for page in memory.chunks_mut(PAGE) {
                page[0] = std::hint::black_box(with);
            }
            faults() - before
        };
        touch(2);
        let mut child = start("true", &[]).unwrap();
        let after = touch(3);
        child.wait().unwrap();
        assert!(after < PAGES as u64 / 10, "{after} of {PAGES} pages");
    }
}
