//! What people write, and what the program trusts.
//!
//! The sources (the TOML file, the environment and `--set`, the predecessors' `--env-file`) all end
//! in `written.rs`: tables of keys, each value with the place where it stands. Each table's file
//! makes the checked type of it, which the rest of the program sees; `checked.rs` holds them all.
//! What is wrong names file, line, key, the value and what would be right, as many at once as can
//! be had, and has a code.
//!
//! A new *key*: in its table's file a line in `TABLE`, a field of the type, a line in `check`; then
//! the example file and `tests/config/mistakes.txt`. A test compares `docs/config.md` with `TABLE`
//! (`HINDSIGHT_WRITE_DOCS=1` writes it). What is said is a variant of the file's `sentences!`.
//!
//! A new *table*: its file, with `TABLE`, the type and `check`, as `storage.rs` (one) or `led.rs`
//! (repeating); in `checked.rs` a line in `TABLES`, a field of `Config` and a line in `check`;
//! here its module, its type and the catalogues of its sentences.
//!
//! Not here: reaching a camera (`ingest`), opening a port (`web`).

use std::collections::BTreeMap;
use std::path::PathBuf;

mod board;
mod button;
mod camera;
mod checked;
mod checker;
mod env_file;
mod environment;
mod file;
mod finish;
mod highlight;
mod hours;
mod http;
mod ids;
mod ingest;
mod keys;
mod led;
mod log;
mod logo;
mod near;
mod numbers;
mod pins;
mod place;
mod png;
mod problem;
mod queue;
mod reconnect;
mod reference;
mod ring;
mod secret;
mod storage;
mod syntax;
mod systemd;
mod target;
pub mod template;
mod text_file;
mod trigger;
pub mod units;
mod upload;
mod venue;
mod written;

pub use board::{Backend, BoardSettings};
pub use button::{Button, ButtonRole, Input, Pull};
pub use camera::{Camera, CameraSound, Credentials, Transport};
pub use checked::{Config, TABLES};
pub use finish::{Encoder, Finish, Text};
pub use highlight::{Highlight, PressWindow};
pub use http::Http;
pub use ingest::IngestSettings;
pub use keys::{KeySpec, TableSpec, ValueKind};
pub use led::{Led, LedRole};
pub use log::{Log, LogFormat};
pub use logo::{Corner, Logo};
pub use pins::ActiveLevel;
pub use place::SourceLocation;
pub use problem::{ConfigError, Problem};
pub use queue::QueueSettings;
pub use reconnect::Reconnect;
pub use reference::reference;
pub use ring::RingSettings;
pub use secret::Secret;
pub use storage::Storage;
pub use target::{
    FolderTarget, Never, S3Target, SignedUrlFields, SignedUrlTarget, TargetKind, TargetSettings,
};
pub use trigger::Trigger;
pub use upload::UploadSettings;
pub use venue::Venue;

use crate::base::sentence::CatalogueEntry;
use checker::Checker;
use problem::Findings;
use systemd::SystemdCredentials;
use written::WrittenConfig;

/// Everything that is said about a configuration.
pub const CATALOGUES: &[&[CatalogueEntry]] = &[
    board::BoardSentence::CATALOGUE,
    button::ButtonSentence::CATALOGUE,
    button::ButtonKeySentence::CATALOGUE,
    camera::CameraSentence::CATALOGUE,
    camera::CameraUrlSentence::CATALOGUE,
    camera::UsernameSentence::CATALOGUE,
    checker::KeySentence::CATALOGUE,
    checker::ValueSentence::CATALOGUE,
    env_file::EnvFileSentence::CATALOGUE,
    env_file::EnvLineSentence::CATALOGUE,
    env_file::PortSentence::CATALOGUE,
    environment::EnvironmentSentence::CATALOGUE,
    environment::KeyPathSentence::CATALOGUE,
    environment::SetSentence::CATALOGUE,
    file::FileSentence::CATALOGUE,
    finish::FinishKeySentence::CATALOGUE,
    highlight::WindowSentence::CATALOGUE,
    hours::HoursSentence::CATALOGUE,
    http::HttpSentence::CATALOGUE,
    http::HostNameSentence::CATALOGUE,
    http::TokenCredentialSentence::CATALOGUE,
    http::TokenSentence::CATALOGUE,
    ids::IdSentence::CATALOGUE,
    ids::NoIdSentence::CATALOGUE,
    numbers::QuantitySentence::CATALOGUE,
    pins::ConnectionSentence::CATALOGUE,
    pins::PinSentence::CATALOGUE,
    png::PngSentence::CATALOGUE,
    queue::KeepRawSentence::CATALOGUE,
    queue::KeepSentence::CATALOGUE,
    reconnect::ReconnectSentence::CATALOGUE,
    ring::RingLengthSentence::CATALOGUE,
    ring::RingSentence::CATALOGUE,
    secret::SecretFileSentence::CATALOGUE,
    secret::SecretSentence::CATALOGUE,
    syntax::SyntaxSentence::CATALOGUE,
    target::FolderKeySentence::CATALOGUE,
    target::S3KeySentence::CATALOGUE,
    target::SignedUrlSentence::CATALOGUE,
    target::TargetSentence::CATALOGUE,
    target::TargetValueSentence::CATALOGUE,
    target::WebAddressSentence::CATALOGUE,
    template::TemplateSentence::CATALOGUE,
    text_file::TextFileSentence::CATALOGUE,
    venue::VenueSentence::CATALOGUE,
];

/// Everything a configuration is made of. Later fields win over earlier ones.
#[derive(Clone, Default)]
pub struct Sources {
    /// The TOML file. `None`: there is none, and the cameras come from `env_file`.
    pub file: Option<PathBuf>,
    /// The predecessors' file of `NAME=value` lines.
    pub env_file: Option<PathBuf>,
    /// The environment, as the process has it; names that do not start with
    /// `HINDSIGHT_` are left alone (but for systemd's `CREDENTIALS_DIRECTORY`).
    pub env: BTreeMap<String, String>,
    /// `TABLE.KEY=VALUE` and `TABLE.ID.KEY=VALUE` from the command line (`--set`).
    pub set: Vec<String>,
    /// No camera is no mistake: a box of ours comes up without, too, and says so itself.
    pub may_lack_cameras: bool,
}

/// A configuration that can be trusted, and what its author should know.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// What should be changed although it works.
    pub warnings: Vec<Problem>,
    /// What was understood in another way than written, or not used.
    pub notes: Vec<Problem>,
}

/// Reads and checks it all. Reads files; opens nothing else.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut written = WrittenConfig::default();
    written.may_lack_cameras = sources.may_lack_cameras;
    let mut found = Findings::default();
    let mut readable = true;
    if let Some(path) = &sources.file {
        readable &= file::read(path, &mut written, &mut found);
    }
    if let Some(path) = &sources.env_file {
        readable &= env_file::read(path, &mut written, &mut found);
    }
    if !readable {
        // What is missing from it cannot be told from what was written wrong.
        return Err(found.into_error());
    }
    environment::read(&sources.env, &mut written, &mut found);
    environment::read_set(&sources.set, &mut written, &mut found);
    let credentials = SystemdCredentials {
        dir: sources.env.get("CREDENTIALS_DIRECTORY").map(PathBuf::from),
    };
    let config = checked::check(&mut Checker {
        written: &written,
        credentials: &credentials,
        found: &mut found,
    });
    if !found.problems.is_empty() {
        return Err(found.into_error());
    }
    Ok(Loaded {
        config,
        warnings: found.warnings,
        notes: found.notes,
    })
}
