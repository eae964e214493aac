//! Which cameras share a process, and when one that died is started again. Pure: deaths and instants in,
//! starts out.
//!
//! Each camera has a process of its own while there are few. Of many, some share one; one that dies twice
//! within a minute is split, and its halves again, until whoever kills it is alone. Who shares with it is
//! back at once; who is alone waits longer after each death.
//!
//! Not here: processes (`supervisor`), why one died (`death`).

use crate::base::Backoff;
use crate::config::Reconnect;

/// Up to so many cameras each has a process of its own.
pub const ALONE: usize = 8;
/// One that lived so long was a good one.
const GOOD_NS: u64 = 10_000_000_000;
/// Two deaths within this are one too many for one that is shared.
const MINUTE_NS: u64 = 60_000_000_000;
const SPREAD_PERCENT: u64 = 20;

/// Names a group of cameras as long as they share a process.
pub type GroupId = u32;

/// Cameras that share a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    /// Places in the settings.
    pub cameras: Vec<usize>,
    life: Life,
    /// In a row, of processes that did not live long.
    failures: u32,
    /// Instants, within the last minute.
    deaths: Vec<u64>,
    /// It gave a camera back, whose remains it may yet die of.
    excused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Since { mono_ns: u64 },
    Waits { until_mono_ns: u64 },
}

impl Group {
    fn new(id: GroupId, cameras: Vec<usize>, until_mono_ns: u64) -> Group {
        Group {
            id,
            cameras,
            life: Life::Waits { until_mono_ns },
            failures: 0,
            deaths: Vec::new(),
            excused: false,
        }
    }

    /// When it is started; `None`: it runs.
    pub fn starts_at(&self) -> Option<u64> {
        match self.life {
            Life::Waits { until_mono_ns } => Some(until_mono_ns),
            Life::Since { .. } => None,
        }
    }
}

/// All groups.
#[derive(Clone, Debug)]
pub struct Groups {
    groups: Vec<Group>,
    next: GroupId,
    backoff: Backoff,
}

impl Groups {
    /// So many cameras; above [`ALONE`] they share so many processes.
    pub fn new(cameras: usize, processes: usize, reconnect: Reconnect) -> Groups {
        let count = match cameras <= ALONE {
            true => cameras,
            false => processes.clamp(1, cameras),
        };
        let mut shares = vec![Vec::new(); count];
        for camera in 0..cameras {
            shares[camera % count].push(camera);
        }
        let mut groups = Groups {
            groups: Vec::new(),
            next: 0,
            backoff: Backoff {
                first_ms: reconnect.initial_ms,
                cap_ms: reconnect.max_ms,
                spread_percent: SPREAD_PERCENT,
            },
        };
        for share in shares {
            groups.add(share, 0);
        }
        groups
    }

    fn add(&mut self, cameras: Vec<usize>, until_mono_ns: u64) -> &mut Group {
        let at = self.groups.len();
        self.groups
            .push(Group::new(self.next, cameras, until_mono_ns));
        self.next += 1;
        &mut self.groups[at]
    }

    pub fn all(&self) -> &[Group] {
        &self.groups
    }

    /// Which are to be started by now.
    pub fn due(&self, now_mono_ns: u64) -> Vec<Group> {
        let due = |group: &&Group| group.starts_at().is_some_and(|at| at <= now_mono_ns);
        self.groups.iter().filter(due).cloned().collect()
    }

    /// When the next is to be started.
    pub fn next_start_mono_ns(&self) -> Option<u64> {
        self.groups.iter().filter_map(Group::starts_at).min()
    }

    pub fn started(&mut self, id: GroupId, now_mono_ns: u64) {
        if let Some(group) = self.groups.iter_mut().find(|group| group.id == id) {
            group.life = Life::Since {
                mono_ns: now_mono_ns,
            };
        }
    }

