//! `wifi.txt`: the network to join, in the words of whoever stands at the court. Pure.
//!
//! Not here: who writes what where (`config`).

use super::sentence::WifiError;
use crate::base::hex;

/// A network to join.
#[derive(Clone, PartialEq, Eq)]
pub struct Wifi {
    pub ssid: String,
    /// `None`: an open network.
    pub password: Option<String>,
    /// Two letters; what may be sent depends on it.
    pub country: Option<String>,
}

/// What the file says.
#[derive(Clone, PartialEq, Eq)]
pub enum WifiFile {
    /// No network: the file as it comes, or empty.
    Nothing,
    /// A network, but its password is blank: it was taken over before.
    Blank {
        ssid: String,
    },
    Join(Wifi),
}

/// What stands for a password that was taken over.
const BLANK: &str = "(taken over)";

/// Lines as they are written.
#[derive(Default)]
struct Written {
    ssid: Option<String>,
    password: Option<String>,
    country: Option<String>,
    open: bool,
}

/// Reads `ssid = …`, `password = …`, `country = …`, `open = yes`; what else people write
/// between key and value (`:`), and quotes around values, are understood.
pub fn read(text: &str) -> Result<WifiFile, WifiError> {
    let written = lines(text)?;
    let Some(ssid) = written.ssid.filter(|ssid| !ssid.is_empty()) else {
        return match written.password.filter(|p| !p.is_empty() && p != BLANK) {
            Some(_) => Err(WifiError::NoSsid {}),
            None => Ok(WifiFile::Nothing),
        };
    };
    if ssid.len() > 32 {
        return Err(WifiError::LongSsid {});
    }
    let country = written.country.filter(|country| !country.is_empty());
    let is_country = |c: &String| c.len() == 2 && c.bytes().all(|b| b.is_ascii_uppercase());
    if country.as_ref().is_some_and(|country| !is_country(country)) {
        return Err(WifiError::Country {});
    }
    let password = match written.password.as_deref() {
        None | Some("") if written.open => None,
        None => return Err(WifiError::NoPassword {}),
        Some("" | BLANK) => return Ok(WifiFile::Blank { ssid }),
        Some(text) => Some(good_password(text)?),
    };
    Ok(WifiFile::Join(Wifi {
        ssid,
        password,
        country,
    }))
}

fn lines(text: &str) -> Result<Written, WifiError> {
    let mut written = Written::default();
    for (number, line) in text.lines().enumerate() {
        let Some((key, value)) = key_and_value(line) else {
            continue;
        };
        let value = unquoted(value);
        match key.to_ascii_lowercase().as_str() {
            "ssid" | "network" | "name" => written.ssid = Some(value.to_owned()),
            "country" => written.country = Some(value.to_ascii_uppercase()),
            "open" => {
                written.open = ["yes", "true"].contains(&value.to_ascii_lowercase().as_str());
            }
            _ if is_password(key) => written.password = Some(value.to_owned()),
            _ => return Err(WifiError::Line { line: number + 1 }),
        }
    }
    Ok(written)
}

fn good_password(text: &str) -> Result<String, WifiError> {
    let printable = text.bytes().all(|b| (0x20..0x7f).contains(&b));
    let hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match (8..=63).contains(&text.len()) && printable || hex {
        true => Ok(text.to_owned()),
        false => Err(WifiError::Password {
            characters: text.chars().count(),
        }),
    }
}

/// `None`: a comment, or nothing.
fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (key, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
    Some((key.trim(), value.trim()))
}

