//! Other programs of the system, each with a time limit, and what is mounted.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// `None`: it was killed, at its limit or by somebody.
    pub code: Option<i32>,
    /// What it said, its end at most.
    pub said: String,
}

impl CommandOutput {
    pub fn well(&self) -> bool {
        self.code == Some(0)
    }

    /// In words, for a log line.
    pub fn in_words(&self) -> String {
        let how = match self.code {
            Some(code) => format!("ended with {code}"),
            None => "was stopped, for it took too long".to_owned(),
        };
        match self.said.trim().lines().last() {
            Some(last) => format!("{how}: {last}"),
            None => how,
        }
    }
}

/// The way to the system.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// False: nothing is mounted, for somebody only tries it out in a folder of his own.
    pub mounts: bool,
}

/// Enough for what mount and mke2fs do.
const SOON: Duration = Duration::from_secs(60);
const MOST_SAID: usize = 4096;
const LOOK: Duration = Duration::from_millis(20);

impl System {
    /// Runs a program that must succeed.
    pub fn must(&self, program: &str, arguments: &[&OsStr]) -> io::Result<()> {
        let ended = self.run(program, arguments, SOON)?;
        match ended.well() {
            true => Ok(()),
            false => Err(io::Error::other(format!("{program} {}", ended.in_words()))),
        }
    }

    /// Runs a program to its end, or kills it after `limit`. An error: it is not there.
    pub fn run(
        &self,
        program: &str,
        arguments: &[&OsStr],
        limit: Duration,
    ) -> io::Result<CommandOutput> {
        let mut child = Command::new(program)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("cannot run {program}: {error}"))
            })?;
        let readers = [
            child.stdout.take().map(reader),
            child.stderr.take().map(reader),
        ];
        let until = Instant::now() + limit;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() >= until {
                child.kill()?;
                break child.wait()?;
            }
            std::thread::sleep(LOOK);
        };
        let said = readers.into_iter().flatten();
        let said: String = said
            .map(|reader| reader.join().unwrap_or_default())
            .collect();
        Ok(CommandOutput {
            code: status.code(),
            said,
        })
    }

    /// Whether something is mounted exactly there.
    pub fn is_mounted(&self, point: &Path) -> bool {
        match self.mounts {
            true => crate::disk::mounted::is_mounted_at(point),
            false => point.is_dir(),
        }
    }

    pub fn mount(&self, arguments: &[&OsStr]) -> io::Result<()> {
        match self.mounts {
            true => self.must("mount", arguments),
            false => Ok(()),
        }
    }

    pub fn unmount(&self, point: &Path) -> io::Result<()> {
        match self.mounts {
            true => self.must("umount", &[point.as_os_str()]),
            false => Ok(()),
        }
    }
}

/// Reads to the end on a thread of its own, so that nobody waits for a full pipe.
fn reader(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        // What cannot be read was not said.
        let _ = pipe.read_to_end(&mut all);
        let from = all.len().saturating_sub(MOST_SAID);
        String::from_utf8_lossy(&all[from..]).into_owned()
    })
}

/// Arguments of several kinds as one list.
macro_rules! arguments {
    ($($argument:expr),* $(,)?) => {
        &[$(std::ffi::OsStr::new($argument)),*]
    };
}
pub(super) use arguments;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SYSTEM: System = System { mounts: true };

    #[test]
    fn a_program_is_heard_and_one_that_takes_too_long_is_stopped() {
        let run = |script: &str, limit| SYSTEM.run("sh", arguments!["-c", script], limit).unwrap();
        let ended = run("echo one; echo two >&2; exit 4", SOON);
        assert_eq!(ended.code, Some(4));
        assert_eq!(ended.in_words(), "ended with 4: two");
        let ended = run("exec sleep 600", Duration::from_millis(50));
        assert_eq!((ended.code, ended.well()), (None, false));
        let much = run("yes | head -c 1000000", SOON);
        assert_eq!(much.said.len(), MOST_SAID);
        let error = SYSTEM
            .must("hindsight-knows-no-such-program", &[])
            .unwrap_err();
        assert!(
            error.to_string().starts_with("cannot run hindsight-knows"),
            "{error}"
        );
    }

    #[test]
    fn what_is_mounted_is_told_from_a_folder() {
        assert!(SYSTEM.is_mounted(Path::new("/proc")));
        assert!(!SYSTEM.is_mounted(Path::new("/proc/self")));
    }
}