    /// Its process died, or could not be started. `culprit`: the camera that it died of, where that is
    /// known. `random`: any number.
    pub fn died(&mut self, id: GroupId, culprit: Option<usize>, now_mono_ns: u64, random: u64) {
        let Some(at) = self.groups.iter().position(|group| group.id == id) else {
            return;
        };
        let mut group = self.groups.remove(at);
        if std::mem::take(&mut group.excused) && culprit.is_none() {
            group.life = Life::Waits {
                until_mono_ns: now_mono_ns,
            };
            self.groups.push(group);
            return;
        }
        if matches!(group.life, Life::Since { mono_ns } if now_mono_ns - mono_ns >= GOOD_NS) {
            group.failures = 0;
        }
        group.failures = group.failures.saturating_add(1);
        group.deaths.push(now_mono_ns);
        group.deaths.retain(|death| now_mono_ns - death < MINUTE_NS);
        let due_ns = 1_000_000 * self.backoff.delay_ms(group.failures, random);
        let later = now_mono_ns.saturating_add(due_ns);
        if group.cameras.len() < 2 {
            group.life = Life::Waits {
                until_mono_ns: later,
            };
            self.groups.push(group);
            return;
        }
        let parts = match culprit.filter(|camera| group.cameras.contains(camera)) {
            Some(culprit) => {
                let others = group.cameras.iter().copied();
                vec![
                    others.filter(|camera| *camera != culprit).collect(),
                    vec![culprit],
                ]
            }
            None if group.deaths.len() < 2 => vec![group.cameras.clone()],
            None => {
                let (one, other) = group.cameras.split_at(group.cameras.len() / 2);
                vec![one.to_vec(), other.to_vec()]
            }
        };
        for part in parts {
            let known = culprit.is_some() && part.len() == 1 && culprit == part.first().copied();
            let failures = group.failures;
            let deaths = group.deaths.clone();
            let part = self.add(part, if known { later } else { now_mono_ns });
            (part.failures, part.deaths) = match (known, part.cameras.len()) {
                (true, _) => (failures, deaths),
                // Alone by halving: perhaps innocent, so it begins anew.
                (false, 1) => (0, Vec::new()),
                // One more death, and it is halved again.
                (false, _) => (0, deaths),
            };
        }
    }
}

