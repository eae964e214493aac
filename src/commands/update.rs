//! `hindsight update`: a new system into the other slot; `--confirm`, which a new system runs when
//! it has come up; `--status`.
//!
//! Exit codes beyond the usual: 1, the update is not what it must be; [`RESTART`], the new system
//! did not become healthy, and whoever started us restarts the box.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use semver::Version;
use serde_json::Value;

use super::client::{ServiceClient, ServicePlace};
use super::common::{Common, quiet};
use super::exit::{NOT_DONE, WRONG};
use super::parse;
use crate::base::{Clock, RealClock};
use crate::config::{self, Config, ConfigError, Sources};
use crate::disk::Disk;
use crate::health;
use crate::service::say::{self, say};
use crate::update::confirm::{ConfirmPace, ConfirmWatch, Decision, Errand, Look, confirm, errand};
use crate::update::fetch::Fetch;
use crate::update::image::Image;
use crate::update::install::{InstallStep, InstalledUpdate, UpdateRules};
use crate::update::layout::Kernel;
use crate::update::{Layout, Slot, SlotState, SlotStore, UpdateError, Updater};

/// The new system did not become healthy: the box is to be restarted, so that U-Boot goes back.
const RESTART: u8 = 11;
/// How long the service may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Write a new, signed system to the slot of our SD image that does not run, and try it at the next restart
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hindsight update /media/usb/hindsight-0.2.0-arm64.hsu --reboot\n  \
    hindsight update https://example.com/hindsight-0.2.0-arm64.hsu\n  \
    hindsight update --status\n\n\
    The signature (….hsu.minisig) lies beside the file. A new system that is not healthy for 2 minutes within \
    10 goes back by itself.\n\
    Exit codes beyond the usual: 11 with --confirm: not healthy, the box is to be restarted."
)]
pub struct Args {
    /// The update: hindsight-<version>-arm64.hsu, on a disk or at an https address
    #[arg(value_name = "FILE|URL", required_unless_present_any = ["confirm", "status"])]
    from: Option<String>,
    /// Restart the box when it is written
    #[arg(long, requires = "from")]
    reboot: bool,
    /// Take a version older than the one that runs, too
    #[arg(long, requires = "from")]
    allow_older: bool,
    /// The public key of whoever makes the updates, as minisign -G writes it
    #[arg(long, value_name = "FILE", default_value = crate::update::layout::KEY)]
    key: PathBuf,
    /// For a new system that has come up: wait until its service is healthy, then keep it
    #[arg(long, conflicts_with_all = ["from", "status"])]
    confirm: bool,
    /// Which slot runs, which is tried, how many tries are left
    #[arg(long, conflicts_with = "from")]
    status: bool,
    /// Where the slots are, in another layout than the image's
    #[arg(long, value_name = "FILE", hide = true)]
    layout: Option<PathBuf>,
    /// With --confirm: how long the service must be healthy
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = parse::duration, hide = true)]
    healthy_for: Duration,
    /// With --confirm: when a health comes too late
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse::duration, hide = true)]
    patience: Duration,
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        common.start_log(quiet());
        let usual = || Layout::of_this_box(&Kernel::default());
        let layout = self.layout.as_deref().map_or_else(usual, Layout::of_file);
        let layout = match layout {
            Ok(layout) => layout,
            Err(error) => return failed(&error),
        };
        let disk = Disk::default();
        if let Some(from) = &self.from {
            let rules = UpdateRules {
                key: self.key,
                running: running_version(),
                allow_older: self.allow_older,
            };
            return installed(install(common, &layout, &disk, from, &rules), self.reboot);
        }
        if self.confirm {
            let pace = ConfirmPace {
                healthy_ns: ns(self.healthy_for),
                patience_ns: ns(self.patience),
            };
            return confirm_when_healthy(common, &layout, &disk, pace);
        }
        status(&layout, &disk)
    }
}

/// Read only where it is needed: a wrong one must not keep a mended system out.
fn config(common: &Common) -> Result<Config, ConfigError> {
    let sources = Sources {
        // A system without cameras is mended by an update, too.
        may_lack_cameras: true,
        ..common.sources()
    };
    Ok(config::load(&sources)?.config)
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn failed(error: &UpdateError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(match error.is_of_the_update() {
        true => WRONG,
        false => NOT_DONE,
    })
}

/// The image has the version of the program in it.
fn running_version() -> Version {
    Version::parse(env!("CARGO_PKG_VERSION")).unwrap_or(Version::new(0, 0, 0))
}

enum Failure {
    Updater(UpdateError),
    Config(ConfigError),
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::Config(error)
    }
}

impl From<UpdateError> for Failure {
    fn from(error: UpdateError) -> Failure {
        Failure::Updater(error)
    }
}

