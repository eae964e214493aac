//! `hindsight run`: the service.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::common::{Common, Show};
use super::exit::NOT_DONE;
use super::row;
use crate::base::{BootId, RealClock, Source, StopLevel};
use crate::config::{Config, LogFormat, Sources, Transport};
use crate::highlight::Event;
use crate::queue;
use crate::queue::work::Failure;
use crate::ring::RingSpec;
use crate::service::composition::{ApiPort, CameraReaders, Service};
use crate::service::error::ServiceError;
use crate::service::say::{self, say};
use crate::service::signals::Stopper;
use crate::service::status_view::StatusView;
use crate::service::{report, watchdog, words};
use crate::storage::StorageLayout;
use crate::trigger::{Keyboard, KeyboardRequest, KeyboardSettings};
use crate::web::Status as _;

/// The service: keeps the last seconds of every camera and saves clips when somebody presses
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hindsight run --config /etc/hindsight/hindsight.toml\n\n\
    ENTER or s presses, q stops. Ctrl-C stops too and lets open clips run to their end; a second one stops at once."
)]
pub struct Args {
    /// A folder of notes about the box, one JSON file each, that its health and lights tell;
    /// with it a configuration may lack cameras
    #[arg(long, value_name = "FOLDER")]
    notices: Option<PathBuf>,
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        let sources = Sources {
            // A box of ours comes up in any case, and says what is missing.
            may_lack_cameras: self.notices.is_some(),
            ..common.sources()
        };
        common.with_sources(&sources, Show::AsLog, &[], |config| {
            let mut config = config.clone();
            config.log = common.asked_for(config.log);
            config.notices = self.notices;
            run(config)
        })
    }
}

fn run(config: Config) -> ExitCode {
    let stopper = match Stopper::listen() {
        Ok(stopper) => stopper,
        Err(error) => return cannot(format!("cannot listen for signals: {error}")),
    };
    let service = match start(&config, &stopper) {
        Ok(service) => service,
        Err(error) => return cannot(error.to_string()),
    };
    let watchdog = match watch_over(&config, &service, &stopper) {
        Ok(watchdog) => watchdog,
        Err(error) => {
            service.leave();
            return cannot(format!("cannot watch over itself: {error}"));
        }
    };
    let together = say::stdout_is_stderr();
    if together && config.log.format == LogFormat::Json {
        // Who asked for JSON lines parses every one of them.
        say::hush();
    }
    introduce(&config, &service);
    // What became of a press is told once where log and stdout go to the same place.
    let seen = together && log::max_level() >= log::LevelFilter::Info;
    let listening = service.on_events(move |event| {
        note(&event);
        if let (Some(text), false) = (words::told(&event), seen) {
            say(text);
        }
    });
    let working = service.on_work(move |event| {
        note_work(&event);
        if let (Some(text), false) = (words::worked(&event), seen) {
            say(text);
        }
    });
    let row = row::show(&service.board);
    let keyboard = config.trigger.keyboard.then(|| {
        let answer = move |text: String| {
            if !seen {
                say(text);
            }
        };
        keys(&config, Source::Keyboard, &service, &stopper, answer)
    });
    while !stopper
        .stop
        .wait(StopLevel::Finish, Duration::from_secs(3600))
    {}
    watchdog.stopping();
    log::info!(target: "hindsight", event = "system_stopping"; "stopping: no more presses are taken");
    say("stopping; once more (Ctrl-C or q) stops at once and leaves open clips to the next start");
    service.drain(|what| say(what));
    drop((keyboard, listening, working, row));
    service.leave();
    drop(watchdog);
    log::info!(target: "hindsight", event = "system_stopped"; "stopped");
    say("stopped");
    ExitCode::from(stopper.exit_code())
}

fn start(config: &Config, stopper: &Stopper) -> Result<Service, ServiceError> {
    Service::start(config, ApiPort::Fixed, CameraReaders::ours(), stopper)
}

/// From now on systemd hears of it, and faults are reported.
fn watch_over(
    config: &Config,
    service: &Service,
    stopper: &Stopper,
) -> std::io::Result<watchdog::Watchdog> {
    let status = Arc::downgrade(&service.status);
    report::start(&config.storage.path, move || {
        status
            .upgrade()
            .map_or_else(String::new, |status| status_text(&status))
    });
    watchdog::start(service, &stopper.stop)
}

/// For a report: what `/status` says.
fn status_text(view: &StatusView) -> String {
    serde_json::to_string_pretty(&view.status()).unwrap_or_default()
}

