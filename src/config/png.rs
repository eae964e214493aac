//! A first look at a logo: that it is there, a PNG, whole, and of a size that can be used.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

const LARGEST_BYTES: u64 = 20_000_000;
const LARGEST_SIDE: u32 = 8192;
const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Signature, the first chunk's length and name, width, height.
const HEAD: usize = 24;

crate::sentences! {
    /// Why a picture cannot be used; follows `key = value`.
    pub enum PngSentence {
        NotAFile {} = "config_logo_not_a_file": "is no file; name the PNG in it",
        TooLarge { megabytes: u64 } = "config_logo_too_large":
            "has {megabytes} MB; save it smaller, 20 MB at most and 1 MB is plenty",
        NotAPng {} = "config_logo_not_a_png":
            "is no PNG; save the logo as PNG, with a transparent background",
        Missing {} = "config_logo_missing": "does not exist; copy the logo there",
        Forbidden {} = "config_logo_forbidden":
            "may not be read by this user; give it to the service's user",
        Unreadable { error: String } = "config_logo_unreadable": "cannot be read: {error}",
        NoPixels { width_px: u32, height_px: u32 } = "config_logo_no_pixels":
            "is {width_px} x {height_px} pixels; a logo needs some",
        TooWide { width_px: u32, height_px: u32, most_px: u32 } = "config_logo_too_wide":
            "is {width_px} x {height_px} pixels; save it smaller, {most_px} a side at most and 1000 \
             is plenty",
        Damaged { error: String } = "config_logo_damaged": "is damaged ({error}); save or copy it anew",
    }
}

/// Why it cannot be used.
pub fn look_at(path: &Path) -> Result<(), PngSentence> {
    let facts = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !facts.is_file() {
        return Err(PngSentence::NotAFile {});
    }
    if facts.len() > LARGEST_BYTES {
        let megabytes = facts.len().div_ceil(1_000_000);
        return Err(PngSentence::TooLarge { megabytes });
    }
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut head = [0; HEAD];
    let mut bytes = BufReader::new(file);
    let got = read_up_to(&mut bytes, &mut head).map_err(|error| unreadable(&error))?;
    if got < HEAD || head[..8] != SIGNATURE {
        return Err(PngSentence::NotAPng {});
    }
    size_is_good(side(&head, 16), side(&head, 20))?;
    all_of_it_decodes(path)
}

fn unreadable(error: &std::io::Error) -> PngSentence {
    match error.kind() {
        std::io::ErrorKind::NotFound => PngSentence::Missing {},
        std::io::ErrorKind::PermissionDenied => PngSentence::Forbidden {},
        _ => PngSentence::Unreadable {
            error: error.to_string(),
        },
    }
}

fn read_up_to(from: &mut impl Read, into: &mut [u8]) -> std::io::Result<usize> {
    let mut got = 0;
    while got < into.len() {
        match from.read(&mut into[got..])? {
            0 => break,
            more => got += more,
        }
    }
    Ok(got)
}

fn side(head: &[u8; HEAD], at: usize) -> u32 {
    u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

fn size_is_good(width_px: u32, height_px: u32) -> Result<(), PngSentence> {
    if width_px == 0 || height_px == 0 {
        return Err(PngSentence::NoPixels {
            width_px,
            height_px,
        });
    }
    if width_px > LARGEST_SIDE || height_px > LARGEST_SIDE {
        return Err(PngSentence::TooWide {
            width_px,
            height_px,
            most_px: LARGEST_SIDE,
        });
    }
    Ok(())
}

/// Row by row: a picture of the largest size would not fit a small box's memory.
fn all_of_it_decodes(path: &Path) -> Result<(), PngSentence> {
    let damaged = |error: png::DecodingError| PngSentence::Damaged {
        error: error.to_string(),
    };
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let decoder = png::Decoder::new(BufReader::new(file));
    let mut rows = decoder.read_info().map_err(damaged)?;
    while rows.next_row().map_err(damaged)?.is_some() {}
    Ok(())
}
