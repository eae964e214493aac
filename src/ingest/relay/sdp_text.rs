//! The description of a camera's streams, made plain: what is needed of it, in the order in which it should
//! stand, as UTF-8. Pure.
//!
//! Not here: which streams are taken (`tracks`).

use super::super::sentence::QuirkSentence as Quirk;
use super::quirk::Quirks;
use super::text::decoded;

/// Lines beyond these are left out.
const MOST_LINES: usize = 4_096;

/// Attributes and media lines are kept; what they do not need is left out, and what must stand is put.
pub fn mended(body: &[u8], quirks: &mut Quirks) -> Vec<u8> {
    let (text, utf8) = decoded(body);
    if !utf8 {
        quirks.met(Quirk::SdpNotText {});
    }
    let mut out = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n".to_owned();
    let mut seen = Vec::new();
    let mut left_out = false;
    let lines = text
        .split(['\n', '\r', '\0'])
        .filter(|line| !line.is_empty());
    for (at, line) in lines.take(MOST_LINES).enumerate() {
        let Some((key, value)) = key_of(line) else {
            quirks.met(Quirk::OddSdp {});
            continue;
        };
        if (at == 0) != (key == 'v') || !well_formed(key, value, &mut seen) {
            quirks.met(Quirk::OddSdp {});
        }
        match key {
            'm' => {
                let media = media(value, quirks);
                left_out = media.is_none();
                out.extend(media);
                seen.clear();
            }
            'a' if !left_out && !value.is_empty() => out += &format!("a={value}\r\n"),
            _ => {}
        }
    }
    out.into_bytes()
}

fn key_of(line: &str) -> Option<(char, &str)> {
    let line = line.trim_matches([' ', '\t']);
    let key = line.chars().next().filter(char::is_ascii_alphabetic)?;
    let behind = line.get(1..)?.trim_start();
    Some((key, behind.strip_prefix('=')?.trim()))
}

/// As retina wants it: it refuses a description for one line that is not.
fn well_formed(key: char, value: &str, seen: &mut Vec<char>) -> bool {
    let once = !matches!(key, 'o' | 's' | 'i' | 'u' | 'c' | 'z' | 'k') || !seen.contains(&key);
    seen.push(key);
    let words: Vec<&str> = value.split(' ').collect();
    let numbers = |words: &[&str]| words.iter().all(|word| word.parse::<u64>().is_ok());
    once && match (key, &words[..]) {
        ('v', _) => value == "0",
        ('o', [_, _, version, _, _, _]) => numbers(&[version]),
        ('t', [from, to]) => numbers(&[from, to]),
        ('c', _) => words.len() == 3,
        ('b', _) => value.split_once(':').is_some_and(|(_, of)| numbers(&[of])),
        ('o' | 't', _) => false,
        _ => true,
    }
}

/// `video 0 RTP/AVP 96`. `None`: it describes nothing.
fn media(value: &str, quirks: &mut Quirks) -> Option<String> {
    let mut words = value.split_ascii_whitespace();
    let (kind, port, protocol) = (words.next(), words.next(), words.next());
    let formats = words.collect::<Vec<_>>().join(" ");
    let (Some(kind), Some(port), Some(protocol), false) =
        (kind, port, protocol, formats.is_empty())
    else {
        quirks.met(Quirk::OddSdp {});
        return None;
    };
    let number = port.split('/').next().unwrap_or_default();
    if number.parse::<u16>().is_err() {
        quirks.met(match number.starts_with('-') {
            true => Quirk::SdpNegativePort {},
            false => Quirk::OddSdp {},
        });
    }
    // The port is nobody's: SETUP agrees on channels.
    Some(format!("m={kind} 0 {protocol} {formats}\r\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=cam\r\nt=0 0\r\na=control:*\r\n\
        m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:5000\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n\
        m=audio 0 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\na=control:trackID=1\r\na=recvonly\r\n";
    const PLAIN: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=control:*\r\n\
        m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=0\r\n\
        m=audio 0 RTP/AVP 8\r\na=control:trackID=1\r\na=recvonly\r\n";

    fn read(body: &[u8]) -> (String, Vec<Quirk>) {
        let mut quirks = Quirks::default();
        let out = String::from_utf8(mended(body, &mut quirks)).unwrap();
        (out, quirks.all().to_vec())
    }

    #[test]
    fn a_description_as_it_should_be_keeps_its_streams_and_is_no_quirk() {
        assert_eq!(read(GOOD.as_bytes()), (PLAIN.to_owned(), vec![]));
    }

    #[test]
    fn each_oddity_is_mended_and_named() {
        let with = |from: &str, to: &str| GOOD.replacen(from, to, 1).into_bytes();
        let mut latin = with("s=cam", "s=K?che");
        let at = latin.iter().position(|byte| *byte == b'?').unwrap();
        latin[at] = 0xfc;
        for (body, quirk) in [
            (latin, Quirk::SdpNotText {}),
            (with("m=video 0", "m=video -1"), Quirk::SdpNegativePort {}),
            (with("m=video 0", "m=video 99999"), Quirk::OddSdp {}),
            (with("v=0\r\n", ""), Quirk::OddSdp {}),
            (with("v=0", "v=1"), Quirk::OddSdp {}),
            (with("t=0 0", "t=now"), Quirk::OddSdp {}),
            (with("t=0 0", "t = 0 0\r\nnothing"), Quirk::OddSdp {}),
            (with("s=cam", "s=cam\r\ns=again"), Quirk::OddSdp {}),
            (with("o=- 1 1 IN", "o=camera"), Quirk::OddSdp {}),
            (with("b=AS:5000", "b=AS:"), Quirk::OddSdp {}),
            (with("c=IN IP4 0.0.0.0", "c=IN"), Quirk::OddSdp {}),
        ] {
            let text = String::from_utf8_lossy(&body).into_owned();
            assert_eq!(read(&body), (PLAIN.to_owned(), vec![quirk]), "{text}");
        }
        let (unix, quirks) = read(GOOD.replace("\r\n", "\n").as_bytes());
        assert_eq!((unix.as_str(), quirks), (PLAIN, vec![]));
    }

    #[test]
    fn a_stream_without_format_is_left_out_with_its_attributes() {
        let (out, quirks) = read(GOOD.replace("m=audio 0 RTP/AVP 8", "m=audio 0").as_bytes());
        assert!(
            out.contains("trackID=0") && !out.contains("trackID=1"),
            "{out}"
        );
        assert_eq!(quirks, [Quirk::OddSdp {}]);
    }

    proptest! {
        #[test]
        fn any_body_gives_a_description(
            noise in proptest::collection::vec(any::<u8>(), 0..400),
            text in "([vmaotcb]? ?=?[ -~]{0,20}\r?\n){0,40}",
        ) {
            for body in [noise, text.into_bytes()] {
                let (out, _) = read(&body);
                prop_assert!(out.starts_with("v=0\r\n"));
                // What was mended needs no mending.
                let (again, quirks) = read(out.as_bytes());
                prop_assert_eq!(again, out);
                prop_assert_eq!(quirks, vec![]);
            }
        }
    }
}
