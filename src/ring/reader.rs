//! One who reads a ring, from any process, registered nowhere.
//!
//! Not here: the order of loads (`protocol`), what stands where (`layout`), reading
//! on and on (`follow`).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::base::{BootId, CameraId};
use crate::media::{AuMeta, Track, TrackParams};

use super::error::{Damage, ReadError, RingError, Unreadable};
use super::layout::{self, ENTRY_WORDS, RingHeader, RingLayout};
use super::protocol::{self, CopyFault, LoadWord, Ring, START};
use super::shm::{self, ReadMapping, ReadWord};
use super::spec::path_of;
use super::sys;

/// A writer that was killed wakes nobody: so soon a sleeper looks again by himself.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
const SLEEP_WITHOUT_BELL: Duration = Duration::from_millis(100);

/// A ring open for reading. Cheap to clone (one mapping behind it); `Send + Sync`.
#[derive(Clone, Debug)]
pub struct RingReader(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    mapping: ReadMapping,
    /// As checked at `open`: never read again from the shared words.
    header: RingHeader,
    path: PathBuf,
    identity: (u64, u64),
}

impl RingReader {
    /// By camera; works on the ring of a dead process.
    pub fn open(dir: &Path, camera: &CameraId) -> Result<RingReader, RingError> {
        RingReader::open_at(path_of(dir, camera))
    }

    /// Whichever ring has this one's name now.
    pub(super) fn by_name(&self) -> Result<RingReader, RingError> {
        RingReader::open_at(self.0.path.clone())
    }

    fn open_at(path: PathBuf) -> Result<RingReader, RingError> {
        let file = shm::open_existing(&path, false).map_err(|source| RingError::Io {
            path: path.clone(),
            what: "cannot open the ring",
            source,
        })?;
        RingReader::from_file(&path, &file).map_err(|why| RingError::Damaged { path, why })
    }

    pub(super) fn from_file(path: &Path, file: &File) -> Result<RingReader, Unreadable> {
        let of = file.metadata()?;
        let words = shm::read_words(file).map_err(|_| Unreadable::TooShort)?;
        let header = RingHeader::parse(&words, of.len())?;
        let mapping = ReadMapping::of(file, of.len())?;
        Ok(RingReader(Arc::new(Inner {
            mapping,
            header,
            path: path.to_owned(),
            identity: shm::identity(&of),
        })))
    }

    pub(super) fn header(&self) -> &RingHeader {
        &self.0.header
    }

    fn words(&self) -> &[ReadWord] {
        self.0.mapping.words()
    }

