//! What the lights are told, and when: presses, clips, the monitor's verdict, the stop.
//!
//! Not here: what a light shows (`board::patterns`), the pins (`panel`).

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

use crate::base::{PressAck, PressId, lock};
use crate::board::lights::{LightFault, Lights};
use crate::health::{self, Pictures, Status};
use crate::highlight::Event;

/// A camera that does not answer when the box starts keeps the others waiting no longer.
const BOOT_NS: u64 = 20_000_000_000;

/// Tells the lights. Everything here returns at once.
pub(crate) struct Feed {
    lights: Lights,
    windows: Mutex<Windows>,
    boot: Mutex<Boot>,
    /// What was told last.
    told: Mutex<Option<Shows>>,
}

impl Feed {
    pub fn new(lights: Lights, now_mono_ns: u64) -> Feed {
        Feed {
            lights,
            windows: Mutex::default(),
            boot: Mutex::new(Boot {
                started_mono_ns: now_mono_ns,
                over: false,
            }),
            told: Mutex::new(None),
        }
    }

    /// A press from whatever source is durable.
    pub fn taken(&self, ack: &PressAck) {
        self.lights.taken();
        let running = self.windows().opened(&ack.press.id);
        self.lights.set_windows(running);
    }

    /// A press from whatever source makes no clip.
    pub fn refused(&self) {
        self.lights.refused();
    }

    pub fn event(&self, event: &Event) {
        match event {
            Event::Committed { .. } => self.lights.clip_done(),
            Event::NoClip { .. } => {}
            Event::Retired { press_id } => {
                let running = self.windows().closed(press_id);
                self.lights.set_windows(running);
            }
        }
    }

    /// What the monitor saw. Wakes the lights only when that is something new.
    pub fn look(&self, inputs: &health::HealthInputs, verdict: &health::Verdict, now_mono_ns: u64) {
        let booted = {
            let mut boot = lock(&self.boot);
            boot.over_with(inputs, now_mono_ns)
        };
        let shows = Shows::of(inputs, verdict, booted);
        let mut told = lock(&self.told);
        if told.replace(shows) == Some(shows) {
            return;
        }
        if shows.booted {
            self.lights.ready();
        }
        self.lights.set_cameras_missing(shows.cameras_missing);
        self.lights.set_disk(shows.disk_nearly_full);
        self.lights.set_box_trouble(shows.box_trouble);
        self.lights.set_fault(LightFault::House, shows.fault);
    }

    fn windows(&self) -> std::sync::MutexGuard<'_, Windows> {
        lock(&self.windows)
    }
}

/// The state in the lights' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shows {
    booted: bool,
    cameras_missing: usize,
    disk_nearly_full: bool,
    box_trouble: bool,
    fault: bool,
}

impl Shows {
    fn of(inputs: &health::HealthInputs, verdict: &health::Verdict, booted: bool) -> Shows {
        let down = inputs
            .cameras
            .iter()
            .filter(|camera| camera.pictures != Pictures::Coming);
        Shows {
            booted,
            // Being called for the first time is no trouble yet.
            cameras_missing: if booted { down.count() } else { 0 },
            disk_nearly_full: health::disk_nearly_full(&inputs.storage),
            box_trouble: inputs.notices.iter().any(|notice| notice.fault),
            fault: booted && verdict.status == Status::Unhealthy,
        }
    }
}

/// The start, until every camera has answered in some way.
#[derive(Clone, Copy, Debug)]
struct Boot {
    started_mono_ns: u64,
    over: bool,
}

impl Boot {
    fn over_with(&mut self, inputs: &health::HealthInputs, now_mono_ns: u64) -> bool {
        let calling = inputs
            .cameras
            .iter()
            .any(|camera| camera.pictures == Pictures::Connecting);
        let late = now_mono_ns.saturating_sub(self.started_mono_ns) >= BOOT_NS;
        self.over |= !calling || late;
        self.over
    }
}

/// The presses whose clips are being made.
#[derive(Debug, Default)]
struct Windows {
    open: HashSet<PressId>,
    /// Retired before their answer was heard of, and presses of earlier runs.
    early: VecDeque<PressId>,
}

impl Windows {
    /// Of earlier runs there may be many; of presses that end at once only some.
    const REMEMBERED: usize = 64;

    fn opened(&mut self, press: &PressId) -> usize {
        match self.early.iter().position(|early| early == press) {
            Some(at) => drop(self.early.remove(at)),
            None => drop(self.open.insert(press.clone())),
        }
        self.open.len()
    }

