//! What the service might say of itself.

use hindsight::base::sentence::Arg;
use hindsight::base::{BootId, Press, PressId, Source};
use hindsight::web::answers::board::{BoardView, ButtonView, LedView};
use hindsight::web::answers::captures::{
    CameraPhase, CameraView, CapturesView, ExportView, PendingPhase, PendingView,
};
use hindsight::web::answers::health::{
    ClockView, HealthAnswer, HealthLevel, HealthReason, HealthView, StorageView,
};
use hindsight::web::answers::highlights::{HighlightView, SidecarText};
use hindsight::web::answers::queue::{
    CurrentJob, JobStage, JobStatus, JobUpload, JobUploadStatus, JobView, QueueCounts, QueueView,
    WaitingStage,
};
use hindsight::web::answers::rings::{
    OpenRingView, RingLimit, RingReaderKind, RingReaderView, RingView, UnreadRingView,
};
use hindsight::web::answers::said::{SentenceCode, TroubleView};
use hindsight::web::answers::status::{ServicePhase, StatusSnapshot};
use std::collections::BTreeMap;

use crate::house::{PRESS_ID, id};

fn press_id() -> PressId {
    PressId::try_from(PRESS_ID.to_owned()).unwrap()
}

pub fn status() -> StatusSnapshot {
    StatusSnapshot {
        status: ServicePhase::Running,
        captures: captures(),
        buffers: vec![
            RingView::Open(Box::new(ring())),
            RingView::Unread(UnreadRingView {
                camera_id: id("goal"),
                trouble: trouble("there is no ring"),
                readers: vec![],
            }),
        ],
        queue: queue(),
        board: board(),
        health: HealthView {
            health: health(),
            storage: StorageView {
                path: "/data".to_owned(),
                trouble: TroubleView::default(),
                free_bytes: 1,
                total_bytes: 2,
            },
            disk_errors: 0,
            last_disk_error: None,
            last_disk_error_code: None,
            last_disk_error_args: Default::default(),
            clock: ClockView {
                set: true,
                synchronised: false,
            },
            version: "0.1.0",
        },
    }
}

pub fn health() -> HealthAnswer {
    HealthAnswer {
        status: HealthLevel::Degraded,
        reasons: vec![HealthReason {
            code: "disk_nearly_full".to_owned(),
            args: Some(Default::default()),
            what: "the disk is nearly full".to_owned(),
            place: Some("/data".to_owned()),
            what_to_do: Some("delete".to_owned()),
        }],
    }
}

fn captures() -> CapturesView {
    CapturesView {
        cameras: vec![camera()],
        pending: vec![PendingView {
            press: Press {
                id: press_id(),
                boot_id: BootId([1; 16]),
                instant_mono_ns: 77,
                pre_ms: 40_000,
                post_ms: 10_000,
                source: Source::Button,
                button: Some("goal".to_owned()),
                cameras: vec![id("court1")],
                folder: "undated".to_owned(),
                wall_unix_ns: 0,
                wall_synchronised: false,
            },
            exports: vec![ExportView {
                camera_id: id("court1"),
                phase: PendingPhase::Retrying,
                written_bytes: 5,
                window_ends_in_ms: 0,
                trouble: trouble("no space left on device"),
            }],
        }],
        presses_taken: 1,
        presses_refused: 2,
        clips_committed: 3,
        clips_suspect: 4,
        clips_none: 5,
    }
}

fn code(code: &str) -> SentenceCode {
    SentenceCode {
        code: code.to_owned(),
        args: [("seconds".to_owned(), Arg::Number(9))].into(),
    }
}

fn camera() -> CameraView {
    CameraView {
        camera_id: id("court1"),
        name: "Court 1".to_owned(),
        state: CameraPhase::RefusedPassword,
        since_mono_ns: 1,
        last_au_mono_ns: None,
        last_au_ago_ms: None,
        reason: "it does not know this password".to_owned(),
        reason_code: Some(code("camera_password")),
        attempts: 3,
        connections: 0,
        next_try_in_ms: Some(60_000),
        video: None,
        audio: None,
        lost_packets: 0,
        access_units: 0,
        skipped_access_units: 0,
        too_large_access_units: 0,
        bytes: 0,
        epochs: 1,
        bitrate_bps: 0,
        longest_gop_ms: 0,
        ring: "created".to_owned(),
        ring_code: code("ring_created"),
        relay: Some("needs the relay".to_owned()),
        relay_code: Some(code("camera_needs_relay")),
        warnings: vec!["key frames are too far apart".to_owned()],
        warning_codes: vec![code("camera_key_frames")],
    }
}

