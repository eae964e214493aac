//! The thread that owns the lights: hears what happens, shows what the table says.
//!
//! It sets only what changes and sleeps until the next change of a pattern, for ever
//! with steady lights. Whoever tells it something never waits.
//!
//! Not here: what a light shows when (`patterns`), pins (the backends), who tells
//! (`service`).

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::error::BoardError;
use super::patterns::{self, LightState, Meaning, PressEcho};
use super::types::Levels;
use crate::base::{Backoff, Clock, RealClock, lock};
use crate::config::{Led, LedRole};

/// When an LED that could not be set is tried again.
const RETRY: Backoff = Backoff {
    first_ms: 1_000,
    cap_ms: 60_000,
    spread_percent: 0,
};

/// What is wrong for good: all must be over before the light goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LightFault {
    /// The house says that presses give no clips.
    House,
    /// A button is stuck.
    Button,
}

/// What there is to tell. The lights' state is made of nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Taken,
    Refused,
    ClipDone,
    Windows(usize),
    CamerasMissing(usize),
    Disk { nearly_full: bool },
    BoxTrouble(bool),
    Fault(LightFault, bool),
    Ready,
    ShuttingDown,
    Dead,
}

/// One light as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LightView {
    pub led: Led,
    pub meaning: Meaning,
    /// As the pin has it; `None`: cannot be told.
    pub lit: Option<bool>,
    /// Why it cannot be set.
    pub trouble: Option<BoardError>,
}

/// Tells the lights what happened. Cheap to clone; no call waits for anything.
///
/// The door answers every press that goes through it, from whatever source
/// ([`taken`](Lights::taken), [`refused`](Lights::refused)); others call these only
/// for what never gets there (a press inside the cooldown).
#[derive(Clone, Debug)]
pub struct Lights {
    tell: Option<Sender<Told>>,
    shown: Arc<Mutex<Shown>>,
    last_taken_mono_ns: Arc<AtomicU64>,
}

/// What the thread leaves for those who ask.
#[derive(Debug, Default)]
struct Shown {
    state: Option<LightState>,
    /// LED, level, trouble.
    lights: Vec<(Led, Option<bool>, Option<BoardError>)>,
}

impl Lights {
    /// For a house without lights: all it is told is forgotten.
    pub fn none() -> Lights {
        Lights {
            tell: None,
            shown: Arc::default(),
            last_taken_mono_ns: Arc::default(),
        }
    }

    /// A press is durable, or its moment is in a clip that is being made.
    pub fn taken(&self) {
        self.last_taken_mono_ns.store(RealClock.mono_ns(), Relaxed);
        self.tell(Told::Taken);
    }

    /// When the last press was taken: it was durable by then. 0: none yet.
    pub fn last_taken_mono_ns(&self) -> u64 {
        self.last_taken_mono_ns.load(Relaxed)
    }

    /// A press makes no clip.
    pub fn refused(&self) {
        self.tell(Told::Refused);
    }

    /// A clip is on the disk under its name.
    pub fn clip_done(&self) {
        self.tell(Told::ClipDone);
    }

    /// How many presses have a window that runs or a clip that is being written.
    pub fn set_windows(&self, running: usize) {
        self.tell(Told::Windows(running));
    }

    /// Something about the box itself is not as it should be.
    pub fn set_box_trouble(&self, holds: bool) {
        self.tell(Told::BoxTrouble(holds));
    }

    pub fn set_fault(&self, fault: LightFault, holds: bool) {
        self.tell(Told::Fault(fault, holds));
    }

    pub fn set_cameras_missing(&self, missing: usize) {
        self.tell(Told::CamerasMissing(missing));
    }

    pub fn set_disk(&self, nearly_full: bool) {
        self.tell(Told::Disk { nearly_full });
    }

    /// Booting is over.
    pub fn ready(&self) {
        self.tell(Told::Ready);
    }

    /// From now on presses are refused; there is no way back.
    pub fn shutting_down(&self) {
        self.tell(Told::ShuttingDown);
    }

    /// What each light shows now, in the config's order; for `/status`. Nothing before
    /// the thread has set them once.
    pub fn views(&self, now_mono_ns: u64) -> Vec<LightView> {
        let shown = lock(&self.shown);
        let Some(state) = shown.state else {
            return Vec::new();
        };
        let lights = shown.lights.iter().cloned();
        let view = |(led, lit, trouble): (Led, _, _)| LightView {
            led,
            meaning: patterns::meaning(&state, led.role, now_mono_ns),
            lit,
            trouble,
        };
        lights.map(view).collect()
    }

