//! A thread that sleeps in `poll` until the kernel has something, or until it
//! is told to end; and the count of edges that shows a lost one.
//!
//! Not here: what is read (`cdev`, `usb`).

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::error::BoardError;

/// A listening thread; dropping this ends it, and waits for its end.
pub struct Listener {
    end: Arc<EndSignal>,
    thread: Option<JoinHandle<()>>,
}

/// How the thread learns that it shall end.
pub struct EndSignal(EventFd);

/// What woke the thread.
#[derive(Debug, PartialEq, Eq)]
pub enum Woken {
    End,
    /// Indices of the descriptors that have something, or are gone.
    Ready(Vec<ReadyFd>),
    /// The time is up.
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadyFd {
    pub at: usize,
    /// The device behind it went away.
    pub gone: bool,
}

impl Listener {
    pub fn start(
        name: &str,
        listen: impl FnOnce(&EndSignal) + Send + 'static,
    ) -> Result<Listener, BoardError> {
        let cannot = |what, error: &dyn std::fmt::Display| BoardError::NoListener {
            what,
            error: error.to_string(),
        };
        let end = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|why| cannot("eventfd", &why))?;
        let end = Arc::new(EndSignal(end));
        let thread = {
            let end = end.clone();
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || listen(&end))
                .map_err(|why| cannot("thread", &why))?
        };
        Ok(Listener {
            end,
            thread: Some(thread),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // An eventfd whose counter is full is readable already.
        let _ = self.end.0.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl EndSignal {
    /// Sleeps until one of `fds` has something. No timeout: for ever.
    pub fn wait(&self, fds: &[BorrowedFd], timeout_ms: Option<u16>) -> Woken {
        let mut asked: Vec<PollFd> = std::iter::once(self.0.as_fd())
            .chain(fds.iter().copied())
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let timeout = timeout_ms.map_or(PollTimeout::NONE, PollTimeout::from);
        match poll(&mut asked, timeout) {
            Ok(0) => return Woken::Late,
            Ok(_) => {}
            Err(Errno::EINTR) => return Woken::Ready(Vec::new()),
            Err(_) => return Woken::End,
        }
        let of = |fd: &PollFd| fd.revents().unwrap_or(PollFlags::empty());
        if !of(&asked[0]).is_empty() {
            return Woken::End;
        }
        let broken = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
        let ready = asked[1..].iter().enumerate().filter_map(|(at, fd)| {
            let events = of(fd);
            (!events.is_empty()).then(|| ReadyFd {
                at,
                // What is left to read is read first.
                gone: !events.contains(PollFlags::POLLIN) && events.intersects(broken),
            })
        });
        Woken::Ready(ready.collect())
    }
}

/// The kernel counts each line's edges from 1: a step of more than one is a loss.
#[derive(Debug, Default)]
pub struct Sequence {
    last: u32,
}

impl Sequence {
    /// How many edges are missing before this one.
    pub fn lost_before(&mut self, seqno: u32) -> u64 {
        let step = seqno.wrapping_sub(self.last);
        self.last = seqno;
        u64::from(step.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_in_the_kernels_count_is_a_loss_of_so_many() {
        let mut sequence = Sequence::default();
        let lost: Vec<u64> = [1, 2, 5, 6, 600]
            .into_iter()
            .map(|seqno| sequence.lost_before(seqno))
            .collect();
        assert_eq!(lost, [0, 0, 2, 0, 593]);
        let mut wrapping = Sequence { last: u32::MAX };
        assert_eq!(wrapping.lost_before(0), 0);
        assert_eq!(wrapping.lost_before(3), 2);
    }

    #[test]
    fn a_listener_sleeps_until_it_is_dropped() {
        let (send, woken) = std::sync::mpsc::channel();
        let listener = Listener::start("test", move |end| {
            send.send(end.wait(&[], Some(1))).unwrap();
            send.send(end.wait(&[], None)).unwrap();
        })
        .unwrap();
        assert_eq!(woken.recv().unwrap(), Woken::Late);
        assert!(woken.try_recv().is_err());
        drop(listener);
        assert_eq!(woken.recv().unwrap(), Woken::End);
    }
}
