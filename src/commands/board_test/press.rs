//! What was one press of a button that nobody debounced, and how often it bounced.
//!
//! Not here: who waits for it (`board_test`).

use crate::board::Edge;
use crate::service::say;

/// One press as it was felt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeardPress {
    pub(super) length_ns: u64,
    /// Edges that were not the press or its end.
    pub(super) bounces: usize,
    debounce_ns: u64,
}

impl HeardPress {
    /// The first whole press among edges in the order of their times; `None`: nothing
    /// lasted as long as the debounce. Levels that last shorter are bounces.
    pub(super) fn of(edges: &[Edge], debounce_ns: u64) -> Option<HeardPress> {
        let mut held_since = None;
        let mut burst_since = None;
        let mut bounces = 0;
        for (n, edge) in edges.iter().enumerate() {
            let began = *burst_since.get_or_insert(edge.at_mono_ns);
            let next = edges.get(n + 1);
            let lasts = next
                .is_none_or(|next| next.at_mono_ns.saturating_sub(edge.at_mono_ns) >= debounce_ns);
            if !lasts {
                bounces += 1;
                continue;
            }
            burst_since = None;
            match (held_since, edge.held) {
                (None, true) => held_since = Some(began),
                (Some(since), false) => {
                    let length_ns = began.saturating_sub(since);
                    return Some(HeardPress {
                        length_ns,
                        bounces,
                        debounce_ns,
                    });
                }
                // Back to where it was: a spike.
                _ => bounces += 1,
            }
        }
        None
    }

    pub(super) fn in_words(&self) -> String {
        let ms = self.length_ns / 1_000_000;
        let held = match ms {
            0..1000 => format!("seen, held for {ms} ms"),
            ms => format!("seen, held for {}", say::seconds(ms)),
        };
        let debounce_ms = self.debounce_ns / 1_000_000;
        match self.bounces {
            0 => format!("{held}, no bounces"),
            n => format!(
                "{held}, {} within its debounce of {debounce_ms} ms: suppressed in service",
                say::many(n, "bounce")
            ),
        }
    }
}
