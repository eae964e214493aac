//! What people write, and what the program trusts.
//!
//! `written.rs` is what people write, key by key, with the place where it
//! stands: the TOML file (`file.rs`), the environment (`environment.rs`) and the
//! predecessors' `--env-file` (`env_file.rs`) all end there. `check.rs` turns it
//! into `checked.rs`, which the rest of the program sees. Errors name file,
//! line, key, the value and what would be right, as many at once as can be had.
//!
//! Not here: reaching a camera (`ingest`), opening a port (`web`).
//! Called by: main, app; everybody takes parts of the checked types.

use std::collections::BTreeMap;
use std::path::PathBuf;

mod board;
mod button;
mod camera;
mod check;
mod checked;
mod delivery;
mod env_file;
mod environment;
mod file;
mod hours;
mod ids;
mod logo;
mod mark;
mod near;
mod problem;
mod ring;
mod secret;
mod target;
pub mod template;
pub mod units;
mod values;
mod written;

pub use board::{
    ActiveLevel, Backend, BoardSettings, Button, ButtonRole, Input, Led, LedRole, PressWindow, Pull,
};
pub use checked::{
    Camera, Config, Credentials, Highlight, Http, Log, LogFormat, Reconnect, RingSettings, Secret,
    Storage, Transport, Trigger, Venue,
};
pub use delivery::{
    Corner, Encoder, Finish, FolderTarget, Logo, Never, QueueSettings, S3Target, SignedUrlFields,
    SignedUrlTarget, Target, TargetKind, Text, UploadSettings,
};
pub use problem::{ConfigError, Problem, SourceLocation};
pub use written::KEYS;

use problem::Findings;
use written::WrittenConfig;

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
    /// What should be changed although it works: one line each, with its place.
    pub warnings: Vec<String>,
    /// What was understood in another way than written, or not used.
    pub notes: Vec<String>,
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
    let credentials = secret::SystemdCredentials {
        dir: sources.env.get("CREDENTIALS_DIRECTORY").map(PathBuf::from),
    };
    let config = check::check(&written, &credentials, &mut found);
    if !found.problems.is_empty() {
        return Err(found.into_error());
    }
    Ok(Loaded {
        config,
        warnings: found.warnings,
        notes: found.notes,
    })
}
