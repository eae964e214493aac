//! A ring's index as far as it is known: entries once read, in our own memory.
//!
//! A press is decided on thousands of entries while somebody stands before a light.
//! Taking each out of the shared memory and seeing that it is whole is most of that
//! time, and an entry does not change. So only what came since the last look is read.
//!
//! Not here: what is decided (`cut`), whose ring it is (`source`).

use std::collections::VecDeque;

use std::borrow::Cow;

use crate::cut::{FootageReadError, Index, NoFootage, TrackIndex};
use crate::media::AuMeta;
use crate::ring::{ReadError, RingReader};

/// The index of one ring.
pub struct IndexCache {
    ring: RingReader,
    /// Position of the first of `entries`.
    first: u64,
    entries: VecDeque<AuMeta>,
    /// The same, as plans are made of it.
    held: TrackIndex,
}

impl IndexCache {
    pub fn of(ring: RingReader) -> IndexCache {
        IndexCache {
            ring,
            first: 0,
            entries: VecDeque::new(),
            held: TrackIndex::default(),
        }
    }

    pub fn ring(&self) -> &RingReader {
        &self.ring
    }

    /// Reads what came, and forgets what was overwritten, since the last time. After an
    /// error nothing is known: what stands there makes no sense, and whoever wants to
    /// know more asks the ring.
    pub fn follow(&mut self) -> Result<(), ReadError> {
        let (oldest, head) = (self.ring.oldest(), self.ring.head());
        if !(oldest..=head).contains(&self.next()) {
            self.forget_until(oldest);
        }
        let overwritten = oldest.saturating_sub(self.first);
        let overwritten = usize::try_from(overwritten).unwrap_or(usize::MAX);
        self.entries.drain(..overwritten.min(self.entries.len()));
        self.first = self.first.max(oldest);
        self.held.forget_before(self.first);

        let ring = self.ring.clone();
        let mut damage = None;
        ring.each_meta(self.next(), |pos, entry| match entry {
            Ok(au) if damage.is_none() && pos == self.next() => {
                self.entries.push_back(au);
                self.held.see(pos, &au);
            }
            // The writer overtook us: what is older is gone as well.
            Ok(_) | Err(ReadError::Overtaken { .. }) => self.forget_until(pos + 1),
            Err(ReadError::NotYet | ReadError::Ended) => {}
            Err(why) => damage = Some(why),
        });
        match damage {
            None => Ok(()),
            Some(why) => {
                self.forget_until(0);
                Err(why)
            }
        }
    }

    fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    fn forget_until(&mut self, pos: u64) {
        self.entries.clear();
        self.held = TrackIndex::default();
        self.first = pos;
    }
}

impl Index for IndexCache {
    fn oldest(&self) -> u64 {
        self.first
    }

    fn head(&self) -> u64 {
        self.next()
    }

    fn meta(&self, pos: u64) -> Result<AuMeta, FootageReadError> {
        let oldest = self.first;
        let at = pos
            .checked_sub(oldest)
            .ok_or(FootageReadError::Overtaken { oldest })?;
        let entry = usize::try_from(at).ok().and_then(|at| self.entries.get(at));
        entry.copied().ok_or(FootageReadError::NotYet)
    }

    fn each(&self, from: u64, mut each: impl FnMut(u64, Result<AuMeta, FootageReadError>)) {
        let from = from.max(self.first);
        let at = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let held = self.entries.range(at.min(self.entries.len())..);
        (from..).zip(held).for_each(|(pos, au)| each(pos, Ok(*au)));
    }

    fn by_track(&self) -> Result<Cow<'_, TrackIndex>, NoFootage> {
        Ok(Cow::Borrowed(&self.held))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::base::{BootId, CameraId};
    use crate::cut::{Window, plan};
    use crate::media::{Alignment, AuFlags, Track};
    use crate::ring::{RingSpec, RingWriter, layout};

    struct Rig {
        _dir: tempfile::TempDir,
        spec: RingSpec,
        writer: RingWriter,
        written: u64,
    }

