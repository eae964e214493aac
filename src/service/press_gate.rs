//! Takes presses from any trigger: asks the opening hours, has the press made durable, tells
//! lights and log what became of it.
//!
//! Not here: what an edge or a message means (`trigger`, `buttons`, `web`), what is cut (`highlight`).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::panel::Panel;
use super::{say, views, words};
use crate::base::hours::OpenHours;
use crate::base::{
    Clock, Coded, Counted, PressAck, PressError, PressId, PressRequest, Sentence, Wall, lock,
};
use crate::config::Config;
use crate::config::PressWindow;
use crate::highlight::Highlights;
use crate::trigger::hours;
use crate::web;
use crate::web::answers::press::ClipOutcome;

pub(crate) struct PressGate {
    /// `None`: always.
    open: Option<OpenHours>,
    timezone: TimeZone,
    highlights: Arc<Highlights>,
    panel: Arc<Panel>,
    clock: Arc<dyn Clock>,
    refused: Mutex<Counted>,
    /// Presses outside of the opening hours.
    closed: AtomicU64,
}

impl PressGate {
    pub fn new(
        config: &Config,
        highlights: Arc<Highlights>,
        panel: Arc<Panel>,
        clock: Arc<dyn Clock>,
    ) -> PressGate {
        PressGate {
            open: config.venue.open.clone(),
            timezone: config.venue.timezone.clone(),
            highlights,
            panel,
            clock,
            refused: Mutex::default(),
            closed: AtomicU64::new(0),
        }
    }

    /// A press whose window is decided.
    pub fn press(&self, request: &PressRequest) -> Result<PressAck, PressError> {
        self.take(request, &[])
    }

    /// How many came outside of the opening hours.
    pub fn refused_as_closed(&self) -> u64 {
        self.closed.load(Relaxed)
    }

    /// `others`: windows that a gesture may still give it; empty: it is decided.
    pub fn take(
        &self,
        request: &PressRequest,
        others: &[PressWindow],
    ) -> Result<PressAck, PressError> {
        let answer = match self.closed(request.instant_mono_ns) {
            Some(why) => Err(PressError::Closed(why)),
            None => {
                let durable = |ack: &PressAck| self.panel.feed.taken(ack);
                self.highlights.press_undecided(request, others, &durable)
            }
        };
        if answer.is_err() {
            self.panel.feed.refused();
        }
        self.tell(request, &answer);
        answer
    }

    /// The gesture of an undecided press is known.
    pub fn decide(&self, press: &PressId, window: PressWindow) {
        let (pre, post) = (say::seconds(window.pre_ms), say::seconds(window.post_ms));
        match self.highlights.decide(press, window) {
            Ok(()) => {
                log::info!(target: "hindsight", event = "clip_decided", press = press.as_str();
                "press {press} saves the {pre} before it and the {post} after it")
            }
            Err(error) => {
                log::warn!(target: "hindsight", event = "clip_decided", press = press.as_str();
                "{error}")
            }
        }
    }

    /// Why the venue takes no press at that instant.
    fn closed(&self, instant_mono_ns: u64) -> Option<Sentence> {
        let hours = self.open.as_ref()?;
        let wall = self.clock.wall();
        let since_ns = self.clock.mono_ns().saturating_sub(instant_mono_ns);
        let at_press = Wall {
            unix_ns: wall.unix_ns.saturating_sub_unsigned(since_ns),
            ..wall
        };
        let why = hours::closed(hours, &self.timezone, at_press)?.sentence();
        self.closed.fetch_add(1, Relaxed);
        Some(why)
    }

    fn tell(&self, request: &PressRequest, answer: &Result<PressAck, PressError>) {
        let text = words::one_line(&words::answered(answer, request.post_ms));
        match (answer, &request.button) {
            (Ok(ack), None) => log::info!(target: "hindsight", event = "clip_requested",
                press = ack.press.id.as_str(), cameras = ack.press.cameras.len(), refused = ack.refused.len();
                "{text}"),
            (Ok(ack), Some(button)) => {
                log::info!(target: "hindsight", event = "clip_requested", button = button.as_str(),
                    press = ack.press.id.as_str(), cameras = ack.press.cameras.len(), refused = ack.refused.len();
                    "button {button}: {text}");
            }
            // Somebody hit it with his hand: each is told.
            (Err(_), Some(button)) => {
                log::warn!(target: "hindsight", event = "clip_refused", button = button.as_str();
                    "button {button}: {text}");
            }
            (Err(_), None) => {
                let now = self.clock.mono_ns();
                let mut refused = lock(&self.refused);
                if let Some(times) = refused.happened(now) {
                    log::warn!(target: "hindsight", event = "clip_refused", times; "{text}");
                }
            }
        }
    }
}

impl web::Presses for PressGate {
    fn press(&self, request: &PressRequest) -> Result<PressAck, PressError> {
        self.take(request, &[])
    }

    fn wait(&self, press: &PressId, limit: Duration) -> Option<Vec<ClipOutcome>> {
        let outcomes = self.highlights.wait(press, limit)?;
        Some(outcomes.into_iter().map(views::outcome).collect())
    }
}
