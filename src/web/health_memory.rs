//! The health as strangers hear it: from memory, so that no number of them keeps anybody from pressing.
//!
//! Not here: the verdict (`health`), what of it strangers may know (`answers::health`).

use std::sync::Mutex;

use super::answers::health::HealthAnswer;
use crate::base::lock;

/// How old it may be.
const FRESH_NS: u64 = 1_000_000_000;

#[derive(Default)]
pub(super) struct HealthMemory(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    seen: Option<(u64, HealthAnswer)>,
    /// Somebody asks the service since then.
    asking_since_mono_ns: Option<u64>,
}

impl HealthMemory {
    /// What can be told at once; `None`: whoever asked is to ask the service, and to [`HealthMemory::learn`].
    pub fn recall(&self, now_mono_ns: u64) -> Option<HealthAnswer> {
        let mut memory = lock(&self.0);
        let fresh = |at: u64| now_mono_ns.saturating_sub(at) < FRESH_NS;
        let asked = memory.asking_since_mono_ns.is_some_and(fresh);
        match &memory.seen {
            Some((at, answer)) if fresh(*at) || asked => Some(answer.clone()),
            _ => {
                memory.asking_since_mono_ns = Some(now_mono_ns);
                None
            }
        }
    }

    pub fn learn(&self, answer: &HealthAnswer, now_mono_ns: u64) {
        let mut memory = lock(&self.0);
        memory.seen = Some((now_mono_ns, answer.clone()));
        memory.asking_since_mono_ns = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::answers::health::HealthLevel;

    const S: u64 = 1_000_000_000;

    #[test]
    fn one_asks_a_second_and_the_others_hear_what_was_known() {
        let memory = HealthMemory::default();
        let answer = |status| HealthAnswer {
            status,
            reasons: Vec::new(),
        };
        assert_eq!(memory.recall(10 * S), None);
        memory.learn(&answer(HealthLevel::Healthy), 10 * S);
        let known = Some(answer(HealthLevel::Healthy));
        assert_eq!(memory.recall(11 * S - 1), known);
        assert_eq!(memory.recall(11 * S), None, "one asks anew");
        assert_eq!(memory.recall(11 * S), known, "the others need not");
        // Who asked does not come back.
        assert_eq!(memory.recall(12 * S), None);
        memory.learn(&answer(HealthLevel::Unhealthy), 12 * S);
        assert_eq!(memory.recall(12 * S), Some(answer(HealthLevel::Unhealthy)));
    }
}
