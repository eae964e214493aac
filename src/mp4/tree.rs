//! The outline of a file: which boxes stand where. Total: any bytes give an
//! answer, and nothing is believed that does not fit in what holds it.
//!
//! Strict: our files hold these boxes and no others, so that whatever decodes
//! their bodies afterwards (`mp4-atom`, the `mp4` crate) meets no surprise.

use std::io::{Read, Seek, SeekFrom};

use super::types::Mp4Error;

/// A box of the file's top level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TopBox {
    pub kind: [u8; 4],
    /// Where its header begins.
    pub at: u64,
    /// Bytes of its header: 8 or 16.
    pub header: u64,
    /// Header and body.
    pub size: u64,
}

pub(super) fn unreadable<T>(what: impl Into<String>) -> Result<T, Mp4Error> {
    Err(Mp4Error::Unreadable(what.into()))
}

pub(super) fn io<T>(what: &str, result: std::io::Result<T>) -> Result<T, Mp4Error> {
    result.map_err(|e| Mp4Error::Unreadable(format!("{what}: {e}")))
}

/// The boxes of the top level, which must fill the file exactly.
pub(super) fn top_level<R: Read + Seek>(file: &mut R, size: u64) -> Result<Vec<TopBox>, Mp4Error> {
    // ftyp, moov, free, free, mdat: more is not ours.
    const MOST: usize = 8;
    let mut boxes = Vec::new();
    let mut at = 0;
    while at < size {
        if boxes.len() == MOST {
            return unreadable("too many boxes for a clip of ours");
        }
        let found = top_box(file, at, size)?;
        at += found.size;
        boxes.push(found);
    }
    Ok(boxes)
}

fn top_box<R: Read + Seek>(file: &mut R, at: u64, size: u64) -> Result<TopBox, Mp4Error> {
    let mut header = [0; 16];
    io("cannot seek", file.seek(SeekFrom::Start(at)))?;
    io(
        &format!("no box header at byte {at}"),
        file.read_exact(&mut header[..8]),
    )?;
    let kind = [header[4], header[5], header[6], header[7]];
    let (header_len, box_size) = match u32_at(&header, 0) {
        1 => {
            io("no 64-bit size", file.read_exact(&mut header[8..]))?;
            let high = u64::from(u32_at(&header, 8)) << 32;
            (16, high | u64::from(u32_at(&header, 12)))
        }
        short => (8, u64::from(short)),
    };
    if box_size < header_len || box_size > size - at {
        return unreadable(format!(
            "box {} at byte {at} says it has {box_size} bytes; {} are left",
            name(kind),
            size - at
        ));
    }
    Ok(TopBox {
        kind,
        at,
        header: header_len,
        size: box_size,
    })
}

fn u32_at(bytes: &[u8; 16], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// A box's name for people.
pub(super) fn name(kind: [u8; 4]) -> String {
    kind.escape_ascii().to_string()
}

/// In whose place a whole index stands.
const FILE: &[u8; 4] = b"file";

/// What may stand in what. A box that is not a parent here is a leaf.
const CHILDREN: &[(&[u8; 4], &[&[u8; 4]])] = &[
    (FILE, &[b"moov"]),
    (b"moov", &[b"mvhd", b"trak"]),
    (b"trak", &[b"tkhd", b"edts", b"mdia"]),
    (b"edts", &[b"elst"]),
    (b"mdia", &[b"mdhd", b"hdlr", b"minf"]),
    (b"minf", &[b"vmhd", b"smhd", b"dinf", b"stbl"]),
    (b"dinf", &[b"dref"]),
    (
        b"stbl",
        &[
            b"stsd", b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco", b"co64",
        ],
    ),
    (b"stsd", &[b"avc1", b"hvc1", b"mp4a", b"fLaC"]),
    (b"avc1", &[b"avcC", b"pasp"]),
    (b"hvc1", &[b"hvcC", b"pasp"]),
    (b"mp4a", &[b"esds"]),
    (b"fLaC", &[b"dfLa"]),
];

/// What an encoder's file may hold besides: leaves that say nothing of where a sample lies
/// or when it is shown.
const OF_ENCODERS: &[(&[u8; 4], &[&[u8; 4]])] = &[
    (b"moov", &[b"udta"]),
    (b"stbl", &[b"sgpd", b"sbgp"]),
    (b"avc1", &[b"colr", b"btrt"]),
    (b"mp4a", &[b"btrt"]),
];

/// Who wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hand {
    Ours,
    /// An encoder that we ran.
    Encoder,
}

impl Hand {
    fn allows(self, parent: [u8; 4], child: [u8; 4]) -> bool {
        let listed = |table: &[(&[u8; 4], &[&[u8; 4]])]| {
            let mut of_parent = table.iter().filter(|(kind, _)| **kind == parent);
            of_parent.any(|(_, children)| children.contains(&&child))
        };
        listed(CHILDREN) || self == Hand::Encoder && listed(OF_ENCODERS)
    }
}

/// Bytes of a parent's own fields before its first child.
fn fields_before_children(kind: [u8; 4]) -> usize {
    match &kind {
        b"stsd" => 8,
        b"avc1" | b"hvc1" => 78,
        b"mp4a" | b"fLaC" => 28,
        _ => 0,
    }
}

/// Checks that `index`, a whole `moov`, holds only what such a hand writes; every box
/// is given to `seen` with where it begins and where it ends.
pub(super) fn walk(
    index: &[u8],
    hand: Hand,
    seen: &mut impl FnMut([u8; 4], usize, usize),
) -> Result<(), Mp4Error> {
    walk_children(index, (0, index.len()), *FILE, hand, seen)
}

// The depth is bounded by CHILDREN, in which nothing contains itself.
fn walk_children(
    index: &[u8],
    (mut at, end): (usize, usize),
    parent: [u8; 4],
    hand: Hand,
    seen: &mut impl FnMut([u8; 4], usize, usize),
) -> Result<(), Mp4Error> {
    while at < end {
        let Some(&[s0, s1, s2, s3, k0, k1, k2, k3]) = index[at..end].first_chunk::<8>() else {
            return unreadable(format!("{} stray bytes in the index", end - at));
        };
        let kind = [k0, k1, k2, k3];
        let size = usize::try_from(u32::from_be_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
        if !hand.allows(parent, kind) {
            return unreadable(format!("box {} does not belong here", name(kind)));
        }
        if size < 8 || size > end - at {
            return unreadable(format!("box {} says it has {size} bytes", name(kind)));
        }
        seen(kind, at, at + size);
        if CHILDREN.iter().any(|(parent, _)| **parent == kind) {
            let first = at + 8 + fields_before_children(kind);
            if first > at + size {
                return unreadable(format!("box {} is cut short", name(kind)));
            }
            walk_children(index, (first, at + size), kind, hand, seen)?;
        }
        at += size;
    }
    Ok(())
}
