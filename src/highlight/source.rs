//! Follows a camera's ring from a position on, over its end into the one that
//! replaced it, as one run of access units.
//!
//! Positions, epochs and generations of a later ring are counted on from the
//! ring before it, so the cut sees one ring.
//!
//! Not here: how a ring is followed (`ring`), which access units matter (`cut`).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::index_cache::IndexCache;
use super::journal::Witness;
use crate::base::{BootId, CameraId, lock};
use crate::cut::Index;
use crate::media::{AuMeta, TrackParams};
use crate::ring::{Follower, ReadError, Resume, RingError, RingEvent, RingReader};

/// Where the cameras' footage lies.
pub struct Rings {
    dir: PathBuf,
    /// Those that have their cameras' names now; each opened once.
    named: Mutex<HashMap<CameraId, NamedRing>>,
    /// Those that were replaced at this start: unlinked, and memory for as long
    /// as they stand here.
    old: Mutex<Vec<(CameraId, RingReader)>>,
}

#[derive(Clone)]
struct NamedRing {
    ring: RingReader,
    known: Arc<Mutex<IndexCache>>,
}

impl Rings {
    pub fn new(dir: PathBuf, old: Vec<(CameraId, RingReader)>) -> Rings {
        Rings {
            dir,
            named: Mutex::default(),
            old: Mutex::new(old),
        }
    }

    /// The ring that has the camera's name now; the last that had it, where somebody
    /// took the name away (systemd's `RemoveIPC` does when a user logs out): it is
    /// written on and on.
    pub fn of(&self, camera: &CameraId) -> Result<RingReader, RingError> {
        self.named(camera).map(|named| named.ring)
    }

    /// Of the ring that [`Rings::of`] gives.
    pub fn known(&self, camera: &CameraId) -> Result<Arc<Mutex<IndexCache>>, RingError> {
        self.named(camera).map(|named| named.known)
    }

    fn named(&self, camera: &CameraId) -> Result<NamedRing, RingError> {
        let mut all = lock(&self.named);
        let known = all.get(camera);
        if let Some(named) = known
            && !named.ring.ended()
        {
            return Ok(named.clone());
        }
        match (RingReader::open(&self.dir, camera), known) {
            (Ok(ring), _) => {
                let named = NamedRing {
                    ring: ring.clone(),
                    known: Arc::new(Mutex::new(IndexCache::of(ring))),
                };
                all.insert(camera.clone(), named.clone());
                Ok(named)
            }
            (Err(_), Some(named)) => Ok(named.clone()),
            (Err(e), None) => Err(e),
        }
    }

    /// Reads on in every index that a press may be decided on, so that it finds little new.
    pub fn follow(&self) {
        let all: Vec<NamedRing> = lock(&self.named).values().cloned().collect();
        for named in all {
            // What is wrong with it is told to the press that meets it.
            let _ = lock(&named.known).follow();
        }
    }

    /// Every ring that may hold footage of the camera, oldest first.
    pub fn all_of(&self, camera: &CameraId) -> Vec<RingReader> {
        let old = lock(&self.old);
        let old = old.iter().filter(|(id, _)| id == camera);
        let mut rings: Vec<RingReader> = old.map(|(_, ring)| ring.clone()).collect();
        rings.extend(self.of(camera));
        rings
    }

    /// The ring that the witnesses saw.
    pub fn known_to(&self, camera: &CameraId, witnesses: &[Witness]) -> Option<RingReader> {
        let mut rings = self.all_of(camera).into_iter();
        rings.find(|ring| testified(ring, witnesses))
    }

    /// Gives the memory of the replaced rings back.
    pub fn let_old_go(&self) {
        lock(&self.old).clear();
    }
}

/// The next thing that a ring has to say.
#[derive(Debug, PartialEq)]
pub enum SourceItem {
    /// Its bytes were appended.
    Au { pos: u64, au: AuMeta },
    /// `[from, to)` will never be read.
    Lost { from: u64, to: u64 },
    /// Nothing more for now.
    NotYet,
}

