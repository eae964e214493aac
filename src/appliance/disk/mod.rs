//! The data disk: found, checked, prepared where it is empty, mounted.
//!
//! `look` (facts) → `decide` (plan, pure) → `prepare` (carried out). What goes wrong on the way ends on the
//! card, with a notice; a disk whose file system cannot be mended is left as it is, unmounted, for somebody to
//! save what is on it.

pub mod content;
pub mod decide;
pub mod look;
pub mod prepare;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::{Group, User};
use serde::{Deserialize, Serialize};

use super::firmware::Firmware;
use super::notices::Notices;
use super::sentence::{BoxSentence, DiskAdvice};
use super::system::{System, arguments};
use super::{OWNER, Paths};
use crate::base::{Coded, Notice};
use content::DiskContent;
use decide::{AGREE, DiskInfo, DiskPlan, DisksFound, StoragePlace, Why};
use look::Devices;
use prepare::Checked;

/// How long disks may take to be found.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Where none is known: there may be none.
    pub any: Duration,
    /// For the one that was used last.
    pub known: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            any: Duration::from_secs(6),
            known: Duration::from_secs(15),
        }
    }
}

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// The serial of the disk that was used last, for people and for the next boot.
const KNOWN: &str = "known-disk.txt";
const AGREED: &str = "used-this-disk.txt";

/// All that finding and mounting a disk needs.
pub struct Bringing<'a> {
    pub paths: &'a Paths,
    pub system: System,
    pub devices: Devices,
    pub patience: Patience,
}

/// What holds the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    Ssd,
    Card,
    Memory,
}

/// Which disk holds the storage; `disk.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    pub kind: StorageKind,
    pub device: Option<String>,
    pub serial: Option<String>,
    pub model: Option<String>,
}

/// Finds, checks and mounts; tells what is wrong. Errors are those of writing down what it
/// found: the box comes up in any case.
pub fn bring_up(bringing: &Bringing<'_>) -> io::Result<Used> {
    let paths = bringing.paths;
    let firmware = Firmware::new(&paths.firmware, bringing.system);
    let mut notices = Notices::of(paths, "disk");
    if bringing.system.is_mounted(&paths.disk) {
        // Run again: it is all done.
        log::info!(target: "hindsight::appliance", event = "system_disk"; "{} is mounted already", paths.disk.display());
        let before = std::fs::read(paths.own.join("disk.json")).ok();
        let before = before.and_then(|text| serde_json::from_slice(&text).ok());
        return Ok(before.unwrap_or_else(Used::nothing));
    }
    let facts = bringing.facts(&firmware);
    let DiskPlan {
        place,
        notices: found,
    } = decide::decide(&facts);
    found.into_iter().for_each(|notice| notices.add(notice));
    let used = bringing.settle(&place, facts.card.as_deref(), &mut notices);
    let mut kept = notices.keep();
    if used.kind == StorageKind::Ssd && facts.firmware {
        kept = kept.and(remember(&firmware, &used, &facts));
    }
    kept.and(super::files::write(
        &paths.own.join("disk.json"),
        serde_json::to_string(&used)?.as_bytes(),
        0o644,
    ))?;
    Ok(used)
}

impl Used {
    /// For whoever started the command.
    pub fn in_words(&self) -> String {
        match (self.kind, &self.device) {
            (StorageKind::Ssd, Some(device)) => format!("highlights go to the disk, {device}"),
            (StorageKind::Card, Some(device)) => format!("highlights go to the card, {device}"),
            _ => "highlights go to memory".to_owned(),
        }
    }

    fn of(kind: StorageKind, device: &Path, disk: Option<&DiskInfo>) -> Used {
        Used {
            kind,
            device: Some(device.display().to_string()),
            serial: disk.map(|disk| disk.serial.clone()),
            model: disk.map(|disk| disk.model.clone()),
        }
    }

    fn nothing() -> Used {
        Used {
            kind: StorageKind::Memory,
            device: None,
            serial: None,
            model: None,
        }
    }
}

