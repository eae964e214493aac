//! The demo's configuration: one built-in camera, one button, three lights, a logo, a folder
//! to upload into.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::error::DemoError;
use crate::base::CameraId;
use crate::board::pins::PinMap;
use crate::config::template::KeyTemplate;
use crate::config::{
    ActiveLevel, Backend, BoardSettings, Button, ButtonRole, IngestSettings, Input, Led, LedRole,
    PressWindow, Pull,
};
use crate::config::{
    Camera, Config, Highlight, Http, Log, Reconnect, RingSettings, Storage, Transport, Trigger,
    Venue,
};
use crate::config::{
    Corner, Finish, FolderTarget, Logo, QueueSettings, TargetKind, TargetSettings, UploadSettings,
};
use crate::demo;

pub(super) const PRE_MS: u64 = 10_000;
pub(super) const POST_MS: u64 = 3_000;
const RING_SECONDS: u32 = 30;
/// Of the pattern, with room.
const MAX_BITRATE_BPS: u64 = 4_000_000;
/// Where it is free; else any.
const PORT: u16 = 8089;

/// All of it; nothing stands in a file. `marks`: FFmpeg is there.
pub(super) fn config(
    storage: &Path,
    ring: &Path,
    camera: &demo::DemoCamera,
    marks: bool,
) -> Result<Config, DemoError> {
    let id = CameraId::new("court1").map_err(|e| DemoError::Config(e.to_string()))?;
    Ok(Config {
        venue: Venue {
            name: "Hindsight demo".to_owned(),
            timezone: jiff::tz::TimeZone::system(),
            open: None,
        },
        storage: Storage {
            path: storage.to_owned(),
        },
        ring: RingSettings {
            dir: ring.to_owned(),
            seconds: RING_SECONDS,
            max_bitrate_bps: MAX_BITRATE_BPS,
        },
        highlight: Highlight {
            pre_ms: PRE_MS,
            post_ms: POST_MS,
            stop_grace_ms: 20_000,
        },
        trigger: Trigger {
            keyboard: true,
            http: true,
        },
        reconnect: Reconnect {
            initial_ms: 1000,
            max_ms: 30_000,
            max_attempts: None,
        },
        ingest: IngestSettings::default(),
        cameras: vec![built_in(&id, camera)],
        http: Http {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            token: None,
            names: Vec::new(),
        },
        log: Log::default(),
        board: BoardSettings {
            backend: Backend::Sim,
            ..BoardSettings::default()
        },
        buttons: vec![button(&id)],
        leds: leds(),
        finish: finish(storage, marks)?,
        queue: QueueSettings::default(),
        upload: UploadSettings::default(),
        targets: vec![target(storage)?],
        notices: None,
    })
}

fn built_in(id: &CameraId, camera: &demo::DemoCamera) -> Camera {
    Camera {
        id: id.clone(),
        name: "Court 1, built-in camera".to_owned(),
        court: "Court 1".to_owned(),
        url: camera.url(),
        credentials: None,
        transport: Transport::Tcp,
        sound: crate::config::CameraSound::Auto,
        latency_ms: 0,
    }
}

/// Our own logo in a corner.
fn finish(storage: &Path, marks: bool) -> Result<Finish, DemoError> {
    let file = storage.join("logo.png");
    std::fs::write(&file, demo::LOGO).map_err(DemoError::file(&file))?;
    let logo = Logo {
        file,
        corner: Corner::BottomRight,
        rel_width: 0.2,
        margin_px: 24,
        opacity: 0.8,
    };
    Ok(Finish {
        logos: if marks { vec![logo] } else { Vec::new() },
        ..Finish::default()
    })
}

/// Beside the storage: a folder stands for what would be far away.
pub(super) fn uploaded(storage: &Path) -> PathBuf {
    let name = storage.file_name().unwrap_or_default().to_string_lossy();
    storage.with_file_name(format!("{name}-uploaded"))
}

fn target(storage: &Path) -> Result<TargetSettings, DemoError> {
    let path = uploaded(storage);
    std::fs::create_dir_all(&path).map_err(DemoError::file(&path))?;
    Ok(TargetSettings {
        id: "folder".to_owned(),
        kind: TargetKind::Folder(FolderTarget {
            path,
            key: KeyTemplate::new("{date}/{press}-{camera}.mp4")
                .map_err(|why| DemoError::Config(why.to_string()))?,
        }),
    })
}

/// The one on the wall, as a venue would have it.
fn button(camera: &CameraId) -> Button {
    Button {
        id: "button1".to_owned(),
        input: Input::Gpio {
            pin: PinMap::generic()
                .recommended
                .buttons
                .first()
                .copied()
                .unwrap_or(0),
            active: ActiveLevel::Low,
            pull: Pull::Up,
            debounce_ms: 20,
        },
        role: ButtonRole::Press,
        cameras: vec![camera.clone()],
        single: PressWindow {
            pre_ms: PRE_MS,
            post_ms: POST_MS,
        },
        long: None,
        double: None,
        cooldown_ms: POST_MS,
        shutdown_hold_ms: None,
    }
}

fn leds() -> Vec<Led> {
    let pins = &PinMap::generic().recommended;
    let led = |(pin, role)| Led {
        pin,
        active: ActiveLevel::High,
        role,
    };
    let roles = [
        (pins.ready, LedRole::Ready),
        (pins.busy, LedRole::Busy),
        (pins.fault, LedRole::Fault),
    ];
    roles.map(led).to_vec()
}
