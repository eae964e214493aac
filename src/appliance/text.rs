//! Text as people's editors leave it: UTF-8 with or without mark, UTF-16 from Notepad. Pure.
//!
//! Not here: what the text means.

use super::sentence::CardFileError;

/// The text, or what is wrong with it and what would be right.
pub fn decode(bytes: &[u8]) -> Result<String, CardFileError> {
    if let Some(rest) = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]) {
        return utf8(rest);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe]) {
        return utf16(rest, u16::from_le_bytes);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
        return utf16(rest, u16::from_be_bytes);
    }
    match (bytes.first(), bytes.get(1)) {
        // Without a mark: half of what people write here is zero in UTF-16.
        (Some(first), Some(0)) if *first != 0 => utf16(bytes, u16::from_le_bytes),
        (Some(0), Some(second)) if *second != 0 => utf16(bytes, u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<String, CardFileError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = line_at(bytes, error.valid_up_to());
        CardFileError::NotUtf8 { line }
    })?;
    match text.find('\0') {
        Some(at) => Err(CardFileError::ZeroByte {
            line: line_at(bytes, at),
        }),
        None => Ok(text.to_owned()),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, CardFileError> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let read: Result<String, _> = char::decode_utf16(units).collect();
    match read {
        Ok(text) if bytes.len().is_multiple_of(2) && !text.contains('\0') => Ok(text),
        _ => Err(CardFileError::NoText {}),
    }
}

fn line_at(bytes: &[u8], at: usize) -> usize {
    1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEXT: &str = "[venue]\r\nname = \"Quadra São João\"\r\n";

    #[test]
    fn what_editors_save_is_read() {
        let little: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
        for bytes in [
            TEXT.as_bytes().to_vec(),
            marked(&[0xef, 0xbb, 0xbf], TEXT.as_bytes()),
            marked(&[0xff, 0xfe], &little),
            marked(&[0xfe, 0xff], &big),
            little,
            big,
        ] {
            assert_eq!(decode(&bytes).unwrap(), TEXT, "{bytes:?}");
        }
        assert_eq!(decode(b"").unwrap(), "");
    }

    #[test]
    fn what_is_no_text_is_told_with_its_line() {
        let ansi = b"[venue]\r\nname = \"S\xe3o\"\r\n";
        assert!(
            decode(ansi)
                .unwrap_err()
                .to_string()
                .starts_with("line 2 has a letter that is not UTF-8")
        );
        assert!(
            decode(b"ok\nab\0")
                .unwrap_err()
                .to_string()
                .starts_with("line 2 holds a zero byte")
        );
        assert!(decode(&[0xff, 0xfe, 1]).is_err());
        assert!(decode(&[0xff, 0xfe, 0x00, 0xd8]).is_err(), "half a letter");
        assert!(
            decode(&[0; 64]).is_err(),
            "a file of zeroes after a power cut"
        );
    }
}
