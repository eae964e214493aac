//! `GET /health`, and the health in `/status`.

use serde::Serialize;

/// Whether presses give clips. Who has no token gets of each reason only what is wrong, not where.
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
    /// A stranger learns that something is wrong, not the names and places of it.
    pub fn for_strangers(self) -> HealthAnswer {
        let reasons = self.reasons.into_iter().map(|reason| HealthReason {
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
    pub clock: ClockView,
    /// Of hindsight.
    pub version: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StorageView {
    pub path: String,
    /// Null: it is there and can be written.
    pub trouble: Option<String>,
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
