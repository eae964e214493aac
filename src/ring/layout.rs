//! What stands where in a ring file. The format is public: other programs may
//! read it. This is version 2; all numbers are little-endian.
//!
//! ```text
//! offset        bytes               what
//! 0             4096                header
//! 4096          32 × 2048           parameter table
//! 69632         entries × 64        index, padded to a page
//! …             data_bytes          bytes of the AUs
//! ```
//!
//! **Header**, as 64-bit words. Words 0 to 17 never change once the file has its name.
//!
//! ```text
//! 0   magic "HINDSRNG"                 1   version (low half), header bytes (high half)
//! 2   bytes of the file                3   offset of the parameter table
//! 4   its slots (low), bytes of one (high)
//! 5   offset of the index              6   entries
//! 7   offset of the data               8   data bytes, a multiple of 4096
//! 9   boot id, two words               11  camera id, 32 bytes padded with 0
//! 15  CLOCK_MONOTONIC ns at creation   16  0
//! 17  CRC-32 of words 0 to 16
//! 32  1 once the file has ended: it is no longer the camera's ring (this word
//!     and 0 and 1 stay where they are in every version)
//! 33  process id of the writer         34  newest epoch
//! 40  head                             41  floor_entry        42  floor_byte
//! 43  bell (low half; the high half is 0)
//! ```
//!
//! The **bell** is raised by one, wrapping, after each AU, each epoch and the end.
//! Who has read all sleeps by `FUTEX_WAIT` (not private) on these 32 bits, which works
//! on a read-only mapping: load the bell, fence, look for news, sleep while the bell is
//! that value; for at most a second, for a writer that was killed raises none.
//! Version 1 is the same without it: word 43 stays 0, and nobody is woken.
//!
//! **Entry** `pos` stands in slot `pos mod entries`; eight words:
//!
//! ```text
//! 0  pos                                1  start: byte counter of the AU, a multiple of 8
//! 2  len (low), dropped_bytes (high)    3  pts, in ticks of its track
//! 4  pts on the common timeline, 90 kHz 5  arrival, CLOCK_MONOTONIC ns
//! 6  generation (low), epoch (high)
//! 7  lost packets (low half), then 8 bits track (0 video, 1 audio), 8 bits alignment
//!    (0 arrival, 1 RTP-Info, 2 sender report), 16 bits flags: 1 key, 2 open GOP, 4 RASL,
//!    8 tainted, 16 gap
//! ```
//!
//! The bytes of an AU stand at `start mod data_bytes` and go on at the data's
//! beginning where they reach its end. No AU is larger than a quarter of the data.
//!
//! **Parameters** of a generation stand in whichever slot has it as its first word:
//!
//! ```text
//! 0  generation, 0 while it is written
//! 1  timescale (low), 16 bits channels, 8 bits codec (0 H.264, 1 H.265, 2 AAC,
//!    3 G.711 A-law, 4 G.711 µ-law, 5 L16: an AU is a packet's samples, without configuration)
//! 2  four times 16 bits: width, height, pixel aspect (two)
//! 3  bytes of the configuration         4… the configuration (`avcC`, `hvcC`, AudioSpecificConfig)
//! ```
//!
//! **How to read** without ever believing torn bytes stands in `protocol`:
//! load `head`, fence, copy, fence, load the floors, and believe the copy only
//! if `pos ≥ floor_entry` and `start ≥ floor_byte`. Check every number before use.
//!
//! Not here: mapping (`shm`), the order of accesses (`protocol`).

use crate::base::{BootId, CameraId};
use crate::media::{Alignment, AuFlags, AuMeta, Codec, Track, TrackParams};

use super::protocol::{LEN, START};

pub const MAGIC: u64 = u64::from_le_bytes(*b"HINDSRNG");
pub const VERSION: u64 = 2;
/// Still read, so that no press is lost over an update of a running service.
const VERSION_WITHOUT_BELL: u64 = 1;

