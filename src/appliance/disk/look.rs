//! The machine's disks as facts: `/sys/block`, the devices' first and last bytes.
//! Only reads.
//!
//! Not here: what the bytes mean (`content`), what follows (`decide`).

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::content::{self, CARD_NAME, DiskContent, HEAD, Partition, TAIL};
use super::decide::DiskInfo;

/// Where the kernel shows its disks.
#[derive(Clone, Debug)]
pub struct Devices {
    /// `/sys/block`
    pub sys_block: PathBuf,
    /// `/dev`
    pub dev: PathBuf,
    /// `/proc/self/mountinfo`
    pub mountinfo: PathBuf,
    /// Beginnings of the names of disks that may be taken. Cards (`mmcblk`) never are.
    pub kinds: Vec<String>,
}

impl Default for Devices {
    fn default() -> Devices {
        Devices {
            sys_block: "/sys/block".into(),
            dev: "/dev".into(),
            mountinfo: "/proc/self/mountinfo".into(),
            kinds: vec!["sd".to_owned(), "nvme".to_owned()],
        }
    }
}

/// Bytes of a sector in `/sys`, whatever the disk's own are.
const SECTOR: u64 = 512;

impl Devices {
    /// All disks that could be taken, in the order of their names.
    pub fn disks(&self) -> Vec<DiskInfo> {
        let mounted = mounted_numbers(&fs::read_to_string(&self.mountinfo).unwrap_or_default());
        let names = self.names().into_iter();
        let taken = names.filter(|name| self.kinds.iter().any(|kind| name.starts_with(kind)));
        taken.map(|name| self.disk(&name, &mounted)).collect()
    }

    /// The card's partition that stands in for an SSD: of any disk.
    pub fn card(&self) -> Option<String> {
        let names = self.names().into_iter();
        let mut parts = names.flat_map(|name| self.parts(&name));
        parts
            .find(|part| part.label.as_deref() == Some(CARD_NAME))
            .map(|part| part.device)
    }

    pub fn path(&self, device: &str) -> PathBuf {
        self.dev.join(device)
    }

    fn names(&self) -> Vec<String> {
        let mut names = names_in(&self.sys_block);
        names.sort_by_key(|name| (name.len(), name.clone()));
        names
    }

    fn disk(&self, name: &str, mounted: &[String]) -> DiskInfo {
        let sys = self.sys_block.join(name);
        let numbers = self
            .partition_folders(name)
            .into_iter()
            .chain([sys.clone()]);
        let held = |folder: &PathBuf| !names_in(&folder.join("holders")).is_empty();
        let in_use = numbers
            .into_iter()
            .any(|folder| held(&folder) || mounted.contains(&line(&folder.join("dev"))));
        // Also where the system runs from a stick, and before anything of it is mounted.
        let is_card = |part: &Partition| part.label.as_deref() == Some(CARD_NAME);
        let in_use = in_use || self.parts(name).iter().any(is_card);
        let bytes = line(&sys.join("size")).parse().unwrap_or(0) * SECTOR;
        DiskInfo {
            name: name.to_owned(),
            model: words(&[
                line(&sys.join("device/vendor")),
                line(&sys.join("device/model")),
            ]),
            serial: self.serial(&sys),
            bytes,
            read_only: line(&sys.join("ro")) == "1",
            in_use,
            content: match bytes {
                // A card reader without a card.
                0 => DiskContent::Unreadable {
                    why: "there is nothing in it".to_owned(),
                },
                _ => self
                    .content(name)
                    .unwrap_or_else(|error| DiskContent::Unreadable {
                        why: error.to_string(),
                    }),
            },
        }
    }

    /// NVMe and SATA disks tell it themselves; a USB disk's is its enclosure's, some folders up.
    fn serial(&self, sys: &Path) -> String {
        let own = ["device/serial", "serial", "loop/backing_file"];
        let own = own.iter().map(|name| line(&sys.join(name)));
        if let Some(found) = own.map(|text| plain(&text)).find(|text| !text.is_empty()) {
            return found;
        }
        let page = fs::read(sys.join("device/vpd_pg80")).unwrap_or_default();
        let from_page = plain(&String::from_utf8_lossy(page.get(4..).unwrap_or_default()));
        if !from_page.is_empty() {
            return from_page;
        }
        let Ok(device) = fs::canonicalize(sys.join("device")) else {
            return String::new();
        };
        let usb = device
            .ancestors()
            .find(|folder| folder.join("idVendor").exists());
        usb.map(|folder| plain(&line(&folder.join("serial"))))
            .unwrap_or_default()
    }

