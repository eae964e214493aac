//! The storage: where what lies on it, and what its files are called.
//!
//! | file | |
//! |---|---|
//! | `layout` | folders and files below a storage's root; pure |
//! | `names` | what the files of a highlight are called; pure |
//! | `listing` | what a folder holds |
//! | `held` | a storage that is ours: locked, and looked at |
//! | `budget` | who may still write, and what goes first; pure |
//!
//! Not here: what the files say (`queue::sidecar`, `highlight::journal`), how they are written (`disk`).

pub mod budget;
pub mod held;
pub mod layout;
pub mod listing;
pub mod names;
pub mod sentence;

pub use layout::{HighlightPaths, StorageLayout};
pub use names::{HighlightFileKind, UNDATED};
