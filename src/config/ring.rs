//! `[ring]`, checked: it must hold the longest window that anybody can press for.
//!
//! Called by: `check`.

use super::board::{Button, PressWindow};
use super::check::Checker;
use super::checked::{Highlight, RingSettings};
use super::problem::SourceLocation;
use super::units::show_ms;

/// What the ring holds beyond the longest window.
const RING_MARGIN_S: u64 = 15;
const DEFAULT_RING_S: u64 = 90;
const LONGEST_RING_S: u64 = 2 * 3600;

/// The window that the ring must hold, and whose it is.
struct LongestWindow {
    /// `None`: `[highlight]`'s.
    button: Option<String>,
    /// Of its keys: nothing, `long_`, `double_`.
    prefix: &'static str,
    window: PressWindow,
}

impl LongestWindow {
    fn need_s(&self) -> u64 {
        (self.window.pre_ms + self.window.post_ms).div_ceil(1000) + RING_MARGIN_S
    }

    fn is_of_highlight(&self) -> bool {
        self.button.is_none()
    }

    /// `pre 40s + post 10s + 15s`, and whose that is.
    fn in_words(&self) -> String {
        let (pre, post) = (show_ms(self.window.pre_ms), show_ms(self.window.post_ms));
        let prefix = self.prefix;
        let whose = match &self.button {
            Some(id) => format!("[[button]] {id}: "),
            None => String::new(),
        };
        format!("{whose}{prefix}pre {pre} + {prefix}post {post} + {RING_MARGIN_S}s")
    }
}

/// `[highlight]`'s, unless a button's is longer.
fn longest_window(highlight: &Highlight, buttons: &[Button]) -> LongestWindow {
    let mut longest = LongestWindow {
        button: None,
        prefix: "",
        window: PressWindow {
            pre_ms: highlight.pre_ms,
            post_ms: highlight.post_ms,
        },
    };
    for button in buttons {
        let windows = [
            ("", Some(button.single)),
            ("long_", button.long),
            ("double_", button.double),
        ];
        for (prefix, window) in windows {
            let Some(window) = window else { continue };
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

impl Checker<'_> {
    pub fn ring(&mut self, highlight: &Highlight, buttons: &[Button]) -> RingSettings {
        let dir = self.path_or("ring", "dir", "/dev/shm");
        let seconds = self.ring_seconds(&longest_window(highlight, buttons));
        RingSettings {
            dir,
            seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
            max_bitrate_bps: self.max_bitrate(),
        }
    }

    fn ring_seconds(&mut self, longest: &LongestWindow) -> u64 {
        let need = longest.need_s();
        let table = self.written.table("ring");
        let read = self.whole(table, "seconds", 1..=LONGEST_RING_S, "of seconds", 90);
        let cell = self.written.get("ring", "seconds");
        let window_bad = longest.is_of_highlight() && {
            let window = ["pre", "post"].map(|key| self.written.get("highlight", key));
            window.iter().any(|cell| self.found.was_rejected(*cell))
        };
        let (Some(cell), Some(seconds)) = (cell, read) else {
            if let Some(place) = self.place_of(longest).filter(|_| need > DEFAULT_RING_S) {
                let text = format!("the ring holds {need} s, for this window is longer than usual");
                self.found.note(&place, text);
            }
            return DEFAULT_RING_S.max(need);
        };
        if seconds >= need || window_bad {
            return seconds;
        }
        let why = longest.in_words();
        if matches!(cell.place, SourceLocation::EnvFile { .. }) {
            let (name, shown) = (&cell.name, cell.shown());
            let text = format!("{name} = {shown} is too small for {why}; {need} is used");
            self.found.warn(&cell.place, text);
        } else {
            self.found.reject(
                cell,
                format!("is shorter than the longest window ({why}); write at least {need}"),
            );
        }
        need
    }

    /// Where the longest window was written, if somebody wrote it.
    fn place_of(&self, longest: &LongestWindow) -> Option<SourceLocation> {
        let table = match &longest.button {
            None => self.written.table("highlight")?,
            Some(id) => {
                let ids = self.written.ids("button");
                let at = ids.iter().position(|button| button == id)?;
                self.written.entries("button").nth(at)?
            }
        };
        let keys = ["pre", "post"].map(|key| format!("{}{key}", longest.prefix));
        let cell = keys.iter().find_map(|key| table.get(key))?;
        Some(cell.place.clone())
    }

    fn max_bitrate(&mut self) -> u64 {
        let table = self.written.table("ring");
        let read = self.rate_bps(table, "max_bitrate", 100_000..=200_000_000);
        read.unwrap_or(8_000_000)
    }
}
