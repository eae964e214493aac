//! `wifi.txt` and `authorized_keys`.
//!
//! Not here: the configuration.

use std::fs;
use std::io;

use crate::appliance::firmware::Firmware;
use crate::appliance::notices::Notices;
use crate::appliance::sentence::{BoxSentence, CardFileError};
use crate::appliance::wifi::{self, WifiFile};
use crate::appliance::{Paths, files, identity, text};
use crate::base::{Coded, Notice};

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
    let wrong = |said: BoxSentence| Ok(Some(Notice::new(&said, WIFI)));
    let bytes = match firmware.read(WIFI) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) => {
            let error = error.to_string();
            return wrong(BoxSentence::WifiUnreadable { error });
        }
    };
    let text = match text::decode(&bytes) {
        Ok(text) => text,
        Err(error) => {
            let why = error.sentence();
            return wrong(BoxSentence::WifiUnusable { why });
        }
    };
    match wifi::read(&text) {
        Err(error) => wrong(BoxSentence::WifiUnusable {
            why: error.sentence(),
        }),
        Ok(WifiFile::Nothing) => Ok(None),
        Ok(WifiFile::Blank { ssid }) => {
            let known = fs::read_to_string(kept).is_ok_and(|text| wifi::is_of(&text, &ssid));
            match known {
                true => Ok(None),
                false => wrong(BoxSentence::WifiPasswordLost { ssid }),
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
    let error = error.to_string();
    Some(Notice::new(&BoxSentence::WifiPasswordShown { error }, WIFI))
}

/// Who may log in. The card decides; where it cannot be read, as it was.
pub fn keys(paths: &Paths, firmware: &Firmware, notices: &mut Notices) -> io::Result<()> {
    let kept = paths.kept().join(KEYS);
    let handed = paths.own.join("ssh").join(KEYS);
    if firmware.is_there() {
        match read_keys(firmware) {
            Ok(keys) if keys.is_empty() => {
                files::remove(&kept)?;
                return files::remove(&handed);
            }
            Ok(keys) => files::write(&kept, (keys.join("\n") + "\n").as_bytes(), 0o644)?,
            Err(error) => {
                let why = error.sentence();
                notices.add(Notice::new(&BoxSentence::KeysUnusable { why }, KEYS));
            }
        }
    }
    match fs::read(&kept) {
        Ok(bytes) => files::write(&handed, &bytes, 0o644),
        Err(_) => files::remove(&handed),
    }
}

/// None where there is no such file.
fn read_keys(firmware: &Firmware) -> Result<Vec<String>, CardFileError> {
    let bytes = firmware.read(KEYS).map_err(|error| CardFileError::Unread {
        error: error.to_string(),
    })?;
    let text = text::decode(&bytes.unwrap_or_default())?;
    identity::keys(&text).map_err(|line| CardFileError::NoKey { line })
}