    fn tell(&self, told: Told) {
        if let Some(tell) = &self.tell {
            // After the end of its thread nobody is there to hear it.
            let _ = tell.send(told);
        }
    }
}

/// The thread. Dropping it brings every light into its dead state and waits for that.
#[derive(Debug)]
pub struct LightsThread {
    tell: Sender<Told>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for LightsThread {
    fn drop(&mut self) {
        let _ = self.tell.send(Told::Dead);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Takes the lights over: they show "booting" until [`Lights::ready`] is called.
pub fn start(
    levels: Box<dyn Levels>,
    leds: Vec<Led>,
    clock: Arc<dyn Clock>,
) -> io::Result<(Lights, LightsThread)> {
    let (tell, hear) = crossbeam_channel::unbounded();
    let shown: Arc<Mutex<Shown>> = Arc::default();
    let mut row = LightRow::new(levels, leds, clock, shown.clone());
    let thread = std::thread::Builder::new()
        .name("lights".to_owned())
        .spawn(move || row.run(&hear))?;
    let lights = Lights {
        tell: Some(tell.clone()),
        shown,
        last_taken_mono_ns: Arc::default(),
    };
    let thread = Some(thread);
    Ok((lights, LightsThread { tell, thread }))
}

/// The state and who is at fault, as told so far. Pure.
#[derive(Clone, Copy, Debug)]
struct Heard {
    state: LightState,
    house_fault: bool,
    button_fault: bool,
}

impl Heard {
    fn new(now_mono_ns: u64) -> Heard {
        Heard {
            state: LightState::booting(now_mono_ns),
            house_fault: false,
            button_fault: false,
        }
    }

    fn hear(&mut self, told: Told, now: u64) {
        let state = &mut self.state;
        match told {
            Told::Taken => state.answer = Some((PressEcho::Taken, now)),
            Told::Refused => state.answer = Some((PressEcho::Refused, now)),
            Told::ClipDone => state.clip_done = Some(now),
            Told::Windows(count) => holds(&mut state.window_running, count > 0, now),
            Told::CamerasMissing(count) => holds(&mut state.camera_missing, count > 0, now),
            Told::Disk { nearly_full } => holds(&mut state.disk_nearly_full, nearly_full, now),
            Told::BoxTrouble(on) => holds(&mut state.box_trouble, on, now),
            Told::Fault(LightFault::House, on) => self.house_fault = on,
            Told::Fault(LightFault::Button, on) => self.button_fault = on,
            Told::Ready => state.booting = None,
            Told::ShuttingDown => holds(&mut state.shutting_down, true, now),
            Told::Dead => holds(&mut state.dead, true, now),
        }
        holds(
            &mut self.state.fault,
            self.house_fault || self.button_fault,
            now,
        );
    }
}

/// What goes on keeps its beginning, so that its rhythm is not broken.
fn holds(since: &mut Option<u64>, on: bool, now_mono_ns: u64) {
    *since = on.then(|| since.unwrap_or(now_mono_ns));
}

struct LightRow {
    levels: Box<dyn Levels>,
    lights: Vec<Light>,
    clock: Arc<dyn Clock>,
    shown: Arc<Mutex<Shown>>,
}

struct Light {
    led: Led,
    /// What it was set to last; `None`: never, or that failed.
    set: Option<bool>,
    trouble: Option<BoardError>,
    /// In a row.
    failures: u32,
    retry_mono_ns: u64,
}

impl LightRow {
    fn new(
        levels: Box<dyn Levels>,
        leds: Vec<Led>,
        clock: Arc<dyn Clock>,
        shown: Arc<Mutex<Shown>>,
    ) -> LightRow {
        let light = |led| Light {
            led,
            set: None,
            trouble: None,
            failures: 0,
            retry_mono_ns: 0,
        };
        LightRow {
            levels,
            lights: leds.into_iter().map(light).collect(),
            clock,
            shown,
        }
    }

    fn run(&mut self, hear: &Receiver<Told>) {
        let mut heard = Heard::new(self.clock.mono_ns());
        loop {
            let now = self.clock.mono_ns();
            self.show(&heard.state, now);
            if heard.state.dead.is_some() {
                return;
            }
            let told = match self.next(&heard.state, now) {
                None => hear.recv().ok(),
                Some(at) => {
                    let left = at.saturating_sub(self.clock.mono_ns());
                    match hear.recv_timeout(Duration::from_nanos(left)) {
                        Ok(told) => Some(told),
                        Err(RecvTimeoutError::Timeout) => continue,
                        Err(RecvTimeoutError::Disconnected) => None,
                    }
                }
            };
            // Nobody is left who could tell anything: the house is gone.
            let told = told.unwrap_or(Told::Dead);
            let now = self.clock.mono_ns();
            std::iter::once(told)
                .chain(hear.try_iter())
                .for_each(|told| heard.hear(told, now));
        }
    }

    /// When there is something to do next.
    fn next(&self, state: &LightState, now: u64) -> Option<u64> {
        let lights = self.lights.iter();
        let next = lights.filter_map(|light| match light.set {
            Some(_) => patterns::next_change(state, light.led.role, now),
            None => Some(light.retry_mono_ns),
        });
        next.min()
    }

    fn show(&mut self, state: &LightState, now: u64) {
        for (n, light) in self.lights.iter_mut().enumerate() {
            let lit = patterns::level(state, light.led.role, now);
            let due = light.failures == 0 || now >= light.retry_mono_ns;
            if light.set != Some(lit) && (due || state.dead.is_some()) {
                light.set(n, lit, &mut *self.levels, now);
            }
        }
        // After the levels, so that no light waits for it.
        self.publish(state);
    }

    fn publish(&self, state: &LightState) {
        let lights = self.lights.iter().enumerate();
        let lights =
            lights.map(|(n, light)| (light.led, self.levels.lit(n), light.trouble.clone()));
        *lock(&self.shown) = Shown {
            state: Some(*state),
            lights: lights.collect(),
        };
    }
}

impl Light {
    fn set(&mut self, number: usize, lit: bool, levels: &mut dyn Levels, now: u64) {
        let (role, pin) = (role_name(self.led.role), self.led.pin);
        match levels.set(number, lit) {
            Ok(()) => {
                self.set = Some(lit);
                self.failures = 0;
                if self.trouble.take().is_some() {
                    log::info!(target: "hindsight::board", event = "system_led", role, pin;
                        "the {role} light on pin {pin} can be set again");
                }
            }
            Err(error) => {
                self.set = None;
                self.failures = self.failures.saturating_add(1);
                self.retry_mono_ns = now + RETRY.due_ms(self.failures) * 1_000_000;
                // Told once, however often it is tried.
                if self.trouble.as_ref() != Some(&error) {
                    log::warn!(target: "hindsight::board", event = "error_led", role, pin;
                        "the {role} light on pin {pin} cannot be set: {error}");
                }
                self.trouble = Some(error);
            }
        }
    }
}

/// As the configuration writes it.
pub fn role_name(role: LedRole) -> &'static str {
    match role {
        LedRole::Ready => "ready",
        LedRole::Busy => "busy",
        LedRole::Fault => "fault",
        LedRole::Status => "status",
        LedRole::Sound => "sound",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::board::sim::{self, SimHandle};
    use crate::config::ActiveLevel;

    const PATIENCE: Duration = Duration::from_secs(60);
    const ROLES: [LedRole; 4] = [
        LedRole::Ready,
        LedRole::Busy,
        LedRole::Fault,
        LedRole::Status,
    ];

    fn leds() -> Vec<Led> {
        let led = |(pin, role)| Led {
            pin,
            active: ActiveLevel::High,
            role,
        };
        (17..).zip(ROLES).map(led).collect()
    }

    fn row() -> (Lights, LightsThread, SimHandle) {
        let (heard, _) = crossbeam_channel::unbounded();
        let sim = sim::open(0, ROLES.len(), heard);
        let (lights, thread) = start(sim.levels, leds(), Arc::new(RealClock)).unwrap();
        (lights, thread, sim.handle)
    }

    fn at(led: LedRole) -> usize {
        ROLES.iter().position(|role| *role == led).unwrap()
    }

    fn until(met: impl Fn() -> bool) {
        let end = std::time::Instant::now() + PATIENCE;
        while !met() {
            assert!(std::time::Instant::now() < end, "nothing came");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn means(lights: &Lights, role: LedRole) -> Option<Meaning> {
        let views = lights.views(RealClock.mono_ns());
        views.iter().find(|v| v.led.role == role).map(|v| v.meaning)
    }

    #[test]
    fn a_press_is_seen_at_once_and_afterwards_the_lights_rest() {
        let (lights, _thread, sim) = row();
        lights.ready();
        until(|| sim.row() == [true, false, false, true].map(Some));
        until(|| means(&lights, LedRole::Status) == Some(Meaning::Ready));
        let pressed = RealClock.mono_ns();
        lights.taken();
        assert!(
            sim.wait(at(LedRole::Ready), false, pressed, PATIENCE)
                .is_some()
        );
        assert!(
            sim.wait(at(LedRole::Busy), true, pressed, PATIENCE)
                .is_some()
        );
        until(|| sim.row() == [true, false, false, true].map(Some));
        until(|| means(&lights, LedRole::Status) == Some(Meaning::Ready));
    }

    #[test]
    fn a_light_is_only_touched_when_it_changes() {
        let (lights, _thread, sim) = row();
        lights.ready();
        lights.set_disk(true);
        lights.set_disk(true);
        lights.refused();
        until(|| means(&lights, LedRole::Fault) == Some(Meaning::DiskNearlyFull));
        for led in 0..ROLES.len() {
            let log = sim.log();
            let levels: Vec<bool> = log.iter().filter(|c| c.led == led).map(|c| c.lit).collect();
            assert!(
                levels.windows(2).all(|two| two[0] != two[1]),
                "{led}: {levels:?}"
            );
        }
    }

    #[test]
    fn when_the_house_goes_every_light_is_in_its_dead_state() {
        let (lights, thread, sim) = row();
        lights.ready();
        lights.set_windows(2);
        lights.shutting_down();
        lights.taken();
        drop(thread);
        let dead = ROLES.map(|role| Some(patterns::dead_level(role)));
        assert_eq!(sim.row(), dead);
        lights.taken();
        assert_eq!(sim.row(), dead, "nobody hears it any more");
    }

    #[test]
    fn a_light_that_cannot_be_set_is_told_and_tried_again_while_the_others_go_on() {
        let (lights, _thread, sim) = row();
        let busy = at(LedRole::Busy);
        lights.ready();
        until(|| means(&lights, LedRole::Status) == Some(Meaning::Ready));
        sim.break_led(busy, Some("line 18 is gone"));
        lights.set_windows(1);
        until(|| {
            let why = "line 18 is gone".to_owned();
            lights.views(RealClock.mono_ns())[busy].trouble == Some(BoardError::Simulated { why })
        });
        assert!(
            lights.views(RealClock.mono_ns())[at(LedRole::Ready)]
                .trouble
                .is_none()
        );
        let from = RealClock.mono_ns();
        sim.break_led(busy, None);
        assert!(
            sim.wait(busy, true, from, PATIENCE).is_some(),
            "no further word is needed"
        );
        until(|| lights.views(RealClock.mono_ns())[busy].trouble.is_none());
    }

    #[test]
    fn one_fault_that_is_over_does_not_hide_another() {
        let mut heard = Heard::new(0);
        for (told, since) in [
            (Told::Fault(LightFault::Button, true), Some(5)),
            (Told::Fault(LightFault::House, true), Some(5)),
            (Told::Fault(LightFault::Button, false), Some(5)),
            (Told::Fault(LightFault::House, false), None),
        ] {
            heard.hear(told, if since.is_some() { 5 } else { 9 });
            assert_eq!(heard.state.fault, since);
        }
    }

    #[test]
    fn what_goes_on_keeps_its_rhythm_and_what_begins_anew_starts_anew() {
        let mut heard = Heard::new(0);
        heard.hear(Told::Windows(1), 10);
        heard.hear(Told::Windows(2), 20);
        assert_eq!(heard.state.window_running, Some(10));
        heard.hear(Told::Windows(0), 30);
        heard.hear(Told::Windows(1), 40);
        assert_eq!(heard.state.window_running, Some(40));
        heard.hear(Told::Taken, 50);
        heard.hear(Told::Taken, 60);
        assert_eq!(heard.state.answer, Some((PressEcho::Taken, 60)));
    }

    #[test]
    fn a_house_without_lights_may_tell_them_anything() {
        let lights = Lights::none();
        lights.taken();
        lights.ready();
        assert!(lights.views(RealClock.mono_ns()).is_empty());
    }
}
