//! "Did you mean": the word that somebody probably wanted to write. Pure.

use std::fmt;

use crate::base::sentence::{Arg, ToArg};

/// The nearest candidate, if one is near enough to be worth a mention.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = flattened(word);
    let allowed = (plain.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (badness(&plain, &flattened(candidate)), candidate))
        .filter(|(badness, _)| *badness <= allowed)
        .min_by_key(|(badness, _)| *badness)
        .map(|(_, candidate)| candidate)
}

/// "; did you mean X?" in a sentence, or nothing; for programs the word alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DidYouMean(Option<String>);

impl DidYouMean {
    pub fn of<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> DidYouMean {
        DidYouMean(nearest(word, candidates).map(str::to_owned))
    }

    pub fn nothing(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Display for DidYouMean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(near) => write!(f, "; did you mean {near}?"),
            None => Ok(()),
        }
    }
}

impl ToArg for DidYouMean {
    fn to_arg(&self) -> Arg {
        Arg::Text(self.0.clone().unwrap_or_default())
    }
}

fn flattened(word: &str) -> String {
    word.to_lowercase().replace(['-', '_', ' '], "")
}

fn badness(word: &str, candidate: &str) -> usize {
    let inside = word.len() >= 4 && (candidate.contains(word) || word.contains(candidate));
    if inside && candidate.len() >= 4 && word != candidate {
        1
    } else {
        distance(word, candidate)
    }
}

/// Edits (insert, drop, replace, swap neighbours) from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let width = b.len() + 1;
    let mut cost = vec![0; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            cost[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let differs = usize::from(a[i - 1] != b[j - 1]);
                let mut best = (cost[(i - 1) * width + j] + 1)
                    .min(cost[i * width + j - 1] + 1)
                    .min(cost[(i - 1) * width + j - 1] + differs);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped {
                    best = best.min(cost[(i - 2) * width + j - 2] + 1);
                }
                best
            };
        }
    }
    cost[a.len() * width + b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let keys = ["dir", "seconds", "max_bitrate", "password", "password_file"];
        for (word, want) in [
            ("secnods", Some("seconds")),
            ("second", Some("seconds")),
            ("bitrate", Some("max_bitrate")),
            ("max-bitrate", Some("max_bitrate")),
            ("pasword", Some("password")),
            ("PasswordFile", Some("password_file")),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, keys), want, "{word}");
        }
    }
}
