//! Texts with placeholders: the mark's, and the names of uploaded files. Pure.

use super::near::DidYouMean;

const OF_MARK: [&str; 5] = ["venue", "court", "camera", "date", "time"];
const LONGEST_MARK: usize = 120;
const DEFAULT_KEY: &str = "{venue}/{date}/{press}-{camera}.mp4";
const LONGEST_KEY: usize = 400;

crate::sentences! {
    /// What is wrong with a text that has placeholders; follows `key = value`.
    pub enum TemplateSentence {
        EmptyMark {} = "config_mark_empty": "is empty; leave it out for no text",
        MarkTooLong { most_characters: usize } = "config_mark_too_long":
            "is too long for a line in the picture; write at most {most_characters} characters",
        Brace { open: &'static str, close: &'static str } = "config_template_brace":
            "has a {open} or {close} without the other",
        Unknown { placeholder: String, near: DidYouMean, placeholders: String } = "config_template_unknown":
            "has {placeholder}, which means nothing{near} (there are: {placeholders})",
        NotMp4 { example: &'static str } = "config_key_not_mp4":
            "does not end in .mp4; end it so, as in \"{example}\"",
        Lacks { placeholder: String, example: &'static str } = "config_key_lacks":
            "has no {placeholder} in it, so that two clips would get one name; add it, as in \"{example}\"",
        Absolute { example: &'static str } = "config_key_absolute":
            "begins with /; names lie below the target, as in \"{example}\"",
        OddPart { example: &'static str } = "config_key_odd_part":
            "has an empty part, . or .. between two /; leave it out, as in \"{example}\"",
        OddCharacter { character: String, example: &'static str } = "config_key_odd_character":
            "has {character} in it; besides placeholders write a-z, A-Z, 0-9, '-', '_', '.' and '/', as in \"{example}\"",
        KeyTooLong { most_bytes: usize } = "config_key_too_long":
            "is too long; write at most {most_bytes} bytes",
    }
}

/// Whether a text can be drawn into the picture, or why not.
pub fn mark(text: &str) -> Result<(), TemplateSentence> {
    if text.is_empty() {
        return Err(TemplateSentence::EmptyMark {});
    }
    if text.chars().count() > LONGEST_MARK || text.contains(char::is_control) {
        return Err(TemplateSentence::MarkTooLong {
            most_characters: LONGEST_MARK,
        });
    }
    placeholders(text, &OF_MARK).map(|_| ())
}

/// Names each clip's video: `{venue}/{date}/{press}-{camera}.mp4`. The one place that knows what
/// such a text may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTemplate {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

/// What a placeholder of a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Venue,
    Court,
    Camera,
    Date,
    Time,
    Press,
}

const OF_KEY: [(&str, Field); 6] = [
    ("venue", Field::Venue),
    ("court", Field::Court),
    ("camera", Field::Camera),
    ("date", Field::Date),
    ("time", Field::Time),
    ("press", Field::Press),
];

impl KeyTemplate {
    /// Or why the text is none; the error completes a sentence that begins with it.
    pub fn new(text: &str) -> Result<KeyTemplate, TemplateSentence> {
        let used = placeholders(text, &OF_KEY.map(|(name, _)| name))?;
        let example = DEFAULT_KEY;
        let Some(stem) = text.strip_suffix(".mp4") else {
            return Err(TemplateSentence::NotMp4 { example });
        };
        for needed in ["press", "camera"] {
            if !used.contains(&needed) {
                let placeholder = format!("{{{needed}}}");
                return Err(TemplateSentence::Lacks {
                    placeholder,
                    example,
                });
            }
        }
        if text.starts_with('/') {
            return Err(TemplateSentence::Absolute { example });
        }
        let odd = |part: &str| part.is_empty() || part == "." || part == "..";
        if text.split('/').any(odd) {
            return Err(TemplateSentence::OddPart { example });
        }
        let pieces = pieces(stem);
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let texts = pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Field(_) => None,
        });
        if let Some(c) = texts.flat_map(str::chars).find(|c| !plain(c)) {
            let character = format!("{c:?}");
            return Err(TemplateSentence::OddCharacter { character, example });
        }
        if text.len() > LONGEST_KEY {
            return Err(TemplateSentence::KeyTooLong {
                most_bytes: LONGEST_KEY,
            });
        }
        Ok(KeyTemplate {
            text: text.to_owned(),
            pieces,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The video's name without its `.mp4`; `value` says what stands for each placeholder.
    pub fn stem(&self, value: impl Fn(Field) -> String) -> String {
        let each = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(field) => value(*field),
        });
        each.collect()
    }
}

impl Default for KeyTemplate {
    /// `{venue}/{date}/{press}-{camera}.mp4`
    fn default() -> KeyTemplate {
        let stem = DEFAULT_KEY.trim_end_matches(".mp4");
        KeyTemplate {
            text: DEFAULT_KEY.to_owned(),
            pieces: pieces(stem),
        }
    }
}

/// Of a text whose placeholders are all known.
fn pieces(stem: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = stem;
    while !rest.is_empty() {
        let (text, more) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        let (name, more) = more.split_once('}').unwrap_or_default();
        let field = OF_KEY
            .iter()
            .find(|(known, _)| Some(*known) == name.strip_prefix('{'));
        pieces.extend(field.map(|(_, field)| Piece::Field(*field)));
        rest = more;
    }
    pieces
}

/// The placeholders a text uses, or what is wrong with one.
fn placeholders<'t>(
    text: &'t str,
    known: &[&'static str],
) -> Result<Vec<&'t str>, TemplateSentence> {
    let mut used = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let inside = rest[at..]
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'));
        let Some((name, after)) = inside else {
            return Err(TemplateSentence::Brace {
                open: "{",
                close: "}",
            });
        };
        if !known.contains(&name) {
            let all: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
            return Err(TemplateSentence::Unknown {
                placeholder: format!("{{{name}}}"),
                near: DidYouMean::of(name, known.iter().copied()),
                placeholders: all.join(", "),
            });
        }
        used.push(name);
        rest = after;
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_that_could_lose_a_video_or_leave_its_folder_is_refused() {
        for (text, word) in [
            ("{press}-{camera}", ".mp4"),
            ("{date}-{camera}.mp4", "{press}"),
            ("{press}.mp4", "{camera}"),
            ("/{press}-{camera}.mp4", "begins with /"),
            ("../{press}-{camera}.mp4", ". or .."),
            ("a//{press}-{camera}.mp4", "empty part"),
            ("{press}-{camera}-{day}.mp4", "{day}"),
            ("{press}-{camera.mp4", "without the other"),
            ("{press}-{camera}}.mp4", "without the other"),
            ("für/{press}-{camera}.mp4", "'ü'"),
        ] {
            let why = KeyTemplate::new(text).unwrap_err().to_string();
            assert!(why.contains(word), "{text}: {why}");
        }
    }

    #[test]
    fn every_placeholder_is_replaced_and_every_other_text_stays() {
        let text = "a/{venue}{court}_{camera}-{date}.{time}/b{press}.mp4";
        let template = KeyTemplate::new(text).unwrap();
        let stem = template.stem(|field| format!("<{field:?}>"));
        assert_eq!(stem, "a/<Venue><Court>_<Camera>-<Date>.<Time>/b<Press>");
        assert_eq!(template.as_str(), text);
        let usual = KeyTemplate::default();
        assert_eq!(KeyTemplate::new(usual.as_str()), Ok(usual));
    }
}
