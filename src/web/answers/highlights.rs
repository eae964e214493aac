//! `GET /highlights`.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::base::CameraId;

/// The newest highlights, newest first.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HighlightList {
    pub highlights: Vec<HighlightView>,
}

/// Where to GET what belongs to a highlight; null where it is not there.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HighlightView {
    /// The marked video, otherwise the clip.
    pub video: Option<String>,
    pub vertical: Option<String>,
    pub thumbnail: Option<String>,
    pub clip: Option<String>,
    pub sidecar: String,
    /// Not told: whoever may see one court only is shown what its cameras saw.
    #[serde(skip)]
    pub camera: CameraId,
    /// What the sidecar says.
    pub facts: SidecarText,
}

/// A sidecar as it is on the disk: the API hands it on, and does not look into it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct SidecarText(Box<RawValue>);

impl SidecarText {
    pub fn of(sidecar: &impl Serialize) -> Result<SidecarText, serde_json::Error> {
        serde_json::value::to_raw_value(sidecar).map(SidecarText)
    }
}
