//! What a highlight is called where it goes: what stands for each placeholder of a key. Pure.
//!
//! A name never holds more than letters, digits, `-`, `_`, `.` and the template's own `/`: it is
//! safe in URLs, on any file system, and in anybody's shell.
//!
//! Not here: what a key may hold (`config::template`).

use crate::config::template::{Field, KeyTemplate};
use crate::queue::sidecar::Sidecar;

/// Where the press's date or time was never known.
const UNDATED: &str = "undated";

/// The video's name without its `.mp4`.
pub fn stem(template: &KeyTemplate, venue: &str, sidecar: &Sidecar) -> String {
    template.stem(|field| value(field, venue, sidecar))
}

fn value(field: Field, venue: &str, sidecar: &Sidecar) -> String {
    let court = sidecar.court.as_ref().unwrap_or(&sidecar.camera.name);
    match field {
        Field::Venue => safe(venue),
        Field::Court => safe(court),
        Field::Camera => safe(sidecar.camera.id.as_str()),
        Field::Date => when(sidecar).map_or(UNDATED.to_owned(), |(date, _)| date),
        Field::Time => when(sidecar).map_or(UNDATED.to_owned(), |(_, time)| time),
        Field::Press => safe(sidecar.press_id.as_str()),
    }
}

/// Date and time of the press, venue-local; `None` where the box's clock was never set.
pub fn when(sidecar: &Sidecar) -> Option<(String, String)> {
    let (date, time) = sidecar.created_at.split_once('T')?;
    let year: u16 = date.get(..4)?.parse().ok()?;
    let known = sidecar.clock.wall_synchronised || year >= 2025;
    known.then(|| (safe(date), safe(time.get(..8).unwrap_or(time))))
}

fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Accents go, runs of anything that is no part of a name become one `-`.
fn cleaned(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let letters = latin(c);
        if (plain(c) || c == '/') && !(c == '-' && name.ends_with('-')) {
            name.push(c);
        } else if !letters.is_empty() {
            name.push_str(letters);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    name
}

/// A value as part of a name: never empty, never beginning with a dot.
fn safe(text: &str) -> String {
    let name = cleaned(&text.replace('/', "-"));
    let name = name.trim_matches(|c| c == '-' || c == '.');
    let mut name = name.to_owned();
    name.truncate(100);
    if name.is_empty() {
        "unnamed".to_owned()
    } else {
        name
    }
}

/// What people write where a keyboard has no accents; empty for all else.
fn latin(c: char) -> &'static str {
    match c {
        'ä' | 'æ' => "ae",
        'ö' | 'ø' | 'œ' => "oe",
        'ü' => "ue",
        'Ä' | 'Æ' => "Ae",
        'Ö' | 'Ø' | 'Œ' => "Oe",
        'Ü' => "Ue",
        'ß' => "ss",
        'å' | 'á' | 'à' | 'â' | 'ã' => "a",
        'Å' | 'Á' | 'À' | 'Â' | 'Ã' => "A",
        'é' | 'è' | 'ê' | 'ë' => "e",
        'É' | 'È' | 'Ê' | 'Ë' => "E",
        'í' | 'ì' | 'î' | 'ï' => "i",
        'ó' | 'ò' | 'ô' | 'õ' => "o",
        'ú' | 'ù' | 'û' => "u",
        'ç' => "c",
        'Ç' => "C",
        'ñ' => "n",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::samples::sidecar;
    use super::*;

    #[test]
    fn names_hold_nothing_that_a_url_a_disk_or_a_shell_minds() {
        let text = "Clips/{venue}/{date}/{court}_{time}-{press}-{camera}.mp4";
        let template = KeyTemplate::new(text).unwrap();
        let mut about = sidecar();
        about.court = Some("Court № 1 / „Mitte“; rm -rf".to_owned());
        let name = stem(&template, "../Sportpark Köln?", &about);
        let press = about.press_id.as_str();
        assert_eq!(
            name,
            format!("Clips/Sportpark-Koeln/2026-11-21/Court-1-Mitte-rm-rf_18-30-05-{press}-court1")
        );
        let name = stem(&template, "东京", &about);
        assert!(name.starts_with("Clips/unnamed/"), "{name}");
    }

    #[test]
    fn a_press_whose_date_was_never_known_is_undated() {
        let template = KeyTemplate::new("{date}/{press}-{camera}.mp4").unwrap();
        let mut about = sidecar();
        about.created_at = "1970-01-01T01:00:05.000+01:00".to_owned();
        about.clock.wall_synchronised = false;
        assert!(stem(&template, "v", &about).starts_with("undated/"));
    }
}
