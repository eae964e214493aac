//! Ingest running on rings of its own, and what came into them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hindsight::base::{BootId, CameraId, RealClock, Stop};
use hindsight::config::{
    Camera, CameraSound, Credentials, Reconnect, RingSettings, Secret, Transport,
};
use hindsight::ingest::{
    self, CameraState, Ingest, IngestError, Limits, ReaderProcesses, Settings,
};
use hindsight::media::{AuMeta, TrackParams};
use hindsight::ring::{RingError, RingReader};

/// Nothing here takes so long; a test that waits longer has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for an event, looking often.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn camera(id: &str, url: url::Url) -> Camera {
    Camera {
        id: CameraId::new(id).unwrap(),
        name: id.to_owned(),
        court: String::new(),
        url,
        credentials: None,
        transport: Transport::Tcp,
        sound: CameraSound::Auto,
        latency_ms: 0,
    }
}

pub fn with_password(mut camera: Camera, username: &str, password: &str) -> Camera {
    camera.credentials = Some(Credentials {
        username: username.to_owned(),
        password: Secret::new(password),
    });
    camera
}

/// Short waits, so that tests of failures do not take minutes.
pub fn quick() -> (Reconnect, Limits) {
    let reconnect = Reconnect {
        initial_ms: 100,
        max_ms: 800,
        max_attempts: None,
    };
    let limits = Limits {
        connect: Duration::from_secs(2),
        stall: Duration::from_secs(2),
        tick: Duration::from_millis(50),
    };
    (reconnect, limits)
}

pub fn settings(dir: &Path, cameras: Vec<Camera>, reconnect: Reconnect) -> Settings {
    Settings {
        cameras,
        ring: RingSettings {
            dir: dir.to_owned(),
            seconds: 60,
            max_bitrate_bps: 2_000_000,
        },
        reconnect,
        window_ms: 20_000,
        boot_id: BootId([7; 16]),
    }
}

/// This program's binary, as the service starts it.
pub fn processes() -> ReaderProcesses {
    ReaderProcesses {
        program: env!("CARGO_BIN_EXE_hindsight").into(),
        count: 8,
        memory_bytes: 256_000_000,
    }
}

/// Starts ingest. For a moment the lock of an earlier one may stand: another test of this program is
/// just starting a process, which has all files open until it runs.
pub fn begun(start: impl Fn() -> Result<Ingest, IngestError>) -> Ingest {
    wait_for("the ring's lock", || match start() {
        Err(IngestError::Ring {
            source: RingError::Locked { .. },
            ..
        }) => None,
        started => Some(started.unwrap()),
    })
}

/// Ingest of some cameras into rings in a folder of their own.
pub struct Watched {
    pub ingest: Option<Ingest>,
    pub dir: tempfile::TempDir,
}

impl Watched {
    pub fn start(cameras: Vec<Camera>) -> Watched {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        Watched::start_in(dir, cameras, quick())
    }

    pub fn start_in(
        dir: tempfile::TempDir,
        cameras: Vec<Camera>,
        (reconnect, limits): (Reconnect, Limits),
    ) -> Watched {
        let settings = settings(dir.path(), cameras, reconnect);
        let clock = Arc::new(RealClock);
        let ingest =
            begun(|| ingest::start_with(settings.clone(), clock.clone(), Stop::default(), limits));
        Watched {
            ingest: Some(ingest),
            dir,
        }
    }

    /// In processes of their own.
    pub fn start_caged(cameras: Vec<Camera>, processes: ReaderProcesses) -> Watched {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        Watched::start_caged_in(dir, cameras, processes).unwrap()
    }

    pub fn start_caged_in(
        dir: tempfile::TempDir,
        cameras: Vec<Camera>,
        processes: ReaderProcesses,
    ) -> Result<Watched, IngestError> {
        let (reconnect, limits) = quick();
        let settings = settings(dir.path(), cameras, reconnect);
        let clock = Arc::new(RealClock);
        let stop = Stop::default();
        let ingest = ingest::start_in_processes(settings, processes, clock, stop, limits)?;
        Ok(Watched {
            ingest: Some(ingest),
            dir,
        })
    }

    /// Pids of the processes that read cameras.
    pub fn pids(&self) -> Vec<i32> {
        self.ingest.as_ref().unwrap().reader_pids().all()
    }

    /// The process that writes a camera's ring.
    pub fn pid_of(&self, id: &str) -> i32 {
        i32::try_from(self.reader(id).writer_pid()).unwrap()
    }

    pub fn state(&self, id: &str) -> CameraState {
        let states = self.ingest.as_ref().unwrap().states();
        states
            .into_iter()
            .find(|s| s.camera.as_str() == id)
            .unwrap()
    }

    pub fn wait_state(
        &self,
        id: &str,
        what: &str,
        good: impl Fn(&CameraState) -> bool,
    ) -> CameraState {
        wait_for(&format!("{id}: {what}"), || {
            Some(self.state(id)).filter(&good)
        })
    }

    pub fn reader(&self, id: &str) -> RingReader {
        RingReader::open(self.dir.path(), &CameraId::new(id).unwrap()).unwrap()
    }

    /// Waits until so many AUs of both tracks stand in the ring, and reads them all.
    pub fn wait_units(&self, id: &str, count: u64) -> Vec<Unit> {
        let reader = self.reader(id);
        wait_for(&format!("{id}: {count} access units"), || {
            (reader.head() - reader.oldest() >= count).then_some(())
        });
        units(&reader)
    }

    pub fn end(mut self) -> tempfile::TempDir {
        let ingest = self.ingest.take().unwrap();
        ingest.stop();
        ingest.join();
        self.dir
    }
}

/// An AU with its bytes and the parameters it names.
pub struct Unit {
    pub meta: AuMeta,
    pub bytes: Vec<u8>,
    pub params: TrackParams,
}

/// All that a ring holds. Every entry must be readable and name parameters that are there.
pub fn units(reader: &RingReader) -> Vec<Unit> {
    (reader.oldest()..reader.head())
        .map(|pos| {
            let mut bytes = Vec::new();
            let meta = reader.read(pos, &mut bytes).unwrap();
            let params = reader.params(meta.generation).unwrap();
            assert_eq!(params.track(), meta.track);
            Unit {
                meta,
                bytes,
                params,
            }
        })
        .collect()
}
