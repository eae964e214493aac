//! The shared-memory ring: a camera's last seconds, preallocated.
//!
//! One writer, any number of readers in any process, who map the file
//! read-only and register nowhere. The writer never waits and never fails.
//!
//! To read on and on, from whatever process: [`Follower`]. To look at what is held:
//! [`RingReader`].
//!
//! Not here: RTSP (`ingest`), what a window is (`highlight`).

mod error;
mod follow;
pub mod layout;
pub mod picture;
mod protocol;
mod reader;
mod shm;
mod spec;
mod sys;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{Damage, ReadError, RingError, RingErrorSentence, Unfit, Unreadable};
pub use follow::{Follower, Resume, RingEvent};
pub use picture::{Limit, RingStats, picture};
pub use reader::RingReader;
pub use shm::require_tmpfs;
pub use spec::RingSpec;
pub use writer::{Pushed, RingOpened, RingWriter};
