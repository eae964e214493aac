//! Texts with placeholders: the mark's, and the names of uploaded files. Pure.

use super::near::did_you_mean;

const OF_MARK: [&str; 5] = ["venue", "court", "camera", "date", "time"];
const OF_KEY: [&str; 6] = ["venue", "court", "camera", "date", "time", "press"];
const LONGEST_MARK: usize = 120;
const LONGEST_KEY: usize = 400;

/// Whether a text can be drawn into the picture, or why not.
pub fn mark(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty; leave it out for no text".to_owned());
    }
    if text.chars().count() > LONGEST_MARK || text.contains(char::is_control) {
        return Err(format!(
            "is too long for a line in the picture; write at most {LONGEST_MARK} characters"
        ));
    }
    placeholders(text, &OF_MARK).map(|_| ())
}

/// Whether a text names each clip's video, or why not.
pub fn key(text: &str) -> Result<(), String> {
    let used = placeholders(text, &OF_KEY)?;
    let right = "as in \"{venue}/{date}/{press}-{camera}.mp4\"";
    if !text.ends_with(".mp4") {
        return Err(format!("does not end in .mp4; end it so, {right}"));
    }
    for needed in ["press", "camera"] {
        if !used.contains(&needed) {
            return Err(format!(
                "has no {{{needed}}} in it, so that two clips would get one name; add it, {right}"
            ));
        }
    }
    if text.starts_with('/') {
        return Err(format!(
            "begins with /; names lie below the target, {right}"
        ));
    }
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    if text.split('/').any(odd) {
        return Err(format!(
            "has an empty part, . or .. between two /; leave it out, {right}"
        ));
    }
    let between = text
        .split('{')
        .map(|part| part.rsplit('}').next().unwrap_or(part));
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if let Some(c) = between.flat_map(str::chars).find(|c| !plain(c)) {
        return Err(format!(
            "has {c:?} in it; besides placeholders write a-z, A-Z, 0-9, '-', '_', '.' and '/', {right}"
        ));
    }
    if text.len() > LONGEST_KEY {
        return Err(format!("is too long; write at most {LONGEST_KEY} bytes"));
    }
    Ok(())
}

/// The placeholders a text uses, or what is wrong with one.
fn placeholders<'t>(text: &'t str, known: &[&'static str]) -> Result<Vec<&'t str>, String> {
    let mut used = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let inside = rest[at..]
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'));
        let Some((name, after)) = inside else {
            return Err("has a { or } without the other".to_owned());
        };
        if !known.contains(&name) {
            let all: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
            let hint = did_you_mean(name, known.iter().copied());
            return Err(format!(
                "has {{{name}}}, which means nothing{hint} (there are: {})",
                all.join(", ")
            ));
        }
        used.push(name);
        rest = after;
    }
    Ok(used)
}
