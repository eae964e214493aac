//! Listens to stdin: single keys of a terminal, lines of a pipe, quiet otherwise.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};

use super::keys::{Key, Keys};
use crate::base::{CameraId, Clock, PressRequest, Source, Stop, StopLevel, lock};

/// What a key of the keyboard asks for: the same cameras and window each time.
#[derive(Clone, Debug)]
pub struct KeyboardSettings {
    pub cameras: Vec<CameraId>,
    pub pre_ms: u64,
    pub post_ms: u64,
    pub source: Source,
}

impl KeyboardSettings {
    fn press_at(&self, instant_mono_ns: u64) -> PressRequest {
        PressRequest {
            cameras: self.cameras.clone(),
            instant_mono_ns,
            pre_ms: self.pre_ms,
            post_ms: self.post_ms,
            source: self.source,
            button: None,
        }
    }
}

/// What somebody at the keyboard wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyboardRequest {
    Press(PressRequest),
    /// `q`: the same as the signal to stop.
    Stop,
    /// A digit: a button of a simulated board, by its index.
    Button {
        button: usize,
        mono_ns: u64,
    },
}

/// How long a stop may go unnoticed.
const TICK_MS: u8 = 200;

/// The terminal's settings as they were before we changed them.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Puts the terminal back as it was found. Does nothing if it was not changed. For those who
/// leave the process without dropping the [`Keyboard`].
pub fn give_terminal_back() {
    let before = lock(&BEFORE).take();
    if let Some(before) = before
        && in_foreground()
    {
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &before);
    }
}

/// Listens to stdin. Dropping it gives the terminal back as it was.
#[derive(Debug)]
pub struct Keyboard {
    gone: Arc<AtomicBool>,
    /// The one that listens, and the one that acts.
    threads: Vec<JoinHandle<()>>,
}

impl Keyboard {
    /// Listens to stdin until `stop` is raised to `Now`, stdin ends, or this is dropped.
    /// `act` is called on a thread of its own. Quiet where stdin is closed or `/dev/null`.
    pub fn start(
        settings: KeyboardSettings,
        clock: Arc<dyn Clock>,
        stop: Stop,
        mut act: impl FnMut(KeyboardRequest) + Send + 'static,
    ) -> io::Result<Keyboard> {
        let gone = Arc::new(AtomicBool::new(false));
        let (hit, hits) = crossbeam_channel::unbounded();
        // A press waits for the disk; the next key's instant must not wait with it.
        let acting = spawn("presses", move || {
            for (key, mono_ns) in hits {
                act(match key {
                    Key::Press => KeyboardRequest::Press(settings.press_at(mono_ns)),
                    Key::Stop => KeyboardRequest::Stop,
                    Key::Button(button) => KeyboardRequest::Button { button, mono_ns },
                });
            }
        })?;
        let seen = Arc::clone(&gone);
        let listening = spawn("keyboard", move || {
            let over = || seen.load(Ordering::Relaxed) || stop.level() == StopLevel::Now;
            let wait = || stop.wait(StopLevel::Now, Duration::from_millis(u64::from(TICK_MS)));
            listen(io::stdin().as_fd(), &*clock, over, wait, |key, mono_ns| {
                let _ = hit.send((key, mono_ns));
            });
            give_terminal_back();
        })?;
        Ok(Keyboard {
            gone,
            threads: vec![listening, acting],
        })
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        let own = std::thread::current().id();
        for thread in self.threads.drain(..) {
            if thread.thread().id() != own {
                let _ = thread.join();
            }
        }
        give_terminal_back();
    }
}

/// Reads `input` until it ends or is `over`. `wait` passes a tick.
fn listen(
    input: BorrowedFd<'_>,
    clock: &dyn Clock,
    over: impl Fn() -> bool,
    wait: impl Fn() -> bool,
    mut act: impl FnMut(Key, u64),
) {
    let terminal = input.is_terminal();
    let mut keys = if terminal {
        Keys::of_terminal()
    } else {
        Keys::of_pipe()
    };
    while !over() {
        // Reading the terminal from the background would stop the whole process.
        if terminal && !in_foreground() {
            wait();
            continue;
        }
        if terminal {
            take_single_keys(input);
        }
        let mut fds = [PollFd::new(input, PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(TICK_MS)) {
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(_) => return,
        }
        // The press is now; what follows takes its time.
        let now_mono_ns = clock.mono_ns();
        let mut bytes = [0; 256];
        let count = match nix::unistd::read(input, &mut bytes) {
            Err(Errno::EINTR | Errno::EAGAIN) => {
                wait();
                continue;
            }
            // The end of a pipe, of /dev/null, of a terminal that hung up.
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        for key in keys.feed(&bytes[..count], now_mono_ns) {
            act(key, now_mono_ns);
        }
    }
}

fn in_foreground() -> bool {
    nix::unistd::tcgetpgrp(io::stdin()).is_ok_and(|group| group == nix::unistd::getpgrp())
}

/// Keys without ENTER and without an echo; Ctrl-C stays a signal. Again after each
/// Ctrl-Z and `fg`, for the shell resets it.
fn take_single_keys(input: BorrowedFd<'_>) {
    let Ok(now) = termios::tcgetattr(input) else {
        return;
    };
    let line_mode = LocalFlags::ICANON | LocalFlags::ECHO;
    if !now.local_flags.intersects(line_mode) {
        return;
    }
    let mut wanted = now.clone();
    wanted.local_flags.remove(line_mode);
    wanted.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
    wanted.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    let mut before = lock(&BEFORE);
    if termios::tcsetattr(input, SetArg::TCSANOW, &wanted).is_ok() && before.is_none() {
        *before = Some(now);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::base::SimClock;
    use std::fs::File;
    use std::io::Write;

    fn heard(input: impl AsFd) -> Vec<(Key, u64)> {
        let clock = SimClock::at(77, 0);
        let mut heard = Vec::new();
        listen(
            input.as_fd(),
            &clock,
            || false,
            || panic!("waits for nothing"),
            |key, now| heard.push((key, now)),
        );
        heard
    }

    #[test]
    fn a_pipe_presses_with_the_clock_at_the_key_and_its_end_is_quiet() {
        let (read, mut write) = io::pipe().unwrap();
        write.write_all(b"\ns\nq\n").unwrap();
        drop(write);
        assert_eq!(
            heard(read),
            [(Key::Press, 77), (Key::Press, 77), (Key::Stop, 77)]
        );
    }

    #[test]
    fn dev_null_is_quiet_and_over_at_once() {
        assert_eq!(heard(File::open("/dev/null").unwrap()), []);
    }

    #[test]
    fn a_silent_pipe_is_left_when_it_is_over() {
        let (read, _write) = io::pipe().unwrap();
        let ticks = std::cell::Cell::new(0);
        listen(
            read.as_fd(),
            &SimClock::at(0, 0),
            || {
                ticks.set(ticks.get() + 1);
                ticks.get() > 2
            },
            || false,
            |_, _| panic!("nobody pressed"),
        );
        assert_eq!(ticks.get(), 3);
    }
}
