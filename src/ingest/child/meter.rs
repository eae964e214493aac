//! Whom memory and work are charged to. Where cameras share a process, one that is too much of either is
//! given back before the others feel it.
//!
//! Not here: the bound of the process as a whole (`cage`).

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::coop;

use crate::base::lock;
use crate::cage;

use super::super::process::message::{CameraIndex, Heavy};
use super::super::runner::Reading;

/// Reads in a row that tokio gives a task.
const TOKIOS_TURN: u32 = 128;
/// Those that a camera has of them: each brings 6 MB at most (what Linux holds for a socket), and all of them
/// no more than lies between being given back and the end of the process.
const TURN: u32 = 4;
/// A camera that has less than this is not to blame for what others ask for.
const WORTH_BLAMING: i64 = 1_000_000;
/// Nobody's number.
const NOBODY: CameraIndex = CameraIndex::MAX;

/// What each camera costs.
#[derive(Debug)]
pub struct CameraMeter {
    /// A camera that has more than this of a shared process is given back.
    most_bytes: i64,
    shared: bool,
    told: Arc<Notify>,
    costs: Mutex<Costs>,
}

#[derive(Debug)]
struct Costs {
    of: Vec<Cost>,
    given_back: VecDeque<(CameraIndex, Heavy)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    bytes: i64,
    busy: Duration,
    /// Looks in a row at which it was most of the process's work.
    busy_looks: u32,
    too_busy: bool,
}

impl CameraMeter {
    /// Busy for so many looks, one is given back.
    const BUSY_LOOKS: u32 = 2;

    pub fn new(cameras: usize, memory_bytes: u64, told: Arc<Notify>) -> Arc<CameraMeter> {
        Arc::new(CameraMeter {
            // A buffer that grows is there twice for a moment.
            most_bytes: i64::try_from(memory_bytes / 3).unwrap_or(i64::MAX),
            shared: cameras > 1,
            told,
            costs: Mutex::new(Costs {
                of: vec![Cost::default(); cameras],
                given_back: VecDeque::new(),
            }),
        })
    }

    /// Reads a camera, and charges it.
    pub fn watch(self: &Arc<CameraMeter>, number: usize, reading: Reading) -> Metered {
        Metered {
            number: CameraIndex::try_from(number).unwrap_or(NOBODY),
            reading: Some(reading),
            meter: self.clone(),
        }
    }

    /// Now and then, after `elapsed`: who was most of the work.
    pub fn look(&self, elapsed: Duration) {
        let mut costs = lock(&self.costs);
        for cost in &mut costs.of {
            let busy = std::mem::take(&mut cost.busy) > elapsed / 2;
            cost.busy_looks = if busy { cost.busy_looks + 1 } else { 0 };
            cost.too_busy = self.shared && cost.busy_looks >= CameraMeter::BUSY_LOOKS;
        }
    }

    /// A camera that is read no more.
    pub fn next_given_back(&self) -> Option<(CameraIndex, Heavy)> {
        lock(&self.costs).given_back.pop_front()
    }

    /// What one turn cost; whether that was too much.
    fn charge(&self, number: CameraIndex, bytes: i64, busy: Duration) -> Option<Heavy> {
        let mut costs = lock(&self.costs);
        let cost = costs.of.get_mut(usize::from(number))?;
        cost.bytes = cost.bytes.saturating_add(bytes);
        cost.busy = cost.busy.saturating_add(busy);
        // What a camera gives to others to clean up stays charged to it: it counts only while there is much.
        let all = i64::try_from(cage::used_bytes()).unwrap_or(i64::MAX);
        let much = self.shared && cost.bytes > self.most_bytes && all > self.most_bytes;
        match (much, cost.too_busy) {
            (true, _) => Some(Heavy::Memory),
            (false, true) => Some(Heavy::Work),
            (false, false) => None,
        }
    }

    /// Who is to blame for what no camera's turn asks for: the one that has most. What it left to be cleaned up
    /// (a session that says good-bye reads on) may yet grow.
    fn heaviest(&self) -> CameraIndex {
        let costs = lock(&self.costs);
        let most = (0..).zip(&costs.of).max_by_key(|(_, cost)| cost.bytes);
        let most = most.filter(|(_, cost)| cost.bytes >= WORTH_BLAMING);
        most.map_or(NOBODY, |(number, _)| number)
    }

    fn give_back(&self, number: CameraIndex, why: Heavy) {
        lock(&self.costs).given_back.push_back((number, why));
        self.told.notify_one();
    }
}

/// A camera being read, and charged.
pub struct Metered {
    number: CameraIndex,
    /// `None`: given back.
    reading: Option<Reading>,
    meter: Arc<CameraMeter>,
}

impl Future for Metered {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let number = self.number;
        if self.meter.shared {
            shorten(context);
        }
        let Some(reading) = self.reading.as_mut() else {
            return Poll::Ready(());
        };
        cage::charge_to(number);
        let (before, begun) = (signed(cage::used_bytes()), Instant::now());
        let polled = reading.as_mut().poll(context);
        let bytes = signed(cage::used_bytes()).saturating_sub(before);
        cage::charge_to(self.meter.heaviest());
        let heavy = self.meter.charge(number, bytes, begun.elapsed());
        if let Some(why) = heavy {
            // With its ring's lock, before anybody hears of it.
            self.reading = None;
            self.meter.give_back(number, why);
            return Poll::Ready(());
        }
        polled
    }
}

/// Of the reads that tokio gives a task before the next one's turn, leaves a few: a camera that floods us is
/// charged after little, and the others are got to.
fn shorten(context: &mut Context<'_>) {
    for _ in 0..TOKIOS_TURN - TURN {
        match coop::poll_proceed(context) {
            Poll::Ready(taken) => taken.made_progress(),
            Poll::Pending => return,
        }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_is_most_of_a_shared_process_is_given_back_and_one_that_is_alone_is_not() {
        let second = Duration::from_secs(1);
        for (cameras, expected) in [(2, Some(Heavy::Work)), (1, None)] {
            let meter = CameraMeter::new(cameras, 64_000_000, Arc::default());
            for _ in 0..CameraMeter::BUSY_LOOKS {
                assert_eq!(meter.charge(0, 10, second), None);
                meter.look(second);
            }
            assert_eq!(meter.charge(0, 10, Duration::ZERO), expected);
        }
    }

    #[test]
    fn what_nobody_asks_for_is_charged_to_the_camera_that_has_most() {
        let meter = CameraMeter::new(3, 64_000_000, Arc::default());
        assert_eq!(meter.heaviest(), NOBODY);
        meter.charge(1, 2_000_000, Duration::ZERO);
        meter.charge(2, 1_500_000, Duration::ZERO);
        assert_eq!(meter.heaviest(), 1);
    }

    #[test]
    fn a_quiet_moment_makes_up_for_a_busy_one() {
        let second = Duration::from_secs(1);
        let meter = CameraMeter::new(2, 64_000_000, Arc::default());
        for busy in [second, Duration::ZERO, second, Duration::ZERO] {
            assert_eq!(meter.charge(1, 0, busy), None);
            meter.look(second);
        }
    }
}