fn unquoted(value: &str) -> &str {
    let inside = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

/// The file without its password, at least as long as it was so that nothing of it is left.
/// `was`: bytes of the file.
pub fn blanked(text: &str, was: usize) -> Vec<u8> {
    let lines = text.lines().map(|line| match key_and_value(line) {
        Some((key, value)) if !value.is_empty() && is_password(key) => format!("{key} = {BLANK}"),
        _ => line.to_owned(),
    });
    let mut bytes = lines.collect::<Vec<_>>().join("\r\n").into_bytes();
    while bytes.len() < was {
        bytes.push(b' ');
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn is_password(key: &str) -> bool {
    ["password", "psk", "passphrase", "key"].contains(&key.to_ascii_lowercase().as_str())
}

/// What wpa_supplicant is told. The name goes as hex digits, so that no letter of it means anything else.
pub fn wpa_supplicant(wifi: &Wifi) -> String {
    let ssid = hex(wifi.ssid.as_bytes());
    let country = match &wifi.country {
        Some(country) => format!("country={country}\n"),
        None => String::new(),
    };
    let secret = match &wifi.password {
        None => "\tkey_mgmt=NONE\n".to_owned(),
        // 64 hex digits are the key itself, for WPA2 only.
        Some(key) if key.len() == 64 => format!("\tkey_mgmt=WPA-PSK\n\tpsk={key}\n"),
        Some(text) => {
            format!("\tkey_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n\tieee80211w=1\n\tpsk=\"{text}\"\n")
        }
    };
    format!(
        "# Written by hindsight from wifi.txt.\n{country}network={{\n\tssid={ssid}\n\tscan_ssid=1\n{secret}}}\n"
    )
}

/// Whether this is the configuration of that network.
pub fn is_of(wpa_supplicant: &str, ssid: &str) -> bool {
    let ssid = hex(ssid.as_bytes());
    wpa_supplicant
        .lines()
        .any(|line| line.trim() == format!("ssid={ssid}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn join(text: &str) -> Wifi {
        match read(text) {
            Ok(WifiFile::Join(wifi)) => wifi,
            Ok(_) => panic!("no network in {text:?}"),
            Err(why) => panic!("{text:?}: {why}"),
        }
    }

    fn wrong(text: &str) -> String {
        read(text).err().unwrap().to_string()
    }

    #[test]
    fn a_network_is_read_as_people_write_it() {
        let wifi = join(
            "# the hall's\r\n SSID: \"Quadra 1\"\r\nPassword = with = and \"quotes\"\r\ncountry=br\r\n",
        );
        assert_eq!(wifi.ssid, "Quadra 1");
        assert_eq!(wifi.password.as_deref(), Some("with = and \"quotes\""));
        assert_eq!(wifi.country.as_deref(), Some("BR"));
        assert_eq!(join("ssid=x\nopen=yes\n").password, None);
        assert!(read("").ok() == Some(WifiFile::Nothing));
        assert!(read("# ssid = x\nssid =\npassword =\n").ok() == Some(WifiFile::Nothing));
    }

    #[test]
    fn what_cannot_be_is_told_without_the_password() {
        assert!(wrong("ssid = x\n").starts_with("there is no password"));
        assert!(wrong("password = geheim123\n").starts_with("there is a password but no ssid"));
        assert!(wrong("ssid = x\npassword = geheim\n").starts_with("password has 6 characters"));
        assert!(
            wrong("ssid = x\npassword = geheim123\ncountry = Brazil\n").starts_with("country is")
        );
        assert!(wrong("Arena Wifi\ngeheim123\n").starts_with("line 1:"));
        assert!(
            wrong(&format!(
                "ssid = {}\npassword = geheim123\n",
                "x".repeat(33)
            ))
            .contains("32 bytes")
        );
        for text in [
            "password = geheim123",
            "ssid = x\npassword = geheim\n",
            "geheim123",
        ] {
            assert!(!wrong(text).contains("geheim"), "{}", wrong(text));
        }
    }

    #[test]
    fn a_blanked_file_covers_every_byte_of_the_old_and_is_read_as_taken_over() {
        let text = "# hall\r\nssid = Quadra\r\npassword = geheim123\r\ncountry = BR\r\n";
        let utf16 = 2 * text.len() + 2;
        for was in [text.len(), utf16] {
            let new = blanked(text, was);
            assert!(new.len() >= was);
            let new = String::from_utf8(new).unwrap();
            assert!(!new.contains("geheim"), "{new}");
            assert!(
                new.starts_with(
                    "# hall\r\nssid = Quadra\r\npassword = (taken over)\r\ncountry = BR"
                )
            );
            let blank = WifiFile::Blank {
                ssid: "Quadra".to_owned(),
            };
            assert!(read(&new).ok() == Some(blank));
            assert_eq!(blanked(&new, new.len()).len(), new.len() + 2);
        }
    }

    #[test]
    fn wpa_supplicant_is_told_the_name_in_hex_and_the_key_as_it_is() {
        let text = wpa_supplicant(&join(
            "ssid = a\"b\npassword = geh}eim\"123\ncountry = BR\n",
        ));
        assert!(
            text.contains("country=BR\nnetwork={\n\tssid=612262\n"),
            "{text}"
        );
        assert!(text.contains("\tpsk=\"geh}eim\"123\"\n"), "{text}");
        assert!(is_of(&text, "a\"b") && !is_of(&text, "a"));
        let key = "0123456789abcdef".repeat(4);
        let text = wpa_supplicant(&join(&format!("ssid = x\npassword = {key}\n")));
        assert!(text.contains(&format!("psk={key}\n")), "{text}");
        assert!(wpa_supplicant(&join("ssid = x\nopen = yes\n")).contains("key_mgmt=NONE"));
    }
}
