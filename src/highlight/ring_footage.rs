//! A ring as footage of the cut.
//!
//! Not here: which ring, and what follows when it ends (`source`).

use crate::cut::{FootageError, Index, Payload};
use crate::media::{AuMeta, TrackParams};
use crate::ring::{ReadError, RingReader};

impl From<ReadError> for FootageError {
    fn from(error: ReadError) -> FootageError {
        match error {
            ReadError::NotYet => FootageError::NotYet,
            ReadError::Overtaken { oldest } => FootageError::Overtaken { oldest },
            ReadError::Ended => FootageError::Ended,
            ReadError::Damaged(_) => FootageError::Unreadable(error.to_string()),
        }
    }
}

impl Index for RingReader {
    fn oldest(&self) -> u64 {
        RingReader::oldest(self)
    }

    fn head(&self) -> u64 {
        RingReader::head(self)
    }

    fn meta(&self, pos: u64) -> Result<AuMeta, FootageError> {
        Ok(RingReader::meta(self, pos)?)
    }

    fn each(&self, from: u64, mut each: impl FnMut(u64, Result<AuMeta, FootageError>)) {
        let from = from.max(RingReader::oldest(self));
        self.each_meta(from, |pos, entry| {
            each(pos, entry.map_err(FootageError::from))
        });
    }
}

impl Payload for RingReader {
    fn read(&self, pos: u64, into: &mut Vec<u8>) -> Result<AuMeta, FootageError> {
        Ok(RingReader::read(self, pos, into)?)
    }

    fn params(&self, generation: u32) -> Result<TrackParams, FootageError> {
        Ok(RingReader::params(self, generation)?)
    }
}
