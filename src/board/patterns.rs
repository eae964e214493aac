//! What each light shows when: one table, and the pure function over it.
//!
//! [`TABLE`] is data and documentation at once: the wiring guide prints it. Its rows
//! stand in the order of urgency: of the rows that hold, a light shows the first that
//! has something for its role. A pattern is a function of (state, time).
//!
//! The rules behind it, for wet hands and for eyes that tell no red from green:
//! every press is answered at once and by rhythm, not by colour. A quick flicker is
//! "taken", three separate flashes are "refused". A status light that is lit most of
//! the time takes presses.
//!
//! Not here: who says what holds (`service`), pins (the backends), threads (`lights`).

use crate::config::LedRole;

/// What a light can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    Dead,
    Refused,
    Taken,
    ClipDone,
    ShuttingDown,
    Fault,
    Booting,
    WindowRunning,
    CameraMissing,
    BoxTrouble,
    DiskNearlyFull,
    Ready,
}

/// How a light goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    Steady(bool),
    /// Lit and dark in turns, in milliseconds, beginning with `lit`; then as it ends
    /// (`once`) or again from its start.
    Turns {
        lit: bool,
        ms: &'static [u32],
        once: bool,
    },
}

/// A beat, and what people call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub words: &'static str,
    pub beat: Beat,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternRow {
    pub meaning: Meaning,
    pub name: &'static str,
    /// For a player or the staff.
    pub says: &'static str,
    /// It is over so long after it began; `None`: as long as it holds.
    pub lasts_ms: Option<u32>,
    /// Nothing for a role: the next row that holds decides about that light.
    pub ready: Option<Pattern>,
    pub busy: Option<Pattern>,
    pub fault: Option<Pattern>,
    pub status: Option<Pattern>,
    pub sound: Option<Pattern>,
}

/// All roles, in the order of the table's columns.
pub const ROLES: [LedRole; 5] = [
    LedRole::Ready,
    LedRole::Busy,
    LedRole::Fault,
    LedRole::Status,
    LedRole::Sound,
];

const fn steady(words: &'static str, lit: bool) -> Option<Pattern> {
    let beat = Beat::Steady(lit);
    Some(Pattern { words, beat })
}

const fn again(words: &'static str, lit: bool, ms: &'static [u32]) -> Option<Pattern> {
    let once = false;
    let beat = Beat::Turns { lit, ms, once };
    Some(Pattern { words, beat })
}

const fn once(words: &'static str, lit: bool, ms: &'static [u32]) -> Option<Pattern> {
    let once = true;
    let beat = Beat::Turns { lit, ms, once };
    Some(Pattern { words, beat })
}

const ON: Option<Pattern> = steady("on", true);
const OFF: Option<Pattern> = steady("off", false);
const QUIET: Option<Pattern> = steady("silent", false);
/// Begins dark on a light that is mostly lit and lit on one that is mostly dark: the
/// answer is seen in the very moment.
const FLICKERS_FROM_LIT: Option<Pattern> = again("flickers for a second", false, &[50, 50]);
const FLICKERS_FROM_DARK: Option<Pattern> = again("flickers for a second", true, &[50, 50]);
const THREE_FLASHES: Option<Pattern> = once(
    "three quick flashes",
    false,
    &[100, 150, 150, 150, 150, 150, 400],
);
const TWO_LONG: Option<Pattern> = once("two long flashes", false, &[150, 400, 150, 400, 150]);
const PULSES: Option<Pattern> = again("on, short dark gaps", true, &[600, 200]);
const SLOW: Option<Pattern> = again("blinks slowly", true, &[1000, 1000]);
const BLIPS: Option<Pattern> = again("a blip every 2 s", true, &[100, 1900]);
const WINKS_TWICE: Option<Pattern> =
    again("on, winks twice every 3 s", true, &[2400, 200, 200, 200]);
