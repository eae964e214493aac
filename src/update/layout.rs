//! Where the slots and their files are on this box.
//!
//! The image's card: partition 1 is FAT, mounted at `/boot/firmware`, and holds `slots-0.env` and
//! `slots-1.env`; partition 2 is slot a, partition 3 slot b. The kernel's command line names the
//! slot that runs (`hindsight.slot=a`). The disk is found by what is mounted at `/boot/firmware`,
//! so that it may be a card, a USB stick or an NVMe drive.
//!
//! Not here: what the files say (`state`), reading and writing them (`store`).

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::UpdateError;
use super::header;
use super::state::Slot;

/// Where `hindsight update` looks for the public key.
pub const KEY: &str = "/etc/hindsight/update.pub";

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Folder of the two files.
    pub boot: PathBuf,
    /// Partitions, or plain files.
    pub a: PathBuf,
    pub b: PathBuf,
    pub running: Slot,
    /// As Debian calls the processor.
    #[serde(default = "this_arch")]
    pub arch: String,
    /// Held while something is changed.
    #[serde(default = "usual_lock")]
    pub lock: PathBuf,
    /// Tells what is mounted.
    #[serde(default = "usual_mounts")]
    pub mounts: PathBuf,
}

fn this_arch() -> String {
    header::arch().to_owned()
}

fn usual_lock() -> PathBuf {
    PathBuf::from("/run/hindsight-update.lock")
}

fn usual_mounts() -> PathBuf {
    PathBuf::from("/proc/self/mountinfo")
}

/// Where the kernel tells of itself.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub cmdline: PathBuf,
    pub mounts: PathBuf,
    pub sys: PathBuf,
    pub dev: PathBuf,
}

impl Default for Kernel {
    fn default() -> Kernel {
        Kernel {
            cmdline: PathBuf::from("/proc/cmdline"),
            mounts: usual_mounts(),
            sys: PathBuf::from("/sys"),
            dev: PathBuf::from("/dev"),
        }
    }
}

/// Where the image mounts its FAT partition.
const BOOT: &str = "/boot/firmware";
/// Partition numbers of the slots.
const PARTITION_A: u32 = 2;
const PARTITION_B: u32 = 3;

impl Layout {
    /// Of the box that this runs on.
    pub fn of_this_box(kernel: &Kernel) -> Result<Layout, UpdateError> {
        let no = |why: &str| UpdateError::NotOurImage {
            why: why.to_owned(),
        };
        let cmdline = fs::read_to_string(&kernel.cmdline).unwrap_or_default();
        let running = running(&cmdline).ok_or_else(|| {
            no("the kernel's command line has no hindsight.slot=a or hindsight.slot=b")
        })?;
        let mounts = fs::read_to_string(&kernel.mounts).unwrap_or_default();
        let device = mounted_at(&mounts, Path::new(BOOT));
        let device = device.ok_or_else(|| no("nothing is mounted at /boot/firmware"))?;
        let find = |number| {
            partition(kernel, &device, number).ok_or_else(|| {
                no(&format!(
                    "the disk of /boot/firmware has no partition {number}"
                ))
            })
        };
        Ok(Layout {
            boot: PathBuf::from(BOOT),
            a: find(PARTITION_A)?,
            b: find(PARTITION_B)?,
            running,
            arch: this_arch(),
            lock: usual_lock(),
            mounts: kernel.mounts.clone(),
        })
    }

    /// As a file says, for tests and for systems that are laid out in another way.
    pub fn of_file(file: &Path) -> Result<Layout, UpdateError> {
        let wrong = |why: String| UpdateError::Layout {
            file: file.to_owned(),
            why,
        };
        let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        toml::from_str(&text).map_err(|error| wrong(error.to_string()))
    }

    pub fn device(&self, slot: Slot) -> &Path {
        match slot {
            Slot::A => &self.a,
            Slot::B => &self.b,
        }
    }

    /// Where the slot is mounted, if it is.
    pub fn mounted(&self, slot: Slot) -> Option<PathBuf> {
        let text = fs::read_to_string(&self.mounts).unwrap_or_default();
        let device = self.device(slot);
        let numbers = device_numbers(device);
        mounts(&text)
            .find(|mount| Some(&mount.numbers) == numbers.as_ref() || mount.source == device)
            .map(|mount| mount.at)
    }
}

/// The slot that the kernel's command line names.
fn running(cmdline: &str) -> Option<Slot> {
    // As the kernel itself has it: what is said last counts.
    let mut words = cmdline.split_whitespace().rev();
    Slot::named(words.find_map(|word| word.strip_prefix("hindsight.slot="))?)
}

struct Mount {
    /// `major:minor`
    numbers: String,
    at: PathBuf,
    source: PathBuf,
}

fn mounts(mountinfo: &str) -> impl Iterator<Item = Mount> + '_ {
    mountinfo.lines().filter_map(|line| {
        let (before, behind) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(2);
        Some(Mount {
            numbers: before.next()?.to_owned(),
            at: PathBuf::from(before.nth(1)?.replace("\\040", " ")),
            source: PathBuf::from(behind.split(' ').nth(1)?),
        })
    })
}

