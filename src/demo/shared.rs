//! What a camera's connections share.
//!
//! Not here: accepting them (`camera`).

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use tokio::sync::{broadcast, mpsc as tokio_mpsc};

use super::fault::{CameraFault, Manners, When};
use super::footage::Footage;
use super::script::{LoggedRequest, Script, Sent, StartAt};
use super::stream::Programme;
use crate::base::{Clock, RealClock, lock, sys};

/// What a camera's connections share.
#[derive(Debug)]
pub(super) struct ServerShared {
    pub script: Script,
    pub state: Mutex<ServerState>,
    pub log: Mutex<Vec<Sent>>,
    pub asked: Mutex<Vec<LoggedRequest>>,
    pub sessions: AtomicU32,
    pub connections: AtomicU32,
    pub frames: AtomicU32,
    /// Faults of sessions, to all that play.
    pub strikes: broadcast::Sender<CameraFault>,
    /// Orders to the camera itself.
    pub orders: tokio_mpsc::UnboundedSender<Order>,
    /// Which of the script's faults of the camera have struck.
    struck: Vec<AtomicBool>,
    /// Wall clock less monotonic clock, as of the start, with the script's error.
    pub wall_less_mono_ns: i64,
}

#[derive(Debug)]
pub(super) struct ServerState {
    pub manners: Manners,
    pub programme: Programme,
    /// Where the camera's time begins; `None` until the first PLAY.
    pub start_mono_ns: Option<u64>,
}

pub(super) type Order = (CameraFault, Option<mpsc::Sender<()>>);

pub(super) fn now_ns() -> u64 {
    RealClock.mono_ns()
}

/// Nanoseconds as the signed numbers in which differences are taken.
pub(super) fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

impl ServerShared {
    pub fn new(script: Script, orders: tokio_mpsc::UnboundedSender<Order>) -> ServerShared {
        let mut manners = Manners::default();
        let at_start = script
            .faults
            .iter()
            .filter(|(when, _)| *when == When::Start);
        at_start.for_each(|(_, fault)| manners.learn(fault));
        let wall_less_mono_ns =
            sys::realtime_ns() - signed(now_ns()) + script.wall_offset_ms * 1_000_000;
        ServerShared {
            state: Mutex::new(ServerState {
                manners,
                programme: Programme::new(script.footage.clone()),
                start_mono_ns: match script.start_at {
                    StartAt::FirstPlay | StartAt::EachPlay => None,
                    StartAt::MonoNs(ns) => Some(ns),
                },
            }),
            log: Mutex::default(),
            asked: Mutex::default(),
            sessions: AtomicU32::new(0),
            connections: AtomicU32::new(0),
            frames: AtomicU32::new(0),
            strikes: broadcast::channel(64).0,
            orders,
            struck: script
                .faults
                .iter()
                .map(|_| AtomicBool::new(false))
                .collect(),
            wall_less_mono_ns,
            script,
        }
    }

    /// The script's faults that strike a session that goes from frame `last` to `next`.
    /// Those of the camera are carried out once, those of the session are returned.
    pub fn strikes_between(&self, last: Option<u64>, next: u64) -> Vec<CameraFault> {
        let mut of_session = Vec::new();
        for ((when, fault), struck) in self.script.faults.iter().zip(&self.struck) {
            let now = match when {
                When::Start => false,
                When::Frame(n) => *n <= next && last.map_or(*n == next, |last| *n > last),
            };
            if now && !fault.is_of_camera() {
                of_session.push(fault.clone());
            } else if now && !struck.swap(true, Ordering::Relaxed) {
                // Fails only when the camera is being stopped.
                let _ = self.orders.send((fault.clone(), None));
            }
        }
        of_session
    }

    /// Camera time now, given where it begins.
    pub fn camera_ns(&self, start_mono_ns: u64) -> i64 {
        let delay_ns = signed(self.script.delay_ms) * 1_000_000;
        signed(now_ns()) - signed(start_mono_ns) - delay_ns
    }

    /// The footage is switched at the next key frame; before the first PLAY at once.
    pub fn switch(&self, footage: Arc<Footage>) {
        let mut state = lock(&self.state);
        state.programme = match state.start_mono_ns {
            None => Programme::new(footage),
            Some(start) => state.programme.switched(footage, self.camera_ns(start)),
        };
    }
}
