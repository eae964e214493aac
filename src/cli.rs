//! The command line's words. Each command's help ends in an example.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hindsight::base::CameraId;
use hindsight::config::{LogFormat, units};
use log::LevelFilter;

/// Where the configuration is unless something else is said.
pub const DEFAULT_CONFIG: &str = "/etc/hindsight/hindsight.toml";

const VERSION: &str = if cfg!(debug_assertions) {
    concat!(
        env!("CARGO_PKG_VERSION"),
        " (commit ",
        env!("BUILT_FROM_COMMIT"),
        " or later, debug build)"
    )
} else {
    concat!(
        env!("CARGO_PKG_VERSION"),
        " (commit ",
        env!("BUILT_FROM_COMMIT"),
        ")"
    )
};

/// Press the button after it happened: saves what the cameras of a court just saw.
#[derive(Parser)]
#[command(
    name = "hindsight",
    version = VERSION,
    arg_required_else_help = true,
    after_help = "Examples:\n  hindsight demo          try it, nothing to configure\n  \
                  hindsight check         is the configuration right, do the cameras answer?\n  \
                  hindsight run           the service\n\n\
                  Exit codes: 0 done, 1 something is wrong with what was looked at, 2 it could not be done."
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Args)]
pub struct Common {
    /// The configuration [default: $HINDSIGHT_CONFIG, or else /etc/hindsight/hindsight.toml]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Configuration"
    )]
    pub config: Option<PathBuf>,
    /// A file of NAME=value lines as the predecessors had it (CAMERA_1_URL=…); over the configuration
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Configuration"
    )]
    pub env_file: Option<PathBuf>,
    /// A key of the configuration, over all else: ring.seconds=120, camera.court1.latency=300ms
    #[arg(
        long,
        global = true,
        value_name = "KEY=VALUE",
        help_heading = "Configuration"
    )]
    pub set: Vec<String>,
    /// How much is logged to stderr
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Logging")]
    pub log_level: Option<Level>,
    /// Log lines for people, or one JSON object a line
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Logging")]
    pub log_format: Option<Format>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> LevelFilter {
        match level {
            Level::Error => LevelFilter::Error,
            Level::Warn => LevelFilter::Warn,
            Level::Info => LevelFilter::Info,
            Level::Debug => LevelFilter::Debug,
            Level::Trace => LevelFilter::Trace,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> LogFormat {
        match format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        }
    }
}

#[derive(Subcommand)]
pub enum Command {
    /// The service: keeps the last seconds of every camera and saves clips when somebody presses
    #[command(
        after_help = "Example:\n  hindsight run --config /etc/hindsight/hindsight.toml\n\n\
        ENTER or s presses, q stops. Ctrl-C stops too and lets open clips run to their end; a second one stops at once."
    )]
    Run(Run),
    /// Try it with a camera that is built in; nothing to configure, ENTER presses
    #[command(after_help = "Examples:\n  hindsight demo\n  \
        hindsight demo --exit    presses by itself, checks the clip and leaves")]
    Demo(Demo),
    /// Is the configuration right, do cameras and upload targets answer, does the encoder keep up?
    #[command(after_help = "Examples:\n  hindsight check\n  \
        hindsight check --latency court1    how to measure how late a camera's picture is")]
    Check(Check),
    /// Press the button of the running service
    #[command(after_help = "Examples:\n  hindsight press\n  \
        hindsight press --camera court1 --pre 40s --post 10s --wait")]
    Press(Press),
    /// Buttons and lights: the pins as a picture, what hangs on which, how it is now
    #[command(after_help = "Examples:\n  hindsight board\n  hindsight board test")]
    Board {
        #[command(subcommand)]
        what: Option<Board>,
    },
    /// A picture of what each camera's memory holds, of a running service or a dead one
    #[command(after_help = "Examples:\n  hindsight ring\n  hindsight ring court1")]
    Ring {
        /// Only this camera; may repeat
        #[arg(value_name = "CAMERA", value_parser = camera)]
        cameras: Vec<CameraId>,
    },
    /// A camera's live stream to stdout as fragmented MP4, without a second session to the camera
    #[command(after_help = "Example:\n  hindsight tap court1 | ffplay -")]
    Tap {
        /// The camera's id
        #[arg(value_name = "CAMERA", value_parser = camera)]
        camera: CameraId,
    },
    /// What is still to be done with clips: marking, uploading; what was given up, and why
    #[command(after_help = "Examples:\n  hindsight queue\n  \
        hindsight queue --follow          bars while it works, until Ctrl-C\n  \
        hindsight queue retry --failed    try again what was given up\n  \
        hindsight queue drop 0a1b2c3d     take a job out; its files stay until keep_uploaded is over")]
    Queue {
        /// Go on showing it: bars on a terminal, a line for each change in a pipe
        #[arg(long, short)]
        follow: bool,
        #[command(subcommand)]
        command: Option<Queue>,
    },
    /// Write a new, signed system to the slot of our SD image that does not run, and try it at the next restart
    #[command(
        after_help = "Examples:\n  hindsight update /media/usb/hindsight-0.2.0-arm64.hsu --reboot\n  \
        hindsight update https://example.com/hindsight-0.2.0-arm64.hsu\n  \
        hindsight update --status\n\n\
        The signature (….hsu.minisig) lies beside the file. A new system that is not healthy for 2 minutes within \
        10 goes back by itself.\n\
        Exit codes beyond the usual: 11 with --confirm: not healthy, the box is to be restarted."
    )]
    Update(Update),
    /// For the units of Hindsight's own SD image: its disk, and what the card says
    #[command(after_help = "Example:\n  hindsight appliance config --root /tmp/box")]
    Appliance {
        #[command(subcommand)]
        what: Appliance,
    },
    /// Check every clip, sidecar and press below a folder; one line for each fault
    #[command(after_help = "Example:\n  hindsight verify /var/lib/hindsight")]
    Verify {
        /// Folders or files
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
}

