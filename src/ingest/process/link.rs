//! One process that reads cameras, seen from the service: the child, and the channel to it. Never waits
//! for it.
//!
//! Not here: what its messages do (`supervisor`), whether they make sense (`conversation`).

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::spawn::Child;

use super::conversation::{Conversation, Nonsense};
use super::message::{CameraIndex, FromChild, ReaderBegin, ToChild};
use super::policy::GroupId;
use super::wire::{self, LONGEST_SAID, LONGEST_TOLD, MessageReader, WireError};

/// What may wait to be sent: its cameras, and some names.
const MOST_UNSENT: usize = 2 * LONGEST_TOLD;
/// Read at once.
const AT_ONCE: usize = 16 * 1024;

/// A running process.
pub struct ReaderLink {
    pub group: GroupId,
    /// Places in the settings, by the numbers that the process knows.
    pub cameras: Vec<usize>,
    pub child: Child,
    pub channel: UnixStream,
    reader: MessageReader,
    talk: Conversation,
    unsent: Vec<u8>,
    /// What it said it has allocated.
    pub used_bytes: u64,
    /// It reads cameras.
    pub caged: bool,
    /// How long nothing was heard while we looked.
    pub silent_ns: u64,
}

/// Why a link is at its end.
#[derive(Debug, thiserror::Error)]
pub enum LinkEnd {
    #[error("it closed the channel")]
    Closed,
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Nonsense(#[from] Nonsense),
    #[error("it does not listen")]
    Deaf,
}

impl ReaderLink {
    /// Starts a process and tells it of its cameras.
    pub fn start(
        program: &Path,
        group: GroupId,
        cameras: Vec<usize>,
        begin: ReaderBegin,
    ) -> io::Result<ReaderLink> {
        let (channel, theirs) = UnixStream::pair()?;
        channel.set_nonblocking(true)?;
        let argv = [OsString::from("ingest")];
        let child =
            Child::start_with_channel(program, OsStr::new("hindsight"), &argv, theirs.as_fd())?;
        let mut link = ReaderLink {
            group,
            talk: Conversation::with(cameras.len()),
            cameras,
            child,
            channel,
            reader: MessageReader::new(LONGEST_SAID),
            unsent: Vec::new(),
            used_bytes: 0,
            caged: false,
            silent_ns: 0,
        };
        // What cannot be told now is told when it listens; one that never does is ended for its silence.
        let _ = link.tell(&ToChild::Begin(Box::new(begin)));
        Ok(link)
    }

    pub fn tell(&mut self, message: &ToChild) -> Result<(), LinkEnd> {
        let bytes = wire::encode(message, LONGEST_TOLD)?;
        if self.unsent.len() + bytes.len() > MOST_UNSENT {
            return Err(LinkEnd::Deaf);
        }
        self.unsent.extend(bytes);
        self.send()
    }

    pub fn wants_to_send(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// As much as it takes now.
    pub fn send(&mut self) -> Result<(), LinkEnd> {
        while !self.unsent.is_empty() {
            match (&self.channel).write(&self.unsent) {
                Ok(0) => return Err(LinkEnd::Closed),
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(LinkEnd::Closed),
            }
        }
        // Passwords stood in it.
        self.unsent.shrink_to_fit();
        Ok(())
    }

    /// What it has said, as far as it has come; not all at once, others wait too. An end counts after
    /// what was said before it.
    pub fn hear(&mut self, now_mono_ns: u64) -> (Vec<FromChild>, Option<LinkEnd>) {
        let mut heard = Vec::new();
        let end = self.try_hear(&mut heard, now_mono_ns).err();
        (heard, end)
    }

    fn try_hear(&mut self, heard: &mut Vec<FromChild>, now_mono_ns: u64) -> Result<(), LinkEnd> {
        let mut bytes = [0; AT_ONCE];
        let read = match (&self.channel).read(&mut bytes) {
            Ok(0) => return Err(LinkEnd::Closed),
            Ok(read) => read,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(());
            }
            Err(_) => return Err(LinkEnd::Closed),
        };
        self.silent_ns = 0;
        self.reader.put(bytes.get(..read).unwrap_or_default());
        while let Some((message, bytes)) = self.reader.next::<FromChild>()? {
            heard.extend(self.talk.take(message, bytes, now_mono_ns)?);
        }
        Ok(())
    }

    /// The camera's place in the settings.
    pub fn place(&self, camera: CameraIndex) -> Option<usize> {
        self.cameras.get(usize::from(camera)).copied()
    }

    /// The number that the process has for it.
    pub fn number(&self, place: usize) -> Option<CameraIndex> {
        let at = self.cameras.iter().position(|camera| *camera == place)?;
        CameraIndex::try_from(at).ok()
    }
}