const WINKS_THRICE: Option<Pattern> = again(
    "on, winks three times every 3 s",
    true,
    &[2000, 200, 200, 200, 200, 200],
);
const WINKS_ONCE: Option<Pattern> = again("on, winks once every 3 s", true, &[2800, 200]);
const FLASHES_TWICE: Option<Pattern> = again("two flashes every 3 s", true, &[200, 200, 200, 2400]);
const FLASHES_THRICE: Option<Pattern> = again(
    "three flashes every 3 s",
    true,
    &[200, 200, 200, 200, 200, 2000],
);
const FLASHES_ONCE: Option<Pattern> = again("one flash every 3 s", true, &[200, 2800]);

/// The most urgent first.
pub const TABLE: [PatternRow; 12] = [
    PatternRow {
        meaning: Meaning::Dead,
        name: "dead",
        says: "The service does not run: nothing is saved. Call the staff.",
        lasts_ms: None,
        ready: OFF,
        busy: OFF,
        fault: ON,
        status: OFF,
        sound: QUIET,
    },
    PatternRow {
        meaning: Meaning::Refused,
        name: "refused",
        says: "This press makes no clip: closed, no picture, no room on the disk, or stopping.",
        lasts_ms: Some(1250),
        ready: THREE_FLASHES,
        busy: THREE_FLASHES,
        fault: THREE_FLASHES,
        status: THREE_FLASHES,
        sound: once("three short beeps", true, &[100, 100, 100, 100, 100, 750]),
    },
    PatternRow {
        meaning: Meaning::Taken,
        name: "press taken",
        says: "Got it. The moment is safe.",
        lasts_ms: Some(1000),
        ready: FLICKERS_FROM_LIT,
        busy: FLICKERS_FROM_DARK,
        fault: None,
        status: FLICKERS_FROM_LIT,
        sound: once("one short beep", true, &[80, 920]),
    },
    PatternRow {
        meaning: Meaning::ClipDone,
        name: "clip done",
        says: "The clip is on the disk.",
        lasts_ms: Some(1250),
        ready: TWO_LONG,
        busy: None,
        fault: None,
        status: TWO_LONG,
        sound: once("two blips", true, &[40, 120, 40, 1050]),
    },
    PatternRow {
        meaning: Meaning::ShuttingDown,
        name: "shutting down",
        says: "Clips that were begun are being finished; no more presses. Leave the power on.",
        lasts_ms: None,
        ready: OFF,
        busy: BLIPS,
        fault: OFF,
        status: BLIPS,
        sound: QUIET,
    },
    PatternRow {
        meaning: Meaning::Fault,
        name: "fault",
        says: "Presses give no clips, or a button is stuck. Call the staff: `/health` says what it is.",
        lasts_ms: None,
        ready: OFF,
        busy: None,
        fault: ON,
        status: again("blinks quickly without end", true, &[200, 200]),
        sound: None,
    },
    PatternRow {
        meaning: Meaning::Booting,
        name: "booting",
        says: "Wait: the cameras are being called.",
        lasts_ms: None,
        ready: SLOW,
        busy: None,
        fault: OFF,
        status: SLOW,
        sound: None,
    },
    PatternRow {
        meaning: Meaning::WindowRunning,
        name: "window running",
        says: "A clip is being made. Press again whenever something happens.",
        lasts_ms: None,
        ready: None,
        busy: PULSES,
        fault: None,
        status: PULSES,
        sound: None,
    },
    PatternRow {
        meaning: Meaning::CameraMissing,
        name: "camera missing",
        says: "One of the cameras sends no picture; the others make clips.",
        lasts_ms: None,
        ready: WINKS_TWICE,
        busy: None,
        fault: FLASHES_TWICE,
        status: WINKS_TWICE,
        sound: None,
    },
    PatternRow {
        meaning: Meaning::BoxTrouble,
        name: "box trouble",
        says: "Presses still work. Its configuration or its disk is not as it should be: `/health` says what it is.",
        lasts_ms: None,
        ready: None,
        busy: None,
        fault: FLASHES_THRICE,
        status: WINKS_THRICE,
        sound: None,
    },
    PatternRow {
        meaning: Meaning::DiskNearlyFull,
        name: "disk nearly full",
        says: "Presses still work. The staff should make room.",
        lasts_ms: None,
        ready: None,
        busy: None,
        fault: FLASHES_ONCE,
        status: WINKS_ONCE,
        sound: None,
    },
    PatternRow {
        meaning: Meaning::Ready,
        name: "ready",
        says: "Press whenever something happens.",
        lasts_ms: None,
        ready: ON,
        busy: OFF,
        fault: OFF,
        status: ON,
        sound: QUIET,
    },
];

