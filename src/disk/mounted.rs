//! Is the disk there, or only the empty folder where it should be mounted?
//! Writing into that folder would fill the system's own disk and be lost from
//! sight at the next mount.

use std::path::{Path, PathBuf};

/// Mount points of `fstab` text that `path` lies in or below, the longest first.
fn wanted_mounts(fstab: &str, path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fstab
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().nth(1))
        .filter(|point| point.starts_with('/') && *point != "/")
        .map(|point| PathBuf::from(unescaped(point)))
        .filter(|point| path.starts_with(point))
        .collect();
    found.sort_by_key(|point| std::cmp::Reverse(point.as_os_str().len()));
    found
}

/// `fstab` and `mountinfo` write blanks as `\040`.
fn unescaped(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\134", "\\")
}

/// Whether `mountinfo` text lists something mounted exactly at `point`.
fn is_mounted(mountinfo: &str, point: &Path) -> bool {
    mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .any(|mounted| Path::new(&unescaped(mounted)) == point)
}

/// Whether something is mounted exactly at `point`, as far as this process can see.
pub fn is_mounted_at(point: &Path) -> bool {
    std::fs::read_to_string("/proc/self/mountinfo").is_ok_and(|info| is_mounted(&info, point))
}

/// The mount point above `path` that `/etc/fstab` promises and that has nothing
/// mounted. `None` where all is well or nothing can be known.
pub fn missing_mount(path: &Path) -> Option<PathBuf> {
    let fstab = std::fs::read_to_string("/etc/fstab").ok()?;
    let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    missing_in(&fstab, &mountinfo, path)
}

fn missing_in(fstab: &str, mountinfo: &str, path: &Path) -> Option<PathBuf> {
    wanted_mounts(fstab, path)
        .into_iter()
        .find(|point| !is_mounted(mountinfo, point))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FSTAB: &str = "# disks\nUUID=1 / ext4 defaults 0 1\nUUID=2 /mnt/ssd ext4 nofail 0 2\n\
        UUID=3 /mnt/my\\040disk ext4 defaults 0 2\nUUID=4 none swap sw 0 0\n";
    const ROOT: &str = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n";

    #[test]
    fn a_folder_whose_disk_is_not_mounted_is_told_from_one_whose_is() {
        let missing = |info: &str, path: &str| missing_in(FSTAB, info, Path::new(path));
        let ssd = Some(PathBuf::from("/mnt/ssd"));
        assert_eq!(missing(ROOT, "/mnt/ssd/hindsight"), ssd);
        assert_eq!(missing(ROOT, "/mnt/ssd"), ssd);
        assert_eq!(missing(ROOT, "/var/lib/hindsight"), None);
        assert_eq!(missing(ROOT, "/mnt/ssd2"), None);
        let with = format!("{ROOT}22 21 8:2 / /mnt/ssd rw - ext4 /dev/sdb1 rw\n");
        assert_eq!(missing(&with, "/mnt/ssd/hindsight"), None);
        let blank = Some(PathBuf::from("/mnt/my disk"));
        assert_eq!(missing(ROOT, "/mnt/my disk/x"), blank);
        let with = format!("{ROOT}22 21 8:2 / /mnt/my\\040disk rw - ext4 /dev/sdb1 rw\n");
        assert_eq!(missing(&with, "/mnt/my disk/x"), None);
    }
}
