//! The service as `web` sees it: status, health, highlights and queue.
//!
//! Not here: how the health is judged (`monitor` has it done), how presses are taken (`press_gate`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::monitor::{Monitor, Rooms};
use super::press_gate::PressGate;
use crate::base::{CameraId, PressAck, PressError, PressId, PressRequest, Sentence, StopLevel};
use crate::config::Config;
use crate::highlight::{self, ListedHighlight, Outcome};
use crate::queue::{QueueError, Which};
use crate::ring::RingReader;
use crate::web::{Parts, Port, QueueCommand, QueueRefusal};

/// Sees all rooms.
pub(crate) struct StatusView {
    cameras: Vec<(CameraId, String)>,
    ring_dir: PathBuf,
    gate: Arc<PressGate>,
    monitor: Arc<Monitor>,
    rooms: Rooms,
}

impl StatusView {
    pub fn new(
        config: &Config,
        gate: Arc<PressGate>,
        monitor: Arc<Monitor>,
        rooms: Rooms,
    ) -> StatusView {
        let cameras = config.cameras.iter();
        StatusView {
            cameras: cameras.map(|c| (c.id.clone(), c.name.clone())).collect(),
            ring_dir: config.ring.dir.clone(),
            gate,
            monitor,
            rooms,
        }
    }

    /// What ingest knows of each camera, the presses that are not done, and counts.
    fn captures(&self, status: &highlight::Status) -> Value {
        let now = self.rooms.clock.mono_ns();
        let states = self.rooms.ingest.states();
        let cameras = self.cameras.iter().map(|(id, name)| {
            let state = states.iter().find(|state| state.camera == *id);
            let last = state.and_then(|state| state.last_au_mono_ns);
            let mut camera = object(json!(state));
            camera.remove("camera");
            camera.insert("camera_id".to_owned(), json!(id));
            camera.insert("name".to_owned(), json!(name));
            let ago_ms = last.map(|last| now.saturating_sub(last) / 1_000_000);
            camera.insert("last_au_ago_ms".to_owned(), json!(ago_ms));
            Value::Object(camera)
        });
        json!({
            "cameras": cameras.collect::<Vec<_>>(),
            "pending": status.pending,
            "presses_taken": status.presses_taken,
            "presses_refused": status.presses_refused + self.gate.refused_as_closed(),
            "clips_committed": status.clips_committed,
            "clips_suspect": status.clips_suspect,
            "clips_none": status.clips_none,
        })
    }

    /// What each ring holds, and who of this process reads it.
    fn buffers(&self, status: &highlight::Status) -> Value {
        let buffers = self.cameras.iter().map(|(id, _)| {
            let mut buffer = match RingReader::open(&self.ring_dir, id) {
                Ok(ring) => {
                    let mut buffer = json!(ring.stats());
                    buffer["memory_bytes"] = ring.file_bytes().into();
                    buffer
                }
                Err(error) => json!({"trouble": error.to_string()}),
            };
            buffer["camera_id"] = json!(id);
            buffer["readers"] = readers(status, id);
            buffer
        });
        buffers.collect()
    }
}

/// The exports that follow the ring of `camera`.
fn readers(status: &highlight::Status, camera: &CameraId) -> Value {
    let mut readers = Vec::new();
    for pending in &status.pending {
        let exports = pending.exports.iter();
        let here =
            exports.filter(|e| e.camera_id == *camera && e.phase != highlight::ExportPhase::Done);
        readers.extend(here.map(|export| {
            json!({
                "kind": "export",
                "press_id": pending.press.id,
                "phase": export.phase,
                "written_bytes": export.written_bytes,
                "window_ends_in_ms": export.window_ends_in_ms,
            })
        }));
    }
    readers.into()
}

/// `/highlights/…` for a path below the storage's folder of that name.
fn link(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let (_, below) = text.rsplit_once("/highlights/")?;
    Some(format!("/highlights/{below}"))
}