impl PatternRow {
    pub fn of(&self, role: LedRole) -> Option<&Pattern> {
        let pattern = match role {
            LedRole::Ready => &self.ready,
            LedRole::Busy => &self.busy,
            LedRole::Fault => &self.fault,
            LedRole::Status => &self.status,
            LedRole::Sound => &self.sound,
        };
        pattern.as_ref()
    }
}

impl Meaning {
    pub fn row(self) -> &'static PatternRow {
        // Every meaning has its row: tested.
        TABLE
            .iter()
            .find(|row| row.meaning == self)
            .unwrap_or(&TABLE[0])
    }
}

/// The level that is left behind where no service runs.
pub fn dead_level(role: LedRole) -> bool {
    matches!(Meaning::Dead.row().of(role), Some(pattern) if pattern.beat == Beat::Steady(true))
}

/// What holds, and since when (`CLOCK_MONOTONIC`, nanoseconds). Plain: no lock, no clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LightState {
    pub dead: Option<u64>,
    /// The last answer to a press.
    pub answer: Option<(PressEcho, u64)>,
    pub clip_done: Option<u64>,
    pub shutting_down: Option<u64>,
    pub fault: Option<u64>,
    pub booting: Option<u64>,
    pub window_running: Option<u64>,
    pub camera_missing: Option<u64>,
    pub box_trouble: Option<u64>,
    pub disk_nearly_full: Option<u64>,
}

/// How a press was answered; the last answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PressEcho {
    Taken,
    Refused,
}

impl LightState {
    /// Started, and not yet ready.
    pub fn booting(now_mono_ns: u64) -> LightState {
        let booting = Some(now_mono_ns);
        LightState {
            booting,
            ..LightState::ready()
        }
    }

    /// All is well and nothing happens.
    pub fn ready() -> LightState {
        LightState {
            dead: None,
            answer: None,
            clip_done: None,
            shutting_down: None,
            fault: None,
            booting: None,
            window_running: None,
            camera_missing: None,
            box_trouble: None,
            disk_nearly_full: None,
        }
    }

    /// Since when a meaning holds, moments that are over included.
    fn since(&self, meaning: Meaning) -> Option<u64> {
        let answered = |wanted| self.answer.filter(|(answer, _)| *answer == wanted);
        match meaning {
            Meaning::Dead => self.dead,
            Meaning::Refused => answered(PressEcho::Refused).map(|(_, at)| at),
            Meaning::Taken => answered(PressEcho::Taken).map(|(_, at)| at),
            Meaning::ClipDone => self.clip_done,
            Meaning::ShuttingDown => self.shutting_down,
            Meaning::Fault => self.fault,
            Meaning::Booting => self.booting,
            Meaning::WindowRunning => self.window_running,
            Meaning::CameraMissing => self.camera_missing,
            Meaning::BoxTrouble => self.box_trouble,
            Meaning::DiskNearlyFull => self.disk_nearly_full,
            Meaning::Ready => Some(0),
        }
    }
}

/// What decides about a light now: the row, its pattern, and how long it has held.
struct Shown {
    row: &'static PatternRow,
    pattern: &'static Pattern,
    for_ns: u64,
}

