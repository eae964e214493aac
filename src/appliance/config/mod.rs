//! What of the card's FAT partition is taken over at every boot.
//!
//! `hindsight.toml` is read, completed (`complete`) and checked as the service would. A good one runs, and is
//! kept with the files it names (`good`). Where it is bad the last good one runs; where there never was a good one,
//! the card's own text if nothing but cameras is missing from it, else one without cameras: the box comes
//! up in any case, answers on its network, and says what is wrong by health, by its lights, on its screen and in
//! `hindsight-error.txt`.
//!
//! Not here: where what is kept lies (`Paths`).

pub mod complete;
mod error;
mod good;
mod network;

use std::fs;
use std::io;
use std::path::PathBuf;

use super::firmware::Firmware;
use super::identity;
use super::notices::{self, Notices};
use super::sentence::BoxSentence;
use super::system::System;
use super::{Paths, files, text};
use crate::base::Notice;
use crate::config::{self, ConfigError, SourceLocation, Sources};
use complete::{Completed, WITHOUT, complete};
use error::CardConfigError;
use good::Set;

const NAME: &str = "hindsight.toml";
/// What Windows makes of it where it hides the ends of names.
const NAME_TWICE: &str = "hindsight.toml.txt";
/// What is wrong, beside the configuration.
pub const ERRORS: &str = "hindsight-error.txt";
const GOOD: &str = "last-good.json";
/// Where clips must go: the data disk is mounted there and nowhere else.
const STORAGE: &str = "/var/lib/hindsight";

/// All that taking over needs.
pub struct TakingOver<'a> {
    pub paths: &'a Paths,
    pub system: System,
}

/// Which configuration runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    TheCards,
    TheLastGood,
    /// The card's, which has no cameras yet.
    TheCardsWithoutCameras,
    /// The built-in one.
    Nothing,
}

impl Runs {
    /// For a notice, where it is not the card's.
    fn because_of(self, problems: String) -> BoxSentence {
        match self {
            Runs::TheLastGood => BoxSentence::LastGoodConfigRuns { problems },
            Runs::TheCardsWithoutCameras => BoxSentence::NoCameraConfigured { problems },
            _ => BoxSentence::NoConfigRuns { problems },
        }
    }

    /// For whoever started the command.
    pub fn in_words(self) -> &'static str {
        match self {
            Runs::TheCards => "the card's configuration runs",
            Runs::TheLastGood => "the last good configuration runs",
            Runs::TheCardsWithoutCameras => "the card's configuration runs, without cameras",
            Runs::Nothing => "no configuration can be used; the box answers on its network",
        }
    }
}

/// What could not be written down: everything else is done all the same.
#[derive(Default)]
struct Effort {
    first: Option<io::Error>,
}

impl Effort {
    /// The value, if there is one.
    fn of<T>(&mut self, result: io::Result<T>) -> Option<T> {
        result
            .inspect_err(|error| {
                log::error!(target: "hindsight::appliance", event = "error_appliance"; "{error}");
            })
            .map_err(|error| self.first.get_or_insert(error))
            .ok()
    }
}

/// Errors: what it could not write down, after everything else was done.
pub fn take_over(taking: &TakingOver<'_>) -> io::Result<Runs> {
    let paths = taking.paths;
    let firmware = Firmware::new(&paths.firmware, taking.system);
    let mut notices = Notices::of(paths, "config");
    let mut effort = Effort::default();
    // Whether what is kept outlives the power.
    let lasts = taking.system.is_mounted(&paths.disk);
    effort.of(taking.folders());
    if !firmware.is_there() {
        let place = paths.firmware.display().to_string();
        notices.add(Notice::new(&BoxSentence::CardUnreadable {}, place));
    }
    let id = effort.of(identity::id(paths));
    let name = format!("hindsight-{}", id.as_deref().unwrap_or("box"));
    effort.of(identity::set_host_name(paths, &name));
    effort.of(identity::host_key(paths, &taking.system));
    if let Some(token) = effort.of(identity::token(paths, &firmware)) {
        effort.of(taking.hand_token(&token, &name, &firmware));
    }
    let runs = taking.configuration(&firmware, &mut notices, &mut effort);
    effort.of(network::wifi(paths, &firmware, lasts, &mut notices));
    effort.of(network::keys(paths, &firmware, &mut notices));
    effort.of(notices.keep());
    let all = notices.all();
    effort.of(tell_card(&firmware, &all));
    light(paths, all.iter().any(|notice| notice.fault));
    log::info!(target: "hindsight::appliance", event = "system_config"; "{name}: {runs:?} runs");
    let here = format!("this box is {name}, http://{name}.local:8080");
    notices::say(&paths.console, &here);
    effort.first.map_or(Ok(runs), Err)
}

