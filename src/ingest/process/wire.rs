//! Messages as bytes: their length, four bytes little-endian, then JSON. Pure.
//!
//! Not here: what is in them (`message`), whether it makes sense (`conversation`), sockets.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message of a process that reads cameras.
pub const LONGEST_SAID: usize = 64 * 1024;
/// The longest that it is told: its cameras, at most a few hundred bytes each.
pub const LONGEST_TOLD: usize = 1024 * 1024;

const PREFIX: usize = 4;

/// Why bytes are no message.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("a message of {bytes} bytes, at most {limit} are taken")]
    TooLong { bytes: usize, limit: usize },
    #[error("no message that is known: {0}")]
    Unknown(serde_json::Error),
    #[error("cannot be written as a message: {0}")]
    Unwritten(serde_json::Error),
}

/// A message with its length before it.
pub fn encode<M: Serialize>(message: &M, limit: usize) -> Result<Vec<u8>, WireError> {
    let mut bytes = vec![0; PREFIX];
    serde_json::to_writer(&mut bytes, message).map_err(WireError::Unwritten)?;
    let length = bytes.len() - PREFIX;
    let too_long = WireError::TooLong {
        bytes: length,
        limit,
    };
    let prefix = u32::try_from(length).ok().filter(|_| length <= limit);
    let prefix = prefix.ok_or(too_long)?.to_le_bytes();
    bytes[..PREFIX].copy_from_slice(&prefix);
    Ok(bytes)
}

/// Takes bytes as they come, gives messages as they are whole. Holds no more than one message and what
/// was put in last.
#[derive(Debug)]
pub struct MessageReader {
    bytes: Vec<u8>,
    limit: usize,
}

impl MessageReader {
    pub fn new(limit: usize) -> MessageReader {
        MessageReader {
            bytes: Vec::new(),
            limit,
        }
    }

    /// More has come. Take all messages before the next.
    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message and how many bytes it had; `None`: not whole yet. An error is final.
    pub fn next<M: DeserializeOwned>(&mut self) -> Result<Option<(M, usize)>, WireError> {
        let Some((prefix, rest)) = self.bytes.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(WireError::TooLong {
                bytes: length,
                limit: self.limit,
            });
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let message = serde_json::from_slice(body).map_err(WireError::Unknown)?;
        self.bytes.drain(..PREFIX + length);
        Ok(Some((message, PREFIX + length)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_come_out_as_they_went_in_however_the_bytes_are_cut() {
        let mut all = Vec::new();
        for text in ["a", "", "bcd"] {
            all.extend(encode(&text, 100).unwrap());
        }
        for cut in 1..all.len() {
            let mut reader = MessageReader::new(100);
            let mut read: Vec<String> = Vec::new();
            for part in all.chunks(cut) {
                reader.put(part);
                while let Some((text, _)) = reader.next().unwrap() {
                    read.push(text);
                }
            }
            assert_eq!(read, ["a", "", "bcd"]);
        }
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_has_come() {
        let mut reader = MessageReader::new(10);
        reader.put(&11_u32.to_le_bytes());
        let refused = reader.next::<String>().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "a message of 11 bytes, at most 10 are taken"
        );
        assert!(encode(&"0123456789", 10).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut reader = MessageReader::new(64);
            reader.put(&bytes);
            for _ in 0..bytes.len() + 1 {
                match reader.next::<serde_json::Value>() {
                    Ok(Some((_, used))) => prop_assert!((PREFIX..=PREFIX + 64).contains(&used)),
                    Ok(None) | Err(_) => return Ok(()),
                }
            }
            prop_assert!(false, "it gives messages for ever");
        }
    }
}