impl Bringing<'_> {
    /// Looks until there is a disk to take, or it has waited long enough.
    fn facts(&self, firmware: &Firmware) -> DisksFound {
        let known = firmware.line(KNOWN);
        let agreed = firmware.line(AGREE);
        let began = Instant::now();
        loop {
            let disks = self.devices.disks();
            let known_is_here =
                known.is_some() && disks.iter().any(|d| Some(&d.serial) == known.as_ref());
            let any = disks.iter().any(|disk| disk.bytes > 0 && !disk.in_use);
            let limit = match (&known, known_is_here, any) {
                (_, true, _) | (None, _, true) => Duration::ZERO,
                (Some(_), false, _) => self.patience.known,
                (None, _, false) => self.patience.any,
            };
            if began.elapsed() >= limit {
                return DisksFound {
                    disks,
                    card: self.devices.card(),
                    agreed,
                    known,
                    firmware: firmware.is_there(),
                };
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Carries the plan out, or what comes next to it.
    fn settle(&self, place: &StoragePlace, card: Option<&str>, notices: &mut Notices) -> Used {
        let (what, result) = match place {
            StoragePlace::Memory => (None, Ok(Used::nothing())),
            StoragePlace::Card { device } => (None, self.on_card(device)),
            StoragePlace::Disk { disk, device } => (
                Some(disk),
                self.check_and_mount(&self.devices.path(device), notices)
                    .map(|device| Used::of(StorageKind::Ssd, &device, Some(disk))),
            ),
            StoragePlace::Prepare { disk, why } => (Some(disk), self.prepare(disk, *why)),
        };
        match (result, card) {
            (Ok(used), _) => used,
            (Err(error), Some(card)) if what.is_some() => {
                notices.add(broken(what, &error, true));
                self.settle(
                    &StoragePlace::Card {
                        device: card.to_owned(),
                    },
                    None,
                    notices,
                )
            }
            (Err(error), _) => {
                notices.add(broken(what, &error, false));
                Used::nothing()
            }
        }
    }

    fn prepare(&self, disk: &DiskInfo, why: Why) -> io::Result<Used> {
        let device = self.devices.path(&disk.name);
        let shown = disk.shown();
        log::warn!(target: "hindsight::appliance", event = "system_disk_prepared", why = format!("{why:?}").as_str();
            "preparing {shown}: a new partition table and file system");
        let partition = prepare::prepare(&self.system, &device)?;
        self.mount(&partition)?;
        Ok(Used::of(StorageKind::Ssd, &partition, Some(disk)))
    }

    fn on_card(&self, device: &str) -> io::Result<Used> {
        let device = self.devices.path(device);
        match prepare::check(&self.system, &device)? {
            Checked::Good | Checked::Mended(_) => self.mount(&device)?,
            Checked::Bad(why) => return Err(io::Error::other(why)),
        }
        Ok(Used::of(StorageKind::Card, &device, None))
    }

    fn check_and_mount(&self, device: &Path, notices: &mut Notices) -> io::Result<PathBuf> {
        accept(prepare::check(&self.system, device)?, device, notices)?;
        if self.mount(device).is_err() {
            // It called itself clean, and is not.
            accept(prepare::repair(&self.system, device)?, device, notices)?;
            self.mount(device)?;
        }
        Ok(device.to_owned())
    }

    /// Mounts, makes the two folders, binds the service's to its place.
    fn mount(&self, device: &Path) -> io::Result<()> {
        let paths = self.paths;
        prepare::mount(&self.system, device, &paths.disk)?;
        let made = self.folders();
        if made.is_err() {
            // Nobody may take it for a disk that works.
            let _ = self.system.unmount(&paths.disk);
        }
        made
    }

    fn folders(&self) -> io::Result<()> {
        let paths = self.paths;
        super::files::folder(&paths.disk.join("box"), 0o700)?;
        let storage = paths.disk.join(OWNER);
        super::files::folder(&storage, 0o750)?;
        give_to_the_service(&self.system, &storage)?;
        std::fs::File::open(&paths.disk)?.sync_all()?;
        prepare::bind(&self.system, &storage, &paths.storage)
    }
}

/// Tells what had to be mended; an error: it cannot be used.
fn accept(checked: Checked, device: &Path, notices: &mut Notices) -> io::Result<()> {
    match checked {
        Checked::Good => Ok(()),
        Checked::Bad(why) => Err(io::Error::other(why)),
        Checked::Mended(what) => {
            let mended = what;
            let place = device.display().to_string();
            notices.add(Notice::warning(&BoxSentence::DiskMended { mended }, place));
            Ok(())
        }
    }
}

/// The service's folder is the service's, also on a disk from a box with other numbers.
fn give_to_the_service(system: &System, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (Ok(Some(user)), Ok(Some(group))) = (User::from_name(OWNER), Group::from_name(OWNER))
    else {
        return Ok(());
    };
    let facts = std::fs::metadata(folder)?;
    if (facts.uid(), facts.gid()) == (user.uid.as_raw(), group.gid.as_raw()) {
        return Ok(());
    }
    let owner = format!("{OWNER}:{OWNER}");
    system.must("chown", arguments!["-R", "-h", &owner, folder])
}

fn broken(disk: Option<&DiskInfo>, error: &io::Error, card: bool) -> Notice {
    let error = error.to_string();
    let Some(disk) = disk else {
        return Notice::new(&BoxSentence::CardUnusable { error }, "SD card");
    };
    let advice = match disk.content {
        DiskContent::Ours { .. } => DiskAdvice::SaveAndReplace {},
        _ => DiskAdvice::UseAnother {},
    };
    let advice = advice.sentence();
    let said = match card {
        true => BoxSentence::DiskUnusableOnCard { error, advice },
        false => BoxSentence::DiskUnusableInMemory { error, advice },
    };
    Notice::new(&said, disk.shown())
}

/// Takes an agreement back that has been used, and notes which disk it is now.
fn remember(firmware: &Firmware, used: &Used, facts: &DisksFound) -> io::Result<()> {
    let serial = used.serial.as_deref().unwrap_or_default();
    if facts.agreed.as_deref() == Some(serial) {
        firmware.rename(AGREE, AGREED)?;
    }
    if serial.is_empty() || facts.known.as_deref() == Some(serial) {
        return Ok(());
    }
    let model = used.model.as_deref().unwrap_or_default();
    let text = format!(
        "{serial}\r\n# {model}: the disk with the highlights, by its serial. Written by the box.\r\n"
    );
    firmware.write(KNOWN, text.as_bytes())
}
