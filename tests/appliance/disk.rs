//! `hindsight appliance disk` on real block devices: loop devices with real tables and file systems, mounted
//! for real. Root, loop devices and ext4 are needed; where they are not to be had the tests say so.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hindsight::appliance::Paths;
use hindsight::appliance::disk::content::{CLAIM, CLAIM_AT};
use hindsight::appliance::disk::look::Devices;
use hindsight::appliance::disk::{Bringing, Patience, StorageKind, Used, bring_up};
use hindsight::appliance::system::System;
use hindsight::base::notice;
use nix::mount::{MntFlags, umount2};
use sha2::{Digest, Sha256};

/// Loop devices and mounts of one test are no other's business.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn sh(script: &str) -> (bool, String) {
    let out = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.success(), said.trim().to_owned())
}

fn must(script: &str) -> String {
    let (well, said) = sh(script);
    assert!(well, "{script}: {said}");
    said
}

/// A box with the disks and the card that a test gives it.
struct Rig {
    root: tempfile::TempDir,
    loops: Vec<(PathBuf, PathBuf)>,
    _turn: MutexGuard<'static, ()>,
}

/// `None`: this machine cannot do it, and that was said.
fn rig() -> Option<Rig> {
    let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let try_out = format!(
        "set -e; cd '{}'; truncate -s 8M t; mke2fs -q -F t; l=$(losetup -f --show -P t); mkdir m; \
         mount $l m && umount m; r=$?; losetup -d $l; exit $r",
        root.path().display()
    );
    let (well, said) = sh(&try_out);
    if !well {
        eprintln!("SKIPPED: no loop devices or no ext4 for this user on this machine: {said}");
        return None;
    }
    for folder in ["sys", "boot/firmware", "files"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    Some(Rig {
        root,
        loops: Vec::new(),
        _turn: turn,
    })
}

impl Rig {
    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// A disk of 192 MB, all zero but for what `make` does to its file ($1).
    fn disk(&mut self, name: &str, make: &str) -> PathBuf {
        let file = self.path("files").join(name);
        must(&format!(
            "truncate -s 192M '{0}'; set -- '{0}'; {make}",
            file.display()
        ));
        self.attach(&file)
    }

    fn attach(&mut self, file: &Path) -> PathBuf {
        let device = PathBuf::from(must(&format!("losetup -f --show -P '{}'", file.display())));
        // Not every kernel reads every table by itself.
        sh(&format!("partx -u {}", device.display()));
        let name = device.file_name().unwrap();
        std::os::unix::fs::symlink(
            Path::new("/sys/block").join(name),
            self.path("sys").join(name),
        )
        .unwrap();
        self.loops.push((device.clone(), file.to_owned()));
        device
    }

    fn devices(&self) -> Devices {
        Devices {
            sys_block: self.path("sys"),
            kinds: vec!["loop".to_owned()],
            ..Devices::default()
        }
    }

    fn paths(&self) -> Paths {
        Paths::below(self.root.path())
    }

    /// `hindsight appliance disk`, with the FAT partition as a folder that counts as mounted.
    fn bring_up(&self) -> Used {
        let paths = self.paths();
        let bringing = Bringing {
            paths: &paths,
            system: System { mounts: true },
            devices: self.devices(),
            patience: Patience {
                any: Duration::ZERO,
                known: Duration::from_millis(600),
            },
        };
        bring_up(&bringing).unwrap()
    }

    fn unmount(&self) {
        for point in [
            self.path("var/lib/hindsight"),
            self.path("run/hindsight-disk"),
        ] {
            let _ = umount2(&point, MntFlags::MNT_DETACH);
        }
    }

    fn notices(&self) -> String {
        let all = notice::read(&self.path("run/hindsight/notices"));
        let lines = all
            .iter()
            .map(|n| format!("{}: {}: {}", n.place, n.what, n.what_to_do));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// A folder that is mounted, for the card's FAT partition.
    fn mount_firmware(&self) {
        let path = self.path("boot/firmware");
        must(&format!(
            "mount -t tmpfs -o size=1M card '{}'",
            path.display()
        ));
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.unmount();
        let _ = umount2(&self.path("boot/firmware"), MntFlags::MNT_DETACH);
        for (device, _) in &self.loops {
            sh(&format!("partx -d {0}; losetup -d {0}", device.display()));
        }
    }
}

/// Every byte of a disk.
fn hash(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    format!("{:x?}", Sha256::digest(&bytes))
}

#[test]
fn an_empty_disk_is_prepared_and_is_ours_from_then_on() {
    let Some(mut rig) = rig() else { return };
    let disk = rig.disk("empty", ":");
    rig.mount_firmware();
    let used = rig.bring_up();
    assert_eq!((used.kind, rig.notices().as_str()), (StorageKind::Ssd, ""));
    let clip = rig.path("var/lib/hindsight/clip");
    fs::write(&clip, "goal").unwrap();
    let below = rig.path("run/hindsight-disk/hindsight/clip");
    assert_eq!(fs::read(&below).unwrap(), b"goal");
    let info = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let point = rig.path("run/hindsight-disk").display().to_string();
    let line = info.lines().find(|line| line.contains(&point)).unwrap();
    for option in ["noatime", "nodev", "nosuid", "noexec"] {
        assert!(line.contains(option), "{option} is not in {line}");
    }
    let partition = PathBuf::from(used.device.clone().unwrap());
    let facts = must(&format!("dumpe2fs -h {}", partition.display()));
    assert!(
        facts.contains("Filesystem volume name:   hindsight"),
        "{facts}"
    );
    assert!(facts.contains("metadata_csum"), "{facts}");
    assert!(facts.contains("Remount read-only"), "{facts}");
    let table = must(&format!("sfdisk -d {}", disk.display()));
    assert!(
        table.contains("label: gpt") && table.contains("name=\"hindsight\""),
        "{table}"
    );
    let known = fs::read_to_string(rig.path("boot/firmware/known-disk.txt")).unwrap();
    assert_eq!(known.lines().next().unwrap(), used.serial.clone().unwrap());
    rig.unmount();
    assert!(!clip.exists());
    let again = rig.bring_up();
    assert_eq!(again, used);
    assert_eq!(
        fs::read(&clip).unwrap(),
        b"goal",
        "it was not prepared again"
    );
    assert_eq!(
        rig.bring_up(),
        used,
        "run again while it is mounted: nothing is done"
    );
    assert_eq!(fs::read(&clip).unwrap(), b"goal");
}

#[test]
fn of_foreign_disks_not_a_byte_is_changed_and_the_card_stands_in() {
    let Some(mut rig) = rig() else { return };
    let card = rig.path("files/card");
    must(&format!(
        "truncate -s 64M '{0}'; mke2fs -q -F -t ext4 -L hindsight-card '{0}'",
        card.display()
    ));
    let card = rig.attach(&card);
    let foreign = [
        (
            "ext4",
            "mkdir -p d; echo mine > d/photos; mke2fs -q -F -t ext4 -L PHOTOS -d d $1",
        ),
        (
            "ntfs",
            "printf '\\353\\122\\220NTFS    ' | dd of=$1 conv=notrunc 2>/dev/null",
        ),
        ("fat", "mkfs.vfat -F 32 $1 >/dev/null"),
        ("table", "printf 'label: gpt\\n' | sfdisk --quiet $1"),
        ("mbr", "printf 'label: dos\\ntype=7\\n' | sfdisk --quiet $1"),
        (
            "end",
            "printf raid | dd of=$1 bs=512 seek=393215 conv=notrunc 2>/dev/null",
        ),
        (
            "far",
            "printf x | dd of=$1 bs=1M seek=3 conv=notrunc 2>/dev/null",
        ),
    ];
    let has_fat = sh("command -v mkfs.vfat").0;
    let foreign: Vec<_> = foreign
        .iter()
        .filter(|(name, _)| *name != "fat" || has_fat)
        .collect();
    let before: Vec<_> = foreign
        .iter()
        .map(|(name, make)| {
            let device = rig.disk(
                name,
                &format!("cd '{}'; {make}", rig.path("files").display()),
            );
            (name, device.clone(), hash(&device))
        })
        .collect();
    let used = rig.bring_up();
    assert_eq!(
        (used.kind, used.device),
        (StorageKind::Card, Some(card.display().to_string()))
    );
    fs::write(rig.path("var/lib/hindsight/clip"), "goal").unwrap();
    let told = rig.notices();
    let refused = told
        .matches("a disk is not used, for it is not empty")
        .count();
    assert_eq!(refused, foreign.len(), "{told}");
    for words in [
        "a partition (PHOTOS)",
        "NTFS",
        "an empty partition table",
        "highlights go to the card",
    ] {
        assert!(told.contains(words), "{words:?} is not in\n{told}");
    }
    rig.unmount();
    for (name, device, hash_before) in before {
        assert_eq!(hash(&device), hash_before, "{name} was changed");
    }
}

#[test]
fn who_agrees_by_the_serial_gives_a_foreign_disk_away_once() {
    let Some(mut rig) = rig() else { return };
    rig.mount_firmware();
    let disk = rig.disk("foreign", "mke2fs -q -F -t ext4 -L PHOTOS $1");
    let agree = rig.path("boot/firmware/use-this-disk.txt");
    fs::write(&agree, "SOME-OTHER\r\n").unwrap();
    let before = hash(&disk);
    assert_eq!(rig.bring_up().kind, StorageKind::Memory);
    assert_eq!(hash(&disk), before);
    let told = rig.notices();
    let serial = told
        .split("with the line ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .to_owned();
    fs::write(&agree, format!("{serial}\r\n")).unwrap();
    let used = rig.bring_up();
    assert_eq!((used.kind, used.serial), (StorageKind::Ssd, Some(serial)));
    assert!(!agree.exists());
    assert!(rig.path("boot/firmware/used-this-disk.txt").exists());
    rig.unmount();
    // Somebody else's again: the agreement is used up.
    must(&format!(
        "partx -d {0}; wipefs -qa {0}; mke2fs -q -F -t ext4 -L MINE {0}",
        disk.display()
    ));
    let before = hash(&disk);
    assert_eq!(rig.bring_up().kind, StorageKind::Memory);
    assert_eq!(hash(&disk), before);
}

#[test]
fn a_disk_that_a_power_cut_met_while_it_was_prepared_is_prepared_to_its_end() {
    let Some(mut rig) = rig() else { return };
    let table = "printf 'label: gpt\\nname=hindsight\\n' | sfdisk --quiet $1";
    for (name, made) in [("claimed", ":"), ("tabled", table)] {
        let disk = rig.disk(name, made);
        let device = fs::OpenOptions::new().write(true).open(&disk).unwrap();
        device.write_all_at(CLAIM, CLAIM_AT as u64).unwrap();
        device.sync_all().unwrap();
        let used = rig.bring_up();
        assert_eq!(
            (used.kind, rig.notices().as_str()),
            (StorageKind::Ssd, ""),
            "{name}"
        );
        let mut there = [1; CLAIM.len()];
        fs::File::open(&disk)
            .unwrap()
            .read_exact_at(&mut there, CLAIM_AT as u64)
            .unwrap();
        assert_eq!(there, [0; CLAIM.len()], "the claim is gone");
        rig.unmount();
        let name = disk.file_name().unwrap().to_owned();
        fs::remove_file(rig.path("sys").join(name)).unwrap();
    }
}

#[test]
fn a_disk_of_ours_that_was_cut_off_or_damaged_is_mended_and_keeps_its_highlights() {
    let Some(mut rig) = rig() else { return };
    let disk = rig.disk("ours", ":");
    let used = rig.bring_up();
    let partition = used.device.clone().unwrap();
    let clip = rig.path("var/lib/hindsight/clip");
    fs::write(&clip, "goal").unwrap();
    must("sync");
    // As a power cut leaves it: a copy of the mounted disk.
    let copy = rig.path("files/cut");
    fs::write(rig.path("var/lib/hindsight/half"), vec![7; 3_000_000]).unwrap();
    must(&format!(
        "cp --sparse=always {} '{}'",
        disk.display(),
        copy.display()
    ));
    rig.unmount();
    fs::remove_file(rig.path("sys").join(disk.file_name().unwrap())).unwrap();
    let copy = rig.attach(&copy);
    let after = rig.bring_up();
    assert_eq!(after.kind, StorageKind::Ssd);
    assert!(
        after
            .device
            .as_deref()
            .unwrap()
            .starts_with(copy.to_str().unwrap())
    );
    assert_eq!(fs::read(&clip).unwrap(), b"goal");
    rig.unmount();
    // Damage that preening does not mend by itself: the root folder's block count and a free bitmap.
    fs::remove_file(rig.path("sys").join(copy.file_name().unwrap())).unwrap();
    must(&format!(
        "ln -s /sys/block/{0} '{1}/{0}'",
        disk.file_name().unwrap().to_str().unwrap(),
        rig.path("sys").display()
    ));
    must(&format!("debugfs -w -R 'clri <2>' {partition} 2>/dev/null"));
    let mended = rig.bring_up();
    let told = rig.notices();
    assert_eq!(mended.kind, StorageKind::Ssd, "{told}");
    assert!(
        told.contains("the disk was damaged and has been mended"),
        "{told}"
    );
    let found = must(&format!(
        "grep -rl goal '{}' || true",
        rig.path("run/hindsight-disk").display()
    ));
    assert!(!found.is_empty(), "the clip is in lost+found");
}

#[test]
fn a_disk_of_ours_that_cannot_be_mended_is_left_as_it_is() {
    let Some(mut rig) = rig() else { return };
    let disk = rig.disk("ours", ":");
    rig.bring_up();
    rig.unmount();
    let partition = format!("{}p1", disk.display());
    // All but the label: what the superblock says, its copies, and what lies between.
    must(&format!(
        "dd if=/dev/urandom of={partition} bs=2048 seek=1 count=92000 conv=notrunc 2>/dev/null; \
         printf '\\377\\377\\377\\377' | dd of={partition} bs=1 seek=1048 conv=notrunc 2>/dev/null; sync"
    ));
    let before = hash(&disk);
    let used = rig.bring_up();
    assert_eq!(used.kind, StorageKind::Memory);
    let told = rig.notices();
    assert!(
        told.contains("the disk cannot be used, highlights are lost when the power goes"),
        "{told}"
    );
    assert!(told.contains("it is left as it is"), "{told}");
    assert_eq!(hash(&disk), before, "not a byte");
}

#[test]
fn a_disk_that_is_gone_is_missed() {
    let Some(mut rig) = rig() else { return };
    rig.mount_firmware();
    rig.disk("first", ":");
    let used = rig.bring_up();
    rig.unmount();
    let device = rig.loops[0].0.file_name().unwrap().to_owned();
    fs::remove_file(rig.path("sys").join(device)).unwrap();
    assert_eq!(rig.bring_up().kind, StorageKind::Memory);
    let told = rig.notices();
    assert!(
        told.contains("the disk of the highlights is gone"),
        "{told}"
    );
    assert!(told.contains(&used.serial.unwrap()), "{told}");
    assert!(!rig.path("run/hindsight-disk/hindsight").exists());
}

#[test]
fn the_services_folder_is_the_services_and_roots_is_roots() {
    let Some(mut rig) = rig() else { return };
    rig.disk("empty", ":");
    rig.bring_up();
    let facts = fs::metadata(rig.path("run/hindsight-disk/box")).unwrap();
    assert_eq!((facts.uid(), facts.mode() & 0o777), (0, 0o700));
    let facts = fs::metadata(rig.path("run/hindsight-disk/hindsight")).unwrap();
    assert_eq!(facts.mode() & 0o777, 0o750);
    let kept: serde_json::Value =
        serde_json::from_slice(&fs::read(rig.path("run/hindsight-box/disk.json")).unwrap())
            .unwrap();
    assert_eq!(kept["kind"], "ssd");
}
