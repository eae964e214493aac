//! The real program on the guest's pins: what the lights say at the pins, a long row
//! of presses, and what a killed service leaves behind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hindsight::board::patterns::dead_level;
use hindsight::config::LedRole;
use hindsight::demo::{DemoCamera, Script};
use hindsight::highlight::journal;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::chip::SimChip;
use crate::guest::{in_guest, leave_room_mb, presses};
use crate::rig::{MS, now, until};
use crate::service::{Place, Service, Told, camera};

/// The buttons' pins, all against ground.
const BUTTONS: [u32; 5] = [5, 6, 13, 19, 26];
/// Role, pin, and whether the pin is high while it is lit.
const LEDS: [(LedRole, &str, u32, bool); 5] = [
    (LedRole::Ready, "ready", 22, true),
    (LedRole::Busy, "busy", 23, true),
    (LedRole::Fault, "fault", 24, false),
    (LedRole::Status, "status", 25, true),
    (LedRole::Sound, "sound", 12, false),
];
const CAMERAS: [&str; 3] = ["north", "south", "roof"];

/// A court with three cameras, five buttons and five lights.
struct Court {
    chip: Arc<SimChip>,
    cameras: Vec<DemoCamera>,
    place: Place,
}

impl Court {
    /// `more`: further lines of its configuration.
    fn new(debounce: &str, cooldown: &str, post_s: u32, more: &str) -> Court {
        let chip = Arc::new(SimChip::new("header", 54));
        for pin in BUTTONS {
            chip.pull(pin, true);
        }
        let cameras = DemoCamera::start_many(vec![Script::default(); CAMERAS.len()]).unwrap();
        let lines: String = CAMERAS
            .iter()
            .zip(&cameras)
            .map(|(id, running)| camera(id, running.url().as_str(), ""))
            .collect();
        let buttons: String = (0..)
            .zip(BUTTONS)
            .map(|(n, pin): (usize, u32)| {
                let eye = CAMERAS[n % CAMERAS.len()];
                format!(
                    "[[button]]\nid = \"b{pin}\"\npin = {pin}\ncameras = [\"{eye}\"]\ndebounce = \"{debounce}\"\ncooldown = \"{cooldown}\"\n"
                )
            })
            .collect();
        let leds: String = LEDS
            .iter()
            .map(|(_, role, pin, high)| {
                let active = if *high { "high" } else { "low" };
                format!("[[led]]\npin = {pin}\nactive = \"{active}\"\nrole = \"{role}\"\n")
            })
            .collect();
        let told = Told {
            pre: "1s",
            post: format!("{post_s}s").leak(),
            ring_seconds: 60.max(post_s + 20),
            more: format!("[board]\nbackend = \"cdev\"\n{buttons}{leds}{more}"),
        };
        Court {
            chip,
            cameras,
            place: Place::new(&told, &lines),
        }
    }

    fn lit(&self, role: LedRole) -> bool {
        let (_, _, pin, high) = LEDS.iter().find(|led| led.0 == role).unwrap();
        self.chip.high(*pin) == *high
    }

    /// A running service whose rings hold enough for a press, and whose lights say so.
    fn start(&self) -> Service {
        self.start_with(&[])
    }

    /// With more arguments.
    fn start_with(&self, arguments: &[&str]) -> Service {
        let mut service = self.place.start_with(arguments);
        service.wait_until_held(&CAMERAS, 2.0);
        service.wait_for("steady lights", |status| means(status, "ready"));
        until("the ready light", || {
            self.lit(LedRole::Ready) && !self.lit(LedRole::Fault)
        });
        service
    }

    fn hold(&self, button: usize, held: bool) {
        self.chip.pull(BUTTONS[button], !held);
    }
}

/// Whether every light means this.
fn means(status: &Value, meaning: &str) -> bool {
    let leds = status["board"]["leds"].as_array();
    leds.is_some_and(|leds| leds.iter().all(|led| led["meaning"] == meaning))
}

/// Looks at pins all the time and notes every change: pin, high, when.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(u32, bool, u64)>>,
}

