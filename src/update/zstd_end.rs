//! Where packed bytes end, by the sizes that their frames and blocks name; nothing is unpacked.
//!
//! It tells a file that was cut short from one that was changed: both fail their signature, but
//! only one of them is mended by copying it again. The sizes are those of RFC 8878.

use std::io;

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With the end of a frame.
    Whole,
    /// In the middle of one.
    CutShort,
    /// Not in any: something else is there.
    Other,
}

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The longest frame header: magic, descriptor, window, dictionary, content size.
const LONGEST_HEADER: u64 = 4 + 1 + 1 + 4 + 8;

/// Looks at the bytes from `from` up to `len`; `read` fills its buffer from an offset.
pub fn end(
    read: impl Fn(&mut [u8], u64) -> io::Result<()>,
    from: u64,
    len: u64,
) -> io::Result<End> {
    let mut at = from;
    if at >= len {
        return Ok(End::CutShort);
    }
    while at < len {
        let mut header = [0; LONGEST_HEADER as usize];
        let there = (len - at).min(LONGEST_HEADER);
        read(&mut header[..there as usize], at)?;
        if !MAGIC.starts_with(&header[..there.min(4) as usize]) {
            return Ok(End::Other);
        }
        if there < 5 {
            return Ok(End::CutShort);
        }
        let descriptor = header[4];
        at += header_len(descriptor);
        let mut last = false;
        while !last {
            if at + 3 > len {
                return Ok(End::CutShort);
            }
            let mut block = [0; 4];
            read(&mut block[..3], at)?;
            let block = u32::from_le_bytes(block);
            last = block & 1 == 1;
            at += 3 + match (block >> 1) & 3 {
                0 | 2 => u64::from(block >> 3),
                1 => 1,
                _ => return Ok(End::Other),
            };
        }
        at += if descriptor & 4 == 0 { 0 } else { 4 };
    }
    Ok(if at > len { End::CutShort } else { End::Whole })
}

fn header_len(descriptor: u8) -> u64 {
    let single = descriptor & 0x20 != 0;
    let window = u64::from(!single);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content = match descriptor >> 6 {
        0 => u64::from(single),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    4 + 1 + window + dictionary + content
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    fn end_of(bytes: &[u8]) -> End {
        let read = |into: &mut [u8], at: u64| {
            let at = usize::try_from(at).unwrap();
            into.copy_from_slice(&bytes[at..at + into.len()]);
            Ok(())
        };
        end(read, 0, bytes.len() as u64).unwrap()
    }

    fn packed(level: CompressionLevel) -> Vec<u8> {
        // More than one block, some of it of one byte only.
        let mut bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        bytes.extend(vec![7; 400_000]);
        compress_to_vec(&bytes[..], level)
    }

    #[test]
    fn a_whole_file_is_whole_and_cut_anywhere_it_is_cut_short() {
        for level in [CompressionLevel::Uncompressed, CompressionLevel::Fastest] {
            let bytes = packed(level);
            assert_eq!(end_of(&bytes), End::Whole);
            for len in (0..bytes.len()).step_by(997).chain(0..40) {
                assert_eq!(end_of(&bytes[..len]), End::CutShort, "{len}");
            }
            for missing in 1..40 {
                let len = bytes.len() - missing;
                assert_eq!(end_of(&bytes[..len]), End::CutShort, "{len}");
            }
        }
    }

    #[test]
    fn frames_may_follow_each_other_and_anything_else_may_not() {
        let one = packed(CompressionLevel::Fastest);
        let two = [&one[..], &one].concat();
        assert_eq!(end_of(&two), End::Whole);
        assert_eq!(end_of(&two[..one.len() + 3]), End::CutShort);
        assert_eq!(end_of(&[&one[..], b"more"].concat()), End::Other);
        assert_eq!(end_of(b"something else altogether"), End::Other);
    }
}
