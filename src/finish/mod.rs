//! Watermark, vertical format and thumbnail: an FFmpeg command plan (pure) and its runner (thin).
//!
//! Not here: which clip is next and what is kept of a failure (`queue`), where the result goes (`upload`).
//! Called by: app, which hands it to the queue.

mod maker;

pub use maker::{Limits, Maker, Settings};