impl Watch {
    fn start(chip: &Arc<SimChip>) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let (chip, over) = (chip.clone(), stop.clone());
        let pins = LEDS.map(|led| led.2);
        let mut last = pins.map(|pin| chip.high(pin));
        let thread = std::thread::spawn(move || {
            let mut changes = Vec::new();
            loop {
                // What there is to see at the end is seen, too.
                let at_the_end = over.load(SeqCst);
                for (pin, last) in pins.iter().zip(&mut last) {
                    let high = chip.high(*pin);
                    if high != *last {
                        changes.push((*pin, high, now()));
                        *last = high;
                    }
                }
                if at_the_end {
                    return changes;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Watch { stop, thread }
    }

    /// What each light did, lit or not, in order.
    fn end(self) -> BTreeMap<&'static str, Vec<(bool, u64)>> {
        self.stop.store(true, SeqCst);
        let changes = self.thread.join().unwrap();
        let of = |(_, role, pin, lit_high): &(LedRole, &'static str, u32, bool)| {
            let mine = changes.iter().filter(|change| change.0 == *pin);
            let row = mine.map(|(_, high, at)| (high == lit_high, *at)).collect();
            (*role, row)
        };
        LEDS.iter().map(of).collect()
    }
}

#[test]
fn a_press_is_answered_at_the_pins_and_the_lights_come_to_rest_after_its_clip() {
    in_guest(|| {
        let court = Court::new("20ms", "3s", 1, "");
        let mut service = court.start();
        let watch = Watch::start(&court.chip);
        let touched = now();
        court.hold(0, true);
        service.wait_for("a press", |status| !means(status, "ready"));
        court.hold(0, false);
        service.wait_for("rest", |status| means(status, "ready"));
        until("rest at the pins", || {
            court.lit(LedRole::Ready) && !court.lit(LedRole::Busy)
        });
        let seen = watch.end();

        let first = |role: &str| {
            *seen[role]
                .first()
                .unwrap_or_else(|| panic!("{role}: {seen:?}"))
        };
        assert!(
            !first("ready").0,
            "the ready light answers by going out: {seen:?}"
        );
        assert!(
            first("busy").0,
            "the busy light answers by going on: {seen:?}"
        );
        assert!(
            !first("status").0,
            "the status light answers by going out: {seen:?}"
        );
        assert!(first("sound").0, "a beep: {seen:?}");
        println!(
            "told: touch to light {} ms",
            (first("busy").1 - touched) / MS
        );
        for role in ["ready", "busy", "status"] {
            assert!(seen[role].len() >= 8, "{role} flickers: {seen:?}");
        }
        let last = |role: &str| seen[role].last().unwrap().0;
        assert_eq!(
            ["ready", "busy", "status", "sound"].map(last),
            [true, false, true, false]
        );
        assert_eq!(seen["fault"], []);
        // Another, and one within its cooldown: in the same clip, and in the log. Touched until two came
        // close enough together: on a machine that stands still in between they are presses of their own.
        let held = std::cell::Cell::new(false);
        until("a line of the log", || {
            held.set(!held.get());
            court.hold(0, held.get());
            std::thread::sleep(Duration::from_millis(100));
            let said = service.said();
            let mut again = said.lines().filter(|line| line.contains("clip_again"));
            again.any(|line| line.contains("its clip has this moment, too"))
        });
        court.hold(0, false);
        let status = service.get("/status").unwrap();
        assert!(taken(&status) >= 2, "{}", status["captures"]);
        assert_eq!(service.stop(), Some(0));
        for (role, name, ..) in LEDS {
            assert_eq!(court.lit(role), dead_level(role), "{name} after the stop");
        }
    });
}

#[test]
fn after_a_killed_service_board_off_brings_every_light_into_its_dead_state() {
    in_guest(|| {
        let court = Court::new("20ms", "3s", 1, "");
        for moment in ["at rest", "in the answer to a press", "while booting"] {
            let mut service = match moment {
                "while booting" => {
                    let service = court.place.start();
                    until("a booting light", || court.lit(LedRole::Status));
                    service
                }
                _ => court.start(),
            };
            if moment == "in the answer to a press" {
                court.hold(1, true);
                until("a beep", || court.lit(LedRole::Sound));
                court.hold(1, false);
            }
            service.signal(Signal::SIGKILL);
            assert_eq!(service.wait_for_end(), None);
            if moment == "at rest" {
                // As on a Raspberry Pi: who dies leaves a light that lies.
                assert!(court.lit(LedRole::Ready) && !court.lit(LedRole::Fault));
            }
            let began = Instant::now();
            board_off(&court.place);
            println!(
                "told: killed {moment}, board off took {} ms",
                began.elapsed().as_millis()
            );
            for (role, name, ..) in LEDS {
                assert_eq!(court.lit(role), dead_level(role), "{name}, killed {moment}");
            }
        }
    });
}

/// What the unit runs after every end of the service, as it is written there.
fn board_off(place: &Place) {
    let unit = include_str!("../../packaging/hindsight.service");
    let after = "ExecStopPost=-/usr/bin/hindsight ";
    let line = unit.lines().find_map(|line| line.strip_prefix(after));
    let words: Vec<&str> = line.expect(after).split(' ').collect();
    let mut command = place.command(words[0]);
    let out = command.args(&words[1..]).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}{errors}");
}

/// Opening hours that are hours away.
fn closed_now() -> String {
    let zone = jiff::tz::TimeZone::get("America/Sao_Paulo").unwrap();
    let hour = (jiff::Timestamp::now().to_zoned(zone).hour() + 12) % 24;
    format!("venue.open={hour:02}:00-{hour:02}:30")
}

/// Presses the first button: that it is refused is seen and heard at the pins, and the log says why.
fn is_refused(court: &Court, service: &mut Service, why: &str) {
    let watch = Watch::start(&court.chip);
    court.hold(0, true);
    until("a beep", || court.lit(LedRole::Sound));
    court.hold(0, false);
    service.wait_for("the end of the answer", |status| {
        let leds = status["board"]["leds"].as_array().unwrap();
        leds.iter().all(|led| led["meaning"] != "refused")
    });
    until("silence", || !court.lit(LedRole::Sound));
    let seen = watch.end();
    let times = |role: &str| seen[role].iter().filter(|(lit, _)| *lit).count();
    assert_eq!((times("sound"), times("busy")), (3, 3), "{why}: {seen:?}");
    let said = service.said();
    let mut refusals = said.lines().filter(|line| line.contains("clip_refused"));
    let last = refusals.next_back().unwrap_or("nothing");
    assert!(last.contains("button b5: ") && last.contains(why), "{said}");
}

#[test]
fn a_refused_press_is_seen_and_heard_and_the_log_says_why() {
    in_guest(|| {
        let mut court = Court::new("20ms", "3s", 0, "");
        let mut service = court.start_with(&["--set", &closed_now()]);
        is_refused(&court, &mut service, "the venue is closed; it opens ");
        assert_eq!(service.stop(), Some(0));
        let mut service = court.start();
        leave_room_mb(2);
        is_refused(&court, &mut service, "no room on ");
        leave_room_mb(30_000);
        service.wait_for("steady lights", |status| means(status, "ready"));
        court.cameras.clear();
        service.wait_for("a fault", |status| {
            let leds = status["board"]["leds"].as_array().unwrap();
            leds.iter().any(|led| led["meaning"] == "fault")
        });
        // The ring holds what came before, for as long as a window reaches back.
        std::thread::sleep(Duration::from_secs(5));
        is_refused(&court, &mut service, "older than the window asked for");
    });
}

#[test]
fn without_any_gpio_the_service_says_so_once_and_takes_presses_over_http() {
    in_guest(|| {
        let source = DemoCamera::start(Script::default()).unwrap();
        let told = Told {
            more: "[[button]]\npin = 5\n[[led]]\npin = 17\nrole = \"ready\"\n".to_owned(),
            ..Told::default()
        };
        let place = Place::new(&told, &camera("court", source.url().as_str(), ""));
        let mut service = place.start();
        service.wait_until_held(&["court"], 4.0);
        let (status, answer) = service.press(&serde_json::json!({}), true);
        assert_eq!(status, 200, "{answer}");
        let board = service.get("/status").unwrap()["board"].clone();
        assert_eq!(board["backend"], "none", "{board}");
        service.signal(Signal::SIGTERM);
        assert_eq!(service.wait_for_end(), Some(0));
        let said = service.said();
        let told = said.matches("event=system_board_missing").count();
        assert_eq!(told, 1, "{said}");
    });
}

#[test]
fn a_thousand_presses_at_50_a_second_are_in_the_journal_or_refused_none_lost_none_doubled() {
    in_guest(|| {
        let count = usize::try_from(presses()).unwrap();
        // No FFmpeg: a thousand thumbnails would be all that the guest's processor does.
        // Windows that outlast the row: as many exports as there may be write all the while.
        // The exports that wait for a place are not overtaken meanwhile.
        let court = Court::new(
            "0ms",
            "0s",
            10 + presses() / 30,
            "[finish]\nffmpeg = \"/nowhere/ffmpeg\"\n",
        );
        let mut service = court.start();
        let began = now();
        let made = press(&court, count);
        let took_ms = (now() - began) / MS;
        let wanted = u64::try_from(count).unwrap();
        // A processor that is wanted elsewhere leaves cameras unread, and a press without footage is refused: with a word.
        let status = service.wait_for("an answer to every press", |status| {
            taken(status) + refused(status) >= wanted
        });
        let (writing, refused) = (writing(&status), refused(&status));
        assert!(writing > 0, "no export: {}", status["captures"]);
        service.signal(Signal::SIGKILL);
        assert_eq!(service.wait_for_end(), None);

        let found = found(&court.place.storage());
        let (mut lost, mut doubled) = (Vec::new(), Vec::new());
        for (button, touched, next) in &made {
            let mine = found.iter().filter(|press| press.1 == *button);
            let here = mine
                .filter(|press| (*touched..*next).contains(&press.2))
                .count();
            match here {
                0 => lost.push((button, touched)),
                1 => {}
                _ => doubled.push((button, touched)),
            }
        }
        assert!(doubled.is_empty(), "doubled {doubled:?}");
        assert_eq!(
            u64::try_from(lost.len()).unwrap(),
            refused,
            "lost without a word, of {lost:?}"
        );
        assert_eq!(found.len() + lost.len(), count, "presses that nobody made");
        let a_second = presses() as f64 / (took_ms as f64 / 1e3);
        println!(
            "told: {count} presses in {took_ms} ms ({a_second:.1} a second), {refused} refused, {writing} exports writing at their end"
        );
    });
}

/// How many presses the running service took.
fn taken(status: &Value) -> u64 {
    status["captures"]["presses_taken"].as_u64().unwrap_or(0)
}

/// How many it refused, each with its reason.
fn refused(status: &Value) -> u64 {
    status["captures"]["presses_refused"].as_u64().unwrap_or(0)
}

/// Exports that are being written.
fn writing(status: &Value) -> usize {
    let pending = status["captures"]["pending"].as_array().unwrap();
    let exports = pending
        .iter()
        .flat_map(|one| one["exports"].as_array().unwrap());
    exports
        .filter(|export| export["phase"] == "writing")
        .count()
}

/// Presses all buttons in turn, 50 times a second. For each press: the button, when it
/// was touched, and until when its edge must have been: the next touch of the same one.
fn press(court: &Court, count: usize) -> Vec<(String, u64, u64)> {
    let mut touched = Vec::new();
    let mut due = now();
    // Each is held for 40 ms and free for 60: two are held at any time.
    for n in 0..count + 2 {
        std::thread::sleep(Duration::from_nanos(due.saturating_sub(now())));
        // After a stall nothing is made up for: a hand does not either, and the simulator
        // sees a pin only at the ticks of the guest's clock.
        due = (due + 20 * MS).max(now() + 15 * MS);
        if n >= 2 {
            court.hold((n - 2) % BUTTONS.len(), false);
        }
        if n < count {
            touched.push(now());
            court.hold(n % BUTTONS.len(), true);
        }
    }
    let next = |n: usize| touched.get(n + BUTTONS.len()).copied().unwrap_or(u64::MAX);
    let of = |(n, at): (usize, &u64)| (format!("b{}", BUTTONS[n % BUTTONS.len()]), *at, next(n));
    touched.iter().enumerate().map(of).collect()
}

/// Every press of a button that the storage knows of, pending or done: id, button, instant.
fn found(storage: &Path) -> BTreeSet<(String, String, u64)> {
    let held = journal::pending(storage).unwrap();
    let pending = held.pending.iter().filter_map(|taken| {
        let press = &taken.press;
        Some((
            press.id.to_string(),
            press.button.clone()?,
            press.instant_mono_ns,
        ))
    });
    let mut found: BTreeSet<_> = pending.collect();
    let mut folders = vec![storage.join("highlights")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "json") {
                found.extend(of_sidecar(&path));
            }
        }
    }
    found
}

fn of_sidecar(path: &Path) -> Option<(String, String, u64)> {
    let text = std::fs::read_to_string(path).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let id = value["press_id"].as_str().unwrap().to_owned();
    let button = value["button"].as_str()?.to_owned();
    let instant = value["clock"]["press_mono_ns"].as_u64();
    Some((
        id,
        button,
        instant.unwrap_or_else(|| panic!("{}: no instant", path.display())),
    ))
}
