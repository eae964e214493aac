//! From the text on the card to the text that runs: files of the card become their copies, and
//! what a box needs to answer on its network is added where nobody wrote it. Pure.
//!
//! Not here: whether the text is any good (`config` room).

use std::collections::BTreeSet;

/// Where the card's files are for who writes a configuration.
pub const FIRMWARE: &str = "/boot/firmware/";

/// A text to run, and how its lines lie to those of the card's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    pub text: String,
    /// So many lines were put in behind that line.
    added: usize,
    behind: usize,
}

impl Completed {
    /// The line on the card of a line of this text; 0 stays 0: the whole file.
    pub fn line_on_card(&self, line: usize) -> usize {
        match line {
            line if line > self.behind + self.added => line - self.added,
            line => line.min(self.behind),
        }
    }
}

/// Names of the card's files that the text speaks of.
pub fn named_files(text: &str) -> BTreeSet<String> {
    let after = text.split(FIRMWARE).skip(1);
    let name = |rest: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        rest[..end].to_owned()
    };
    let names = after.map(name);
    names
        .filter(|name| !name.is_empty() && !name.starts_with('.'))
        .collect()
}

/// `copies`: the folder of the copies, ending in `/`. `token_file`: of the box's own token.
pub fn complete(text: &str, copies: &str, token_file: &str) -> Completed {
    let text = text.replace(FIRMWARE, copies);
    let missing = missing(&text, token_file);
    let lines = text.lines().count();
    if missing.is_empty() {
        return Completed {
            text,
            added: 0,
            behind: lines,
        };
    }
    let added = missing.len();
    let header = text.lines().position(is_http);
    let (text, behind) = match header {
        Some(at) => {
            let mut all: Vec<&str> = text.lines().collect();
            let missing = missing.iter().map(String::as_str);
            all.splice(at + 1..at + 1, missing);
            (all.join("\n") + "\n", at + 1)
        }
        None if is_written(&text) => {
            let dotted: Vec<String> = missing.iter().map(|line| format!("http.{line}")).collect();
            (format!("{}\n{text}", dotted.join("\n")), 0)
        }
        None => {
            let behind = lines;
            (
                format!("{text}\n\n[http]\n{}\n", missing.join("\n")),
                behind,
            )
        }
    };
    Completed {
        text,
        added,
        behind,
    }
}

/// Keys of `[http]` that nobody wrote. Of a text that is no TOML nothing is said.
fn missing(text: &str, token_file: &str) -> Vec<String> {
    let Ok(all) = text.parse::<toml::Table>() else {
        return Vec::new();
    };
    let http = all.get("http");
    let has = |key: &str| http.and_then(|http| http.get(key)).is_some();
    let mut missing = Vec::new();
    if !has("listen") {
        missing.push("listen = \"0.0.0.0:8080\"".to_owned());
    }
    if !has("token") && !has("token_file") {
        missing.push(format!("token_file = \"{token_file}\""));
    }
    missing
}

/// Whether the text names a token of its own.
pub fn has_token(text: &str) -> bool {
    let http = text.parse::<toml::Table>().ok();
    let http = http.as_ref().and_then(|all| all.get("http"));
    http.is_some_and(|http| http.get("token").is_some() || http.get("token_file").is_some())
}

fn is_http(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default();
    let inside = line
        .trim()
        .strip_prefix('[')
        .and_then(|line| line.strip_suffix(']'));
    inside.is_some_and(|name| name.trim() == "http")
}

/// `http.listen = …` above all tables.
fn is_written(text: &str) -> bool {
    text.parse::<toml::Table>()
        .is_ok_and(|all| all.contains_key("http"))
}

/// What runs where nothing else can: no camera, but an answer on the network.
pub const WITHOUT: &str =
    "# This box has no configuration that it can use: hindsight-error.txt on the card says why.\n";

#[cfg(test)]
mod tests {
    use super::*;

    const COPIES: &str = "/run/hindsight/firmware/";
    const TOKEN: &str = "/run/hindsight/token";

    fn completed(text: &str) -> Completed {
        complete(text, COPIES, TOKEN)
    }

    fn http(text: &str) -> (Option<String>, Option<String>) {
        let all: toml::Table = completed(text).text.parse().expect("it is TOML");
        let get = |key: &str| Some(all["http"].get(key)?.as_str()?.to_owned());
        (get("listen"), get("token_file"))
    }

    #[test]
    fn what_is_missing_is_added_wherever_http_is_written() {
        let both = (Some("0.0.0.0:8080".to_owned()), Some(TOKEN.to_owned()));
        for text in [
            "",
            WITHOUT,
            "[venue]\r\nname = \"x\"\r\n",
            "[http]\r\n[ring]\r\nseconds = 90",
            "[ http ] # the API\n",
            "http.unknown = 1\n[ring]\nseconds = 90\n",
        ] {
            assert_eq!(http(text), both, "{text:?}");
        }
        let own = "[http]\nlisten = \"127.0.0.1:80\"\ntoken = \"…\"\n";
        assert_eq!(completed(own).text, own);
        assert!(has_token(own) && !has_token("[http]\n") && !has_token("[[["));
        let (listen, token) = http("[http]\ntoken_file = \"/boot/firmware/t\"\n");
        assert_eq!(listen, both.0);
        assert_eq!(token.as_deref(), Some("/run/hindsight/firmware/t"));
        assert_eq!(completed("[http\nlisten").text, "[http\nlisten", "no TOML");
    }

    #[test]
    fn lines_are_told_as_they_are_on_the_card() {
        let inside = completed("[venue]\n[http]\n[ring]\nx = 1\n");
        let line = inside.text.lines().position(|line| line == "x = 1");
        assert_eq!(inside.line_on_card(line.unwrap_or(0) + 1), 4);
        let told: Vec<usize> = (0..=6).map(|line| inside.line_on_card(line)).collect();
        assert_eq!(told, [0, 1, 2, 2, 2, 3, 4]);
        let above = completed("http.x = 1\ny = 2\n");
        let told: Vec<usize> = (0..=4).map(|line| above.line_on_card(line)).collect();
        assert_eq!(told, [0, 0, 0, 1, 2]);
        let below = completed("[venue]\nx = 1\n");
        let told: Vec<usize> = (0..=6).map(|line| below.line_on_card(line)).collect();
        assert_eq!(told[..3], [0, 1, 2]);
        let whole = completed("[http\nx");
        assert_eq!((whole.line_on_card(1), whole.line_on_card(2)), (1, 2));
    }

    #[test]
    fn files_of_the_card_are_found_and_become_their_copies() {
        let text = "[[logo]]\nfile = \"/boot/firmware/logo.png\"\n# \"/boot/firmware/../etc\" /boot/firmware/\n\
            ca_file = '/boot/firmware/camera-ca.pem'\n";
        let names: Vec<String> = named_files(text).into_iter().collect();
        assert_eq!(names, ["camera-ca.pem", "logo.png"]);
        let text = completed(text).text;
        assert!(
            text.contains("file = \"/run/hindsight/firmware/logo.png\""),
            "{text}"
        );
        assert!(!text.contains(FIRMWARE));
    }
}
