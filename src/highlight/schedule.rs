//! Which job is next, when a job is tried again, when it is given up. Pure.
//!
//! Not here: the jobs (`jobs`), those who work on them (`workers`).

/// Failures after which a clip is given up whose footage the ring has lost: 6 s,
/// in which a disk that lost its cable for a moment is back.
const GIVE_UP: u32 = 8;
/// Failures after which the unfinished file is not trusted any more.
const AFRESH: u32 = 3;
/// After a failure of a disk that is not full: twice as long after each.
const FIRST_DELAY_MS: u64 = 25;
const MOST_DOUBLINGS: u32 = 8;
/// A full disk is asked so often: whether there is room costs little.
const FULL_DELAY_MS: u64 = 500;
const FULL_LONGEST: u32 = 4;

/// How soon a job loses something by waiting; the smallest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// It needs no ring: its clip is as good as made.
    Short,
    /// Its footage is being overwritten, or is looked for.
    Overtaken,
    /// Nanoseconds until its footage begins to be overtaken.
    Slack(u64),
}

/// The job to be begun now, by its place among those that wait. How urgent a job is, is
/// asked only of those that are due.
pub fn next<J>(
    waiting: &[J],
    now_mono_ns: u64,
    not_before_mono_ns: impl Fn(&J) -> u64,
    urgency: impl Fn(&J) -> Urgency,
) -> Option<usize> {
    waiting
        .iter()
        .enumerate()
        .filter(|(_, job)| not_before_mono_ns(job) <= now_mono_ns)
        .min_by_key(|(_, job)| urgency(job))
        .map(|(at, _)| at)
}

/// A refusal of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Of this step, one after the other, with this one.
    pub failures: u32,
    /// There was no room.
    pub full: bool,
    /// The clip is not written yet.
    pub exporting: bool,
    /// A ring still holds the beginning of what is wanted.
    pub held: bool,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    pub delay_ms: u64,
    /// The unfinished file is thrown away first.
    pub afresh: bool,
    /// No more attempts: the sidecar says why.
    pub given_up: bool,
    /// The 1st, 2nd, 4th, 8th time …: it may go on for hours.
    pub said: bool,
}

pub fn after(refused: Refused) -> Retry {
    let Refused {
        failures,
        full,
        exporting,
        held,
    } = refused;
    let delay_ms = match full {
        true => FULL_DELAY_MS * u64::from(failures.min(FULL_LONGEST)),
        false => FIRST_DELAY_MS << failures.min(MOST_DOUBLINGS),
    };
    Retry {
        delay_ms,
        afresh: exporting && !full && held && failures >= AFRESH,
        given_up: exporting && !full && !held && failures >= GIVE_UP,
        said: failures.is_power_of_two(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_that_loses_most_by_waiting_is_next() {
        let now = 100;
        let (short, overtaken) = (Urgency::Short, Urgency::Overtaken);
        /// Not before, and how urgent; which of them is next.
        type Case<'a> = (&'a [(u64, Urgency)], Option<usize>);
        let cases: [Case<'_>; 5] = [
            (&[], None),
            (&[(101, short)], None),
            (&[(0, Urgency::Slack(0)), (0, overtaken)], Some(1)),
            (&[(0, overtaken), (101, short), (100, short)], Some(2)),
            // The first of equals.
            (
                &[
                    (0, Urgency::Slack(9)),
                    (0, Urgency::Slack(7)),
                    (0, Urgency::Slack(7)),
                ],
                Some(1),
            ),
        ];
        for (waiting, expected) in cases {
            let found = next(waiting, now, |job| job.0, |job| job.1);
            assert_eq!(found, expected, "{waiting:?}");
        }
    }

    #[test]
    fn a_refused_job_waits_longer_each_time_and_is_given_up_only_where_its_footage_is_gone() {
        let full = true;
        // (failures, full, exporting, held) → (delay, afresh, given up)
        let cases = [
            ((1, !full, true, true), (50, false, false)),
            ((2, !full, true, true), (100, false, false)),
            ((3, !full, true, true), (200, true, false)),
            ((3, !full, true, false), (200, false, false)),
            ((3, !full, false, true), (200, false, false)),
            ((7, !full, true, false), (3_200, false, false)),
            ((8, !full, true, false), (6_400, false, true)),
            ((8, !full, true, true), (6_400, true, false)),
            ((8, !full, false, false), (6_400, false, false)),
            ((u32::MAX, !full, false, true), (6_400, false, false)),
            // A full disk is waited for, however long, and what was written is kept.
            ((1, full, true, true), (500, false, false)),
            ((4, full, true, true), (2_000, false, false)),
            ((1_000, full, true, false), (2_000, false, false)),
        ];
        for ((failures, full, exporting, held), (delay_ms, afresh, given_up)) in cases {
            let refused = Refused {
                failures,
                full,
                exporting,
                held,
            };
            let retry = after(refused);
            let found = (retry.delay_ms, retry.afresh, retry.given_up);
            assert_eq!(found, (delay_ms, afresh, given_up), "{refused:?}");
        }
        let said = |failures| {
            after(Refused {
                failures,
                full,
                exporting: true,
                held: true,
            })
            .said
        };
        let told: Vec<u32> = (1..20).filter(|failures| said(*failures)).collect();
        assert_eq!(told, [1, 2, 4, 8, 16]);
    }
}