    impl Rig {
        fn new() -> Rig {
            let dir = tempfile::tempdir_in("/dev/shm").unwrap();
            let camera = CameraId::new("court1").unwrap();
            let spec = RingSpec::sized(dir.path(), camera, BootId([1; 16]), 2, 300_000);
            let (mut writer, _) = RingWriter::open(&spec).unwrap();
            writer.begin_epoch();
            Rig {
                _dir: dir,
                spec,
                writer,
                written: 0,
            }
        }

        fn write(&mut self, times: u64) {
            for _ in 0..times {
                self.written += 1;
                let n = self.written;
                let au = AuMeta {
                    track: if n.is_multiple_of(3) {
                        Track::Audio
                    } else {
                        Track::Video
                    },
                    flags: AuFlags {
                        key: n % 25 == 1,
                        ..AuFlags::default()
                    },
                    generation: 1,
                    epoch: 1,
                    pts: n.cast_signed() * 3_600,
                    pts_90k: n.cast_signed() * 3_600,
                    alignment: Alignment::Arrival,
                    arrival_mono_ns: n * 40_000_000,
                    lost_packets: 0,
                    dropped_bytes: 0,
                    len: 0,
                };
                self.writer.push(&au, &[7; 400]);
            }
        }

        fn known(&self) -> IndexCache {
            let camera = CameraId::new("court1").unwrap();
            let dir = self.spec.path();
            IndexCache::of(RingReader::open(dir.parent().unwrap(), &camera).unwrap())
        }
    }

    fn all(index: &impl Index) -> Vec<(u64, AuMeta)> {
        let mut all = Vec::new();
        index.each(0, |pos, au| all.push((pos, au.unwrap())));
        all
    }

    #[test]
    fn what_is_known_is_what_the_ring_holds_however_seldom_it_is_looked_at() {
        let mut rig = Rig::new();
        let mut known = rig.known();
        let entries = known.ring().entries();
        let mut planned = 0;
        for times in [0, 1, 0, 10, 100, entries / 2, 1, entries, 3, 5 * entries, 7] {
            rig.write(times);
            known.follow().unwrap();
            let ring = known.ring();
            assert_eq!(all(&known), all(ring), "{times} more");
            assert_eq!((known.oldest(), known.head()), (ring.oldest(), ring.head()));
            for pos in [known.oldest(), known.head().saturating_sub(1), known.head()] {
                assert_eq!(known.meta(pos).ok(), ring.meta(pos).ok());
            }
            for back in [0, 1, 30, entries, 3 * entries] {
                let window = Window {
                    press_mono_ns: rig.written.saturating_sub(back) * 40_000_000,
                    latency_ms: 0,
                    pre_ms: 4_000,
                    post_ms: 1_000,
                };
                assert_eq!(plan(&known, &window), plan(ring, &window));
                planned += usize::from(plan(&known, &window).is_ok());
            }
        }
        assert!(known.oldest() > 0, "nothing was overwritten");
        assert!(planned > 20, "{planned} plans");
        let gone = FootageReadError::Overtaken {
            oldest: known.oldest(),
        };
        assert_eq!(known.meta(known.oldest() - 1), Err(gone));
    }

    #[test]
    fn of_a_ring_that_was_scribbled_on_nothing_is_known_until_it_makes_sense_again() {
        let head_at = 8 * u64::try_from(layout::CONTROL).unwrap();
        let newest_at = layout::RingLayout::new(4096, 16).index_at() + 11 * layout::ENTRY_BYTES;
        // (where, what makes no sense, what stood there, is it an error)
        let scribbles = [
            (head_at, 1_000_000_u64, 12_u64, false),
            (newest_at, 5, 11, true),
        ];
        for (at, wrong, right, error) in scribbles {
            let mut rig = Rig::new();
            rig.write(10);
            let mut known = rig.known();
            known.follow().unwrap();
            rig.write(2);
            let file = std::fs::File::options()
                .write(true)
                .open(rig.spec.path())
                .unwrap();
            file.write_all_at(&wrong.to_le_bytes(), at).unwrap();
            assert_eq!(known.follow().is_err(), error);
            assert_eq!(all(&known), []);
            file.write_all_at(&right.to_le_bytes(), at).unwrap();
            known.follow().unwrap();
            assert_eq!(all(&known), all(known.ring()));
            assert_eq!(all(&known).len(), 12);
        }
    }
}
