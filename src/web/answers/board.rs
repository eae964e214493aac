//! Buttons and lights in `/status`.

use serde::Serialize;

use super::said::TroubleView;

/// Buttons and lights, in the order of the config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BoardView {
    /// sim: simulated; none: no pins are used.
    #[cfg_attr(test, schemars(extend("enum" = ["rppal", "cdev", "sim", "none"])))]
    pub backend: &'static str,
    /// The chip with the pins, for people.
    pub chip: Option<String>,
    /// Why no pin can be used; null: nothing is in the way.
    #[serde(flatten)]
    pub trouble: TroubleView,
    pub buttons: Vec<ButtonView>,
    pub leds: Vec<LedView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ButtonView {
    pub id: String,
    /// Null: a USB key.
    pub pin: Option<u32>,
    /// Null: cannot be told.
    pub held: Option<bool>,
    /// Why it does not work, or that it is stuck.
    #[serde(flatten)]
    pub trouble: TroubleView,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LedView {
    pub pin: u32,
    #[cfg_attr(test, schemars(extend("enum" = ["ready", "busy", "fault", "status", "sound"])))]
    pub role: &'static str,
    /// What it tells now.
    #[cfg_attr(test, schemars(extend("enum" = [
        "dead", "refused", "press taken", "clip done", "shutting down", "fault", "booting", "window running",
        "camera missing", "box trouble", "disk nearly full", "ready",
    ])))]
    pub meaning: &'static str,
    /// As the pin has it; null: cannot be told.
    pub lit: Option<bool>,
    /// Why it cannot be set.
    #[serde(flatten)]
    pub trouble: TroubleView,
}