    fn closed(&mut self, press: &PressId) -> usize {
        if !self.open.remove(press) {
            if self.early.len() == Self::REMEMBERED {
                self.early.pop_front();
            }
            self.early.push_back(press.clone());
        }
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::health::{CameraInputs, HealthInputs, StorageInputs, judge};

    const S: u64 = 1_000_000_000;

    fn press(n: u32) -> PressId {
        PressId::try_from(format!("0123abcd-00000000abc-{n:08x}")).unwrap()
    }

    fn inputs(pictures: [Pictures; 2]) -> HealthInputs {
        let camera = |pictures| CameraInputs {
            id: "a".to_owned(),
            name: "A".to_owned(),
            pictures,
            warnings: Vec::new(),
        };
        HealthInputs {
            cameras: pictures.map(camera).to_vec(),
            storage: StorageInputs {
                path: "/data".to_owned(),
                trouble: None,
                free_bytes: 100_000_000_000,
                press_bytes: 100_000_000,
                silent_ms: 0,
            },
            clock_set: true,
            late_clips: 0,
            trouble: None,
            board: Vec::new(),
            work: crate::health::DeliveryInputs::default(),
            notices: Vec::new(),
        }
    }

    fn missing() -> Pictures {
        Pictures::Missing {
            why: "connection refused".into(),
        }
    }

    fn shows(inputs: &HealthInputs) -> (usize, bool, bool) {
        let shows = Shows::of(inputs, &judge(inputs), true);
        (shows.cameras_missing, shows.disk_nearly_full, shows.fault)
    }

    #[test]
    fn one_camera_is_missing_all_are_a_fault_and_so_is_a_full_disk() {
        assert_eq!(
            shows(&inputs([Pictures::Coming, Pictures::Coming])),
            (0, false, false)
        );
        assert_eq!(
            shows(&inputs([Pictures::Coming, missing()])),
            (1, false, false)
        );
        assert_eq!(shows(&inputs([missing(), missing()])), (2, false, true));
        let mut full = inputs([Pictures::Coming, Pictures::Coming]);
        full.storage.free_bytes = 1_500_000_000;
        assert_eq!(shows(&full), (0, true, false));
        full.storage.free_bytes = 0;
        assert!(shows(&full).2);
    }

    #[test]
    fn a_fault_of_the_box_is_shown_and_a_warning_is_not() {
        use crate::base::Notice;
        let mut inputs = inputs([Pictures::Coming, Pictures::Coming]);
        inputs.notices = vec![Notice::default()];
        let shows = |inputs: &HealthInputs| Shows::of(inputs, &judge(inputs), true);
        assert!(!shows(&inputs).box_trouble);
        inputs.notices[0].fault = true;
        assert!(shows(&inputs).box_trouble && !shows(&inputs).fault);
    }

    #[test]
    fn it_boots_until_every_camera_has_answered_or_has_had_its_time_and_never_again() {
        let mut boot = Boot {
            started_mono_ns: S,
            over: false,
        };
        let calling = inputs([Pictures::Coming, Pictures::Connecting]);
        assert!(!boot.over_with(&calling, 2 * S));
        let fault = Shows::of(
            &inputs([missing(), Pictures::Connecting]),
            &judge(&calling),
            false,
        );
        assert!(!fault.fault && fault.cameras_missing == 0);
        let mut late = boot;
        assert!(late.over_with(&calling, S + BOOT_NS));
        assert!(boot.over_with(&inputs([Pictures::Coming, missing()]), 3 * S));
        assert!(boot.over_with(&calling, 4 * S));
    }

    #[test]
    fn windows_are_counted_in_whatever_order_their_ends_are_heard_of() {
        let mut windows = Windows::default();
        assert_eq!(windows.opened(&press(1)), 1);
        assert_eq!(windows.opened(&press(2)), 2);
        assert_eq!(windows.closed(&press(1)), 1);
        assert_eq!(
            windows.closed(&press(3)),
            1,
            "its answer is still under way"
        );
        assert_eq!(windows.opened(&press(3)), 1);
        for n in 100..1000 {
            assert_eq!(windows.closed(&press(n)), 1);
        }
        assert_eq!(windows.closed(&press(2)), 0);
        assert!(windows.early.len() <= Windows::REMEMBERED);
    }
}
