//! Whether the loops of the house get on: what feeds systemd's watchdog. Pure.
//!
//! LoopProgress is that loops turn, not that clips are made. What stands when a loop stands:
//!
//! | loop | turns | stands when |
//! |---|---|---|
//! | `ingest-N` | once a second, and for every packet | the runtime of some cameras does not get to its tasks |
//! | `highlights` | once a second | the state of the presses is locked for good |
//! | `monitor` | once a second | nobody can look at the house: its lights and `/health` are old |
//! | `web` | once a second | the API answers nobody |
//!
//! No reason for a restart: a camera that is away (its task waits, the loop turns), and a disk that does not
//! answer: a thread that the kernel holds for it (`D`) stands on its account, and a restart
//! would only add a process that cannot be ended. `/health` tells of both.
//!
//! Not here: how threads are looked at, what follows (`service`), the words to systemd (`systemd`).

use std::collections::BTreeMap;

/// So long a loop may stand where systemd names no time (`WatchdogSec`). The longest honest
/// pauses, on a machine that starves, are a few seconds.
pub const LIMIT_NS: u64 = 30_000_000_000;

/// A loop as it is seen now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopSample {
    pub name: String,
    /// It only ever grows, while the loop turns.
    pub beats: u64,
    /// The kernel holds its thread: it waits for a disk.
    pub held_by_kernel: bool,
}

/// A loop that stands, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stands {
    pub name: String,
    pub ms: u64,
}

/// What was seen before.
#[derive(Clone, Debug)]
pub struct LoopProgress {
    limit_ns: u64,
    last: BTreeMap<String, Last>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    beats: u64,
    /// When it had turned, or was the kernel's.
    at_mono_ns: u64,
}

impl LoopProgress {
    /// Loops may stand for so long.
    pub fn new(limit_ns: u64) -> LoopProgress {
        LoopProgress {
            limit_ns,
            last: BTreeMap::new(),
        }
    }

    /// The loops that stand for the limit or longer; none: all is well. A loop that is seen for the
    /// first time has just turned.
    pub fn look(&mut self, seen: &[LoopSample], now_mono_ns: u64) -> Vec<Stands> {
        let mut standing = Vec::new();
        for one in seen {
            let fresh = Last {
                beats: one.beats,
                at_mono_ns: now_mono_ns,
            };
            let last = self.last.entry(one.name.clone()).or_insert(fresh);
            if last.beats != one.beats || one.held_by_kernel {
                *last = fresh;
            }
            let stands_ns = now_mono_ns.saturating_sub(last.at_mono_ns);
            if stands_ns >= self.limit_ns {
                standing.push(Stands {
                    name: one.name.clone(),
                    ms: stands_ns / 1_000_000,
                });
            }
        }
        standing
    }
}

/// Whether the kernel holds a thread, by its `/proc/…/stat` line. False where it cannot be told.
pub fn held_by_kernel(stat: &str) -> bool {
    // The name in front may hold anything, brackets too.
    let behind = stat.rsplit_once(") ").map(|(_, behind)| behind);
    behind.is_some_and(|behind| behind.starts_with('D'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = 1_000_000_000;

    fn seen(name: &str, beats: u64, held: bool) -> LoopSample {
        LoopSample {
            name: name.to_owned(),
            beats,
            held_by_kernel: held,
        }
    }

    #[test]
    fn a_loop_that_stands_too_long_is_named_and_one_that_turns_is_not() {
        let mut progress = LoopProgress::new(LIMIT_NS);
        for second in 0..120 {
            let now = 1000 * S + second * S;
            let beats = second.min(50);
            let standing = progress.look(
                &[seen("web", second, false), seen("monitor", beats, false)],
                now,
            );
            match second {
                0..80 => assert_eq!(standing, []),
                _ => {
                    let ms = (second - 50) * 1000;
                    let name = "monitor".to_owned();
                    assert_eq!(standing, [Stands { name, ms }]);
                }
            }
        }
        let again = [seen("web", 500, false), seen("monitor", 51, false)];
        assert_eq!(progress.look(&again, 1121 * S), [], "it turned again");
    }

    #[test]
    fn a_loop_that_never_began_stands_too() {
        let mut progress = LoopProgress::new(LIMIT_NS);
        assert_eq!(progress.look(&[seen("web", 0, false)], 5 * S), []);
        assert_eq!(
            progress
                .look(&[seen("web", 0, false)], 5 * S + LIMIT_NS)
                .len(),
            1
        );
    }

    #[test]
    fn a_slow_disk_is_no_reason() {
        let mut progress = LoopProgress::new(LIMIT_NS);
        for second in 0..600 {
            assert_eq!(
                progress.look(&[seen("highlights", 7, true)], second * S),
                []
            );
        }
        let last = 599 * S;
        let after = [seen("highlights", 7, false)];
        assert_eq!(progress.look(&after, last + LIMIT_NS - 1), []);
        assert_eq!(
            progress.look(&after, last + LIMIT_NS).len(),
            1,
            "it came back and stands"
        );
    }

    #[test]
    fn a_thread_that_the_kernel_holds_is_known_by_its_state() {
        assert!(held_by_kernel("7 (high) D (x) D 1 7"));
        assert!(!held_by_kernel("7 (high) D (x) S 1 7"));
        assert!(!held_by_kernel("7 (highlights) R 1 7 0 0"));
        assert!(!held_by_kernel(""));
    }

    proptest! {
        #[test]
        fn whatever_is_seen_only_who_stood_still_for_the_limit_is_named(
            looks in prop::collection::vec((0u64..20, any::<bool>(), prop::bool::weighted(0.1)), 1..60),
        ) {
            let mut progress = LoopProgress::new(LIMIT_NS);
            let (mut now, mut beats, mut moved) = (0, 0, 0);
            for (step, turns, held) in looks {
                now += step * S;
                beats += u64::from(turns);
                if turns || held || now == 0 {
                    moved = now;
                }
                if progress.last.is_empty() {
                    moved = now;
                }
                let standing = progress.look(&[seen("x", beats, held)], now);
                prop_assert_eq!(!standing.is_empty(), now - moved >= LIMIT_NS);
            }
        }
    }
}