fn cannot(why: String) -> ExitCode {
    match log::max_level() >= log::LevelFilter::Error {
        true => log::error!(target: "hindsight", event = "error_start"; "cannot start: {why}"),
        false => eprintln!("hindsight cannot start: {why}"),
    }
    ExitCode::from(NOT_DONE)
}

/// What becomes of presses, for the log.
fn note(event: &Event) {
    let Some(text) = words::told(event).map(|text| words::one_line(&text)) else {
        return;
    };
    match event {
        Event::Committed {
            press_id,
            camera,
            path,
            duration_ms,
            ..
        } => log::info!(target: "hindsight", event = "clip_saved", press = press_id.as_str(),
            camera = camera.as_str(), file = path.display().to_string().as_str(), duration_ms; "{text}"),
        Event::NoClip {
            press_id, camera, ..
        } => log::warn!(target: "hindsight", event = "clip_missed", press = press_id.as_str(),
            camera = camera.as_str(); "{text}"),
        Event::Retired { .. } => {}
    }
}

/// What is done with clips, for the log.
fn note_work(event: &queue::Event) {
    let Some(text) = words::worked(event).map(|text| words::one_line(&text)) else {
        return;
    };
    match event {
        queue::Event::Finished {
            press_id,
            camera,
            took_ms,
            ..
        } => log::info!(target: "hindsight", event = "clip_finished",
            press = press_id.as_str(), camera = camera.as_str(), took_ms; "{text}"),
        queue::Event::Uploaded {
            press_id,
            camera,
            target,
            took_ms,
            ..
        } => {
            log::info!(target: "hindsight", event = "clip_uploaded", press = press_id.as_str(),
            camera = camera.as_str(), upload_target = target.as_str(), took_ms; "{text}")
        }
        queue::Event::Failed {
            press_id,
            camera,
            failure: Failure::Deferred { .. },
            ..
        } => log::info!(target: "hindsight", event = "clip_postponed",
            press = press_id.as_str(), camera = camera.as_str(); "{text}"),
        queue::Event::Failed {
            press_id, camera, ..
        } => log::warn!(target: "hindsight", event = "error_highlight",
            press = press_id.as_str(), camera = camera.as_str(); "{text}"),
        queue::Event::Began { .. } | queue::Event::Done { .. } => {}
    }
}

fn introduce(config: &Config, service: &Service) {
    show(config, service);
    log::info!(target: "hindsight", event = "system_started",
        cameras = config.cameras.len(), listen = service.addr().to_string().as_str();
        "started");
}

fn show(config: &Config, service: &Service) {
    let version = env!("CARGO_PKG_VERSION");
    match config.venue.name.as_str() {
        // As it is called where nobody gave it a name.
        "Hindsight" => say(format!("Hindsight {version}")),
        name => say(format!("Hindsight {version} at {name}")),
    }
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
        say::many(config.cameras.len(), "camera"),
        ring.dir.display(),
        say::bytes(rings_bytes(config)),
    ));
    say(format!(
        "clips     {}",
        StorageLayout::new(&config.storage.path)
            .highlights()
            .display()
    ));
    let token = match config.http.token {
        Some(_) => "with the token",
        None => "from this machine only",
    };
    say(format!("API       http://{} {token}", service.addr()));
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

/// The keyboard presses and stops.
pub(super) fn keys(
    config: &Config,
    source: Source,
    service: &Service,
    stopper: &Stopper,
    answer: impl Fn(String) + Send + 'static,
) -> std::io::Result<Keyboard> {
    let settings = KeyboardSettings {
        cameras: config.cameras.iter().map(|c| c.id.clone()).collect(),
        pre_ms: config.highlight.pre_ms,
        post_ms: config.highlight.post_ms,
        source,
    };
    let (gate, stopper) = (service.gate.clone(), stopper.clone());
    let hand = service.board.sim.clone();
    let act = {
        let stopper = stopper.clone();
        move |wish| match wish {
            KeyboardRequest::Press(request) => {
                answer(words::answered(&gate.press(&request), request.post_ms));
            }
            KeyboardRequest::Stop => {
                stopper.wish();
            }
            KeyboardRequest::Button { button, mono_ns } => {
                if let Some(hand) = &hand {
                    hand.tap(button, mono_ns);
                }
            }
        }
    };
    Keyboard::start(settings, Arc::new(RealClock), stopper.stop, act)
}