pub const PAGE: u64 = 4096;
pub const HEADER_BYTES: u64 = PAGE;
pub const SLOTS: usize = 32;
const SLOTS_BYTES: u64 = 32 * SLOT_BYTES;
pub const SLOT_BYTES: u64 = 2048;
pub const ENTRY_WORDS: usize = 8;
pub const ENTRY_BYTES: u64 = 64;

/// Longest configuration a slot holds, in bytes.
pub const MAX_CONFIG: usize = 2048 - 4 * 8;

/// Words of the header that never change, and the one with their checksum.
pub const FIXED_WORDS: usize = 17;
const CRC: usize = 17;
/// Words of the header that do.
pub const ENDED: usize = 32;
pub const WRITER_PID: usize = 33;
pub const EPOCH: usize = 34;
/// Where `protocol`'s control block starts.
pub const CONTROL: usize = 40;
/// Words of it.
pub const CONTROL_WORDS: usize = 4;

/// A ring of more than this is a scribbled number, not a ring.
const MOST_BYTES: u64 = 1 << 46;
/// Counters start at 0; no writer lives to see one of these.
pub const MOST_COUNTED: u64 = 1 << 62;
/// Nor generations and epochs as many as this.
pub const MOST_NUMBERED: u32 = 1 << 31;

const _: () = assert!(cfg!(target_endian = "little"), "rings are little-endian");
const _: () = assert!(ENTRY_BYTES == 64 && ENTRY_WORDS == 8);

/// Sizes of a ring, rounded; every offset follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingLayout {
    pub entries: u64,
    pub data_bytes: u64,
}

impl RingLayout {
    /// At least 2 entries and a page; bytes rounded up to pages.
    pub fn new(data_bytes: u64, entries: u64) -> RingLayout {
        RingLayout {
            entries: entries.clamp(2, MOST_BYTES / ENTRY_BYTES),
            data_bytes: data_bytes.clamp(PAGE, MOST_BYTES).next_multiple_of(PAGE),
        }
    }

    pub fn params_at(&self) -> u64 {
        HEADER_BYTES
    }

    pub fn index_at(&self) -> u64 {
        HEADER_BYTES + SLOTS_BYTES
    }

    pub fn data_at(&self) -> u64 {
        self.index_at() + (self.entries * ENTRY_BYTES).next_multiple_of(PAGE)
    }

    pub fn file_bytes(&self) -> u64 {
        self.data_at() + self.data_bytes
    }

    /// Largest AU that is stored, in bytes.
    pub fn max_au(&self) -> u64 {
        self.data_bytes / 4
    }
}

/// Why a header is none of this program's rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    #[error("it is not a ring at all")]
    NotARing,
    #[error("its layout is version {0}, this program's is {VERSION}")]
    Version(u64),
    #[error("its header is damaged")]
    Damaged,
    #[error("its header makes no sense")]
    Senseless,
    #[error("it is {actual} bytes long, its header says {said}")]
    Length { actual: u64, said: u64 },
}

/// Why no writer would have written an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    #[error("an entry is longer than a ring lets it be")]
    TooLong,
    #[error("an entry starts where none can")]
    Start,
    #[error("an entry is of no known track")]
    Track,
    #[error("an entry is aligned in no known way")]
    Alignment,
    #[error("an entry has unknown flags")]
    Flags,
}

/// What the header says of its file, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingHeader {
    pub version: u64,
    pub layout: RingLayout,
    pub boot_id: BootId,
    pub camera: CameraId,
    pub created_mono_ns: u64,
}

impl RingHeader {
    /// Words 0 to 17.
    pub fn words(&self) -> [u64; FIXED_WORDS + 1] {
        let layout = &self.layout;
        let mut words = [0; FIXED_WORDS + 1];
        words[0] = MAGIC;
        words[1] = self.version | HEADER_BYTES << 32;
        words[2] = layout.file_bytes();
        words[3] = layout.params_at();
        words[4] = (SLOTS_BYTES / SLOT_BYTES) | (SLOT_BYTES << 32);
        words[5] = layout.index_at();
        words[6] = layout.entries;
        words[7] = layout.data_at();
        words[8] = layout.data_bytes;
        put_text(&mut words[9..11], &self.boot_id.0);
        put_text(&mut words[11..15], self.camera.as_str().as_bytes());
        words[15] = self.created_mono_ns;
        words[CRC] = checksum(&words[..CRC]);
        words
    }