/// `major:minor` of what is mounted at `point`, the last where several are.
fn mounted_at(mountinfo: &str, point: &Path) -> Option<String> {
    let here = mounts(mountinfo).filter(|mount| mount.at == point);
    here.last().map(|mount| mount.numbers)
}

/// `major:minor` of a block device.
fn device_numbers(device: &Path) -> Option<String> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let facts = fs::metadata(device).ok()?;
    if !facts.file_type().is_block_device() {
        return None;
    }
    let (major, minor) = (
        nix::sys::stat::major(facts.rdev()),
        nix::sys::stat::minor(facts.rdev()),
    );
    Some(format!("{major}:{minor}"))
}

/// The device of partition `number` on the disk that `sibling` (`major:minor`) is a partition of.
fn partition(kernel: &Kernel, sibling: &str, number: u32) -> Option<PathBuf> {
    let sibling = fs::canonicalize(kernel.sys.join("dev/block").join(sibling)).ok()?;
    if !sibling.join("partition").exists() {
        return None;
    }
    for entry in fs::read_dir(sibling.parent()?).ok()?.flatten() {
        let said = fs::read_to_string(entry.path().join("partition")).unwrap_or_default();
        if said.trim().parse() == Ok(number) {
            return Some(kernel.dev.join(entry.file_name()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const CARD: &str =
        "24 1 179:1 / /boot/firmware ro,relatime shared:5 - vfat /dev/mmcblk0p1 ro\n";

    /// A kernel with a card whose partition 1 is mounted as `mounts` says, and a USB disk.
    fn kernel(dir: &Path, cmdline: &str, mounts: &str) -> Kernel {
        let sys = dir.join("sys");
        for (disk, part, number, numbers) in [
            ("mmcblk0", "mmcblk0p1", "1", "179:1"),
            ("mmcblk0", "mmcblk0p2", "2", "179:2"),
            ("mmcblk0", "mmcblk0p3", "3", "179:3"),
            ("sda", "sda1", "1", "8:1"),
            ("sda", "sda2", "2", "8:2"),
        ] {
            let place = sys.join("devices").join(disk).join(part);
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join("partition"), format!("{number}\n")).unwrap();
            fs::create_dir_all(sys.join("dev/block")).unwrap();
            std::os::unix::fs::symlink(&place, sys.join("dev/block").join(numbers)).unwrap();
        }
        fs::write(dir.join("cmdline"), cmdline).unwrap();
        fs::write(dir.join("mounts"), mounts).unwrap();
        Kernel {
            cmdline: dir.join("cmdline"),
            mounts: dir.join("mounts"),
            sys,
            dev: PathBuf::from("/dev"),
        }
    }

    fn found(cmdline: &str, mounts: &str) -> Result<Layout, UpdateError> {
        let dir = tempfile::tempdir().unwrap();
        Layout::of_this_box(&kernel(dir.path(), cmdline, mounts))
    }

    #[test]
    fn the_slots_are_partitions_2_and_3_of_the_disk_that_carries_the_boot_files() {
        let layout = found("root=/dev/mmcblk0p3 hindsight.slot=b quiet\n", CARD).unwrap();
        assert_eq!(layout.running, Slot::B);
        assert_eq!(layout.device(Slot::A), Path::new("/dev/mmcblk0p2"));
        assert_eq!(layout.device(Slot::B), Path::new("/dev/mmcblk0p3"));
        assert_eq!(layout.boot, Path::new("/boot/firmware"));
    }

    #[test]
    fn a_system_that_is_no_image_of_ours_is_told_from_one_that_is() {
        let error = found("root=/dev/sda2 hindsight.slots=a\n", CARD)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("command line has no hindsight.slot="),
            "{error}"
        );
        let error = found("hindsight.slot=c\n", CARD).unwrap_err().to_string();
        assert!(error.contains("not started from a slot"), "{error}");
        let error = found("hindsight.slot=a\n", "").unwrap_err().to_string();
        assert!(
            error.contains("nothing is mounted at /boot/firmware"),
            "{error}"
        );
        let usb = CARD.replace("179:1", "8:1");
        let error = found("hindsight.slot=a\n", &usb).unwrap_err().to_string();
        assert!(error.contains("no partition 3"), "{error}");
    }

    #[test]
    fn the_slot_that_is_named_last_runs() {
        assert_eq!(
            running("hindsight.slot=a x hindsight.slot=b"),
            Some(Slot::B)
        );
        assert_eq!(running("xhindsight.slot=a"), None);
    }

    #[test]
    fn a_mounted_slot_is_seen_by_its_source() {
        let dir = tempfile::tempdir().unwrap();
        let kernel = kernel(
            dir.path(),
            "hindsight.slot=a",
            &format!("{CARD}31 1 179:3 / /mnt/other\\040slot ro - ext4 /dev/mmcblk0p3 ro\n"),
        );
        let layout = Layout::of_this_box(&kernel).unwrap();
        assert_eq!(
            layout.mounted(Slot::B),
            Some(PathBuf::from("/mnt/other slot"))
        );
        assert_eq!(layout.mounted(Slot::A), None);
    }
}
