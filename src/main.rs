//! Command line only: parse, call one function, print.

mod cli;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cli::{Appliance, Board, Cli, Command, Common, DEFAULT_CONFIG};
use hindsight::base::CameraId;
use hindsight::commands;
use hindsight::config::{self, Config, Loaded, Log, Sources};
use hindsight::service;
use log::LevelFilter;

/// It could not be done at all: no service, a wrong configuration.
const NOT_DONE: u8 = 2;
/// Something is wrong with what was looked at.
const WRONG: u8 = 1;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Run(_) => service::logging::tell_panics(),
        // `hindsight ring | head` has had enough; that is no accident.
        _ => leave_quietly_when_nobody_reads(),
    }
    let done = call(&cli.common, cli.command);
    hindsight::trigger::give_terminal_back();
    service::logging::finish();
    done
}

fn call(common: &Common, command: Command) -> ExitCode {
    match command {
        Command::Run(run) => run_service(common, run.notices),
        Command::Appliance { what } => {
            start_log(common, quiet());
            match what {
                Appliance::Disk => commands::appliance_disk(),
                Appliance::Config { root } => commands::appliance_config(root.as_deref()),
            }
        }
        Command::Demo(demo) => {
            // A newcomer need not hear of limits that matter to a venue (locked memory).
            start_log(common, only_errors());
            commands::demo(&commands::DemoOptions {
                exit: demo.exit,
                press_after: demo.press_after,
            })
        }
        Command::Check(check) => {
            let named: Vec<CameraId> = check.latency.iter().cloned().collect();
            with_config(common, Show::AsText, &named, |config| {
                let latency = check.latency.clone();
                commands::check(config, &commands::CheckOptions { latency })
            })
        }
        Command::Press(press) => with_config(common, Show::Nothing, &press.cameras, |config| {
            commands::press(config, &press_options(&press))
        }),
        Command::Board { what } => with_config(common, Show::Nothing, &[], |config| match what {
            None => commands::board(config),
            Some(Board::Off) => commands::board_off(config),
            Some(Board::Test) => commands::board_test(config),
        }),
        Command::Ring { cameras } => with_config(common, Show::Nothing, &cameras, |config| {
            commands::ring(config, &cameras)
        }),
        Command::Tap { camera } => {
            let named = std::slice::from_ref(&camera);
            with_config(common, Show::Nothing, named, |config| {
                commands::tap(config, &camera)
            })
        }
        Command::Queue { follow, command } => with_config(common, Show::Nothing, &[], |config| {
            commands::queue(config, &queue_command(follow, command.as_ref()))
        }),
        Command::Update(update) => {
            start_log(common, quiet());
            // A system without cameras is mended by an update, too.
            let sources = Sources {
                may_lack_cameras: true,
                ..sources(common)
            };
            let config = || match config::load(&sources) {
                Ok(loaded) => Ok(loaded.config),
                Err(error) => Err(error.to_string()),
            };
            commands::update(config, update.layout.as_deref(), &update_command(&update))
        }
        Command::Verify { paths } => {
            start_log(common, quiet());
            commands::verify(&paths)
        }
    }
}

fn run_service(common: &Common, notices: Option<PathBuf>) -> ExitCode {
    let sources = Sources {
        // A box of ours comes up in any case, and says what is missing.
        may_lack_cameras: notices.is_some(),
        ..sources(common)
    };
    with_sources(common, &sources, Show::AsLog, &[], |config| {
        let mut config = config.clone();
        config.log = asked_for(common, config.log);
        config.notices = notices;
        commands::run(config)
    })
}

fn queue_command(follow: bool, command: Option<&cli::Queue>) -> commands::QueueCommand {
    use commands::QueueCommand::{Drop, Follow, Retry, RetryFailed, Show};
    match command {
        None if follow => Follow,
        None => Show,
        Some(cli::Queue::Drop { id }) => Drop(id.clone()),
        Some(cli::Queue::Retry { id: Some(id), .. }) => Retry(id.clone()),
        Some(cli::Queue::Retry { id: None, .. }) => RetryFailed,
    }
}

fn update_command(update: &cli::Update) -> commands::UpdateCommand {
    use commands::UpdateCommand::{Confirm, Install, Status};
    match &update.from {
        Some(from) => Install {
            from: from.clone(),
            key: update.key.clone(),
            allow_older: update.allow_older,
            reboot: update.reboot,
        },
        None if update.confirm => Confirm {
            healthy_for: update.healthy_for,
            patience: update.patience,
        },
        None => Status,
    }
}

fn press_options(press: &cli::Press) -> commands::PressOptions {
    let ms = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    commands::PressOptions {
        cameras: press.cameras.clone(),
        pre_ms: press.pre.map(ms),
        post_ms: press.post.map(ms),
        wait: press.wait,
    }
}

/// What becomes of the configuration's warnings and notes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    AsLog,
    AsText,
    /// The command is about something else.
    Nothing,
}

/// Loads the configuration and goes on with it; `named` are cameras it must have.
fn with_config(
    common: &Common,
    show: Show,
    named: &[CameraId],
    go_on: impl FnOnce(&Config) -> ExitCode,
) -> ExitCode {
    with_sources(common, &sources(common), show, named, go_on)
}

fn with_sources(
    common: &Common,
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
    let log = if show == Show::AsLog {
        config.log
    } else {
        quiet()
    };
    start_log(common, log);
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

fn sources(common: &Common) -> Sources {
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let env_file = common
        .env_file
        .clone()
        .or_else(|| env.get("HINDSIGHT_ENV_FILE").map(PathBuf::from));
    let named = common
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
        set: common.set.clone(),
        may_lack_cameras: false,
    }
}

/// Commands that print for people log only what went wrong.
fn quiet() -> Log {
    Log {
        level: LevelFilter::Warn,
        ..Log::default()
    }
}

/// The demo says itself what becomes of it.
fn only_errors() -> Log {
    Log {
        level: LevelFilter::Error,
        ..Log::default()
    }
}

fn start_log(common: &Common, configured: Log) {
    service::logging::start(asked_for(common, configured));
}

/// The command line goes over the configuration.
fn asked_for(common: &Common, configured: Log) -> Log {
    Log {
        level: common.log_level.map_or(configured.level, LevelFilter::from),
        format: common
            .log_format
            .map_or(configured.format, config::LogFormat::from),
    }
}

/// Printing to a pipe whose reader has left panics; here it ends the program as it
/// ends any other in a pipeline, with 128 + SIGPIPE.
fn leave_quietly_when_nobody_reads() {
    const GONE: i32 = 141;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let message = payload.downcast_ref::<String>().map_or("", String::as_str);
        if message.starts_with("failed printing to std") && message.contains("Broken pipe") {
            hindsight::trigger::give_terminal_back();
            std::process::exit(GONE);
        }
        usual(panic);
    }));
}