/// A run of access units over one ring or several.
pub struct RingSource {
    follower: Follower,
    /// What is added to the ring's own numbers.
    offset: Offset,
    /// Newest seen; entries of a later ring that are not newer were seen before.
    newest: Newest,
}

#[derive(Clone, Copy, Debug, Default)]
struct Offset {
    /// Wraps: a later ring may begin at a larger position than the earlier one ended.
    pos: u64,
    epoch: u32,
    generation: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    arrival_mono_ns: u64,
    epoch: u32,
    generation: u32,
}

/// Where to begin.
pub struct ReadFrom<'a> {
    /// First position wanted.
    pub pos: u64,
    /// What says that a ring is the one in which `pos` was counted.
    pub witnesses: &'a [Witness],
    /// Newest epoch and generation that the cut knows already.
    pub epoch: u32,
    pub generation: u32,
    /// Arrival of the newest AU that the cut knows already; 0 if none.
    pub after_mono_ns: u64,
}

/// Newest position held at the press and the first one wanted, as witnesses.
pub fn witnesses(index: &impl Index, first_pos: u64) -> Vec<Witness> {
    let newest = index.head().checked_sub(1);
    [Some(first_pos), newest]
        .into_iter()
        .flatten()
        .filter_map(|pos| {
            let au = index.meta(pos).ok()?;
            Some(Witness {
                pos,
                arrival_mono_ns: au.arrival_mono_ns,
            })
        })
        .collect()
}

/// Whether `ring` is the one that the witnesses saw. Where all of them were
/// overwritten since, it is if it has come past them.
fn testified(ring: &RingReader, witnesses: &[Witness]) -> bool {
    let mut seen = None;
    for witness in witnesses {
        match ring.meta(witness.pos) {
            Ok(au) if au.arrival_mono_ns == witness.arrival_mono_ns => seen = Some(true),
            Ok(_) | Err(ReadError::NotYet | ReadError::Ended) => return false,
            Err(ReadError::Overtaken { .. } | ReadError::Damaged(_)) => {}
        }
    }
    seen.unwrap_or_else(|| witnesses.iter().all(|w| ring.oldest() > w.pos))
}

impl RingSource {
    /// A ring that is known to be the one in which `pos` was counted.
    pub fn on(ring: RingReader, pos: u64) -> RingSource {
        RingSource {
            follower: Follower::at(ring, pos, Resume::Oldest),
            offset: Offset::default(),
            newest: Newest::default(),
        }
    }

    /// Among `rings`, oldest first, those of this boot: the one that the
    /// witnesses know from `from.pos` on, else the first from its beginning.
    pub fn find(
        rings: Vec<RingReader>,
        boot_id: BootId,
        from: &ReadFrom<'_>,
    ) -> Option<RingSource> {
        let rings = || rings.iter().filter(|ring| ring.boot_id() == boot_id);
        let known = rings().find(|ring| testified(ring, from.witnesses));
        let mut source = match known {
            Some(known) => RingSource::on(known.clone(), from.pos),
            None => {
                let first = rings().next()?;
                RingSource::on(first.clone(), first.oldest())
            }
        };
        source.newest = Newest {
            arrival_mono_ns: from.after_mono_ns,
            epoch: from.epoch,
            generation: from.generation,
        };
        if known.is_none() {
            source.begin(from.pos);
        }
        Some(source)
    }

    /// Counts on from `pos` at the oldest entry of the ring.
    fn begin(&mut self, pos: u64) {
        let first = self.follower.pos();
        let first_epoch = self.ring().meta(first).map_or(0, |au| au.epoch);
        self.offset = Offset {
            pos: pos.wrapping_sub(first),
            epoch: self.newest.epoch.wrapping_add(1).wrapping_sub(first_epoch),
            generation: self.newest.generation.saturating_add(1),
        };
    }

    /// The position of the next entry, as told to the cut.
    pub fn pos(&self) -> u64 {
        self.own_pos().wrapping_add(self.offset.pos)
    }

    pub fn ring(&self) -> &RingReader {
        self.follower.reader()
    }

    /// In the ring's own numbers.
    pub fn own_pos(&self) -> u64 {
        self.follower.pos()
    }

