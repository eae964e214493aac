//! `wifi.txt` and `authorized_keys`.
//!
//! Not here: the configuration.

use std::fs;
use std::io;

use crate::appliance::firmware::Firmware;
use crate::appliance::notices::Notices;
use crate::appliance::wifi::{self, WifiFile};
use crate::appliance::{Paths, files, identity, text};
use crate::base::Notice;

const WIFI: &str = "wifi.txt";
const KEYS: &str = "authorized_keys";
const SUPPLICANT: &str = "wpa_supplicant.conf";

/// The network to join: kept on the data disk, then blanked on the card (where the disk `lasts`), handed
/// to wpa_supplicant.
pub fn wifi(
    paths: &Paths,
    firmware: &Firmware,
    lasts: bool,
    notices: &mut Notices,
) -> io::Result<()> {
    let kept = paths.kept().join(SUPPLICANT);
    let taken = match take_wifi(firmware, &kept, lasts) {
        Ok(Some(notice)) => {
            notices.add(notice);
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    let handed = paths.own.join(SUPPLICANT);
    let handed = match fs::read(&kept) {
        Ok(bytes) => files::write(&handed, &bytes, 0o600),
        Err(_) => files::remove(&handed),
    };
    taken.and(handed)
}

fn take_wifi(
    firmware: &Firmware,
    kept: &std::path::Path,
    lasts: bool,
) -> io::Result<Option<Notice>> {
    let wrong = |what: &str, what_to_do: String| Ok(Some(Notice::new(what, WIFI, what_to_do)));
    let bytes = match firmware.read(WIFI) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) => {
            return wrong(
                "the Wi-Fi's file cannot be read",
                format!("{error}; copy it there anew"),
            );
        }
    };
    let text = match text::decode(&bytes) {
        Ok(text) => text,
        Err(why) => return wrong("the Wi-Fi cannot be joined", why),
    };
    match wifi::read(&text) {
        Err(why) => wrong("the Wi-Fi cannot be joined", why),
        Ok(WifiFile::Nothing) => Ok(None),
        Ok(WifiFile::Blank { ssid }) => {
            let known = fs::read_to_string(kept).is_ok_and(|text| wifi::is_of(&text, &ssid));
            match known {
                true => Ok(None),
                false => wrong(
                    "the Wi-Fi's password is not known any more",
                    format!(
                        "it was kept on a disk that is not here; write the password of {ssid} behind \"password =\" again"
                    ),
                ),
            }
        }
        Ok(WifiFile::Join(network)) => {
            files::write(kept, wifi::wpa_supplicant(&network).as_bytes(), 0o600)?;
            // Nothing to hide; or blanked it would be lost with the power.
            let stays = network.password.is_none() || !lasts;
            Ok(match stays {
                true => None,
                false => blank(firmware, &text, bytes.len()),
            })
        }
    }
}

/// Overwrites the password on the card; what hinders it.
fn blank(firmware: &Firmware, text: &str, was: usize) -> Option<Notice> {
    let error = firmware.overwrite(WIFI, &wifi::blanked(text, was)).err()?;
    Some(Notice::new(
        "the Wi-Fi's password stands on the card",
        WIFI,
        format!("it was taken over, but could not be blanked: {error}; delete it there yourself"),
    ))
}

/// Who may log in. The card decides; where it cannot be read, as it was.
pub fn keys(paths: &Paths, firmware: &Firmware, notices: &mut Notices) -> io::Result<()> {
    let kept = paths.kept().join(KEYS);
    let handed = paths.own.join("ssh").join(KEYS);
    let read = match firmware.is_there() {
        true => firmware.read(KEYS).map_err(|error| error.to_string()),
        false => Err(String::new()),
    };
    let text = read.and_then(|bytes| bytes.map_or(Ok(String::new()), |bytes| text::decode(&bytes)));
    let keys = text.and_then(|text| {
        identity::keys(&text).map_err(|line| {
            format!("line {line} is no public key; put one a line, as in the file of your computer whose name ends in .pub")
        })
    });
    match keys {
        Ok(keys) if keys.is_empty() => {
            files::remove(&kept)?;
            return files::remove(&handed);
        }
        Ok(keys) => files::write(&kept, (keys.join("\n") + "\n").as_bytes(), 0o644)?,
        Err(why) if why.is_empty() => {}
        Err(why) => notices.add(Notice::new(
            "the keys for logging in cannot be used",
            KEYS,
            why,
        )),
    }
    match fs::read(&kept) {
        Ok(bytes) => files::write(&handed, &bytes, 0o644),
        Err(_) => files::remove(&handed),
    }
}