const MS: u64 = 1_000_000;

fn shown(state: &LightState, role: LedRole, now_mono_ns: u64) -> Option<Shown> {
    TABLE.iter().find_map(|row| {
        let pattern = row.of(role)?;
        let for_ns = now_mono_ns.saturating_sub(state.since(row.meaning)?);
        let over = row.lasts_ms.is_some_and(|ms| for_ns >= u64::from(ms) * MS);
        (!over).then_some(Shown {
            row,
            pattern,
            for_ns,
        })
    })
}

/// What the light of `role` tells now.
pub fn meaning(state: &LightState, role: LedRole, now_mono_ns: u64) -> Meaning {
    shown(state, role, now_mono_ns).map_or(Meaning::Ready, |shown| shown.row.meaning)
}

/// Whether the light of `role` is lit now.
pub fn level(state: &LightState, role: LedRole, now_mono_ns: u64) -> bool {
    shown(state, role, now_mono_ns).is_some_and(|shown| shown.pattern.beat.turn(shown.for_ns).0)
}

/// The first instant after `now` at which the light of `role` changes if nothing else
/// happens; `None`: never.
pub fn next_change(state: &LightState, role: LedRole, now_mono_ns: u64) -> Option<u64> {
    let lit = level(state, role, now_mono_ns);
    let mut at = now_mono_ns;
    loop {
        at = next_look(state, role, at)?;
        if level(state, role, at) != lit {
            return Some(at);
        }
    }
}

/// The first instant after `now` at which there is anything to look at.
fn next_look(state: &LightState, role: LedRole, now_mono_ns: u64) -> Option<u64> {
    let shown = shown(state, role, now_mono_ns)?;
    let turn = shown.pattern.beat.turn(shown.for_ns).1;
    let left = |ms: u32| (u64::from(ms) * MS).saturating_sub(shown.for_ns);
    let over = shown.row.lasts_ms.map(left);
    // What began in the future has not moved yet.
    let start = shown.row.meaning.starts_at(state).max(now_mono_ns);
    let soonest = [turn, over].into_iter().flatten().min()?;
    Some(start.saturating_add(soonest))
}

impl Meaning {
    fn starts_at(self, state: &LightState) -> u64 {
        state.since(self).unwrap_or(0)
    }
}

impl Beat {
    /// The level after `for_ns` of it, and how long until its next turn; `None`: no more turns.
    fn turn(self, for_ns: u64) -> (bool, Option<u64>) {
        let (mut lit, ms, once) = match self {
            Beat::Steady(lit) => return (lit, None),
            Beat::Turns { lit, ms, once } => (lit, ms, once),
        };
        let round: u64 = ms.iter().map(|ms| u64::from(*ms) * MS).sum();
        let mut left = match once {
            true => for_ns,
            false => for_ns % round.max(1),
        };
        for (n, ms) in ms.iter().enumerate() {
            let long = u64::from(*ms) * MS;
            if left < long {
                let last = once && n + 1 == self.turns();
                return (lit, (!last).then_some(long - left));
            }
            left -= long;
            lit = !lit;
        }
        // As it ended.
        (!lit, None)
    }

    fn turns(self) -> usize {
        match self {
            Beat::Steady(_) => 0,
            Beat::Turns { ms, .. } => ms.len(),
        }
    }
}

/// The table for people, as Markdown: what each light does and what that says.
pub fn markdown() -> String {
    let mut text = String::from(
        "| | ready | busy | fault | one `status` light | sound | says |\n|---|---|---|---|---|---|---|\n",
    );
    for row in &TABLE {
        let cells = ROLES.map(|role| row.of(role).map_or("·", |pattern| pattern.words));
        text.push_str(&format!(
            "| **{}** | {} | {} |\n",
            row.name,
            cells.join(" | "),
            row.says
        ));
    }
    text
}

#[cfg(test)]
mod tests;
