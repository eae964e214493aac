//! Files that survive: temp → write → sync → rename → sync directory; the
//! lock of a storage; free space; whether the storage is there at all.
//!
//! Every call to the kernel that can fail goes through [`Disk`], so that tests
//! let any of them fail (`Faults`) with real files underneath.
//!
//! Not here: what the files mean (`highlight`), rings (`ring`: those are memory).

pub mod files;
pub mod lock;
pub mod mounted;
pub mod sys;

pub use files::{Disk, DiskCall, DiskFault, Faults, File, Space};
pub use lock::Lock;