fn ring() -> OpenRingView {
    OpenRingView {
        camera_id: id("court1"),
        seconds_held: 60.5,
        seconds_max: 90.0,
        entries_held: 1,
        entries_max: 2,
        bytes_held: 3,
        bytes_max: 4,
        memory_bytes: 5,
        video_frames: 6,
        audio_frames: 7,
        key_frames: 8,
        gaps: 0,
        tainted: 0,
        bitrate_bps: 4_000_000,
        fps: 29.97,
        longest_gop_ms: Some(2_000),
        shortest_gop_ms: None,
        last_arrival_mono_ns: Some(9),
        epochs: 1,
        limit: RingLimit::Bytes,
        readers: vec![RingReaderView {
            kind: RingReaderKind::Export,
            press_id: press_id(),
            phase: PendingPhase::Writing,
            written_bytes: 1,
            window_ends_in_ms: 2,
        }],
    }
}

pub fn queue() -> QueueView {
    QueueView {
        ready: true,
        counts: QueueCounts {
            to_finish: 1,
            to_upload: 2,
            failed: 3,
            done: 4,
        },
        current: vec![CurrentJob {
            id: format!("{PRESS_ID}/court1"),
            press_id: press_id(),
            camera_id: id("court1"),
            stage: JobStage::Finish,
            target: None,
            permille: 500,
            since_ms: 7,
        }],
        waiting: vec![WaitingStage {
            stage: JobStage::Upload,
            target: Some("venue".to_owned()),
            why: "it is too early".to_owned(),
            why_code: "upload_no_way".to_owned(),
            why_args: BTreeMap::new(),
            since_ms: 8,
            planned: true,
        }],
        disk_used_percent: 12,
        disk_days_left: Some(3),
    }
}

pub fn job() -> JobView {
    JobView {
        id: format!("{PRESS_ID}/court1"),
        press_id: press_id(),
        camera_id: id("court1"),
        status: JobStatus::QueuedRetry,
        stage: Some(JobStage::Upload),
        attempts: 2,
        last_error: Some("connection refused".to_owned()),
        last_error_code: None,
        last_error_args: BTreeMap::new(),
        age_ms: Some(9),
        updated_at: None,
        permille: None,
        uploads: vec![JobUpload {
            target: "venue".to_owned(),
            status: JobUploadStatus::Waiting,
            attempts: 2,
            last_error: Some("connection refused".to_owned()),
            last_error_code: None,
            last_error_args: BTreeMap::new(),
            permille: Some(0),
        }],
    }
}

fn board() -> BoardView {
    BoardView {
        backend: "sim",
        chip: None,
        trouble: TroubleView::default(),
        buttons: vec![ButtonView {
            id: "goal".to_owned(),
            pin: Some(17),
            held: Some(false),
            trouble: TroubleView::default(),
        }],
        leds: vec![LedView {
            pin: 22,
            role: "ready",
            meaning: "ready",
            lit: Some(true),
            trouble: TroubleView::default(),
        }],
    }
}

pub fn highlight() -> HighlightView {
    let folder = format!("/highlights/2026-11-21/{PRESS_ID}");
    HighlightView {
        video: None,
        vertical: None,
        thumbnail: Some(format!("{folder}/court1.jpg")),
        clip: None,
        sidecar: format!("{folder}/court1.json"),
        camera: id("court1"),
        facts: SidecarText::of(&serde_json::json!({"type": "highlight"})).unwrap(),
    }
}

fn trouble(text: &str) -> TroubleView {
    TroubleView {
        trouble: Some(text.to_owned()),
        trouble_code: Some("storage_refused".to_owned()),
        trouble_args: BTreeMap::from([("error".to_owned(), Arg::Text(text.to_owned()))]),
    }
}
