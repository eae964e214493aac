//! Files that survive: temp → write → sync → rename → sync directory; free space.
//!
//! Not here: what is in the files. Called by: highlight, ring's lock, config.
