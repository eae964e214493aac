//! Presses for tests.
#![allow(clippy::unwrap_used)]

use super::record::{CameraRecord, PressRecord, Witness};
use crate::base::{BootId, CameraId, Press, PressId, Source};
use crate::cut::{Certainty, Mapping, Plan, Window};

/// A press of one camera.
pub fn taken(instant_mono_ns: u64) -> PressRecord {
    let boot_id = BootId([7; 16]);
    let camera = CameraId::new("court1").unwrap();
    let plan = Plan {
        window: Window {
            press_mono_ns: instant_mono_ns,
            latency_ms: 300,
            pre_ms: 1000,
            post_ms: 500,
        },
        first_pos: 12,
        key_pos: 13,
        press_90k: 99,
        start_90k: 9,
        end_90k: 199,
        mappings: vec![Mapping {
            epoch: 1,
            anchor_90k: 4,
            anchor_mono_ns: 5,
        }],
        certainty: Certainty::Certain,
        audio: true,
        reorder_depth: 2,
        short_90k: 0,
        stale_ms: None,
    };
    PressRecord {
        press: Press {
            id: PressId::new(boot_id, instant_mono_ns),
            boot_id,
            instant_mono_ns,
            pre_ms: 1000,
            post_ms: 500,
            source: Source::Button,
            button: Some("north".to_owned()),
            cameras: vec![camera.clone()],
            folder: "undated".into(),
            wall_unix_ns: 0,
            wall_synchronised: false,
        },
        cameras: vec![CameraRecord {
            id: camera,
            name: "Court 1, \"north\" ü".into(),
            court: Some("Court 1".into()),
            plan,
            witnesses: vec![Witness {
                pos: 12,
                arrival_mono_ns: 1,
            }],
        }],
    }
}
