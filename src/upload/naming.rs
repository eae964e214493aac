//! What a highlight is called where it goes: templates like `{venue}/{date}/{press}-{camera}.mp4`.
//! Pure.
//!
//! A name never holds more than letters, digits, `-`, `_`, `.` and the template's own `/`: it is
//! safe in URLs, on any file system, and in anybody's shell.
//!
//! Called by: the room's face, parcel.

use crate::queue::sidecar::Sidecar;

/// Where the press's date or time was never known.
const UNDATED: &str = "undated";

/// A checked template of the video's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Venue,
    Court,
    Camera,
    Date,
    Time,
    Press,
}

impl Field {
    fn named(name: &str) -> Option<Field> {
        Some(match name {
            "venue" => Field::Venue,
            "court" => Field::Court,
            "camera" => Field::Camera,
            "date" => Field::Date,
            "time" => Field::Time,
            "press" => Field::Press,
            _ => return None,
        })
    }
}

impl Template {
    /// The error completes a sentence that begins with the template.
    pub fn new(text: &str) -> Result<Template, String> {
        let Some(stem) = text.strip_suffix(".mp4") else {
            return Err("does not end in .mp4".to_owned());
        };
        let pieces = pieces(stem)?;
        let has = |field| pieces.contains(&Piece::Field(field));
        if !has(Field::Press) || !has(Field::Camera) {
            return Err(
                "must hold {press} and {camera}: otherwise two videos could get one name, and the \
                 second would replace the first"
                    .to_owned(),
            );
        }
        let bad = |part: &str| part.is_empty() || part == "." || part == "..";
        if stem.split('/').any(bad) {
            return Err(
                "must not begin with /, nor hold //, /./ or /../: write folder/name.mp4".to_owned(),
            );
        }
        Ok(Template(pieces))
    }

    /// The video's name without its `.mp4`.
    pub fn stem(&self, venue: &str, sidecar: &Sidecar) -> String {
        let each = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(field) => value(*field, venue, sidecar),
        });
        each.collect()
    }
}

fn pieces(stem: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = stem;
    while !rest.is_empty() {
        let (text, more) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
        if !text.is_empty() {
            pieces.push(Piece::Text(cleaned(text)));
        }
        let Some(more) = more.strip_prefix('{') else {
            break;
        };
        let Some((name, more)) = more.split_once('}') else {
            return Err("has a { without its }".to_owned());
        };
        let field = Field::named(name).ok_or_else(|| {
            format!(
                "holds {{{name}}}, which is none of {{venue}}, {{court}}, {{camera}}, {{date}}, \
                 {{time}} and {{press}}"
            )
        })?;
        pieces.push(Piece::Field(field));
        rest = more;
    }
    Ok(pieces)
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
    use super::super::parcel::tests::sidecar;
    use super::*;

    #[test]
    fn names_hold_nothing_that_a_url_a_disk_or_a_shell_minds() {
        let template =
            Template::new("Clips für/{venue}/{date}/{court}_{time}-{press}-{camera}.mp4").unwrap();
        let mut about = sidecar();
        about.court = Some("Court № 1 / „Mitte“; rm -rf".to_owned());
        let stem = template.stem("../Sportpark Köln?", &about);
        let press = about.press_id.as_str();
        assert_eq!(
            stem,
            format!(
                "Clips-fuer/Sportpark-Koeln/2026-11-21/Court-1-Mitte-rm-rf_18-30-05-{press}-court1"
            )
        );
        let stem = template.stem("东京", &about);
        assert!(stem.starts_with("Clips-fuer/unnamed/"), "{stem}");
    }

    #[test]
    fn a_press_whose_date_was_never_known_is_undated() {
        let template = Template::new("{date}/{press}-{camera}.mp4").unwrap();
        let mut about = sidecar();
        about.created_at = "1970-01-01T01:00:05.000+01:00".to_owned();
        about.clock.wall_synchronised = false;
        assert!(template.stem("v", &about).starts_with("undated/"));
    }

    #[test]
    fn a_template_that_could_lose_a_video_or_leave_its_folder_is_refused() {
        for (text, word) in [
            ("{press}-{camera}", ".mp4"),
            ("{date}-{camera}.mp4", "{press}"),
            ("{press}.mp4", "{camera}"),
            ("/{press}-{camera}.mp4", "must not begin"),
            ("../{press}-{camera}.mp4", "must not begin"),
            ("a//{press}-{camera}.mp4", "must not begin"),
            ("{press}-{camera}-{day}.mp4", "{day}"),
            ("{press}-{camera.mp4", "without its }"),
        ] {
            let why = Template::new(text).unwrap_err();
            assert!(why.contains(word), "{text}: {why}");
        }
    }
}
