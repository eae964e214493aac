//! The simulated board's lights in the terminal: one coloured row that is rewritten in
//! place; where nobody looks at a terminal, a line whenever their meaning changes.
//!
//! Not here: what a light shows (`board::patterns`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::{Clock, RealClock};
use crate::board::lights::{LightView, role_name};
use crate::board::patterns::{Meaning, TABLE};
use crate::board::sim::SimHandle;
use crate::config::LedRole;
use crate::service::panel::{Opened, Panel};
use crate::service::say;

/// A meaning may end without any light changing.
const LOOK: Duration = Duration::from_millis(200);

/// Draws until it is dropped.
pub(super) struct Row {
    over: Arc<AtomicBool>,
    hand: SimHandle,
    thread: Option<JoinHandle<()>>,
}

/// Nothing where the board is a real one.
pub(super) fn show(board: &Opened) -> Option<io::Result<Row>> {
    let hand = board.sim.clone()?;
    let over = Arc::new(AtomicBool::new(false));
    let drawing = {
        let (hand, panel, over) = (hand.clone(), board.panel.clone(), over.clone());
        move || draw(&hand, &panel, &over)
    };
    let thread = std::thread::Builder::new()
        .name("row of lights".to_owned())
        .spawn(drawing);
    Some(thread.map(|thread| Row {
        over,
        hand,
        thread: Some(thread),
    }))
}

impl Drop for Row {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        self.hand.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn draw(hand: &SimHandle, panel: &Panel, over: &AtomicBool) {
    let mut seen = 0;
    let mut told = None;
    let mut row = String::new();
    let colours = std::env::var_os("NO_COLOR").is_none();
    while !over.load(Relaxed) {
        let views = panel.lights.views(RealClock.mono_ns());
        if say::rewrites() {
            let now = in_a_row(&views, colours);
            if now != row {
                say::keep_below(Some(&now));
                row = now;
            }
        } else if let Some(meaning) = most_urgent(&views)
            && told.replace(meaning) != Some(meaning)
        {
            say::say(format!("lights: {}", meaning.row().name));
        }
        seen = hand.wait_beyond(seen, LOOK);
    }
    say::keep_below(None);
}

/// Of all that the lights tell.
fn most_urgent(views: &[LightView]) -> Option<Meaning> {
    let told = |meaning: &Meaning| views.iter().any(|view| view.meaning == *meaning);
    TABLE.iter().map(|row| row.meaning).find(told)
}

/// `● ready  ○ busy  ○ fault   press taken`
fn in_a_row(views: &[LightView], colours: bool) -> String {
    let Some(meaning) = most_urgent(views) else {
        return String::new();
    };
    let lights = views.iter().map(|view| light(view, colours));
    let lights = lights.collect::<Vec<_>>().join("  ");
    format!("  {lights}   {}", meaning.row().name)
}

fn light(view: &LightView, colours: bool) -> String {
    let role = view.led.role;
    let name = role_name(role);
    let lit = view.lit == Some(true);
    let lamp = match (role, lit) {
        (LedRole::Sound, true) => "♪",
        (LedRole::Sound, false) => "·",
        (_, true) => "●",
        (_, false) => "○",
    };
    let colour = match role {
        LedRole::Ready => "32",
        LedRole::Busy => "33",
        LedRole::Fault => "31",
        LedRole::Status => "36",
        LedRole::Sound => "35",
    };
    match (colours, lit) {
        (false, _) => format!("{lamp} {name}"),
        (true, true) => format!("\x1b[1;{colour}m{lamp}\x1b[0m {name}"),
        (true, false) => format!("\x1b[2m{lamp}\x1b[0m {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ActiveLevel, Led};

    fn view(role: LedRole, meaning: Meaning, lit: bool) -> LightView {
        LightView {
            led: Led {
                pin: 17,
                active: ActiveLevel::High,
                role,
            },
            meaning,
            lit: Some(lit),
            trouble: None,
        }
    }

    #[test]
    fn the_row_shows_each_lamp_and_the_most_urgent_of_what_they_tell() {
        let views = [
            view(LedRole::Ready, Meaning::Ready, true),
            view(LedRole::Busy, Meaning::WindowRunning, false),
            view(LedRole::Sound, Meaning::Ready, false),
        ];
        let row = "  ● ready  ○ busy  · sound   window running";
        assert_eq!(in_a_row(&views, false), row);
        let coloured = in_a_row(&views, true);
        assert!(
            coloured.contains("\x1b[1;32m●\x1b[0m ready"),
            "{coloured:?}"
        );
        assert_eq!(in_a_row(&[], true), "", "nothing was set yet");
    }

    #[test]
    fn the_longest_row_fits_into_a_narrow_terminal() {
        let roles = crate::board::patterns::ROLES;
        let views = roles.map(|role| view(role, Meaning::DiskNearlyFull, true));
        assert!(in_a_row(&views, false).chars().count() < 80);
    }
}
