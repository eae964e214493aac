//! The supervisor as the service holds it: started, asked, stopped.
//!
//! Not here: what it does meanwhile (`supervisor`).

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::{CameraId, Clock, Heartbeat, Stop};
use crate::ring::RingReader;

use super::super::error::IngestError;
use super::super::settings::{Limits, Settings};
use super::super::state::CameraShared;
use super::control::{Control, ReaderPids, ReaderProcesses};
use super::old_rings;
use super::supervisor::Supervisor;

/// Between two looks whether the start is still wanted.
const LOOK: Duration = Duration::from_millis(200);

/// The running supervisor.
#[derive(Debug)]
pub struct Supervised {
    pub shared: Vec<Arc<CameraShared>>,
    pub pids: ReaderPids,
    pub heartbeats: Vec<Arc<Heartbeat>>,
    control: Arc<Control>,
    thread: JoinHandle<()>,
}

impl Supervised {
    /// Starts the processes; returns when each has opened its rings. Also the rings of the time before that
    /// could not be adopted.
    pub fn start(
        settings: Settings,
        how: ReaderProcesses,
        clock: Arc<dyn Clock>,
        stop: &Stop,
        limits: Limits,
    ) -> Result<(Supervised, Vec<(CameraId, RingReader)>), IngestError> {
        let before = old_rings::before(&settings);
        let (wake, woken) = UnixStream::pair().map_err(IngestError::Thread)?;
        for end in [&wake, &woken] {
            end.set_nonblocking(true).map_err(IngestError::Thread)?;
        }
        let control = Arc::new(Control {
            stop: stop.clone(),
            told: AtomicBool::new(false),
            wake,
        });
        let (ready, begun) = channel();
        let supervisor = Supervisor::new(settings, how, clock, limits, control.clone(), ready);
        let supervised = Supervised {
            shared: supervisor.shared(),
            pids: supervisor.pids.clone(),
            heartbeats: vec![supervisor.heartbeat.clone()],
            control: control.clone(),
            thread: std::thread::Builder::new()
                .name("ingest".to_owned())
                .spawn(move || supervisor.run(&woken))
                .map_err(IngestError::Thread)?,
        };
        let waking = Arc::downgrade(&control);
        stop.tell(move || waking.upgrade().iter().for_each(|control| control.wake()));
        match supervised.rings_open(&begun) {
            Ok(()) => Ok((supervised, old_rings::replaced(before))),
            Err(error) => {
                supervised.stop();
                supervised.join();
                Err(error)
            }
        }
    }

    fn rings_open(&self, begun: &Receiver<Result<(), IngestError>>) -> Result<(), IngestError> {
        loop {
            match begun.recv_timeout(LOOK) {
                Ok(answer) => return answer,
                // Who wants to stop meanwhile need not wait.
                Err(RecvTimeoutError::Timeout) if self.control.due() => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Tells the thread to end; does not wait for it.
    pub fn stop(&self) {
        self.control.tell();
    }

    pub fn join(self) {
        if self.thread.join().is_err() {
            log::error!(target: "hindsight", event = "error_ingest_thread"; "the thread of the cameras' processes ended by a fault in this program");
        }
    }
}
