//! What only a box flashed from our own SD image needs: its disk, and the one
//! file that configures it. On other people's machines nobody calls this.
//!
//! Belongs here: which disk is taken (`disk`), what of the card's FAT partition
//! is taken over (`config`), names and keys of the box (`identity`).
//! Not here: the image and its units (`image/`), updates (`update`), what a
//! configuration means (`config` room).
//! Run (`hindsight appliance disk`, `hindsight appliance config`, in `commands`) from
//! two oneshot units of the image, as root, before the service and the network:
//! `disk`, then `config`. Both may be run again at any time before the service is up.
//!
//! # The contract with the image
//!
//! Mounted by the image before: the card's first partition (FAT), read-only, on
//! `/boot/firmware`. It need not be: what cannot be read is told. A partition with the ext4
//! label `hindsight-card` on the card is where clips go without an SSD. The user and
//! group `hindsight` exist. Writable: `/run`, and `/var/lib` or an existing empty folder
//! `/var/lib/hindsight`.
//!
//! Read from `/boot/firmware` at every boot:
//!
//! | file | what |
//! |---|---|
//! | `hindsight.toml` | the configuration; `hindsight.toml.txt` where that is missing |
//! | whatever the configuration names as `/boot/firmware/NAME` | `logo.png`, `camera-ca.pem`, secrets |
//! | `wifi.txt` | `ssid = …`, `password = …`, `country = …`; the password is blanked once it is taken over |
//! | `authorized_keys` | who may log in; without it nobody may |
//! | `use-this-disk.txt` | the serial of a foreign disk that may be erased; becomes `used-this-disk.txt` |
//! | `token.txt` | the API's token, where the configuration names none |
//!
//! Written to `/boot/firmware`, which is made writable for that moment only, and only what differs:
//! `hindsight-error.txt` (gone when all is well), `token.txt` (once), `known-disk.txt`, `wifi.txt`.
//!
//! Mounted by `disk`: the data disk (or the card's partition) on `/run/hindsight-disk`, root's alone, with two
//! folders: `hindsight`, the service's, which is bound to `/var/lib/hindsight`; and `box`, root's: the last good
//! configuration, host keys, token, wifi. Without any disk `/var/lib/hindsight` stays a folder in memory.
//!
//! Written by `config` for the service, in `/run/hindsight` (root:hindsight, 0750; the service's unit must
//! have no `RuntimeDirectory=hindsight`, which would delete it):
//!
//! | file | what |
//! |---|---|
//! | `hindsight.toml` | the configuration that runs: `hindsight run --config /run/hindsight/hindsight.toml --notices /run/hindsight/notices` |
//! | `firmware/NAME` | copies of the files that it names |
//! | `token` | the API's token, where the configuration names none |
//! | `notices/*.json` | what is wrong with the box, for health and lights |
//!
//! Written for the system, in `/run/hindsight-box`:
//!
//! | file | for |
//! |---|---|
//! | `ssh/authorized_keys` | sshd (`AuthorizedKeysFile`); sshd is started only where it exists |
//! | `ssh/ssh_host_ed25519_key`, `.pub` | sshd (`HostKey`) |
//! | `wpa_supplicant.conf` | wpa_supplicant on `wlan0`; only where there is a wifi to join |
//! | `hostname` | `hindsight-<id>`; the kernel's host name is set already |
//! | `disk.json` | which disk holds the storage: `{"kind": "ssd"/"card"/"memory", "device", "serial", "model"}` |
//!
//! Exit codes of both: 0 done, whatever it found (a box must come up); 1 done, but something that it should have
//! written could not be (the log says what); 2 not root, or not our image.

pub mod config;
pub mod disk;
mod files;
mod firmware;
pub mod identity;
mod notices;
pub mod sentence;
pub mod system;
pub mod text;
pub mod wifi;

use std::path::{Path, PathBuf};

/// The service's user and group, and its folder on the data disk.
pub const OWNER: &str = "hindsight";

/// Every place that the two commands read or write, so that tests have their own.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The card's FAT partition.
    pub firmware: PathBuf,
    /// For the service.
    pub run: PathBuf,
    /// For the system.
    pub own: PathBuf,
    /// Where the data disk is mounted.
    pub disk: PathBuf,
    /// Where the service finds its folder of it.
    pub storage: PathBuf,
    pub console: PathBuf,
    /// The kernel's host name.
    pub hostname: PathBuf,
    /// Of the board; not every machine has one.
    pub serial: PathBuf,
    /// Network interfaces, for a machine without serial.
    pub net: PathBuf,
    /// Lights that the kernel knows.
    pub leds: PathBuf,
}

impl Paths {
    /// All below `root`; `/` on a box.
    pub fn below(root: &Path) -> Paths {
        Paths {
            firmware: root.join("boot/firmware"),
            run: root.join("run/hindsight"),
            own: root.join("run/hindsight-box"),
            disk: root.join("run/hindsight-disk"),
            storage: root.join("var/lib/hindsight"),
            console: root.join("dev/console"),
            hostname: root.join("proc/sys/kernel/hostname"),
            serial: root.join("proc/device-tree/serial-number"),
            net: root.join("sys/class/net"),
            leds: root.join("sys/class/leds"),
        }
    }

    /// Root's folder on the data disk, or in memory where there is no disk.
    pub fn kept(&self) -> PathBuf {
        self.disk.join("box")
    }
}