    /// Checks all of it against a file of `file_bytes`.
    pub fn parse(
        words: &[u64; FIXED_WORDS + 1],
        file_bytes: u64,
    ) -> Result<RingHeader, HeaderFault> {
        if words[0] != MAGIC {
            return Err(HeaderFault::NotARing);
        }
        let version = words[1] & 0xffff_ffff;
        if ![VERSION, VERSION_WITHOUT_BELL].contains(&version) {
            return Err(HeaderFault::Version(version));
        }
        if checksum(&words[..CRC]) != words[CRC] {
            return Err(HeaderFault::Damaged);
        }
        let header = RingHeader::decode(words).ok_or(HeaderFault::Senseless)?;
        if header.words() != *words {
            return Err(HeaderFault::Senseless);
        }
        if words[2] != file_bytes {
            return Err(HeaderFault::Length {
                actual: file_bytes,
                said: words[2],
            });
        }
        Ok(header)
    }

    fn decode(words: &[u64; FIXED_WORDS + 1]) -> Option<RingHeader> {
        let layout = RingLayout {
            entries: words[6],
            data_bytes: words[8],
        };
        if RingLayout::new(layout.data_bytes, layout.entries) != layout {
            return None;
        }
        let mut boot = [0; 16];
        get_text(&words[9..11], &mut boot);
        let mut camera = [0; CameraId::MAX_LEN];
        get_text(&words[11..15], &mut camera);
        let end = camera.iter().position(|b| *b == 0).unwrap_or(camera.len());
        let camera = std::str::from_utf8(&camera[..end]).ok()?;
        Some(RingHeader {
            version: words[1] & 0xffff_ffff,
            layout,
            boot_id: BootId(boot),
            camera: CameraId::new(camera).ok()?,
            created_mono_ns: words[15],
        })
    }
}

fn checksum(words: &[u64]) -> u64 {
    let mut hasher = crc32fast::Hasher::new();
    words.iter().for_each(|w| hasher.update(&w.to_le_bytes()));
    u64::from(hasher.finalize())
}

fn put_text(words: &mut [u64], text: &[u8]) {
    for (word, part) in words.iter_mut().zip(text.chunks(8)) {
        let mut bytes = [0; 8];
        bytes[..part.len()].copy_from_slice(part);
        *word = u64::from_le_bytes(bytes);
    }
}

fn get_text(words: &[u64], text: &mut [u8]) {
    for (part, word) in text.chunks_mut(8).zip(words) {
        part.copy_from_slice(&word.to_le_bytes()[..part.len()]);
    }
}

fn low(word: u64) -> u32 {
    u32::try_from(word & 0xffff_ffff).unwrap_or(0)
}

fn high(word: u64) -> u32 {
    low(word >> 32)
}

