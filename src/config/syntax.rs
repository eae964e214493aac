//! A line that is no TOML: what is wrong with it, in words for somebody who does not know TOML.

use super::checked::TABLES;

crate::sentences! {
    /// What is wrong with a line. `shown`: its key and value, or its header, as far as they may be
    /// shown, and a space; or nothing.
    pub enum SyntaxSentence {
        NoValue { shown: String } = "config_syntax_no_value":
            "{shown}has no value; write one behind the =",
        BareUnit { shown: String } = "config_syntax_bare_unit":
            "{shown}is no number; with a unit it stands in quotes, as in \"40s\"",
        TypographicQuotes { shown: String } = "config_syntax_typographic_quotes":
            "{shown}stands in quotes of a word processor; type plain ones, like \"this\"",
        BareText { shown: String } = "config_syntax_bare_text":
            "{shown}is text without quotes; write it like \"this\"",
        OpenQuote { shown: String } = "config_syntax_open_quote": "{shown}lacks its closing quote",
        Backslash { shown: String } = "config_syntax_backslash":
            "{shown}has a \\ in it; write each twice, or 'the text in these quotes'",
        OpenBracket {} = "config_syntax_open_bracket": "the closing ] is missing",
        NoAssignment {} = "config_syntax_no_assignment":
            "is neither [TABLE] nor KEY = VALUE; comments begin with #",
        Twice { shown: String } = "config_syntax_twice":
            "{shown}stands here for the second time; keep one of the two",
        MoreBehind { shown: String } = "config_syntax_more_behind":
            "{shown}has something behind its value; write one KEY = VALUE a line",
        Other { shown: String, error: String } = "config_syntax_other":
            "{shown}cannot be understood: {error}",
    }
}

impl SyntaxSentence {
    /// By the parser's message about the line.
    pub fn of(line: &str, message: &str) -> SyntaxSentence {
        let (key, value) = line.split_once('=').unwrap_or(("", ""));
        let (key, value) = (key.trim(), value.trim());
        let shown = match line.trim() {
            header if is_header(header) => format!("{header} "),
            _ => key_and_value(key, value),
        };
        match message {
            "string values must be quoted, expected literal string" => match value.chars().next() {
                None | Some('#') => SyntaxSentence::NoValue { shown },
                Some(first) if first.is_ascii_digit() => SyntaxSentence::BareUnit { shown },
                Some('“' | '”' | '„' | '‘' | '’' | '«' | '`') => {
                    SyntaxSentence::TypographicQuotes { shown }
                }
                Some(_) => SyntaxSentence::BareText { shown },
            },
            "invalid basic string, expected `\"`" => SyntaxSentence::OpenQuote { shown },
            _ if value.starts_with('"') && value.contains('\\') => {
                SyntaxSentence::Backslash { shown }
            }
            "unclosed table, expected `]`" => SyntaxSentence::OpenBracket {},
            "key with no value, expected `=`" => SyntaxSentence::NoAssignment {},
            "duplicate key" => SyntaxSentence::Twice { shown },
            "unexpected key or value, expected newline, `#`" => {
                SyntaxSentence::MoreBehind { shown }
            }
            other => SyntaxSentence::Other {
                shown,
                error: other.replace('\n', ", "),
            },
        }
    }
}

/// `[ring]` or `[[camera]]`, and nothing else.
fn is_header(line: &str) -> bool {
    let name = line.trim_start_matches('[').trim_end_matches(']');
    name.len() < line.len() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// `key = value `, if it is a key of ours. In a line that cannot be understood a secret may
/// stand anywhere, so the value is shown only where it is short and plain.
fn key_and_value(key: &str, value: &str) -> String {
    const LONGEST: usize = 12;
    let ours: Vec<_> = TABLES.iter().filter_map(|spec| spec.key(key)).collect();
    let near_secrets = ours.iter().any(|key| key.is_near_secrets());
    let word = value.split_whitespace().next().unwrap_or("");
    let bare = word.strip_prefix('"').unwrap_or(word);
    let plain =
        bare.len() <= LONGEST && bare.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    match word {
        _ if ours.is_empty() => String::new(),
        "" => format!("{key} = "),
        word if plain && !near_secrets => format!("{key} = {word} "),
        _ => format!("{key} = … "),
    }
}
