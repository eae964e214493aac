//! What a clip says about itself: the cut's report, in the `free` box between
//! the index and the data. So the sidecar of a clip whose exporter died between
//! the rename and the sidecar can be written from the clip alone.
//!
//! Not here: the report itself (`cut`).

use std::io;

use super::sentence::ClipSentence;
use crate::base::Coded;
use crate::cut::CutReport;
use crate::disk::File;

const MAGIC: &[u8; 8] = b"HINDSRPT";
const HEAD: usize = 16;
/// Boxes before the data: ftyp, moov, free, free.
const BOXES: usize = 8;
/// No `free` box of ours is larger.
const LARGEST: u64 = 1 << 26;

/// Finds `free` boxes among the boxes that `front` begins with: (start of the
/// content, its length).
fn free_boxes(front: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(head) = front.get(at..at + 8) {
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let Ok(size) = usize::try_from(size) else {
            break;
        };
        if size < 8 || at + size > front.len() {
            break;
        }
        if &head[4..8] == b"free" {
            found.push((at + 8, size - 8));
        }
        at += size;
    }
    found
}

/// Writes the report into the largest `free` box of a clip's first bytes.
/// Lists that do not fit are left out; false if nothing fits.
pub fn embed(front: &mut [u8], report: &CutReport) -> bool {
    let boxes = free_boxes(front);
    let Some((at, room)) = boxes.into_iter().max_by_key(|(_, room)| *room) else {
        return false;
    };
    let mut short = report.clone();
    short.gaps.clear();
    short.damaged.clear();
    short.notes.push(ClipSentence::GapsDropped {}.sentence());
    [report, &short].into_iter().any(|report| {
        let Ok(json) = serde_json::to_vec(report) else {
            return false;
        };
        let Ok(len) = u32::try_from(json.len()) else {
            return false;
        };
        if HEAD + json.len() > room {
            return false;
        }
        let content = &mut front[at..at + room];
        content[..8].copy_from_slice(MAGIC);
        content[8..12].copy_from_slice(&len.to_be_bytes());
        content[12..HEAD].copy_from_slice(&crc32fast::hash(&json).to_be_bytes());
        content[HEAD..HEAD + json.len()].copy_from_slice(&json);
        true
    })
}

/// Reads the report out of a clip. `Ok(None)`: it holds none that is whole.
pub fn extract(file: &File) -> io::Result<Option<CutReport>> {
    let len = file.len()?;
    let mut at = 0;
    for _ in 0..BOXES {
        if at + 8 > len {
            break;
        }
        let mut head = [0; 8];
        file.read_exact_at(&mut head, at)?;
        let size = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        if size < 8 || at + size > len {
            break;
        }
        if &head[4..] == b"free" && size <= LARGEST {
            let mut content = vec![0; usize::try_from(size - 8).unwrap_or(0)];
            file.read_exact_at(&mut content, at + 8)?;
            if let Some(report) = parse(&content) {
                return Ok(Some(report));
            }
        }
        at += size;
    }
    Ok(None)
}

fn parse(content: &[u8]) -> Option<CutReport> {
    let head = content.get(..HEAD)?;
    let word = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let len = usize::try_from(word(8)?).ok()?;
    let json = content.get(HEAD..HEAD.checked_add(len)?)?;
    let whole = head[..8] == *MAGIC && word(12)? == crc32fast::hash(json);
    whole.then(|| serde_json::from_slice(json).ok())?
}
