//! The update itself, in an order in which it may be cut at any moment.
//!
//! 1. This box: is it ours, does nobody else update, is the running slot itself not on trial,
//!    is the other one free?
//! 2. The update: does its signature hold, is it for this box?
//! 3. Both files say that the running slot is started and nothing is tried. Mostly they do.
//! 4. The other slot is written, synced, and read back from the card.
//! 5. Only if what is there now is what was signed: both files say that it is tried.
//!
//! A cut before 5 leaves a box that starts the running slot; a cut in it, one that starts either.
//!
//! Not here: fetching (`fetch`), restarting the box (`commands`).

use std::path::{Path, PathBuf};

use semver::Version;

use super::error::UpdateError;
use super::image::{Image, Proved};
use super::layout::Layout;
use super::state::{Slot, SlotState};
use super::store::SlotStore;
use super::unpack::{self, UnpackError};
use crate::disk::{Disk, File, Lock};

/// How far it is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallStep {
    /// `total` is not always known.
    Fetching {
        done: u64,
        total: Option<u64>,
    },
    Proving {
        done: u64,
        total: u64,
    },
    Writing {
        done: u64,
        total: u64,
    },
    ReadingBack {
        done: u64,
        total: u64,
    },
}

/// What is written, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledUpdate {
    pub version: Version,
    pub slot: Slot,
}

/// What an update is measured against.
#[derive(Clone, Debug)]
pub struct UpdateRules {
    /// File of the public key.
    pub key: PathBuf,
    /// The version that runs.
    pub running: Version,
    pub allow_older: bool,
}

/// A box that can be updated now. Nobody else updates it while this lives.
pub struct Updater<'a> {
    layout: &'a Layout,
    store: SlotStore,
    target: Slot,
    slot: File,
    room: u64,
    _lock: Lock,
}

impl<'a> Updater<'a> {
    /// Looks at the box; changes nothing.
    pub fn begin(layout: &'a Layout, disk: &Disk) -> Result<Updater<'a>, UpdateError> {
        let lock = lock(layout)?;
        let store = SlotStore::new(disk, &layout.boot);
        let state = store.read()?;
        let target = layout.running.other();
        // One that is neither is what U-Boot took because the confirmed one could not be started:
        // then the other slot is just what needs an update.
        if state.slot != layout.running && state.tried == Some(layout.running) {
            return Err(UpdateError::OnTrial {
                running: layout.running,
            });
        }
        let device = layout.device(target);
        if let Some(at) = layout.mounted(target) {
            return Err(UpdateError::Mounted {
                slot: target,
                device: device.to_owned(),
                at,
            });
        }
        let slot = open(disk, target, device)?;
        let room = slot.device_len();
        let room = room.map_err(UpdateError::io("measuring", device))?;
        Ok(Updater {
            layout,
            store,
            target,
            slot,
            room,
            _lock: lock,
        })
    }

    /// Writes `image` to the other slot and has it tried, if it is all that it must be.
    pub fn install(
        &self,
        image: &Image,
        rules: &UpdateRules,
        tell: &mut dyn FnMut(InstallStep),
    ) -> Result<InstalledUpdate, UpdateError> {
        let total = image.len;
        let proved = image.prove(&rules.key, &mut |done| {
            tell(InstallStep::Proving { done, total })
        })?;
        self.fits(image, &proved, rules)?;
        self.store.probe()?;
        // From here on the other slot is nothing that could be started.
        self.store.write(SlotState::settled(self.layout.running))?;
        self.fill(image, &proved, tell)?;
        self.check(&proved, tell)?;
        self.store
            .write(SlotState::trying_other(self.layout.running))?;
        Ok(InstalledUpdate {
            version: proved.header.version,
            slot: self.target,
        })
    }

    fn device(&self) -> &Path {
        self.layout.device(self.target)
    }

    fn fits(&self, image: &Image, proved: &Proved, rules: &UpdateRules) -> Result<(), UpdateError> {
        let header = &proved.header;
        let from = image.from.clone();
        if header.arch != self.layout.arch {
            return Err(UpdateError::OtherArch {
                from,
                version: header.version.to_string(),
                theirs: header.arch.clone(),
                ours: self.layout.arch.clone(),
            });
        }
        if !rules.allow_older && header.is_older_than(&rules.running) {
            return Err(UpdateError::Older {
                from,
                theirs: header.version.to_string(),
                ours: rules.running.to_string(),
            });
        }
        if header.size > self.room {
            return Err(UpdateError::TooBig {
                from,
                size: header.size,
                slot: self.target,
                device: self.device().to_owned(),
                room: self.room,
            });
        }
        Ok(())
    }

    fn fill(
        &self,
        image: &Image,
        proved: &Proved,
        tell: &mut dyn FnMut(InstallStep),
    ) -> Result<(), UpdateError> {
        let total = proved.header.size;
        let from = || image.from.clone();
        let other = |why: String| UpdateError::OtherContent {
            from: from(),
            why,
            slot: self.target,
        };
        let mut told = |done| tell(InstallStep::Writing { done, total });
        let filled = unpack::unpack(&image.file, proved.body_at, &self.slot, total, &mut told);
        let (written, digest) = filled.map_err(|trouble| match trouble {
            UnpackError::TooMuch => {
                other(format!("there is more than the {total} bytes it speaks of"))
            }
            UnpackError::Packed(why) => UpdateError::Unpack { from: from(), why },
            UnpackError::Reading(error) => {
                UpdateError::io("reading", Path::new(&image.from))(error)
            }
            UnpackError::Writing(error) => UpdateError::io("writing", self.device())(error),
        })?;
        if written != total {
            return Err(other(format!("there are {written} bytes, not {total}")));
        }
        match proved.header.is_of(&digest) {
            true => Ok(()),
            false => Err(other("its SHA-256 is another".to_owned())),
        }
    }

    fn check(&self, proved: &Proved, tell: &mut dyn FnMut(InstallStep)) -> Result<(), UpdateError> {
        let total = proved.header.size;
        let mut told = |done| tell(InstallStep::ReadingBack { done, total });
        let digest = unpack::read_back(&self.slot, total, &mut told);
        let digest = digest.map_err(UpdateError::io("reading back", self.device()))?;
        match proved.header.is_of(&digest) {
            true => Ok(()),
            false => Err(UpdateError::ReadBack {
                slot: self.target,
                device: self.device().to_owned(),
            }),
        }
    }
}

/// Held while the slots or their files are changed.
pub(super) fn lock(layout: &Layout) -> Result<Lock, UpdateError> {
    let taken = Lock::take(&layout.lock);
    let taken = taken.map_err(UpdateError::io("locking", &layout.lock))?;
    taken.ok_or_else(|| UpdateError::Busy {
        lock: layout.lock.clone(),
    })
}

fn open(disk: &Disk, slot: Slot, device: &Path) -> Result<File, UpdateError> {
    disk.open_device(device).map_err(|error| {
        let busy = nix::errno::Errno::EBUSY as i32;
        match error.raw_os_error() == Some(busy) {
            true => UpdateError::InUse {
                slot,
                device: device.to_owned(),
            },
            false => UpdateError::io("opening", device)(error),
        }
    })
}
