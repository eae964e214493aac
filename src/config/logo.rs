//! A first look at a logo: that it is there, a PNG, whole, and of a size that can be used.
//!
//! Called by: `mark`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

const LARGEST_BYTES: u64 = 20_000_000;
const LARGEST_SIDE: u32 = 8192;
const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Signature, the first chunk's length and name, width, height.
const HEAD: usize = 24;

/// Why it cannot be used.
pub fn look_at(path: &Path) -> Result<(), String> {
    let facts = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !facts.is_file() {
        return Err("is no file; name the PNG in it".to_owned());
    }
    if facts.len() > LARGEST_BYTES {
        let megabytes = facts.len().div_ceil(1_000_000);
        return Err(format!(
            "has {megabytes} MB; save it smaller, 20 MB at most and 1 MB is plenty"
        ));
    }
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut head = [0; HEAD];
    let mut bytes = BufReader::new(file);
    let got = read_up_to(&mut bytes, &mut head).map_err(|error| unreadable(&error))?;
    if got < HEAD || head[..8] != SIGNATURE {
        return Err("is no PNG; save the logo as PNG, with a transparent background".to_owned());
    }
    size_is_good(side(&head, 16), side(&head, 20))?;
    all_of_it_decodes(path)
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist; copy the logo there".to_owned(),
        std::io::ErrorKind::PermissionDenied => {
            "may not be read by this user; give it to the service's user".to_owned()
        }
        _ => format!("cannot be read: {error}"),
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

fn size_is_good(width: u32, height: u32) -> Result<(), String> {
    if width == 0 || height == 0 {
        return Err(format!("is {width} x {height} pixels; a logo needs some"));
    }
    if width > LARGEST_SIDE || height > LARGEST_SIDE {
        return Err(format!(
            "is {width} x {height} pixels; save it smaller, {LARGEST_SIDE} a side at most and 1000 \
             is plenty"
        ));
    }
    Ok(())
}

/// Row by row: a picture of the largest size would not fit a small box's memory.
fn all_of_it_decodes(path: &Path) -> Result<(), String> {
    let damaged = |error: png::DecodingError| format!("is damaged ({error}); save or copy it anew");
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let decoder = png::Decoder::new(BufReader::new(file));
    let mut rows = decoder.read_info().map_err(damaged)?;
    while rows.next_row().map_err(damaged)?.is_some() {}
    Ok(())
}
