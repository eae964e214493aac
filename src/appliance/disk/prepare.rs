//! Carries the plan out: partition and file system on a disk that may be erased, the
//! check at boot, the mounts.
//!
//! Preparing in this order, each step on the disk before the next: everything that names an old
//! owner is overwritten with zeroes → the claim → partition table → file system → the claim is erased. A power
//! cut in between leaves a disk that is empty, claimed, or Hindsight's; never one of nobody's.
//!
//! The file system: ext4 with checksums of metadata and journal (mke2fs's `metadata_csum`), its journal
//! written out at once (`lazy_journal_init=0`: nothing stale in it is ever replayed), mounted with
//! `data=ordered` (a file never shows what somebody else's blocks held before), write barriers and a commit every 5 s (both
//! ext4's own; what must be safe earlier is synced by the service), `errors=remount-ro` (a disk that fails is not
//! written to any more), `noatime`, and `nodev,nosuid,noexec`: nothing on it is run.
//!
//! Not here: whether to (`decide`).

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::content::{CLAIM, CLAIM_AT, HEAD, NAME, TAIL};
use crate::appliance::system::{System, arguments};

pub const OPTIONS: &str = "data=ordered,errors=remount-ro,noatime,nodev,nosuid,noexec";
/// The preening check replays the journal and looks at little else.
const PREEN: Duration = Duration::from_secs(30);
/// The thorough one, only where preening gave up.
const REPAIR: Duration = Duration::from_secs(60);
/// Until the kernel has read a new partition table.
const NODE: Duration = Duration::from_secs(10);

/// Makes the disk Hindsight's; everything on it goes. `device`: `/dev/sda`. Returns its
/// partition's device.
pub fn prepare(system: &System, device: &Path) -> io::Result<std::path::PathBuf> {
    overwrite(device)?;
    claim(device, CLAIM)?;
    system.must(
        "sh",
        arguments![
            "-c",
            "printf 'label: gpt\\nname=\"%s\", type=linux\\n' \"$2\" | sfdisk --quiet --wipe always --wipe-partitions always \"$1\"",
            "sfdisk",
            device,
            NAME,
        ],
    )?;
    let partition = wait_for_partition(system, device)?;
    system.must(
        "mke2fs",
        arguments![
            "-q",
            "-F",
            "-t",
            "ext4",
            "-L",
            NAME,
            "-m",
            "1",
            "-e",
            "remount-ro",
            "-O",
            "metadata_csum,64bit",
            "-E",
            "lazy_journal_init=0,nodiscard",
            &partition,
        ],
    )?;
    sync(&partition)?;
    claim(device, &[0; CLAIM.len()])?;
    Ok(partition)
}

/// Erases a claim that a power cut left on a finished disk.
fn claim(device: &Path, what: &[u8; CLAIM.len()]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(device)?;
    file.write_all_at(what, CLAIM_AT as u64)?;
    file.sync_all()
}

/// Zeroes where partition tables, file systems and RAIDs sign.
fn overwrite(device: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(device)?;
    let end = file.seek(SeekFrom::End(0))?;
    for (at, len) in [(end.saturating_sub(TAIL as u64), TAIL), (0, HEAD)] {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&vec![0; len])?;
        file.sync_all()?;
    }
    Ok(())
}

fn sync(device: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(device)?.sync_all()
}

/// `sda` has `sda1`, `nvme0n1` has `nvme0n1p1`.
pub fn first_partition(device: &Path) -> std::path::PathBuf {
    let name = device.to_string_lossy();
    let between = if name.ends_with(|c: char| c.is_ascii_digit()) {
        "p"
    } else {
        ""
    };
    format!("{name}{between}1").into()
}

fn wait_for_partition(system: &System, device: &Path) -> io::Result<std::path::PathBuf> {
    let partition = first_partition(device);
    let until = Instant::now() + NODE;
    while !partition.exists() {
        if Instant::now() >= until {
            let text = format!("{} did not appear", partition.display());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        // The kernel may not have noticed, or not read it by itself; no harm where it has.
        let _ = system.run("partx", arguments!["-u", device], NODE);
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(partition)
}

/// What the check at boot found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    Good,
    /// Something beyond the journal had to be mended, perhaps at a loss; in words.
    Mended(String),
    /// It cannot be used as it is; in words.
    Bad(String),
}

/// What follows from how a check ended. Bits of e2fsck's code: 1 mended, 2 mended and reboot
/// (of a root), 4 left unmended, 8 it could not work, 16 and 32 misused or interrupted.
fn verdict(code: Option<i32>) -> Found {
    match code {
        Some(code) if code & !3 == 0 => Found::Good { mended: code != 0 },
        Some(code) if code & !7 == 0 => Found::Faults,
        _ => Found::Nothing,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Good {
        mended: bool,
    },
    Faults,
    /// It was stopped, or could not even begin.
    Nothing,
}

/// Preens; where that gives up, repairs once, for there is nobody to ask. Both are bounded. Never
/// makes a new file system.
pub fn check(system: &System, partition: &Path) -> io::Result<Checked> {
    let preened = system.run("e2fsck", arguments!["-p", partition], PREEN)?;
    match verdict(preened.code) {
        Found::Good { .. } => return Ok(Checked::Good),
        Found::Nothing if preened.code.is_none() => {
            return Ok(Checked::Bad("it answers too slowly".to_owned()));
        }
        Found::Faults | Found::Nothing => {}
    }
    repair(system, partition)
}

/// The thorough check, which also finds what a file system that calls itself clean is suffering from.
pub fn repair(system: &System, partition: &Path) -> io::Result<Checked> {
    let repaired = system.run("e2fsck", arguments!["-f", "-y", partition], REPAIR)?;
    Ok(match verdict(repaired.code) {
        Found::Good { mended: false } => Checked::Good,
        Found::Good { mended: true } => Checked::Mended(repaired.in_words()),
        Found::Faults | Found::Nothing => Checked::Bad(repaired.in_words()),
    })
}

/// Mounts the file system on `disk`.
pub fn mount(system: &System, partition: &Path, disk: &Path) -> io::Result<()> {
    std::fs::create_dir_all(disk)?;
    system.mount(arguments!["-t", "ext4", "-o", OPTIONS, partition, disk])
}

/// Binds `disk/hindsight` to the storage's path.
pub fn bind(system: &System, from: &Path, storage: &Path) -> io::Result<()> {
    std::fs::create_dir_all(storage)?;
    let arguments: &[&OsStr] = arguments!["--bind", from, storage];
    system.mount(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_named_as_the_kernel_does() {
        let of = |name: &str| first_partition(Path::new(name)).display().to_string();
        assert_eq!(of("/dev/sda"), "/dev/sda1");
        assert_eq!(of("/dev/nvme0n1"), "/dev/nvme0n1p1");
    }

    #[test]
    fn the_check_says_whether_the_disk_can_be_used() {
        assert_eq!(verdict(Some(0)), Found::Good { mended: false });
        assert_eq!(verdict(Some(1)), Found::Good { mended: true });
        assert_eq!(verdict(Some(3)), Found::Good { mended: true });
        assert_eq!(verdict(Some(4)), Found::Faults);
        assert_eq!(verdict(Some(5)), Found::Faults);
        for stuck in [Some(8), Some(12), Some(32), Some(127), None] {
            assert_eq!(verdict(stuck), Found::Nothing);
        }
    }
}
