//! Following a ring on and on: the one place where attaching, being overtaken, damage, the
//! end of a ring and the ring that takes its place are decided.
//!
//! ```ignore
//! let mut follower = Follower::open(dir, camera, Resume::NewestKey)?;
//! while !stopped() {
//!     bytes.clear();
//!     match follower.next(&mut bytes) {
//!         RingEvent::AccessUnit { pos, meta } => show(&meta, &bytes),
//!         // Frames are missing: the next that can be decoded is a key frame.
//!         RingEvent::Overtaken { lost } | RingEvent::Damaged { lost, .. } => wait_for_key(lost),
//!         // Positions, epochs and generations of another ring begin anew.
//!         RingEvent::Reopened { epoch } => begin_anew(epoch),
//!         RingEvent::NotYet => drop(follower.wait(Duration::from_millis(250))),
//!     }
//! }
//! ```
//!
//! * Live ([`Resume::NewestKey`]): begins at the newest key frame, and does so again after a
//!   loss, for the oldest AU held would be gone before it is used.
//! * Everything ([`Resume::Oldest`]): goes on with the oldest AU that is left.
//! * From a position, also in a ring that was replaced: [`Follower::at`]. From an instant:
//!   the same, with [`RingReader::arrived_since`].
//! * Who follows one ring sleeps by [`Follower::wait`], and is woken by the writer. Who follows
//!   many, and needs no AU at once, calls `next` until it says `NotYet`, ring after ring, and
//!   sleeps by time.
//!
//! A ring is read to its end, then the one that has its name is opened. Where no ring has the
//! name (somebody removed the file), the one that had it is read on: its writer writes on, and
//! the next one gives the name to a new ring.
//!
//! Not here: which words prove that a copy is whole (`protocol`).

use std::path::Path;
use std::time::{Duration, Instant};

use crate::base::CameraId;
use crate::media::AuMeta;

use super::error::{Damage, ReadError, RingError};
use super::reader::RingReader;

/// So often a follower looks whether its ring still has its name: a ring whose file was
/// removed is not marked as ended.
const LOOK_AT_NAME: Duration = Duration::from_secs(1);

/// Where following begins, and where it goes on after a loss and in another ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// With the oldest AU held.
    Oldest,
    /// With the newest key frame of video; where none is held, with the next AU that comes.
    NewestKey,
}

/// What a ring has to say next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingEvent {
    AccessUnit {
        pos: u64,
        meta: AuMeta,
    },
    /// The writer was faster: `lost` positions before [`Follower::pos`] will never be read.
    Overtaken {
        lost: u64,
    },
    /// What stands there makes no sense: `lost` positions were skipped.
    Damaged {
        why: Damage,
        lost: u64,
    },
    /// The ring had ended and was read to its end. From here on all is of another one, whose
    /// newest epoch is `epoch`, 0 before its first. Its positions and generations are its own.
    Reopened {
        epoch: u32,
    },
    /// Nothing more for now.
    NotYet,
}

/// Follows a camera's ring, and the ones that take its place.
#[derive(Debug)]
pub struct Follower {
    reader: RingReader,
    /// The next to be read.
    pos: u64,
    resume: Resume,
    /// The bell before the look that found nothing.
    bell: Option<u32>,
    looked_at_name: Instant,
}

impl Follower {
    /// Begins where `resume` says, in the ring that has the camera's name.
    ///
    /// # Errors
    /// There is none, or it cannot be read. Later that is waited for.
    pub fn open(dir: &Path, camera: &CameraId, resume: Resume) -> Result<Follower, RingError> {
        let reader = RingReader::open(dir, camera)?;
        let pos = place(&reader, resume);
        Ok(Follower::at(reader, pos, resume))
    }

    /// Begins at a position of a ring, which may have ended already.
    pub fn at(reader: RingReader, pos: u64, resume: Resume) -> Follower {
        Follower {
            reader,
            pos,
            resume,
            bell: None,
            looked_at_name: Instant::now(),
        }
    }

    /// The ring that is followed now: for parameters, and for what else it holds.
    pub fn reader(&self) -> &RingReader {
        &self.reader
    }

    /// The position that is read next.
    pub fn pos(&self) -> u64 {
        self.pos
    }

    /// The next event. Bytes of an AU are appended to `into`, which else stays as it was.
    pub fn next(&mut self, into: &mut Vec<u8>) -> RingEvent {
        self.step(|reader, pos| reader.read_held(pos, into))
    }

    /// As [`Follower::next`], without the bytes.
    pub fn next_meta(&mut self) -> RingEvent {
        self.step(RingReader::meta_held)
    }

    fn step(
        &mut self,
        mut read: impl FnMut(&RingReader, u64) -> Result<AuMeta, ReadError>,
    ) -> RingEvent {
        self.bell = None;
        loop {
            match read(&self.reader, self.pos) {
                Ok(meta) => {
                    let pos = self.pos;
                    self.pos += 1;
                    return RingEvent::AccessUnit { pos, meta };
                }
                Err(ReadError::Overtaken { .. }) => {
                    let lost = self.skip();
                    return RingEvent::Overtaken { lost };
                }
                Err(ReadError::Damaged(why)) => {
                    let lost = self.skip();
                    return RingEvent::Damaged { why, lost };
                }
                Err(ReadError::NotYet | ReadError::Ended) => {
                    if let Some(event) = self.at_the_head() {
                        return event;
                    }
                }
            }
        }
    }

    /// `None`: an AU has come meanwhile.
    fn at_the_head(&mut self) -> Option<RingEvent> {
        let bell = self.reader.bell_before(self.pos)?;
        if let Some(next) = self.successor() {
            // What came before the end was there before the end was seen.
            self.reader.bell_before(self.pos)?;
            self.pos = place(&next, self.resume);
            self.reader = next;
            let epoch = self.reader.epoch();
            return Some(RingEvent::Reopened { epoch });
        }
        self.bell = Some(bell);
        Some(RingEvent::NotYet)
    }

    /// The ring that has taken the place of this one.
    fn successor(&mut self) -> Option<RingReader> {
        let mut ended = self.reader.marked_ended();
        if !ended && self.looked_at_name.elapsed() >= LOOK_AT_NAME {
            self.looked_at_name = Instant::now();
            ended = self.reader.lost_its_name();
        }
        let next = ended.then(|| self.reader.by_name().ok()).flatten()?;
        (!next.ended()).then_some(next)
    }

    #[cfg(test)]
    pub(super) fn looked_at_name_long_ago(&mut self) {
        self.looked_at_name -= 2 * LOOK_AT_NAME;
    }

    /// To where it goes on, at least by one position; tells how many were left out.
    fn skip(&mut self) -> u64 {
        let from = self.pos;
        self.pos = place(&self.reader, self.resume).max(from.saturating_add(1));
        self.pos - from
    }

    /// After [`RingEvent::NotYet`]: sleeps until there may be more, at most `limit` and at
    /// most a second. Says whether it was woken, by the writer or because there was more
    /// already; after any other event it does not sleep at all.
    pub fn wait(&self, limit: Duration) -> bool {
        self.bell.is_none_or(|bell| self.reader.sleep(bell, limit))
    }
}

fn place(reader: &RingReader, resume: Resume) -> u64 {
    let key = match resume {
        Resume::Oldest => return reader.oldest(),
        Resume::NewestKey => reader.newest_key(),
    };
    key.map_or_else(|| reader.head(), |(pos, _)| pos)
}