fn install(
    common: &Common,
    layout: &Layout,
    disk: &Disk,
    from: &str,
    rules: &UpdateRules,
) -> Result<InstalledUpdate, Failure> {
    // The box first: nobody should wait for a download that cannot be used. But however long a server takes, it keeps
    // no other update out.
    drop(Updater::begin(layout, disk)?);
    let mut progress = Progress::default();
    let mut tell = |step| progress.tell(step);
    let image = match Fetch::is_address(from) {
        true => {
            let storage = config(common)?.storage.path;
            Fetch::new(from, &storage)?.fetch(disk, &mut tell)?
        }
        false => Image::open(Path::new(from))?,
    };
    let update = Updater::begin(layout, disk)?;
    Ok(update.install(&image, rules, &mut tell)?)
}

/// Says how far it is, every tenth of the way.
#[derive(Default)]
struct Progress {
    last: Option<(&'static str, u64)>,
}

impl Progress {
    fn tell(&mut self, step: InstallStep) {
        let (doing, done, total) = match step {
            InstallStep::Fetching { done, total } => ("fetching", done, total.unwrap_or(0)),
            InstallStep::Proving { done, total } => ("checking the signature", done, total),
            InstallStep::Writing { done, total } => ("writing the slot", done, total),
            InstallStep::ReadingBack { done, total } => ("reading it back", done, total),
        };
        let tenths = (done * 10).checked_div(total).unwrap_or(done / 100_000_000);
        if self.last != Some((doing, tenths)) {
            self.last = Some((doing, tenths));
            match total {
                0 => say(format!("{doing}: {}", say::bytes(done))),
                total => say(format!(
                    "{doing}: {} % of {}",
                    tenths * 10,
                    say::bytes(total)
                )),
            }
        }
    }
}

fn installed(done: Result<InstalledUpdate, Failure>, reboot: bool) -> ExitCode {
    let InstalledUpdate { version, slot } = match done {
        Ok(written) => written,
        Err(Failure::Updater(error)) => return failed(&error),
        Err(Failure::Config(error)) => {
            eprintln!(
                "the configuration says where to put what is fetched, and cannot be used:\n{error}"
            );
            return ExitCode::from(NOT_DONE);
        }
    };
    say(format!(
        "slot {slot} holds version {version} and is tried at the next restart; it stays if its service \
         is healthy for 2 minutes, else this system comes back"
    ));
    if !reboot {
        say("restart the box when nobody plays: reboot");
        return ExitCode::SUCCESS;
    }
    say("restarting");
    match Command::new("systemctl").arg("reboot").status() {
        Ok(done) if done.success() => ExitCode::SUCCESS,
        done => {
            let why = done.map_or_else(|error| error.to_string(), |status| status.to_string());
            eprintln!("systemctl reboot: {why}; restart the box by hand");
            ExitCode::from(NOT_DONE)
        }
    }
}

fn confirm_when_healthy(
    common: &Common,
    layout: &Layout,
    disk: &Disk,
    pace: ConfirmPace,
) -> ExitCode {
    let running = layout.running;
    let errand = errand(&SlotStore::new(disk, &layout.boot).read(), running);
    match &errand {
        Errand::Nothing(why) => {
            say(format!("{why}: nothing to confirm"));
            return ExitCode::SUCCESS;
        }
        Errand::NewSystem { tries_left } => say(format!(
            "slot {running} is new; it stays once its service was healthy for {}. If not: {}",
            say::seconds(pace.healthy_ns / 1_000_000),
            after_this_try(*tries_left, running)
        )),
        Errand::Mend { why } => say(why),
    }
    if let Err(why) = wait_for_health(service(common), pace) {
        eprintln!("slot {running} did not become healthy: {why}");
        let restart = matches!(errand, Errand::NewSystem { .. });
        return ExitCode::from(if restart { RESTART } else { NOT_DONE });
    }
    match confirm(layout, disk) {
        Ok(()) => {
            say(format!(
                "slot {running} is confirmed: it is started from now on"
            ));
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

/// Where the service is.
fn service(common: &Common) -> ServicePlace {
    config(common).map_or_else(
        |_| ServicePlace::usual(),
        |config| ServicePlace::of(&config),
    )
}

fn after_this_try(tries_left: u8, running: Slot) -> String {
    match tries_left {
        0 => format!("the box restarts into slot {}", running.other()),
        n => format!(
            "the box restarts and tries it {}, then slot {} is back",
            say::many_of(n, "time more", "times more"),
            running.other()
        ),
    }
}

/// What was wrong last.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotHealthy(String);

/// Until the service was healthy for long enough; else, what was wrong last.
fn wait_for_health(service: ServicePlace, pace: ConfirmPace) -> Result<(), NotHealthy> {
    let client = ServiceClient::at(service, ANSWER);
    // Sixty looks: every 2 s for two minutes.
    let every = Duration::from_nanos(pace.healthy_ns / 60);
    let mut watch = ConfirmWatch::new(pace, RealClock.mono_ns());
    let mut last = None;
    loop {
        let look = look(&client);
        if last.as_ref() != Some(&look) {
            say(match &look {
                Look::Good => "healthy".to_owned(),
                Look::Bad(why) => format!("not healthy: {why}"),
            });
        }
        match watch.look(RealClock.mono_ns(), &look) {
            Decision::Confirm => return Ok(()),
            Decision::GiveUp(why) => return Err(NotHealthy(why)),
            Decision::Wait => std::thread::sleep(every),
        }
        last = Some(look);
    }
}

/// How the service is, as far as that is the new system's doing.
fn look(client: &ServiceClient) -> Look {
    let answer = match client.get("/health") {
        Ok(answer) if answer.status == 200 => answer.body,
        Ok(answer) => return Look::Bad(format!("GET /health is answered with {}", answer.status)),
        Err(error) => return Look::Bad(error.to_string()),
    };
    match answer["status"].as_str() {
        Some("healthy" | "degraded") => Look::Good,
        Some("unhealthy") => {
            let reasons = answer["reasons"].as_array().map_or(&[][..], Vec::as_slice);
            let code = |reason: &Value| reason["code"].as_str().map(health::lies_in_the_box);
            match reasons.iter().find(|reason| code(reason) == Some(true)) {
                Some(reason) => Look::Bad(reason["what"].as_str().unwrap_or("?").to_owned()),
                // Cameras: the old system would see them no better.
                None => Look::Good,
            }
        }
        _ => Look::Bad("GET /health says neither healthy nor unhealthy".to_owned()),
    }
}

fn status(layout: &Layout, disk: &Disk) -> ExitCode {
    let state = match SlotStore::new(disk, &layout.boot).read() {
        Ok(state) => state,
        Err(error) => {
            eprintln!(
                "slot {} runs, version {}",
                layout.running,
                running_version()
            );
            eprintln!("{error}");
            return ExitCode::from(WRONG);
        }
    };
    println!("{}", told(&state, layout.running, &running_version()));
    ExitCode::SUCCESS
}

fn told(state: &SlotState, running: Slot, version: &Version) -> String {
    let tried = match state.tried {
        Some(tried) => format!("{tried}, {} left", say::many_of(state.left, "try", "tries")),
        None => "none".to_owned(),
    };
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let table = say::table(&[
        row("runs", format!("slot {running}, version {version}")),
        row("confirmed", format!("slot {}", state.slot)),
        row("tried", tried),
    ]);
    table + &meaning(state, running)
}

/// What the table means, where it means something.
fn meaning(state: &SlotState, running: Slot) -> String {
    let other = running.other();
    match (state.tried, state.left) {
        (Some(tried), left) if tried == running && state.slot != running => format!(
            "slot {running} is new and on trial: once its service was healthy for 2 minutes it is confirmed. \
             If not: {}",
            after_this_try(left, running)
        ),
        _ if state.slot != running => format!(
            "slot {running} runs, though slot {other} is confirmed: that one could not be started, or somebody \
             chose by hand"
        ),
        (None, _) => "nothing is under way".to_owned(),
        (Some(_), 0) => format!(
            "the update in slot {other} did not become healthy; this system is back. \"journalctl -u \
             hindsight-confirm\" may say why"
        ),
        (Some(_), _) => format!("slot {other} holds an update that is tried at the next restart"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(slot: Slot, tried: Option<Slot>, left: u8) -> String {
        told(
            &SlotState { slot, tried, left },
            Slot::A,
            &Version::new(0, 2, 0),
        )
    }

    #[test]
    fn the_status_says_what_runs_what_is_tried_and_what_it_means() {
        assert_eq!(
            shown(Slot::A, None, 0),
            "runs       slot a, version 0.2.0\nconfirmed  slot a\ntried      none\nnothing is under way"
        );
        let written = shown(Slot::A, Some(Slot::B), 2);
        assert!(
            written.contains("tried      b, 2 tries left\n"),
            "{written}"
        );
        assert!(written.ends_with("tried at the next restart"), "{written}");
        let back = shown(Slot::A, Some(Slot::B), 0);
        assert!(back.contains("did not become healthy"), "{back}");
        let trial = shown(Slot::B, Some(Slot::A), 1);
        assert!(
            trial.contains("tries it 1 time more, then slot b is back"),
            "{trial}"
        );
        let last = shown(Slot::B, Some(Slot::A), 0);
        assert!(last.contains("the box restarts into slot b"), "{last}");
        let odd = shown(Slot::B, None, 0);
        assert!(
            odd.contains("could not be started, or somebody chose"),
            "{odd}"
        );
    }
}