fn outcome(outcome: &Outcome) -> Value {
    json!({
        "camera_id": outcome.camera_id,
        "status": outcome.status,
        "reason": outcome.reason,
        "ended": outcome.ended,
        "duration_ms": outcome.duration_ms,
        "size_bytes": outcome.size_bytes,
        "clip": outcome.clip.as_deref().and_then(link),
        "sidecar": link(&outcome.sidecar),
    })
}

fn listed(listed: ListedHighlight) -> Value {
    let below = |name: &Option<String>| {
        let (folder, _) = listed.sidecar_file.rsplit_once('/')?;
        Some(format!("/highlights/{folder}/{}", name.as_ref()?))
    };
    let facts = &listed.sidecar;
    let clip = listed
        .clip
        .as_ref()
        .map(|clip| format!("/highlights/{clip}"));
    json!({
        "video": below(&facts.wm_path).or_else(|| clip.clone()),
        "vertical": below(&facts.vertical_path),
        "thumbnail": below(&facts.thumbnail_path),
        "clip": clip,
        "sidecar": format!("/highlights/{}", listed.sidecar_file),
        "facts": listed.sidecar,
    })
}

impl Port for StatusView {
    fn press(&self, request: &PressRequest) -> Result<PressAck, PressError> {
        self.gate.press(request)
    }

    fn wait(&self, press: &PressId, limit: Duration) -> Option<Vec<Value>> {
        let outcomes = self.rooms.highlights.wait(press, limit)?;
        Some(outcomes.iter().map(outcome).collect())
    }

    fn status(&self) -> Parts {
        // Not the monitor's: whoever pressed wants to see that press.
        let status = self.rooms.highlights.status();
        let wall = self.rooms.clock.wall();
        let mut health = object(json!(self.monitor.verdict()));
        let mut add = |key: &str, value| health.insert(key.to_owned(), value);
        add("storage", json!(status.storage));
        add("disk_errors", json!(status.disk_errors));
        add("last_disk_error", json!(status.last_disk_error));
        add(
            "clock",
            json!({"set": wall.is_set(), "synchronised": wall.synchronised}),
        );
        add("version", env!("CARGO_PKG_VERSION").into());
        Parts {
            status: match self.rooms.stop.level() {
                StopLevel::Running => "running",
                StopLevel::Finish | StopLevel::Now => "stopping",
            },
            captures: self.captures(&status),
            buffers: self.buffers(&status),
            queue: json!(self.rooms.delivery.queue.status()),
            board: self.rooms.panel.status(),
            health: Value::Object(health),
        }
    }

    fn health(&self) -> Value {
        json!(self.monitor.verdict())
    }

    fn highlights(&self, limit: usize) -> Vec<Value> {
        let list = self.rooms.highlights.list(limit);
        list.into_iter().map(listed).collect()
    }

    fn queue(&self, limit: usize) -> Value {
        let mut jobs = self.rooms.delivery.queue.list();
        jobs.truncate(limit);
        json!({"status": self.rooms.delivery.queue.status(), "jobs": jobs})
    }

    fn change_queue(&self, command: &QueueCommand) -> Result<Vec<String>, QueueRefusal> {
        let queue = &self.rooms.delivery.queue;
        let done = match command {
            QueueCommand::Retry(id) => queue.retry(&Which::Id(id.clone())),
            QueueCommand::RetryFailed => queue.retry(&Which::Failed),
            QueueCommand::Drop(id) => queue.drop_job(id),
        };
        done.map_err(|error| match &error {
            QueueError::Unknown(_) => QueueRefusal::Unknown(said(&error, "queue_job_unknown")),
            QueueError::Ambiguous(..) => {
                QueueRefusal::Ambiguous(said(&error, "queue_job_ambiguous"))
            }
            _ => QueueRefusal::Unavailable(said(&error, "queue_unavailable")),
        })
    }
}

fn said(error: &QueueError, code: &str) -> Sentence {
    Sentence {
        code: code.to_owned(),
        args: Default::default(),
        text: error.to_string(),
    }
}

/// The fields of something that is an object.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
