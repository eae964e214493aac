//! A highlight that waits to be uploaded: what its sidecar says.

use hindsight::queue::sidecar::Sidecar;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const PRESS: &str = "0badc0de-00000012345-00010002";

/// Bytes that no two of which places are alike.
pub fn footage(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes
}

pub fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of the press [`PRESS`] and the clip `court1.mp4`; `more` has fields that are there besides, or
/// otherwise.
pub fn sidecar(clip: &[u8], more: Value) -> Sidecar {
    let mut about = json!({
        "type": "highlight", "status": "watermarked", "reason": null,
        "created_at": "2026-11-21T18:30:05.250+01:00", "press_id": PRESS,
        "camera": { "id": "court1", "name": "Court 1" },
        "source": "http", "button": null, "court": "Court 1",
        "file_name": "court1.mp4", "size_bytes": clip.len(), "sha256": sha256(clip),
        "meta": { "codec": "h264", "width": 1920, "height": 1080, "fps": 30.0,
                  "duration_sec": 50.0, "audio_codec": null },
        "pre_seconds": 40.0, "post_seconds": 10.0,
        "requested": { "pre_seconds": 40.0, "post_seconds": 10.0 },
        "ended": "complete", "gaps": [], "damaged": [],
        "clock": { "boot_id": "0badc0de0badc0de0badc0de0badc0de", "wall_synchronised": true,
                   "press_mono_ns": 1000, "latency_ms": 0, "mapping": null,
                   "certainty": null, "alignment": null },
        "notes": [],
    });
    if let (Some(about), Value::Object(more)) = (about.as_object_mut(), more) {
        about.extend(more);
    }
    serde_json::from_value(about).unwrap()
}
