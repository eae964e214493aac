//! `[queue]`: how jobs are tried, and how long what is done is kept.
//!
//! Not here: the jobs (`queue`).

use super::checker::Checker;
use super::keys::{TableSpec, ValueKind as Kind, key};
use super::units::Millis;
use super::written::Table;

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "queue",
    &[
        key("max_attempts", Kind::Whole, "3", "only attempts that were answered count; no network is no attempt"),
        key("keep_uploaded", Kind::Duration, "\"7d\"", "uploaded highlights go from the box after this"),
        key("keep", Kind::Duration, "", "where nothing is uploaded: all go after this; without it, never"),
        key("keep_raw", Kind::Flag, "true", "`false`: the unmarked clip goes once the marked one is made"),
    ],
);
const MONTH_MS: u64 = 30 * 86_400_000;
const TEN_YEARS_MS: u64 = 3650 * 86_400_000;

/// How jobs are tried, and how long what is done is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// Of each stage; only attempts that the far side answered, or that FFmpeg ran, count.
    pub max_attempts: u32,
    /// Uploaded highlights go after this.
    pub keep_uploaded_ms: u64,
    /// Without an upload target: highlights go after this; `None`: never.
    pub keep_ms: Option<u64>,
    /// Whether the unmarked clip stays beside the marked one.
    pub keep_raw: bool,
}

impl Default for QueueSettings {
    fn default() -> QueueSettings {
        QueueSettings {
            max_attempts: 3,
            keep_uploaded_ms: 7 * 24 * 3_600_000,
            keep_ms: None,
            keep_raw: true,
        }
    }
}

crate::sentences! {
    /// What has no effect; follows `key = value`.
    pub enum KeepSentence {
        OnlyWithoutTargets { keep_uploaded_ms: Millis } = "config_keep_only_without_targets":
            "counts only where nothing is uploaded; here highlights go {keep_uploaded_ms} after they were \
             uploaded (keep_uploaded), and those that were not stay",
        OnlyWithTargets {} = "config_keep_uploaded_only_with_targets":
            "counts only with a [[target]]; here highlights stay for ever unless keep says \
             how long",
    }
}

crate::sentences! {
    /// The same; a whole sentence.
    pub enum KeepRawSentence {
        NothingMarked {} = "config_keep_raw_without_mark":
            "keep_raw = false does nothing here: no clip is marked, so there is no other",
    }
}

/// `marks`: whether the picture is encoded again.
pub fn check(check: &mut Checker<'_>, marks: bool) -> QueueSettings {
    let table = check.written.table("queue");
    let usual = QueueSettings::default();
    let uploaded = usual.keep_uploaded_ms;
    let attempts = check.whole(table, "max_attempts", 1..=100, "of attempts", 3);
    let keep_ms = table
        .get("keep")
        .map(|_| check.duration_ms(table, "keep", 60_000..=TEN_YEARS_MS, MONTH_MS, MONTH_MS));
    let queue = QueueSettings {
        max_attempts: attempts.unwrap_or(usual.max_attempts),
        keep_uploaded_ms: check.duration_ms(
            table,
            "keep_uploaded",
            0..=TEN_YEARS_MS,
            uploaded,
            uploaded,
        ),
        keep_ms,
        keep_raw: check.flag(table, "keep_raw", usual.keep_raw),
    };
    if let (Some(cell), false) = (table.get("keep_raw"), queue.keep_raw || marks) {
        let what = KeepRawSentence::NothingMarked {};
        check.found.note(&cell.place, what);
    }
    keep_has_a_meaning(check, table, &queue);
    queue
}

/// What is not uploaded is never deleted where there is a target; what is never uploaded
/// cannot go by when it was.
fn keep_has_a_meaning(check: &mut Checker<'_>, table: &Table, queue: &QueueSettings) {
    if check.written.entries("target").next().is_some() {
        if let Some(cell) = table.get("keep") {
            let keep_uploaded_ms = Millis(queue.keep_uploaded_ms);
            let why = KeepSentence::OnlyWithoutTargets { keep_uploaded_ms };
            check.found.warn_of(cell, why);
        }
        return;
    }
    // What is usual anyhow, or stands beside the key that counts, misleads nobody.
    let as_usual = queue.keep_uploaded_ms == QueueSettings::default().keep_uploaded_ms;
    if let (Some(cell), false) = (
        table.get("keep_uploaded"),
        as_usual || queue.keep_ms.is_some(),
    ) {
        check.found.warn_of(cell, KeepSentence::OnlyWithTargets {});
    }
}