    fn ring(&self) -> Ring<'_, ReadWord, ENTRY_WORDS> {
        parts_of(self.words(), &self.0.header.layout)
    }

    pub fn boot_id(&self) -> BootId {
        self.0.header.boot_id
    }

    pub fn camera(&self) -> &CameraId {
        &self.0.header.camera
    }

    /// Process id of the writer who opened it last, alive or dead.
    pub fn writer_pid(&self) -> u32 {
        u32::try_from(self.words()[layout::WRITER_PID].load()).unwrap_or(0)
    }

    /// The newest epoch begun; 0 before the first.
    pub fn epoch(&self) -> u32 {
        u32::try_from(self.words()[layout::EPOCH].load()).unwrap_or(0)
    }

    /// Bytes of the whole file, and so of memory.
    pub fn file_bytes(&self) -> u64 {
        self.0.header.layout.file_bytes()
    }

    /// Bytes of the area that holds AUs.
    pub fn data_bytes(&self) -> u64 {
        self.0.header.layout.data_bytes
    }

    /// Entries of the index.
    pub fn entries(&self) -> u64 {
        self.0.header.layout.entries
    }

    /// Position after the newest AU.
    pub fn head(&self) -> u64 {
        self.ring().head()
    }

    /// Oldest position still whole; equal to `head` when empty.
    pub fn oldest(&self) -> u64 {
        self.ring().oldest()
    }

    /// What is loaded after this is not older than the end.
    pub(super) fn marked_ended(&self) -> bool {
        let ended = self.words()[layout::ENDED].load() != 0;
        ReadWord::fence_acquire();
        ended
    }

    pub(super) fn bell(&self) -> u32 {
        self.ring().bell()
    }

    /// The bell to sleep on until `pos` may be there; `None` if it is.
    pub(super) fn bell_before(&self, pos: u64) -> Option<u32> {
        self.ring().bell_before(pos)
    }

    /// Sleeps until the bell is no longer `bell`, at most `limit`; whether it was woken.
    pub(super) fn sleep(&self, bell: u32, limit: Duration) -> bool {
        // Nobody raises the bell of a ring that has none.
        let has_bell = self.header().version == layout::VERSION;
        let most = if has_bell {
            LONGEST_SLEEP
        } else {
            SLEEP_WITHOUT_BELL
        };
        sys::sleep(&self.ring().control[protocol::BELL], bell, limit.min(most))
    }

    pub(super) fn wake_sleepers(&self) {
        sys::wake_read_only(&self.ring().control[protocol::BELL]);
    }

    /// True once a writer replaced the file, or somebody removed it. What is
    /// held stays readable; what comes next is in the file that has the name
    /// now (for an instant, or after a kill, that can be this one still).
    pub fn ended(&self) -> bool {
        self.marked_ended() || self.lost_its_name()
    }

    pub(super) fn lost_its_name(&self) -> bool {
        // Without a file descriptor of our own, so that a reader per camera
        // does not cost one. The mapping keeps the inode's number from reuse.
        match std::fs::symlink_metadata(&self.0.path) {
            Ok(of) => shm::identity(&of) != self.0.identity,
            Err(e) => e.kind() == std::io::ErrorKind::NotFound,
        }
    }

    /// The newest AU held that is `wanted`, and its position.
    pub fn newest(&self, wanted: impl Fn(&AuMeta) -> bool) -> Option<(u64, AuMeta)> {
        let mut back = (self.oldest()..self.head()).rev();
        back.find_map(|pos| {
            let meta = self.meta_held(pos).ok()?;
            wanted(&meta).then_some((pos, meta))
        })
    }

    /// The newest AU held at which decoding can start.
    pub fn newest_key(&self) -> Option<(u64, AuMeta)> {
        self.newest(|au| au.track == Track::Video && au.flags.key && !au.flags.gap)
    }

    /// Position of the first AU held that arrived at `mono_ns` or later; the head if none did.
    pub fn arrived_since(&self, mono_ns: u64) -> u64 {
        let head = self.head();
        let since = |pos: &u64| {
            self.meta_held(*pos)
                .is_ok_and(|au| au.arrival_mono_ns >= mono_ns)
        };
        (self.oldest()..head).find(since).unwrap_or(head)
    }

    /// The entry at `pos` without its bytes.
    pub fn meta(&self, pos: u64) -> Result<AuMeta, ReadError> {
        self.meta_held(pos).map_err(|e| self.or_ended(pos, e))
    }

    /// As [`RingReader::meta`], without asking whether the ring has ended.
    pub(super) fn meta_held(&self, pos: u64) -> Result<AuMeta, ReadError> {
        self.entry(pos).map(|(meta, _)| meta)
    }

    fn entry(&self, pos: u64) -> Result<(AuMeta, u64), ReadError> {
        let entry = self.ring().entry(pos).map_err(|f| self.error(pos, f))?;
        let meta = layout::meta_of(&entry, &self.0.header.layout)
            .map_err(|fault| Damage::Entry { pos, fault })?;
        Ok((meta, entry[START]))
    }

    /// Every entry from `from` up to the head, in their order: as [`RingReader::meta`] of
    /// each, for those who look at all of them while somebody waits.
    pub fn each_meta(&self, from: u64, mut each: impl FnMut(u64, Result<AuMeta, ReadError>)) {
        let (ring, layout) = (self.ring(), &self.0.header.layout);
        let head = ring.head();
        // Whatever the head says, there are no more than these.
        let from = from.max(head.saturating_sub(ring.entries()));
        for pos in from..head {
            let entry = ring.entry(pos).map_err(|fault| self.error(pos, fault));
            let meta = entry.and_then(|entry| {
                layout::meta_of(&entry, layout).map_err(|fault| Damage::Entry { pos, fault }.into())
            });
            each(pos, meta);
        }
    }

    /// The entry at `pos`; its bytes are appended to `into` (left as it was on error).
    pub fn read(&self, pos: u64, into: &mut Vec<u8>) -> Result<AuMeta, ReadError> {
        self.read_held(pos, into).map_err(|e| self.or_ended(pos, e))
    }

    /// As [`RingReader::read`], without asking whether the ring has ended.
    pub(super) fn read_held(&self, pos: u64, into: &mut Vec<u8>) -> Result<AuMeta, ReadError> {
        let (meta, start) = self.entry(pos)?;
        // At most a quarter of the ring: `meta_of` has checked it.
        let len = usize::try_from(meta.len).unwrap_or(usize::MAX);
        self.ring()
            .bytes(start, len, into)
            .map_err(|f| self.error(pos, f))?;
        Ok(meta)
    }

    /// What is not there yet never comes, once the ring has ended; but what came just
    /// before the end is there now.
    fn or_ended(&self, pos: u64, error: ReadError) -> ReadError {
        match error {
            ReadError::NotYet if self.ended() && self.head() <= pos => ReadError::Ended,
            other => other,
        }
    }

    fn error(&self, pos: u64, fault: CopyFault) -> ReadError {
        match fault {
            CopyFault::NotYet => ReadError::NotYet,
            CopyFault::Overtaken => ReadError::Overtaken {
                oldest: self.oldest(),
            },
            CopyFault::Damaged => Damage::NotAnEntry { pos }.into(),
        }
    }

    /// Parameters of a generation that an entry still held names.
    pub fn params(&self, generation: u32) -> Result<TrackParams, ReadError> {
        let mut words = [0; layout::PARAM_WORDS];
        let held = (0..layout::SLOTS).any(|at| {
            let slot = slot_of_table(self.words(), at);
            protocol::get_slot(slot, u64::from(generation), &mut words)
        });
        if !held {
            return Err(Damage::NoParams { generation }.into());
        }
        layout::params_of(&words).ok_or(Damage::Params { generation }.into())
    }
}

