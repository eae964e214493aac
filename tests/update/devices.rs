//! Once on block devices: slots behind loop devices, the two files on a partition that is mounted
//! read-only (a FAT as on the card, or an ext2 where the kernel knows no FAT). It needs root, loop
//! devices, and a namespace for its mounts.

use std::fs;
use std::process::Command;

use hindsight::update::{Slot, SlotState};

use crate::rig::{Rig, said};

const MB: usize = 1 << 20;

/// Runs in a mount namespace of its own: `$1` hindsight, `$2` the rig's folder, `$3` how the boot
/// partition is mounted. The system in the update is an ext2, so that the slot can be mounted
/// afterwards.
const SCRIPT: &str = r#"
set -e
cd "$2"
drop() { umount boot other 2>/dev/null || true; losetup -d "$a" "$b" "$c" 2>/dev/null || true; }
trap drop EXIT
a=$(losetup -f --show slot-a)
b=$(losetup -f --show slot-b)
# Not by "-o loop,ro": that device could never be written.
c=$(losetup -f --show boot.img)
mount -o "$3" "$c" boot
cat >devices.toml <<END
boot = "$2/boot"
a = "$a"
b = "$b"
running = "a"
arch = "arm64"
lock = "$2/lock"
END
update() { "$1" update --layout "$2" --key update.pub hindsight-9.0.0-arm64.hsu 2>&1 || echo "exit $?"; }
echo "first:"; update "$1" devices.toml
grep -o " $2/boot r[ow]" /proc/self/mountinfo
cmp -n "$(stat -c %s system)" system "$b" && echo "the device holds it"
mkdir -p other
mount -t ext2 -o ro "$b" other
echo "mounted:"; update "$1" devices.toml
echo "mounts = \"$2/mounts\"" >>devices.toml
echo "unseen:"; update "$1" devices.toml
umount other
echo "again:"; update "$1" devices.toml
umount boot; losetup -d "$c"
c=$(losetup -r -f --show boot.img)
mount -o ro "$c" boot
printf 'older than this' | dd of="$b" conv=notrunc 2>/dev/null
echo "protected:"; update "$1" devices.toml
dd if="$b" bs=15 count=1 2>/dev/null; echo
"#;

fn make(program: &str, arguments: &[&str]) -> bool {
    let done = Command::new(program).args(arguments).output();
    done.is_ok_and(|output| output.status.success())
}

/// How the image mounts its FAT, with what this kernel has; the second word makes it.
fn boot_partition() -> (&'static str, [&'static str; 2]) {
    let known = fs::read_to_string("/proc/filesystems").unwrap();
    if known.split_whitespace().any(|name| name == "vfat") || make("modprobe", &["vfat"]) {
        let options = "ro,noatime,nodev,nosuid,noexec,umask=0077";
        return (options, ["mkfs.vfat", "-I"]);
    }
    eprintln!("SKIPPED: this kernel knows no FAT; the two files lie on an ext2 instead");
    ("ro,noatime,nodev,nosuid,noexec", ["mke2fs", "-qF"])
}

/// A box whose boot partition and whose update are files that can be mounted; `None`: not on
/// this machine.
fn mountable([mkfs, option]: [&str; 2]) -> Option<Rig> {
    let rig = Rig::new(Slot::A, 4 * MB);
    for (name, len) in [("system", 3 * MB), ("boot.img", MB)] {
        fs::write(rig.path(name), vec![0; len]).unwrap();
    }
    let (system, boot) = (path(&rig, "system"), path(&rig, "boot.img"));
    if !make("mke2fs", &["-qF", "-t", "ext2", &system]) || !make(mkfs, &[option, &boot]) {
        eprintln!("SKIPPED: no mke2fs or no mkfs.vfat here (e2fsprogs, dosfstools)");
        return None;
    }
    rig.update_of(&fs::read(&system).unwrap());
    let probe = "losetup -f && mkdir /tmp/x$$ && mount -t tmpfs x /tmp/x$$ && umount /tmp/x$$; rmdir /tmp/x$$";
    if !make("unshare", &["-m", "sh", "-ec", probe]) {
        eprintln!("SKIPPED: no loop devices or no mounts here");
        return None;
    }
    // The two files into it, as whoever makes the card does.
    fs::create_dir(rig.path("at")).unwrap();
    let put = format!(
        "mount -o loop {boot} {0} && cp {1}/*.env {0} && umount {0}",
        path(&rig, "at"),
        path(&rig, "boot")
    );
    assert!(
        make("unshare", &["-m", "sh", "-ec", &put]),
        "the boot partition cannot be filled"
    );
    Some(rig)
}

fn path(rig: &Rig, name: &str) -> String {
    rig.path(name).to_str().unwrap().to_owned()
}

#[test]
fn slots_behind_devices_and_files_on_a_partition_that_is_read_only() {
    let (options, mkfs) = boot_partition();
    let Some(rig) = mountable(mkfs) else { return };
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", SCRIPT, "sh"]);
    command
        .arg(env!("CARGO_BIN_EXE_hindsight"))
        .arg(rig.dir.path())
        .arg(options);
    let (code, out, err) = said(&command.output().unwrap());
    assert_eq!(code, Some(0), "{out}{err}");
    let part = |from: &str, to: &str| {
        let rest = out.split(from).nth(1).unwrap_or_default();
        rest.split(to).next().unwrap().to_owned()
    };
    let holds = "slot b holds version 9.0.0".to_owned();
    let read_only = format!("{} ro\n", path(&rig, "boot"));
    let mounted = format!("is mounted at {}/other", rig.dir.path().display());
    let exit = || "exit 2".to_owned();
    for (from, to, wanted) in [
        (
            "first:",
            "mounted:",
            vec![holds.clone(), read_only, "the device holds it".to_owned()],
        ),
        ("mounted:", "unseen:", vec![mounted, exit()]),
        (
            "unseen:",
            "again:",
            vec!["is in use by the system".to_owned(), exit()],
        ),
        ("again:", "protected:", vec![holds]),
        (
            "protected:",
            "never:",
            vec![
                "making writable".to_owned(),
                exit(),
                "older than this".to_owned(),
            ],
        ),
    ] {
        let part = part(from, to);
        for words in wanted {
            assert!(part.contains(&words), "{from} {words}\n{out}{err}");
        }
    }
    let (boot, at) = (path(&rig, "boot.img"), path(&rig, "at"));
    let read = format!("mount -o loop,ro {boot} {at} && cat {at}/slots-1.env");
    let mut command = Command::new("unshare");
    let held = command.args(["-m", "sh", "-ec", &read]).output().unwrap();
    assert_eq!(
        SlotState::decode(&held.stdout),
        Ok(SlotState::trying_other(Slot::A))
    );
}
