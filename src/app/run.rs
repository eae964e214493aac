//! `hindsight run`: the service.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::house::{House, Listening, Port};
use super::say::{self, say};
use super::signals::Stopper;
use super::{NOT_DONE, port::Doorway};
use crate::base::{BootId, PressAck, PressError, RealClock, Source, StopLevel};
use crate::config::{Config, Transport};
use crate::highlight::Event;
use crate::ring::RingSpec;
use crate::trigger::{Keyboard, KeyboardSettings, Wish};
use crate::web::Port as _;

pub(super) fn run(config: Config) -> ExitCode {
    let stopper = match Stopper::listen() {
        Ok(stopper) => stopper,
        Err(error) => return cannot(format!("cannot listen for signals: {error}")),
    };
    let house = match House::start(&config, Port::Fixed, &stopper) {
        Ok(house) => house,
        Err(error) => return cannot(error.to_string()),
    };
    introduce(&config, &house);
    log::info!(target: "hindsight", event = "system_started",
        cameras = config.cameras.len(), listen = house.addr().to_string().as_str();
        "started");
    // On a terminal people want to see what their key did; elsewhere the log tells.
    let listening = std::io::stdin().is_terminal().then(|| hear(&house));
    let keyboard = config
        .trigger
        .keyboard
        .then(|| keys(&config, Source::Keyboard, &house.door, &stopper));
    while !stopper
        .stop
        .wait(StopLevel::Finish, Duration::from_secs(3600))
    {}
    log::info!(target: "hindsight", event = "system_stopping"; "stopping: no more presses are taken");
    say("stopping; once more (Ctrl-C or q) stops at once and leaves open clips to the next start");
    house.drain(|what| say(what));
    drop((keyboard, listening));
    house.leave();
    log::info!(target: "hindsight", event = "system_stopped"; "stopped");
    say("stopped");
    ExitCode::from(stopper.exit_code())
}

fn cannot(why: String) -> ExitCode {
    log::error!(target: "hindsight", event = "error_start"; "cannot start: {why}");
    eprintln!("hindsight cannot start: {why}");
    ExitCode::from(NOT_DONE)
}

fn introduce(config: &Config, house: &House) {
    say(format!(
        "Hindsight {} at {}",
        env!("CARGO_PKG_VERSION"),
        config.venue.name
    ));
    let mut rows = Vec::new();
    for camera in &config.cameras {
        rows.push(vec![
            format!("  {}", camera.id),
            camera.name.clone(),
            camera.shown_url(),
            match camera.transport {
                Transport::Tcp => "tcp".to_owned(),
                Transport::Udp => "udp".to_owned(),
            },
        ]);
    }
    say(say::table(&rows).trim_end());
    let ring = &config.ring;
    say(format!(
        "memory    the last {} s of {} in {}, {}",
        ring.seconds,
        say::many(config.cameras.len() as u64, "camera"),
        ring.dir.display(),
        say::bytes(rings_bytes(config)),
    ));
    say(format!(
        "clips     {}",
        config.storage.path.join("highlights").display()
    ));
    let token = match config.http.token {
        Some(_) => "with the token",
        None => "from this machine only",
    };
    say(format!("API       http://{} {token}", house.addr()));
    if config.trigger.keyboard && std::io::stdin().is_terminal() {
        let (pre, post) = (config.highlight.pre_ms, config.highlight.post_ms);
        say(format!(
            "ENTER     saves the {} before it and the {} after it; q stops",
            say::seconds(pre),
            say::seconds(post),
        ));
    }
}

/// What all rings cost in memory.
pub(super) fn rings_bytes(config: &Config) -> u64 {
    let boot_id = BootId([0; 16]);
    let ring = &config.ring;
    let rings = config.cameras.iter().map(|camera| {
        let id = camera.id.clone();
        RingSpec::sized(&ring.dir, id, boot_id, ring.seconds, ring.max_bitrate_bps).file_bytes()
    });
    rings.sum()
}

/// Prints what comes of presses, as it happens.
pub(super) fn hear(house: &House) -> std::io::Result<Listening> {
    house.on_events(|event| {
        if let Some(text) = told(&event) {
            say(text);
        }
    })
}

/// An event in words.
pub(super) fn told(event: &Event) -> Option<String> {
    match event {
        Event::Committed {
            camera,
            path,
            end_of_window_mono_ns,
            committed_mono_ns,
            duration_ms,
            notes,
            ..
        } => {
            let after = end_of_window_mono_ns.map(|end| {
                let took = say::short_time(committed_mono_ns.saturating_sub(end));
                format!(", on disk {took} after the window closed")
            });
            let mut text = format!(
                "{camera}: {} clip → {}{}",
                say::seconds(*duration_ms),
                path.display(),
                after.unwrap_or_default()
            );
            for note in notes {
                text.push_str("\n        ");
                text.push_str(note);
            }
            Some(text)
        }
        Event::NoClip { camera, reason, .. } => Some(format!("{camera}: no clip: {reason}")),
        Event::Retired { .. } => None,
    }
}

/// The keyboard presses and stops.
pub(super) fn keys(
    config: &Config,
    source: Source,
    door: &Arc<Doorway>,
    stopper: &Stopper,
) -> std::io::Result<Keyboard> {
    let settings = KeyboardSettings {
        cameras: config.cameras.iter().map(|c| c.id.clone()).collect(),
        pre_ms: config.highlight.pre_ms,
        post_ms: config.highlight.post_ms,
        source,
    };
    let (door, stopper) = (door.clone(), stopper.clone());
    let act = {
        let stopper = stopper.clone();
        move |wish| match wish {
            Wish::Press(request) => say(answered(&door.press(&request), request.post_ms)),
            Wish::Stop => {
                stopper.wish();
            }
        }
    };
    Keyboard::start(settings, Arc::new(RealClock), stopper.stop, act)
}

/// The answer to a press, in words.
pub(super) fn answered(answer: &Result<PressAck, PressError>, post_ms: u64) -> String {
    let mut lines = Vec::new();
    let refused = match answer {
        Ok(ack) => {
            let rest = match post_ms {
                0 => String::new(),
                ms => format!("; {} more to come", say::seconds(ms)),
            };
            lines.push(format!("pressed: {}{rest}", ack.press.id));
            for note in &ack.notes {
                lines.push(format!("  {}: {}", note.camera_id, note.reason));
            }
            ack.refused.as_slice()
        }
        Err(error) => {
            lines.push(format!("not taken: {error}"));
            match error {
                PressError::NoCamera(refused) => refused.as_slice(),
                _ => &[],
            }
        }
    };
    for refusal in refused {
        let (id, reason) = (&refusal.camera_id, &refusal.reason);
        lines.push(format!("  {id} did not take it: {reason}"));
    }
    lines.join("\n")
}
