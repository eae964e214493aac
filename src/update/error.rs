//! Why an update is not taken: each reason has its own words, and what would be right.

use std::io;
use std::path::{Path, PathBuf};

use super::header::HeaderError;
use super::state::{BadCopy, Slot};
use crate::disk::files::for_people;

#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    // ── this box ──
    #[error(
        "this system was not started from a slot of Hindsight's image ({}); update it as it was installed: \
         a package with apt, a program by hand", .why
    )]
    NotOurImage { why: String },
    #[error("{file}: {why}", file = .file.display())]
    Layout { file: PathBuf, why: String },
    #[error(
        "neither of the files that say which slot is started can be used: {first}; {second}; \
         \"hindsight update --confirm\" writes them anew once the service has been healthy for 2 minutes"
    )]
    NoState {
        first: Box<StateFileError>,
        second: Box<StateFileError>,
    },
    #[error(
        "slot {running} runs and is itself not confirmed yet: to write the other one now would leave no \
         slot that is known to work; wait until \"hindsight update --status\" says that it is confirmed"
    )]
    OnTrial { running: Slot },
    #[error("another update is under way ({lock} is held); wait for its end", lock = .lock.display())]
    Busy { lock: PathBuf },
    #[error(
        "slot {slot} ({device}) is mounted at {at}; unmount it: umount {at}",
        device = .device.display(), at = .at.display()
    )]
    Mounted {
        slot: Slot,
        device: PathBuf,
        at: PathBuf,
    },
    #[error(
        "slot {slot} ({device}) is in use by the system; see what holds it: lsblk {device}",
        device = .device.display()
    )]
    InUse { slot: Slot, device: PathBuf },
    #[error(
        "{key}: there is no such file; it must hold the public key of whoever makes the updates, as \
         minisign -G writes it; name another with --key FILE", key = .key.display()
    )]
    NoKey { key: PathBuf },
    #[error("{key} is no public key of minisign (two lines, as minisign -G writes it): {why}", key = .key.display())]
    BadKey { key: PathBuf, why: String },
    #[error(
        "what was read back of slot {slot} ({device}) is not what was written: the card fails, replace it; \
         the running slot was not touched", device = .device.display()
    )]
    ReadBack { slot: Slot, device: PathBuf },

    // ── the update ──
    #[error("{from}: {why}")]
    NoFile { from: String, why: String },
    #[error(
        "{from}: there is no signature beside it ({signature}); it comes with the update and belongs \
         into the same folder"
    )]
    NoSignature { from: String, signature: String },
    #[error("{signature} is no signature of minisign: {why}")]
    BadSignature { signature: String, why: String },
    #[error(
        "{from} was signed with another key than {key}: it is for other boxes, or not from whoever made \
         this one's system", key = .key.display()
    )]
    OtherKey { from: String, key: PathBuf },
    #[error(
        "{from} was signed in minisign's old way, which needs the whole file in memory; sign it without -l"
    )]
    OldSignature { from: String },
    #[error(
        "{from}: the signature does not hold: the file ({len} bytes) was cut short, changed or damaged \
         after it was signed; fetch or copy it again"
    )]
    WrongSignature { from: String, len: u64 },
    #[error("{from} is no update of Hindsight: {why}; hindsight-<version>-<arch>.hsu is its name")]
    NotAnUpdate { from: String, why: HeaderError },
    #[error("{from} is for {theirs}, this box is {ours}; take hindsight-{version}-{ours}.hsu")]
    OtherArch {
        from: String,
        version: String,
        theirs: String,
        ours: String,
    },
    #[error(
        "{from} is version {theirs}, older than {ours}, which runs; --allow-older takes it all the same"
    )]
    Older {
        from: String,
        theirs: String,
        ours: String,
    },
    #[error(
        "{from} unpacks to {size} bytes, slot {slot} ({device}) has {room}; this card was made for smaller \
         systems: flash the new image", device = .device.display()
    )]
    TooBig {
        from: String,
        size: u64,
        slot: Slot,
        device: PathBuf,
        room: u64,
    },
    #[error("{from} cannot be unpacked: {why}")]
    Unpack { from: String, why: String },
    #[error(
        "{from} does not unpack to what it says: {why}; whoever made it must make it anew. Slot {slot} \
         holds nothing whole now, and is not started"
    )]
    OtherContent {
        from: String,
        why: String,
        slot: Slot,
    },

    // ── on the way ──
    #[error("{url}: {why}")]
    Fetch { url: String, why: String },
    #[error(
        "{folder} has room for {free} bytes and the update needs {need} (of which {keep} stay free for \
         clips); make room, or copy it to a USB stick and name the file", folder = .folder.display()
    )]
    NoRoom {
        folder: PathBuf,
        free: u64,
        need: u64,
        keep: u64,
    },
    #[error("{folder}: {why}; copy the update to the box and name the file", folder = .folder.display())]
    Storage { folder: PathBuf, why: String },
    #[error("{doing} {path}: {}", told(.error), path = .path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        error: io::Error,
    },
}

/// Why one of the two files that say which slot is started cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    #[error("{} cannot be read: {error}", .path.display())]
    Unread { path: PathBuf, error: io::Error },
    #[error("{} {why}", .path.display())]
    Bad { path: PathBuf, why: BadCopy },
}

/// Slots and their files belong to root, and to nobody else.
fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!("{error}; run it as root: sudo"),
        _ => for_people(error),
    }
}

impl UpdateError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> UpdateError {
        let path = path.to_owned();
        move |error| UpdateError::Io { doing, path, error }
    }

    /// Something is wrong with the update itself; on another box it would be no better.
    pub fn is_of_the_update(&self) -> bool {
        use UpdateError::*;
        matches!(
            self,
            NoSignature { .. }
                | BadSignature { .. }
                | OtherKey { .. }
                | OldSignature { .. }
                | WrongSignature { .. }
                | NotAnUpdate { .. }
                | OtherArch { .. }
                | Older { .. }
                | TooBig { .. }
                | Unpack { .. }
                | OtherContent { .. }
        )
    }
}