    /// The next entry; its bytes are appended to `into`.
    pub fn next(&mut self, into: &mut Vec<u8>) -> SourceItem {
        loop {
            let before = into.len();
            let from = self.pos();
            match self.follower.next(into) {
                RingEvent::AccessUnit { meta, .. } if self.seen_before(&meta) => {
                    into.truncate(before);
                }
                RingEvent::AccessUnit { meta, .. } => {
                    let au = self.counted_on(meta);
                    return SourceItem::Au { pos: from, au };
                }
                // One entry that makes no sense, or a ring scribbled all over, is lost, too.
                RingEvent::Overtaken { .. } | RingEvent::Damaged { .. } => {
                    let to = self.pos();
                    return SourceItem::Lost { from, to };
                }
                RingEvent::Reopened { .. } => self.begin(from),
                RingEvent::NotYet => return SourceItem::NotYet,
            }
        }
    }

    /// After [`SourceItem::NotYet`]: sleeps until the ring may hold more, at most `limit`.
    pub fn wait(&self, limit: Duration) {
        self.follower.wait(limit);
    }

    fn seen_before(&self, au: &AuMeta) -> bool {
        self.offset.generation > 0 && au.arrival_mono_ns <= self.newest.arrival_mono_ns
    }

    fn counted_on(&mut self, mut au: AuMeta) -> AuMeta {
        au.epoch = au.epoch.wrapping_add(self.offset.epoch);
        au.generation = au.generation.wrapping_add(self.offset.generation);
        if self.offset.generation == 0 {
            self.newest.arrival_mono_ns = self.newest.arrival_mono_ns.max(au.arrival_mono_ns);
        }
        self.newest.epoch = self.newest.epoch.max(au.epoch);
        self.newest.generation = self.newest.generation.max(au.generation);
        au
    }

    /// Parameters of a generation as told by [`RingSource::next`].
    pub fn params(&self, generation: u32) -> Result<TrackParams, ReadError> {
        self.ring()
            .params(generation.wrapping_sub(self.offset.generation))
    }
}

/// Whether `ring` still holds the beginning of what `job` wants, and how long
/// that will last at least: nanoseconds between its arrival and the oldest
/// AU's. `None`: it is being overwritten, or gone.
pub fn slack_ns(ring: &RingReader, first_pos: u64) -> Option<u64> {
    let first = ring.meta(first_pos).ok()?.arrival_mono_ns;
    let oldest = ring.meta(ring.oldest()).ok()?.arrival_mono_ns;
    Some(first.saturating_sub(oldest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::media::{Alignment, AuFlags, Track};
    use crate::ring::{RingSpec, RingWriter, layout};
    use std::os::unix::fs::FileExt;

    fn au(n: u64) -> AuMeta {
        AuMeta {
            track: Track::Video,
            flags: AuFlags::default(),
            generation: 1,
            epoch: 1,
            pts: 0,
            pts_90k: 0,
            alignment: Alignment::Arrival,
            arrival_mono_ns: n,
            lost_packets: 0,
            dropped_bytes: 0,
            len: 0,
        }
    }

    #[test]
    fn a_head_that_was_scribbled_on_is_not_followed_entry_by_entry() {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let camera = CameraId::new("court1").unwrap();
        let boot = BootId([1; 16]);
        let spec = RingSpec::sized(dir.path(), camera.clone(), boot, 1, 1_000_000);
        let (mut writer, _) = RingWriter::open(&spec).unwrap();
        writer.begin_epoch();
        for n in 1..=5 {
            writer.push(&au(n), b"picture");
        }
        let file = std::fs::File::options()
            .write(true)
            .open(spec.path())
            .unwrap();
        let head = 8 * u64::try_from(layout::CONTROL).unwrap();
        file.write_all_at(&1_000_000_u64.to_le_bytes(), head)
            .unwrap();

        let ring = RingReader::open(dir.path(), &camera).unwrap();
        let mut source = RingSource::on(ring, 0);
        let said = std::iter::from_fn(|| match source.next(&mut Vec::new()) {
            SourceItem::NotYet => None,
            said => Some(said),
        });
        assert!(said.take(1_000).count() < 10);
        assert_eq!(source.pos(), 1_000_000);
    }
}