fn word_at(bytes: u64) -> usize {
    usize::try_from(bytes / 8).unwrap_or(usize::MAX)
}

/// The parts of a ring whose words are all there.
pub(super) fn parts_of<'a, W>(words: &'a [W], layout: &RingLayout) -> Ring<'a, W, ENTRY_WORDS> {
    let index = word_at(layout.index_at());
    let entries = word_at(layout.entries * layout::ENTRY_BYTES);
    Ring {
        control: &words[layout::CONTROL..layout::CONTROL + layout::CONTROL_WORDS],
        index: &words[index..index + entries],
        data: &words[word_at(layout.data_at())..],
    }
}

/// A slot of the parameter table; `at` is below [`layout::SLOTS`].
pub(super) fn slot_of_table<W>(words: &[W], at: usize) -> &[W] {
    let slot = word_at(layout::SLOT_BYTES);
    let start = word_at(layout::HEADER_BYTES) + at * slot;
    &words[start..start + slot]
}

/// Whatever a slot holds, if it makes sense.
pub(super) fn newest_in_slot<W: LoadWord>(slot: &[W]) -> Option<(u32, TrackParams)> {
    let generation = u32::try_from(slot[0].load()).ok()?;
    let mut words = [0; layout::PARAM_WORDS];
    let whole = protocol::get_slot(slot, u64::from(generation), &mut words);
    let params = whole.then(|| layout::params_of(&words)).flatten()?;
    Some((generation, params))
}
