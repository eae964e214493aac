//! For the tests of this room.
#![allow(clippy::unwrap_used)]

use crate::queue::sidecar::Sidecar;

/// A whole clip of 18:30:05, as the highlight room writes it.
pub fn sidecar() -> Sidecar {
    let json = serde_json::json!({
        "type": "highlight", "status": "watermarked", "reason": null,
        "created_at": "2026-11-21T18:30:05.250+01:00",
        "press_id": "0badc0de-00000012345-00010002",
        "camera": { "id": "court1", "name": "Court 1" },
        "source": "http", "button": null, "court": "Court 1",
        "file_name": "court1.mp4", "size_bytes": 5,
        "sha256": "9a30a503b2862c51c3c5acd7fbce2f1f784cf4658ccf8e87d5023a90c21c0714",
        "meta": { "codec": "h264", "width": 1920, "height": 1080, "fps": 30.0,
                  "duration_sec": 50.0, "audio_codec": null },
        "pre_seconds": 40.0, "post_seconds": 10.0,
        "requested": { "pre_seconds": 40.0, "post_seconds": 10.0 },
        "ended": "complete", "gaps": [], "damaged": [],
        "clock": { "boot_id": "0badc0de0badc0de0badc0de0badc0de", "wall_synchronised": true,
                   "press_mono_ns": 1000, "latency_ms": 0, "mapping": null,
                   "certainty": null, "alignment": null },
        "notes": ["the camera changed its picture's size within the clip: 1x1, 2x2"],
    });
    serde_json::from_value(json).unwrap()
}
