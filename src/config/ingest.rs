//! `[ingest]`: the processes that read the cameras.
//!
//! Not here: starting them (`ingest`).

use super::checker::Checker;
use super::keys::{TableSpec, ValueKind as Kind, key};

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "ingest",
    &[
        key("processes", Kind::Whole, "8", "that read the cameras, where there are more than 8; up to 8 cameras, each has its own"),
        key("memory", Kind::Whole, "256", "megabytes that they may take together; one that needs more than 64 is ended in any case"),
    ],
);

/// The processes that read the cameras.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngestSettings {
    /// That cameras share, where there are more than 8.
    pub processes: usize,
    /// What all may take together.
    pub memory_bytes: u64,
}

impl Default for IngestSettings {
    fn default() -> IngestSettings {
        IngestSettings {
            processes: 8,
            memory_bytes: 256_000_000,
        }
    }
}

pub fn check(check: &mut Checker<'_>) -> IngestSettings {
    let table = check.written.table("ingest");
    let usual = IngestSettings::default();
    let processes = check.whole(table, "processes", 1..=64, "of processes", 8);
    let memory = check.whole(table, "memory", 64..=65_536, "of megabytes", 256);
    IngestSettings {
        processes: processes.unwrap_or(usual.processes),
        memory_bytes: memory.map_or(usual.memory_bytes, |mb: u64| mb * 1_000_000),
    }
}
