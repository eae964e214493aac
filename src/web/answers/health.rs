//! `GET /health`, and the health in `/status`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::said::TroubleView;
use crate::base::sentence::Arg;

/// Whether presses give clips. Who has no token gets of each reason only its code and what is wrong, not where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(extend(
    "if" = {"properties": {"status": {"const": "healthy"}}},
    "then" = {"properties": {"reasons": {"maxItems": 0}}},
    "else" = {"properties": {"reasons": {"minItems": 1}}},
)))]
pub struct HealthAnswer {
    pub status: HealthLevel,
    /// Worst first; empty when healthy.
    pub reasons: Vec<HealthReason>,
}

/// healthy: all is well. degraded: something is not as it should be, but presses give clips. unhealthy: presses give no clips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum HealthLevel {
    Healthy,
    Degraded,
    Unhealthy,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HealthReason {
    /// What programs go by; the sentences are made from it and its arguments. All codes stand in docs/codes.md.
    #[cfg_attr(test, schemars(extend("enum" = [
        "camera_silent",
        "camera_connecting",
        "camera_missing",
        "camera_password_wrong",
        "camera_not_tried_again",
        "camera_clips_incomplete",
        "camera_none_configured",
        "disk_silent",
        "disk_unwritable",
        "disk_full",
        "disk_nearly_full",
        "disk_filling",
        "disk_used",
        "clips_late",
        "clips_late_by_slow_disk",
        "clips_cannot_be_marked",
        "clips_wait_to_be_finished",
        "clips_wait_to_be_uploaded",
        "clips_given_up",
        "board_without_pins",
        "button_broken",
        "light_broken",
        "box_notice",
        "clock_not_set",
    ])))]
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<BTreeMap<String, Arg>>,
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub what: String,
    /// A camera, a folder, or "clock".
    #[cfg_attr(test, schemars(length(min = 1)))]
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    #[cfg_attr(test, schemars(length(min = 1)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what_to_do: Option<String>,
}

impl HealthAnswer {
    /// A stranger learns what is wrong, not the names and places of it.
    pub fn for_strangers(self) -> HealthAnswer {
        let reasons = self.reasons.into_iter().map(|reason| HealthReason {
            code: reason.code,
            args: None,
            what: reason.what,
            place: None,
            what_to_do: None,
        });
        HealthAnswer {
            status: self.status,
            reasons: reasons.collect(),
        }
    }
}

/// The same with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HealthView {
    #[serde(flatten)]
    pub health: HealthAnswer,
    pub storage: StorageView,
    /// Since the start.
    pub disk_errors: u64,
    pub last_disk_error: Option<String>,
    /// Of `last_disk_error`.
    pub last_disk_error_code: Option<String>,
    pub last_disk_error_args: BTreeMap<String, Arg>,
    pub clock: ClockView,
    /// Of hindsight.
    pub version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StorageView {
    pub path: String,
    /// Null: it is there and can be written.
    #[serde(flatten)]
    pub trouble: TroubleView,
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// The wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClockView {
    /// By somebody, since power-on.
    pub set: bool,
    pub synchronised: bool,
}
