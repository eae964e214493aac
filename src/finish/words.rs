//! The text in the picture, and how FFmpeg's filter language wants to hear it. Pure.
//!
//! Not here: where the text stands (`place`), which font (`tools`).

use crate::queue::sidecar::Sidecar;

/// The template with its placeholders filled in; `None` where nothing is left of it.
///
/// `{date}` and `{time}` are the press, venue-local. While the clock was never set they are left
/// out: a wrong time in a picture cannot be taken back.
pub fn filled(template: &str, venue: &str, sidecar: &Sidecar) -> Option<String> {
    // RFC 3339: 2026-11-21T18:42:05.123+01:00
    let stamp = match sidecar.clock.wall_synchronised {
        true => sidecar.created_at.as_str(),
        false => "",
    };
    let values = [
        ("{venue}", venue),
        ("{court}", sidecar.court.as_deref().unwrap_or_default()),
        ("{camera}", &sidecar.camera.name),
        ("{date}", stamp.get(..10).unwrap_or_default()),
        ("{time}", stamp.get(11..16).unwrap_or_default()),
    ];
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = values.iter().find(|(name, _)| rest.starts_with(name));
        let (length, value) = known.map_or((1, "{"), |(name, value)| (name.len(), *value));
        text.push_str(value);
        rest = &rest[length..];
    }
    text.push_str(rest);
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A value of a filter's option as it must stand in a graph: once for the option, once for the graph.
pub fn escaped(value: &str) -> String {
    let option = quoted(value, &['\\', '\'', ':']);
    quoted(&option, &['\\', '\'', '[', ']', ',', ';'])
}

fn quoted(value: &str, special: &[char]) -> String {
    let mut out = String::new();
    for c in value.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_filter_language_would_understand_is_escaped_for_both_its_levels() {
        assert_eq!(escaped("Court 1"), "Court 1");
        assert_eq!(escaped("18:42"), r"18\\:42");
        assert_eq!(escaped("Tom's"), r"Tom\\\'s");
        assert_eq!(escaped(r"a\b"), r"a\\\\b");
        assert_eq!(escaped("[a],b;c"), r"\[a\]\,b\;c");
    }
}