#[derive(Args)]
pub struct Run {
    /// A folder of notes about the box, one JSON file each, that its health and lights tell;
    /// with it a configuration may lack cameras
    #[arg(long, value_name = "FOLDER")]
    pub notices: Option<PathBuf>,
}

#[derive(Subcommand)]
pub enum Appliance {
    /// Find, check and mount the data disk; an empty one is prepared, a foreign one never
    #[command(after_help = "Example:\n  hindsight appliance disk")]
    Disk,
    /// Take over hindsight.toml, wifi.txt and authorized_keys from the card
    #[command(after_help = "Example:\n  hindsight appliance config")]
    Config {
        /// As if this folder were /, and without mounting anything: to try it out
        #[arg(long, value_name = "FOLDER")]
        root: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub enum Board {
    /// Every light into the state that says "nothing is saved here"; systemd runs it when the service has ended
    #[command(after_help = "Example:\n  hindsight board off")]
    Off,
    /// Walks you from light to light and from button to button; stop the service first
    #[command(
        after_help = "Example:\n  systemctl stop hindsight; hindsight board test; systemctl start hindsight"
    )]
    Test,
}

#[derive(Subcommand)]
pub enum Queue {
    /// Try a job again at once, from the beginning of its stage
    #[command(
        after_help = "Examples:\n  hindsight queue retry 0a1b2c3d\n  hindsight queue retry --failed"
    )]
    Retry {
        /// A job's id, or a part of it that fits one press only
        #[arg(value_name = "ID", required_unless_present = "failed")]
        id: Option<String>,
        /// All that were given up
        #[arg(long, conflicts_with = "id")]
        failed: bool,
    },
    /// Take a job out of the queue: it is not tried any more, its files stay until keep_uploaded is over
    #[command(after_help = "Example:\n  hindsight queue drop 0a1b2c3d")]
    Drop {
        /// A job's id, or a part of it that fits one press only
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Args)]
pub struct Demo {
    /// Press by itself, wait for the clip, verify it and leave: 0 if all is well
    #[arg(long)]
    pub exit: bool,
    /// With --exit: how long to wait before the press
    #[arg(long, value_name = "TIME", default_value = "12s", value_parser = duration, requires = "exit")]
    pub press_after: Duration,
}

#[derive(Args)]
pub struct Check {
    /// Measure how late this camera's picture is, and say what to write for `latency`
    #[arg(long, value_name = "CAMERA", value_parser = camera)]
    pub latency: Option<CameraId>,
}

#[derive(Args)]
pub struct Press {
    /// Only this camera; may repeat [default: all]
    #[arg(long = "camera", value_name = "ID", value_parser = camera)]
    pub cameras: Vec<CameraId>,
    /// How much before the press [default: the configuration's]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub pre: Option<Duration>,
    /// How much after the press [default: the configuration's]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub post: Option<Duration>,
    /// Wait until the clips are there
    #[arg(long)]
    pub wait: bool,
}

#[derive(Args)]
pub struct Update {
    /// The update: hindsight-<version>-arm64.hsu, on a disk or at an https address
    #[arg(value_name = "FILE|URL", required_unless_present_any = ["confirm", "status"])]
    pub from: Option<String>,
    /// Restart the box when it is written
    #[arg(long, requires = "from")]
    pub reboot: bool,
    /// Take a version older than the one that runs, too
    #[arg(long, requires = "from")]
    pub allow_older: bool,
    /// The public key of whoever makes the updates, as minisign -G writes it
    #[arg(long, value_name = "FILE", default_value = hindsight::update::layout::KEY)]
    pub key: PathBuf,
    /// For a new system that has come up: wait until its service is healthy, then keep it
    #[arg(long, conflicts_with_all = ["from", "status"])]
    pub confirm: bool,
    /// Which slot runs, which is tried, how many tries are left
    #[arg(long, conflicts_with = "from")]
    pub status: bool,
    /// Where the slots are, in another layout than the image's
    #[arg(long, value_name = "FILE", hide = true)]
    pub layout: Option<PathBuf>,
    /// With --confirm: how long the service must be healthy
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration, hide = true)]
    pub healthy_for: Duration,
    /// With --confirm: when a health comes too late
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration, hide = true)]
    pub patience: Duration,
}

fn camera(text: &str) -> Result<CameraId, String> {
    CameraId::new(text).map_err(|_| format!("an id is {}", CameraId::RULE))
}

fn duration(text: &str) -> Result<Duration, String> {
    match units::duration_ms(text) {
        Ok(ms) => Ok(Duration::from_millis(ms)),
        Err(units::BadUnit::NoUnit) => Err(format!("no unit; if seconds are meant: {text}s")),
        Err(units::BadUnit::Shape) => Err("write it like 40s, 300ms or 1m30s".to_owned()),
    }
}
