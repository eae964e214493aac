//! Rings that hold the bundled pattern, a storage, and a service on both.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use hindsight::base::{
    BootId, CameraId, PressId, PressRequest, RealClock, Source, Stop, StopLevel,
};
use hindsight::highlight::verify::verify;
use hindsight::highlight::{CameraSettings, Highlights, Outcome, Settings, StartError, Tuning};
use hindsight::ring::RingReader;

pub use crate::feeder::{Feeder, SECOND, id, now};

/// How long a test waits for an event before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Folders of a service; they stay when it stops.
pub struct Place {
    pub rings: tempfile::TempDir,
    pub disk: tempfile::TempDir,
    pub cameras: Vec<&'static str>,
    pub grace_ms: u64,
    filled: AtomicU64,
}

/// A running service.
pub struct Running {
    pub highlights: Highlights,
    pub stop: Stop,
}

impl Place {
    pub fn new(cameras: &[&'static str]) -> Place {
        Place {
            rings: tempfile::tempdir_in("/dev/shm").unwrap(),
            disk: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
            cameras: cameras.to_vec(),
            grace_ms: 20_000,
            filled: AtomicU64::new(0),
        }
    }

    pub fn storage(&self) -> PathBuf {
        self.disk.path().join("storage")
    }

    /// Until when the last camera's ring was filled: however slow the machine is, what
    /// was a second before it is in the ring.
    pub fn filled(&self) -> u64 {
        self.filled.load(SeqCst)
    }

    /// A camera that has been filling its ring for so many seconds.
    pub fn camera(&self, name: &str, seconds: u64) -> Feeder {
        let filled = now();
        let mut feeder = Feeder::new(self.rings.path(), name, 30, filled - seconds * SECOND);
        feeder.until(filled);
        self.filled.store(filled, SeqCst);
        feeder
    }

    pub fn settings(&self, boot_id: BootId, old_rings: Vec<(CameraId, RingReader)>) -> Settings {
        let cameras = self.cameras.iter().map(|name| CameraSettings {
            id: id(name),
            name: format!("Camera {name}"),
            court: format!("Court of {name}"),
            latency_ms: 0,
        });
        Settings {
            storage: self.storage(),
            ring_dir: self.rings.path().to_owned(),
            timezone: jiff::tz::TimeZone::get("America/Sao_Paulo").unwrap(),
            cameras: cameras.collect(),
            boot_id,
            stop_grace_ms: self.grace_ms,
            old_rings,
            reserve_bytes: 0,
            queue: None,
        }
    }

    pub fn try_start(&self, tuning: Tuning) -> Result<Running, StartError> {
        let stop = Stop::default();
        let settings = self.settings(BootId::of_this_boot().unwrap(), Vec::new());
        let highlights =
            Highlights::start_with(settings, Arc::new(RealClock), stop.clone(), tuning)?;
        Ok(Running { highlights, stop })
    }

    pub fn start(&self) -> Running {
        self.try_start(Tuning::default()).unwrap()
    }

    /// Nothing below the storage that must not be.
    pub fn verify_is_clean(&self, when: &str) {
        let report = verify(&[self.storage()]);
        assert!(report.faults.is_empty(), "{when}: {:#?}", report.faults);
    }

    pub fn request(&self, instant_mono_ns: u64, pre_ms: u64, post_ms: u64) -> PressRequest {
        PressRequest {
            cameras: self.cameras.iter().map(|name| id(name)).collect(),
            instant_mono_ns,
            pre_ms,
            post_ms,
            source: Source::Http,
            button: None,
        }
    }
}

impl Running {
    /// Presses, and panics if nobody takes it.
    pub fn press(&self, request: &PressRequest) -> PressId {
        self.highlights.press(request).unwrap().press.id
    }

    pub fn outcomes(&self, press: &PressId) -> Vec<Outcome> {
        let outcomes = self.highlights.wait(press, PATIENCE);
        outcomes.unwrap_or_else(|| panic!("{:#?}", self.highlights.status()))
    }

    /// As a second Ctrl-C does.
    pub fn leave(self) {
        self.stop.raise(StopLevel::Now);
        self.highlights.drain(|_| {});
    }
}

/// Waits for an event; panics if it does not come.
pub fn until(what: &str, done: impl Fn() -> bool) {
    let limit = std::time::Instant::now() + PATIENCE;
    while !done() {
        assert!(std::time::Instant::now() < limit, "waited in vain: {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