    fn content(&self, name: &str) -> io::Result<DiskContent> {
        let mut device = File::open(self.path(name))?;
        let end = device.seek(SeekFrom::End(0))?;
        let head = some_of(&mut device, 0, HEAD)?;
        let tail_at = end.saturating_sub(TAIL as u64);
        let tail = some_of(&mut device, tail_at, TAIL)?;
        Ok(content::content(
            &head,
            &tail,
            &self.named_parts(name, &head),
        ))
    }

    /// With the names of the table itself, which not every kernel tells.
    fn named_parts(&self, name: &str, head: &[u8]) -> Vec<Partition> {
        let names = content::table(head);
        let mut parts = self.parts(name);
        for part in parts.iter_mut().filter(|part| part.name.is_none()) {
            let number = line(
                &self
                    .sys_block
                    .join(name)
                    .join(&part.device)
                    .join("partition"),
            );
            let found = names.iter().find(|(n, _)| n.to_string() == number);
            part.name = found.map(|(_, name)| name.clone());
        }
        parts
    }

    /// The partitions; and the disk itself where a file system stands on it without any.
    fn parts(&self, name: &str) -> Vec<Partition> {
        let mut parts: Vec<Partition> = self
            .partition_folders(name)
            .iter()
            .filter_map(|folder| folder.file_name()?.to_str().map(str::to_owned))
            .map(|device| Partition {
                name: self.partition_name(name, &device),
                label: self.label(&device),
                device,
            })
            .collect();
        let whole = self.label(name);
        if parts.is_empty() && whole.is_some() {
            parts.push(Partition {
                device: name.to_owned(),
                name: None,
                label: whole,
            });
        }
        parts
    }

    fn partition_folders(&self, name: &str) -> Vec<PathBuf> {
        let folder = self.sys_block.join(name);
        let names = names_in(&folder).into_iter();
        let mut found: Vec<PathBuf> = names
            .map(|name| folder.join(name))
            .filter(|folder| folder.join("partition").exists())
            .collect();
        found.sort();
        found
    }

    fn partition_name(&self, disk: &str, device: &str) -> Option<String> {
        let facts = self.sys_block.join(disk).join(device).join("uevent");
        let facts = fs::read_to_string(facts).ok()?;
        let name = facts
            .lines()
            .find_map(|line| line.strip_prefix("PARTNAME="));
        name.map(str::to_owned)
    }

    fn label(&self, device: &str) -> Option<String> {
        let mut superblock = vec![0; 1024];
        let file = File::open(self.path(device)).ok()?;
        file.read_exact_at(&mut superblock, 1024).ok()?;
        content::ext_label(&superblock)
    }
}