fn both(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// The `n`-th 16 bits of a word.
fn quarter(word: u64, n: u32) -> u16 {
    u16::try_from(word >> (16 * n) & 0xffff).unwrap_or(0)
}

const FLAGS: usize = 5;

fn flag_bits(flags: AuFlags) -> u64 {
    let all: [bool; FLAGS] = [
        flags.key,
        flags.open_gop,
        flags.rasl,
        flags.tainted,
        flags.gap,
    ];
    (0..FLAGS).map(|bit| u64::from(all[bit]) << bit).sum()
}

fn flags_of(bits: u16) -> Option<AuFlags> {
    let is = |bit: u16| bits >> bit & 1 == 1;
    (bits < 1 << FLAGS).then(|| AuFlags {
        key: is(0),
        open_gop: is(1),
        rasl: is(2),
        tainted: is(3),
        gap: is(4),
    })
}

/// `meta` as an entry; the words that `protocol` fills in are left 0.
pub fn entry_of(meta: &AuMeta) -> [u64; ENTRY_WORDS] {
    let track = match meta.track {
        Track::Video => 0,
        Track::Audio => 1,
    };
    let alignment = match meta.alignment {
        Alignment::Arrival => 0,
        Alignment::RtpInfo => 1,
        Alignment::SenderReport => 2,
    };
    let kind = track << 32 | alignment << 40 | flag_bits(meta.flags) << 48;
    [
        0,
        0,
        both(0, meta.dropped_bytes),
        meta.pts.cast_unsigned(),
        meta.pts_90k.cast_unsigned(),
        meta.arrival_mono_ns,
        both(meta.generation, meta.epoch),
        u64::from(meta.lost_packets) | kind,
    ]
}

/// The entry's meaning; an error where no writer would have written it.
pub fn meta_of(entry: &[u64; ENTRY_WORDS], layout: &RingLayout) -> Result<AuMeta, EntryFault> {
    let len = low(entry[LEN]);
    if u64::from(len) > layout.max_au() {
        return Err(EntryFault::TooLong);
    }
    if !entry[START].is_multiple_of(8) || entry[START] > MOST_COUNTED {
        return Err(EntryFault::Start);
    }
    let kind = entry[7] >> 32;
    let track = match kind & 0xff {
        0 => Track::Video,
        1 => Track::Audio,
        _ => return Err(EntryFault::Track),
    };
    let alignment = match kind >> 8 & 0xff {
        0 => Alignment::Arrival,
        1 => Alignment::RtpInfo,
        2 => Alignment::SenderReport,
        _ => return Err(EntryFault::Alignment),
    };
    Ok(AuMeta {
        track,
        flags: flags_of(quarter(entry[7], 3)).ok_or(EntryFault::Flags)?,
        generation: low(entry[6]),
        epoch: high(entry[6]),
        pts: entry[3].cast_signed(),
        pts_90k: entry[4].cast_signed(),
        alignment,
        arrival_mono_ns: entry[5],
        lost_packets: low(entry[7]),
        dropped_bytes: high(entry[LEN]),
        len,
    })
}

/// Words of a parameter slot without its first, the generation.
pub const PARAM_WORDS: usize = 2048 / 8 - 1;

/// `params` as a slot; `None` if no ring holds such, or its configuration is too long for one.
pub fn slot_of(params: &TrackParams) -> Option<Vec<u64>> {
    if params.config.len() > MAX_CONFIG {
        return None;
    }
    let codec = match params.codec {
        Codec::H264 => 0,
        Codec::H265 => 1,
        Codec::Aac => 2,
        Codec::Pcma => 3,
        Codec::Pcmu => 4,
        Codec::L16 => 5,
        // Made of what a ring holds.
        Codec::Flac => return None,
    };
    let (aspect_w, aspect_h) = params.pixel_aspect;
    let sizes = [params.width, params.height, aspect_w, aspect_h];
    let mut words = vec![0; 3 + params.config.len().div_ceil(8)];
    words[0] = u64::from(params.timescale) | u64::from(params.channels) << 32 | codec << 48;
    words[1] = (0..)
        .zip(sizes)
        .map(|(n, s)| u64::from(s) << (16 * n))
        .sum();
    words[2] = u64::try_from(params.config.len()).ok()?;
    put_text(&mut words[3..], &params.config);
    Some(words)
}

/// The slot's meaning; `None` where no writer would have written it.
pub fn params_of(words: &[u64; PARAM_WORDS]) -> Option<TrackParams> {
    let config_len = usize::try_from(words[2]).ok()?;
    if config_len > MAX_CONFIG {
        return None;
    }
    let mut config = vec![0; config_len];
    get_text(&words[3..], &mut config);
    let codec = match words[0] >> 48 {
        0 => Codec::H264,
        1 => Codec::H265,
        2 => Codec::Aac,
        3 => Codec::Pcma,
        4 => Codec::Pcmu,
        5 => Codec::L16,
        _ => return None,
    };
    Some(TrackParams {
        codec,
        timescale: low(words[0]),
        config,
        width: quarter(words[1], 0),
        height: quarter(words[1], 1),
        pixel_aspect: (quarter(words[1], 2), quarter(words[1], 3)),
        channels: quarter(words[0], 2),
    })
}