impl Groups {
    /// A running process gave a camera back: it is started alone, at once.
    pub fn gave_back(&mut self, id: GroupId, camera: usize, now_mono_ns: u64) {
        let Some(group) = self.groups.iter_mut().find(|group| group.id == id) else {
            return;
        };
        group.cameras.retain(|of| *of != camera);
        group.excused = true;
        if group.cameras.is_empty() {
            self.groups.retain(|group| group.id != id);
        }
        self.add(vec![camera], now_mono_ns);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn groups(cameras: usize, processes: usize) -> Groups {
        let reconnect = Reconnect {
            initial_ms: 1_000,
            max_ms: 30_000,
            max_attempts: None,
        };
        Groups::new(cameras, processes, reconnect)
    }

    fn start_all(groups: &mut Groups, now: u64) {
        for group in groups.due(now) {
            groups.started(group.id, now);
        }
    }

    fn of(groups: &Groups, camera: usize) -> Group {
        let mut all = groups.all().iter();
        all.find(|group| group.cameras.contains(&camera))
            .unwrap()
            .clone()
    }

    #[test]
    fn up_to_eight_cameras_each_has_a_process_and_more_share_as_many_as_there_may_be() {
        assert_eq!(groups(0, 4).all().len(), 0);
        let few = groups(8, 2);
        assert!(few.all().iter().all(|group| group.cameras.len() == 1));
        assert_eq!(few.all().len(), 8);
        let many = groups(10, 4);
        let sizes: Vec<usize> = many.all().iter().map(|group| group.cameras.len()).collect();
        assert_eq!(sizes, [3, 3, 2, 2]);
    }

    #[test]
    fn one_that_dies_alone_waits_longer_each_time_and_a_good_life_makes_up_for_it() {
        let mut groups = groups(1, 1);
        let mut now = 0;
        for wait_s in [1, 2, 4, 8, 16, 30, 30] {
            start_all(&mut groups, now);
            let id = groups.all()[0].id;
            groups.died(id, None, now, 0);
            let at = groups.next_start_mono_ns().unwrap();
            assert_eq!(at - now, wait_s * SECOND);
            assert!(groups.due(at - 1).is_empty());
            now = at;
        }
        start_all(&mut groups, now);
        assert_eq!(groups.next_start_mono_ns(), None);
        now += 10 * SECOND;
        groups.died(groups.all()[0].id, None, now, 0);
        assert_eq!(groups.next_start_mono_ns(), Some(now + SECOND));
    }

    #[test]
    fn a_shared_one_that_dies_twice_in_a_minute_is_split_until_the_culprit_is_alone() {
        let mut groups = groups(64, 4);
        let culprit = 21;
        let mut now = 0;
        start_all(&mut groups, now);
        let mut deaths = 0;
        while of(&groups, culprit).cameras.len() > 1 {
            deaths += 1;
            now += SECOND;
            let group = of(&groups, culprit);
            groups.died(group.id, None, now, 0);
            // All of them are back at once.
            start_all(&mut groups, now);
            assert_eq!(groups.next_start_mono_ns(), None);
        }
        assert_eq!(deaths, 5, "1 + log2(16)");
        assert_eq!(groups.all().len(), 4 + 4);
        let innocent = groups.all().iter().filter(|group| group.cameras.len() > 1);
        assert!(innocent.count() >= 6);
    }

    #[test]
    fn one_that_dies_once_in_a_long_while_is_not_split() {
        let mut groups = groups(20, 2);
        for minute in 1..10 {
            let now = minute * 61 * SECOND;
            start_all(&mut groups, now);
            groups.died(of(&groups, 3).id, None, now, 0);
        }
        assert_eq!(groups.all().len(), 2);
    }

    #[test]
    fn a_culprit_that_is_known_is_alone_at_once_and_waits_while_the_others_do_not() {
        let mut groups = groups(16, 2);
        start_all(&mut groups, 0);
        groups.died(of(&groups, 3).id, Some(3), SECOND, 0);
        assert_eq!(of(&groups, 3).cameras, [3]);
        assert_eq!(of(&groups, 3).starts_at(), Some(2 * SECOND));
        assert_eq!(of(&groups, 5).starts_at(), Some(SECOND));
        assert_eq!(of(&groups, 5).cameras.len(), 7);
    }

    #[test]
    fn a_camera_that_is_given_back_is_alone_and_the_others_run_on() {
        let mut groups = groups(16, 2);
        start_all(&mut groups, 0);
        groups.gave_back(of(&groups, 3).id, 3, SECOND);
        assert_eq!(groups.due(SECOND), [of(&groups, 3)]);
        assert_eq!(of(&groups, 3).cameras, [3]);
        assert_eq!(of(&groups, 5).starts_at(), None);
        // What it dies of next is what that camera left behind: nobody waits for it.
        groups.died(of(&groups, 5).id, None, 2 * SECOND, 0);
        assert_eq!(of(&groups, 5).starts_at(), Some(2 * SECOND));
        assert_eq!(of(&groups, 5).cameras.len(), 7);
    }

    proptest! {
        #[test]
        fn every_camera_is_in_one_group_whatever_dies(
            cameras in 1_usize..40, processes in 1_usize..6,
            deaths in proptest::collection::vec((0_usize..60, 0_u64..40, any::<u64>(), any::<bool>()), 0..60),
        ) {
            let mut groups = groups(cameras, processes);
            let mut now = 0;
            for (who, wait_s, random, known) in deaths {
                now += wait_s * SECOND;
                start_all(&mut groups, now);
                let running: Vec<Group> =
                    groups.all().iter().filter(|group| group.starts_at().is_none()).cloned().collect();
                if let Some(group) = running.get(who % running.len().max(1)) {
                    let culprit = known.then(|| group.cameras[0]);
                    groups.died(group.id, culprit, now, random);
                }
                let mut all: Vec<usize> =
                    groups.all().iter().flat_map(|group| group.cameras.clone()).collect();
                all.sort_unstable();
                prop_assert_eq!(all, (0..cameras).collect::<Vec<_>>());
                prop_assert!(groups.next_start_mono_ns().is_none_or(|at| at <= now + 30 * SECOND));
                prop_assert!(groups.all().iter().all(|group| !group.cameras.is_empty()));
            }
        }
    }
}
