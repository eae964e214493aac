//! What every command takes, and how it comes to its configuration and its log.
//!
//! Not here: what a configuration may hold (`config`), what a log line looks like (`service::logging`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use log::LevelFilter;

use super::exit::{NOT_DONE, WRONG};
use crate::base::CameraId;
use crate::config::{self, Config, Loaded, Log, LogFormat, Sources};
use crate::service::logging;

/// Where the configuration is unless something else is said.
const DEFAULT_CONFIG: &str = "/etc/hindsight/hindsight.toml";

/// What every command takes.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// The configuration [default: $HINDSIGHT_CONFIG, or else /etc/hindsight/hindsight.toml]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Configuration"
    )]
    config: Option<PathBuf>,
    /// A file of NAME=value lines as the predecessors had it (CAMERA_1_URL=…); over the configuration
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Configuration"
    )]
    env_file: Option<PathBuf>,
    /// A key of the configuration, over all else: ring.seconds=120, camera.court1.latency=300ms
    #[arg(
        long,
        global = true,
        value_name = "KEY=VALUE",
        help_heading = "Configuration"
    )]
    set: Vec<String>,
    /// How much is logged to stderr
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Logging")]
    log_level: Option<LevelArg>,
    /// Log lines for people, or one JSON object a line
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Logging")]
    log_format: Option<FormatArg>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LevelArg {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<LevelArg> for LevelFilter {
    fn from(level: LevelArg) -> LevelFilter {
        match level {
            LevelArg::Error => LevelFilter::Error,
            LevelArg::Warn => LevelFilter::Warn,
            LevelArg::Info => LevelFilter::Info,
            LevelArg::Debug => LevelFilter::Debug,
            LevelArg::Trace => LevelFilter::Trace,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArg {
    Text,
    Json,
}

impl From<FormatArg> for LogFormat {
    fn from(format: FormatArg) -> LogFormat {
        match format {
            FormatArg::Text => LogFormat::Text,
            FormatArg::Json => LogFormat::Json,
        }
    }
}

/// What becomes of the configuration's warnings and notes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    AsLog,
    AsText,
    /// The command is about something else.
    Nothing,
}

impl Common {
    /// Loads the configuration and goes on with it; `named` are cameras it must have.
    pub(super) fn with_config(
        &self,
        show: Show,
        named: &[CameraId],
        go_on: impl FnOnce(&Config) -> ExitCode,
    ) -> ExitCode {
        self.with_sources(&self.sources(), show, named, go_on)
    }

    pub(super) fn with_sources(
        &self,
        sources: &Sources,
        show: Show,
        named: &[CameraId],
        go_on: impl FnOnce(&Config) -> ExitCode,
    ) -> ExitCode {
        let loaded = match config::load(sources) {
            Ok(loaded) => loaded,
            Err(error) => {
                eprintln!("the configuration cannot be used:\n{error}");
                // To `check` a wrong configuration is what was looked for.
                return ExitCode::from(if show == Show::AsText {
                    WRONG
                } else {
                    NOT_DONE
                });
            }
        };
        let config = &loaded.config;
        self.start_log(if show == Show::AsLog {
            config.log
        } else {
            quiet()
        });
        tell(&loaded, show);
        match named.iter().find(|id| !has(config, id)) {
            Some(missing) => {
                let ids = config.cameras.iter().map(|camera| camera.id.as_str());
                let ids: Vec<&str> = ids.collect();
                eprintln!(
                    "there is no camera {missing}; there are: {}",
                    ids.join(", ")
                );
                ExitCode::from(NOT_DONE)
            }
            None => go_on(config),
        }
    }

    /// Where the configuration is to be read.
    pub(super) fn sources(&self) -> Sources {
        let env: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let env_file = self
            .env_file
            .clone()
            .or_else(|| env.get("HINDSIGHT_ENV_FILE").map(PathBuf::from));
        let named = self
            .config
            .clone()
            .or_else(|| env.get("HINDSIGHT_CONFIG").map(PathBuf::from));
        let default = PathBuf::from(DEFAULT_CONFIG);
        // An env-file may be all there is; otherwise the missing file is worth a word.
        let file = named.or_else(|| (env_file.is_none() || default.exists()).then_some(default));
        Sources {
            file,
            env_file,
            env,
            set: self.set.clone(),
            may_lack_cameras: false,
        }
    }

    pub(super) fn start_log(&self, configured: Log) {
        logging::start(self.asked_for(configured));
    }

    /// The command line goes over the configuration.
    pub(super) fn asked_for(&self, configured: Log) -> Log {
        Log {
            level: self.log_level.map_or(configured.level, LevelFilter::from),
            format: self.log_format.map_or(configured.format, LogFormat::from),
        }
    }
}

fn has(config: &Config, id: &CameraId) -> bool {
    config.cameras.iter().any(|camera| camera.id == *id)
}

fn tell(loaded: &Loaded, show: Show) {
    match show {
        Show::AsLog => {
            for warning in &loaded.warnings {
                log::warn!(target: "hindsight", event = "system_config_warning"; "{warning}");
            }
            for note in &loaded.notes {
                log::info!(target: "hindsight", event = "system_config_note"; "{note}");
            }
        }
        Show::AsText => {
            for line in &loaded.warnings {
                eprintln!("warning: {line}");
            }
            for line in &loaded.notes {
                eprintln!("note: {line}");
            }
        }
        Show::Nothing => {}
    }
}

/// Commands that print for people log only what went wrong.
pub(super) fn quiet() -> Log {
    Log {
        level: LevelFilter::Warn,
        ..Log::default()
    }
}

/// The demo says itself what becomes of it.
pub(super) fn only_errors() -> Log {
    Log {
        level: LevelFilter::Error,
        ..Log::default()
    }
}