/// Up to `most` bytes from `at` on.
fn some_of(device: &mut File, at: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(most);
    device.seek(SeekFrom::Start(at))?;
    device.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `8:1` of everything that is mounted.
fn mounted_numbers(mountinfo: &str) -> Vec<String> {
    let numbers = mountinfo.lines().filter_map(|line| line.split(' ').nth(2));
    numbers.map(str::to_owned).collect()
}

fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The one line of a file of `/sys`; empty where there is none.
fn line(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}

/// What people can copy from a screen: no blanks, nothing that steers a terminal.
fn plain(text: &str) -> String {
    let good = |c: &char| c.is_ascii_graphic();
    text.chars().filter(good).collect()
}

fn words(parts: &[String]) -> String {
    let shown = parts
        .iter()
        .flat_map(|part| part.split_whitespace().map(plain));
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A folder as `/sys/block/<disk>` is.
    fn sys(root: &Path, disk: &str, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join("sys").join(disk).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    fn devices(root: &Path) -> Devices {
        fs::create_dir_all(root.join("dev")).unwrap();
        fs::create_dir_all(root.join("sys")).unwrap();
        fs::write(
            root.join("mountinfo"),
            "21 1 179:2 / / ro - ext4 /dev/root ro\n",
        )
        .unwrap();
        Devices {
            sys_block: root.join("sys"),
            dev: root.join("dev"),
            mountinfo: root.join("mountinfo"),
            ..Devices::default()
        }
    }

    #[test]
    fn disks_are_told_from_cards_and_the_systems_own_from_others() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let devices = devices(root);
        sys(root, "mmcblk0", &[("size", "100\n"), ("dev", "179:0")]);
        sys(root, "loop0", &[("size", "100\n")]);
        let size = format!("{}\n", 2 * HEAD / 512);
        sys(
            root,
            "sda",
            &[
                ("size", &size),
                ("dev", "8:0\n"),
                ("ro", "0\n"),
                ("device/vendor", "Samsung \n"),
                ("device/model", "Portable  SSD\x1b T7\n"),
                ("device/vpd_pg80", "\0\u{1}\0\u{6} S5T2 "),
                ("sda1/partition", "1\n"),
                ("sda1/dev", "8:1\n"),
                ("sda1/uevent", "MAJOR=8\nPARTNAME=hindsight\n"),
            ],
        );
        sys(root, "sdb", &[("size", "0\n"), ("dev", "8:16\n")]);
        sys(
            root,
            "sdaa",
            &[
                ("size", &size),
                ("sdaa2/partition", "2"),
                ("sdaa2/dev", "179:2\n"),
            ],
        );
        let mut ours = vec![0; 4096];
        ours[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
        ours[1024 + 0x78..1024 + 0x81].copy_from_slice(b"hindsight");
        fs::write(root.join("dev/sda1"), ours).unwrap();
        for name in ["sda", "sdaa"] {
            fs::write(root.join("dev").join(name), vec![0; 2 * HEAD]).unwrap();
        }
        let found = devices.disks();
        let names: Vec<&str> = found.iter().map(|disk| disk.name.as_str()).collect();
        assert_eq!(names, ["sda", "sdb", "sdaa"]);
        assert_eq!(found[0].model, "Samsung Portable SSD T7");
        assert_eq!(found[0].serial, "S5T2");
        assert_eq!(found[0].bytes, 2 * HEAD as u64);
        let device = "sda1".to_owned();
        assert_eq!(found[0].content, DiskContent::Ours { device });
        assert_eq!(found[1].bytes, 0);
        let uses: Vec<bool> = found.iter().map(|disk| disk.in_use).collect();
        assert_eq!(uses, [false, false, true], "its partition is the root");
        assert!(matches!(found[2].content, DiskContent::Foreign { .. }));
    }

    #[test]
    fn the_card_is_found_by_its_label_and_a_whole_disk_without_table_is_somebodys() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let devices = devices(root);
        let mut ext = vec![0; 4096];
        ext[1024 + 0x38..1024 + 0x3a].copy_from_slice(&[0x53, 0xef]);
        ext[1024 + 0x78..1024 + 0x78 + 14].copy_from_slice(CARD_NAME.as_bytes());
        assert_eq!(devices.card(), None);
        sys(root, "mmcblk0", &[("mmcblk0p4/partition", "4")]);
        fs::write(root.join("dev/mmcblk0p4"), &ext).unwrap();
        assert_eq!(devices.card().unwrap(), "mmcblk0p4");
        sys(root, "sda", &[("size", "8")]);
        fs::write(root.join("dev/sda"), &ext).unwrap();
        let disk = &devices.disks()[0];
        assert_eq!(
            (disk.serial.as_str(), disk.in_use),
            ("", true),
            "it is a card"
        );
        let what = "a partition (hindsight-card)".to_owned();
        assert_eq!(disk.content, DiskContent::Foreign { what });
        fs::remove_file(root.join("dev/sda")).unwrap();
        let gone = &devices.disks()[0].content;
        assert!(matches!(gone, DiskContent::Unreadable { .. }), "{gone:?}");
    }
}
