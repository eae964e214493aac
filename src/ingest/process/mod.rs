//! Cameras in processes of their own: the service's side.
//!
//! Whoever parses what a camera sends may be taken over or blown up by it, so it is not the service that
//! parses: it starts `hindsight ingest` for one camera, or a few, tells each by a channel what it has to
//! know, hears states and counters, and starts it again when it dies. Rings are memory that both share.
//!
//! * `message`, `wire`: what is said, and as which bytes; `conversation`: what a process may say, and when
//! * `policy`: which cameras share a process, when one is started again; `death`: why it ended, in words
//! * `link`: one process; `names`: looks up names for it; `reader_view`: what the service then knows
//! * `old_rings`: what was there before, and can still be read
//! * `supervisor`: the thread that does it all; `supervised`: how the service holds it; `control`: what both
//!   have
//!
//! Not here: the other side (`child`).

mod control;
pub(super) mod conversation;
mod death;
pub(super) mod lines;
mod link;
pub(super) mod message;
mod names;
mod old_rings;
mod policy;
mod reader_view;
mod supervised;
mod supervisor;
pub(super) mod wire;

pub use control::{ReaderPids, ReaderProcesses};
pub(super) use supervised::Supervised;