/// The error file says what is wrong, and is not there where nothing is.
fn tell_card(firmware: &Firmware, all: &[Notice]) -> io::Result<()> {
    match (firmware.is_there(), all.is_empty()) {
        (false, _) => Ok(()),
        (true, true) => firmware.remove(ERRORS),
        (true, false) => firmware.write(ERRORS, notices::error_file(all).as_bytes()),
    }
}

/// The board's own light, for a box whose lights on the wall are not configured: it blinks
/// quickly while something is wrong. Boards without one say it elsewhere.
fn light(paths: &Paths, wrong: bool) {
    for name in ["ACT", "led0"] {
        let folder = paths.leds.join(name);
        if wrong && folder.join("trigger").exists() {
            let _ = fs::write(folder.join("trigger"), "timer");
            let _ = fs::write(folder.join("delay_on"), "100");
            let _ = fs::write(folder.join("delay_off"), "100");
            return;
        }
    }
}

/// What stands on the card.
enum Found {
    Text {
        name: &'static str,
        text: String,
    },
    /// No text, and why not; a name for the one who is to mend it.
    Bad {
        name: &'static str,
        why: CardConfigError,
    },
    /// The partition itself is not there; that is told already.
    Unreadable,
}

impl TakingOver<'_> {
    fn folders(&self) -> io::Result<()> {
        files::folder(&self.paths.run, 0o750)?;
        files::give(&self.paths.run)?;
        files::folder(&self.paths.own, 0o755)?;
        files::folder(&self.paths.kept(), 0o700)
    }

    fn configuration(
        &self,
        firmware: &Firmware,
        notices: &mut Notices,
        effort: &mut Effort,
    ) -> Runs {
        let good = self.paths.kept().join(GOOD);
        let (name, problems, set) = match self.found(firmware, notices) {
            Found::Unreadable => (NAME, String::new(), None),
            Found::Bad { name, why } => (name, why.to_string(), None),
            Found::Text { name, text } => {
                let (set, wrong) = Set::collect(text, firmware);
                match self.try_out(&set, false) {
                    Ok(()) => {
                        effort.of(set.keep(&good));
                        return Runs::TheCards;
                    }
                    Err(problems) => {
                        let all = wrong.iter().chain([&problems]);
                        let all: Vec<String> = all.map(CardConfigError::to_string).collect();
                        (name, all.join("\n"), Some(set))
                    }
                }
            }
        };
        let runs = self.another(&good, set.as_ref(), effort);
        if !problems.is_empty() || runs == Runs::Nothing {
            notices.add(Notice::new(&runs.because_of(problems), name));
        }
        runs
    }

    /// The best that there is where the card's does not do.
    fn another(&self, good: &std::path::Path, set: Option<&Set>, effort: &mut Effort) -> Runs {
        if let Some(last) = Set::load(good)
            && self.try_out(&last, false).is_ok()
        {
            return Runs::TheLastGood;
        }
        if set.is_some_and(|set| self.try_out(set, true).is_ok()) {
            return Runs::TheCardsWithoutCameras;
        }
        let without = Set {
            text: WITHOUT.to_owned(),
            ..Set::default()
        };
        effort.of(self.try_out(&without, true).map_err(io::Error::other));
        Runs::Nothing
    }

    fn found(&self, firmware: &Firmware, notices: &mut Notices) -> Found {
        if !firmware.is_there() {
            return Found::Unreadable;
        }
        let both = firmware.path(NAME).exists() && firmware.path(NAME_TWICE).exists();
        if both {
            notices.add(Notice::warning(&BoxSentence::TwoConfigs {}, NAME_TWICE));
        }
        let name = match firmware.path(NAME).exists() {
            false if firmware.path(NAME_TWICE).exists() => NAME_TWICE,
            _ => NAME,
        };
        match firmware.read(name) {
            Ok(Some(bytes)) => match text::decode(&bytes) {
                Ok(text) => Found::Text { name, text },
                Err(error) => Found::Bad {
                    name,
                    why: CardConfigError::NoText(error),
                },
            },
            Ok(None) => Found::Bad {
                name,
                why: CardConfigError::Missing,
            },
            Err(error) => Found::Bad {
                name,
                why: CardConfigError::Unreadable(error),
            },
        }
    }

    /// Puts a configuration where the service reads it, and checks it just there.
    fn try_out(&self, set: &Set, may_lack_cameras: bool) -> Result<(), CardConfigError> {
        let (folder, token) = (self.copies(), self.token());
        let completed = complete(
            &set.text,
            &format!("{}/", folder.display()),
            &token.display().to_string(),
        );
        let path = self.paths.run.join(NAME);
        let placed = set
            .put_files(&folder)
            .and_then(|()| self.some_token(&token))
            .and_then(|()| files::write_for_the_service(&path, completed.text.as_bytes()));
        placed.map_err(|error| CardConfigError::NotPlaced {
            path: path.clone(),
            error,
        })?;
        let loaded = config::load(&Sources {
            file: Some(path),
            may_lack_cameras,
            ..Sources::default()
        });
        match loaded {
            Ok(loaded) => self.storage_is_the_disks(&loaded.config.storage.path),
            Err(error) => Err(CardConfigError::Problems(self.on_card(&completed, &error))),
        }
    }

    /// It must be there, or nothing that runs can be checked. One that could not be kept is
    /// nobody's: the API then answers no one but `/health`.
    fn some_token(&self, path: &std::path::Path) -> io::Result<()> {
        match path.exists() {
            true => Ok(()),
            false => files::write_for_the_service(path, identity::random()?.as_bytes()),
        }
    }

    fn storage_is_the_disks(&self, path: &std::path::Path) -> Result<(), CardConfigError> {
        match path.starts_with(STORAGE) || path.starts_with(&self.paths.storage) {
            true => Ok(()),
            false => Err(CardConfigError::StorageElsewhere {
                path: path.to_owned(),
                storage: STORAGE,
            }),
        }
    }

    /// Problems with the lines that they have on the card, one a line.
    fn on_card(&self, completed: &Completed, error: &ConfigError) -> String {
        let copies = format!("{}/", self.copies().display());
        let lines = error.problems.iter().map(|problem| {
            let text = problem.sentence.text.replace(&copies, complete::FIRMWARE);
            match &problem.place {
                SourceLocation::File { line, .. } if *line > 0 => {
                    format!("line {}: {text}", completed.line_on_card(*line))
                }
                _ => text,
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Where the card's files are for the service.
    fn copies(&self) -> PathBuf {
        self.paths.run.join("firmware")
    }

    fn token(&self) -> PathBuf {
        self.paths.run.join("token")
    }

    /// Gives the service its token, and tells a new one: once, on the screen and on the card.
    fn hand_token(
        &self,
        token: &identity::Token,
        name: &str,
        firmware: &Firmware,
    ) -> io::Result<()> {
        let handed =
            files::write_for_the_service(&self.token(), format!("{}\n", token.text).as_bytes());
        if !token.is_new {
            return handed;
        }
        notices::say(
            &self.paths.console,
            &format!("the API's token is {}", token.text),
        );
        let text = identity::token_file(&token.text, name);
        handed.and(firmware.write(identity::TOKEN, text.as_bytes()))
    }
}
