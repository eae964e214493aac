//! A ring as footage of the cut.
//!
//! Not here: which ring, and what follows when it ends (`source`).

use crate::cut::{FootageReadError, Index, Payload};
use crate::media::{AuMeta, TrackParams};
use crate::ring::{ReadError, RingReader};

impl From<ReadError> for FootageReadError {
    fn from(error: ReadError) -> FootageReadError {
        match error {
            ReadError::NotYet => FootageReadError::NotYet,
            ReadError::Overtaken { oldest } => FootageReadError::Overtaken { oldest },
            ReadError::Ended => FootageReadError::Ended,
            ReadError::Damaged(_) => FootageReadError::Unreadable(error.to_string()),
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

    fn meta(&self, pos: u64) -> Result<AuMeta, FootageReadError> {
        Ok(RingReader::meta(self, pos)?)
    }

    fn each(&self, from: u64, mut each: impl FnMut(u64, Result<AuMeta, FootageReadError>)) {
        let from = from.max(RingReader::oldest(self));
        self.each_meta(from, |pos, entry| {
            each(pos, entry.map_err(FootageReadError::from))
        });
    }
}

impl Payload for RingReader {
    fn read(&self, pos: u64, into: &mut Vec<u8>) -> Result<AuMeta, FootageReadError> {
        Ok(RingReader::read(self, pos, into)?)
    }

    fn params(&self, generation: u32) -> Result<TrackParams, FootageReadError> {
        Ok(RingReader::params(self, generation)?)
    }
}
