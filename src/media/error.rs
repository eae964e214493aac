//! Why parameters cannot be read.

/// Names what is damaged and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    #[error("the {what} is damaged: {why}")]
    Record { what: &'static str, why: String },
    #[error("the {0} holds no SPS")]
    NoSps(&'static str),
    #[error("the SPS cannot be read: {why}")]
    Sps { why: String },
    #[error("the AudioSpecificConfig {config:02x?} {why}")]
    Audio { config: Vec<u8>, why: &'static str },
}
