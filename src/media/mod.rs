//! What travels through the ring: access units, tracks, their parameters.
//!
//! Not here: containers (`mp4`), transport (`ingest`), storage (`ring`).

pub mod bits;
mod error;
pub mod flac;
pub mod in_order;
pub mod nal;
pub mod params;
pub mod pcm;
mod pcm_line;
pub mod records;
pub mod reorder;
pub mod slice;
pub mod sps;
mod types;

pub use error::ParamsError;
pub use flac::FlacError;
pub use params::{params_from_asc, params_from_avcc, params_from_hvcc};
pub use pcm_line::{PcmLine, tolerance as pcm_tolerance};
pub use types::{Alignment, AuFlags, AuMeta, Codec, TICKS_90K, Track, TrackParams};
