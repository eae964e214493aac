//! Cameras on the thread that calls: the one way in which they are read, whoever's process it is.
//!
//! Not here: which thread that is (`threads`, `child`), one camera's task (`camera`).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use retina::client::SessionGroup;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use crate::base::{CameraId, Clock, Coded, Sentence};
use crate::config::Camera;
use crate::ring::{RingError, RingOpened, RingSpec, RingWriter};

use super::camera::Task;
use super::reach::Names;
use super::sentence::BufferSentence;
use super::settings::{Limits, POLITE, Settings};
use super::state::CameraShared;

/// Cameras that share a thread, ready to be read.
pub(super) struct Runner {
    runtime: Runtime,
    group: Arc<SessionGroup>,
    tasks: Vec<Task>,
    /// Hears when a camera's words are others.
    pub told: Arc<Notify>,
}

/// One camera being read.
pub(super) type Reading = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Runner {
    pub fn new() -> std::io::Result<Runner> {
        Ok(Runner {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            group: Arc::new(SessionGroup::default()),
            tasks: Vec::new(),
            told: Arc::default(),
        })
    }

    /// Opens the camera's ring; it is read from [`Runner::run`] on.
    pub fn add(
        &mut self,
        camera: &Camera,
        settings: &Settings,
        limits: Limits,
        clock: &Arc<dyn Clock>,
        names: Names,
    ) -> Result<(Arc<CameraShared>, RingOpened), RingError> {
        let (writer, found) = open_ring(settings, camera)?;
        let shared = Arc::new(CameraShared::new(camera.id.clone(), self.told.clone()));
        shared.found_ring(say_ring(&camera.id, &found));
        self.tasks.push(Task::new(
            camera,
            writer,
            shared.clone(),
            settings,
            clock.clone(),
            limits,
            self.group.clone(),
            names,
        ));
        Ok((shared, found))
    }

    /// Reads until `until` is over, then says good-bye. `watched` may put something around what reads
    /// a camera.
    pub fn run<W>(self, watched: impl Fn(usize, Reading) -> W, until: impl Future<Output = ()>)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let Runner {
            runtime,
            group,
            tasks,
            told: _,
        } = self;
        runtime.block_on(async {
            let running: Vec<_> = tasks
                .into_iter()
                .enumerate()
                .map(|(at, task)| tokio::spawn(watched(at, Box::pin(task.run()))))
                .collect();
            until.await;
            for task in &running {
                task.abort();
            }
            for task in running {
                let _ = task.await;
            }
            let _ = tokio::time::timeout(POLITE, group.await_teardown()).await;
        });
        // A name that is still being looked up must not hold us.
        runtime.shutdown_background();
    }
}

fn open_ring(settings: &Settings, camera: &Camera) -> Result<(RingWriter, RingOpened), RingError> {
    RingWriter::open(&RingSpec::sized(
        &settings.ring.dir,
        camera.id.clone(),
        settings.boot_id,
        settings.ring.seconds,
        settings.ring.max_bitrate_bps,
    ))
}

/// Logs how the ring was found.
fn say_ring(camera: &CameraId, found: &RingOpened) -> Sentence {
    let (event, said) = match found {
        RingOpened::Created => ("buffer_created", BufferSentence::Created {}),
        RingOpened::Adopted { entries_held } => (
            "buffer_adopted",
            BufferSentence::Adopted {
                entries: *entries_held,
            },
        ),
        RingOpened::Replaced { why, .. } => (
            "buffer_replaced",
            BufferSentence::Replaced {
                why: why.to_string(),
            },
        ),
    };
    let id = camera.as_str();
    log::info!(target: "hindsight", event = event, camera = id; "{id}: ring {said}");
    said.sentence()
}
