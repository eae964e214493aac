//! `[ring]`: it must hold the longest window that anybody can press for.

use std::fmt;
use std::path::PathBuf;

use super::button::Button;
use super::checker::Checker;
use super::highlight::{Highlight, PressWindow};
use super::keys::{TableSpec, ValueKind as Kind, key};
use super::place::SourceLocation;
use super::units::show_ms;
use crate::base::sentence::{Arg, ToArg};

const DEFAULT_DIR: &str = "/dev/shm";

#[rustfmt::skip]
pub static TABLE: TableSpec = TableSpec::one(
    "ring",
    &[
        key("dir", Kind::Path, "\"/dev/shm\"", "must be tmpfs (memory)"),
        key("seconds", Kind::Whole, "90", "of every camera kept in memory; at least pre + post + 15"),
        key("max_bitrate", Kind::Rate, "\"8M\"", "most bits per second of one camera; with `seconds` it sizes the memory"),
    ],
);
/// What the ring holds beyond the longest window.
const RING_MARGIN_S: u64 = 15;
const DEFAULT_RING_S: u64 = 90;
const LONGEST_RING_S: u64 = 2 * 3600;

#[derive(Clone, Debug)]
pub struct RingSettings {
    /// Folder on tmpfs that holds the ring files.
    pub dir: PathBuf,
    pub seconds: u32,
    /// Bits per second; with `seconds` it sizes the memory.
    pub max_bitrate_bps: u64,
}

crate::sentences! {
    /// What is wrong with the ring's length; follows `key = value`.
    pub enum RingLengthSentence {
        TooShort { window_ms: LongestWindow, least_s: u64 } = "config_ring_too_short":
            "is shorter than the longest window ({window_ms}); write at least {least_s}",
        Raised { window_ms: LongestWindow, used_s: u64 } = "config_ring_raised":
            "is too small for {window_ms}; {used_s} is used",
    }
}

crate::sentences! {
    /// What becomes of the ring; a whole sentence.
    pub enum RingSentence {
        LongerThanUsual { holds_s: u64 } = "config_ring_longer_than_usual":
            "the ring holds {holds_s} s, for this window is longer than usual",
    }
}

/// The window that the ring must hold, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongestWindow {
    /// `None`: `[highlight]`'s.
    button: Option<String>,
    /// Of its keys: nothing, `long_`, `double_`.
    prefix: &'static str,
    window: PressWindow,
}

impl LongestWindow {
    fn need_s(&self) -> u64 {
        self.window.length_ms().div_ceil(1000) + RING_MARGIN_S
    }
}

/// `pre 40s + post 10s + 15s`, and whose that is.
impl fmt::Display for LongestWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pre, post) = (show_ms(self.window.pre_ms), show_ms(self.window.post_ms));
        let prefix = self.prefix;
        if let Some(id) = &self.button {
            write!(f, "[[button]] {id}: ")?;
        }
        write!(
            f,
            "{prefix}pre {pre} + {prefix}post {post} + {RING_MARGIN_S}s"
        )
    }
}

/// Its length, without the margin.
impl ToArg for LongestWindow {
    fn to_arg(&self) -> Arg {
        self.window.length_ms().to_arg()
    }
}

/// `[highlight]`'s, unless a button's is longer.
fn longest_window(highlight: &Highlight, buttons: &[Button]) -> LongestWindow {
    let mut longest = LongestWindow {
        button: None,
        prefix: "",
        window: highlight.window(),
    };
    for button in buttons {
        for (prefix, window) in button.windows() {
            let next = LongestWindow {
                button: Some(button.id.clone()),
                prefix,
                window,
            };
            if next.need_s() > longest.need_s() {
                longest = next;
            }
        }
    }
    longest
}

pub fn check(check: &mut Checker<'_>, highlight: &Highlight, buttons: &[Button]) -> RingSettings {
    let table = check.written.table("ring");
    let dir = check.path(table, "dir", DEFAULT_DIR);
    let seconds = seconds(check, &longest_window(highlight, buttons));
    let max_bitrate_bps = check.rate_bps(table, "max_bitrate", 100_000..=200_000_000);
    RingSettings {
        dir: dir.unwrap_or_else(|| PathBuf::from(DEFAULT_DIR)),
        seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
        max_bitrate_bps: max_bitrate_bps.unwrap_or(8_000_000),
    }
}

fn seconds(check: &mut Checker<'_>, longest: &LongestWindow) -> u64 {
    let need = longest.need_s();
    let table = check.written.table("ring");
    let read = check.whole(table, "seconds", 1..=LONGEST_RING_S, "of seconds", 90);
    let (Some(cell), Some(seconds)) = (table.get("seconds"), read) else {
        let place = place_of(check, longest).filter(|_| need > DEFAULT_RING_S);
        if let Some(place) = place {
            let what = RingSentence::LongerThanUsual { holds_s: need };
            check.found.note(&place, what);
        }
        return DEFAULT_RING_S.max(need);
    };
    let window_bad = longest.button.is_none() && {
        let window = ["pre", "post"].map(|key| check.written.get("highlight", key));
        window.iter().any(|cell| check.found.was_rejected(*cell))
    };
    if seconds >= need || window_bad {
        return seconds;
    }
    let window_ms = longest.clone();
    if cell.place.is_env_file() {
        let used_s = need;
        let why = RingLengthSentence::Raised { window_ms, used_s };
        check.found.warn_of(cell, why);
    } else {
        let least_s = need;
        let why = RingLengthSentence::TooShort { window_ms, least_s };
        check.found.reject(cell, why);
    }
    need
}

/// Where the longest window was written, if somebody wrote it.
fn place_of(check: &Checker<'_>, longest: &LongestWindow) -> Option<SourceLocation> {
    let table = match &longest.button {
        None => check.written.table("highlight"),
        Some(id) => {
            let ids = check.written.ids("button");
            let at = ids.iter().position(|button| button == id)?;
            check.written.entries("button").nth(at)?
        }
    };
    let keys = ["pre", "post"].map(|key| format!("{}{key}", longest.prefix));
    let cell = keys.iter().find_map(|key| table.get(key))?;
    Some(cell.place.clone())
}
