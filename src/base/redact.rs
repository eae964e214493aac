//! What may be shown of an address: nothing of its credentials. Pure.
//!
//! Whatever looks like a credential is hidden, and rather more than less of it: where a password ends in a path
//! (`/user=admin_password=x_channel=1`) only its camera knows.
//!
//! Not here: where addresses come from (`config`, the command line).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

const HIDDEN: &str = "***";
/// A key is a credential's if one of these is in it.
const SECRET_IN: [&str; 14] = [
    "pass", "pwd", "psw", "passwd", "token", "auth", "secret", "sig", "cred", "login", "session",
    "apikey", "digest", "user",
];
/// Or if its last word is one of these.
const SECRET_WORDS: [&str; 13] = [
    "usr", "u", "p", "pw", "pword", "account", "acc", "key", "pin", "sid", "hash", "nonce", "uname",
];
/// What comes behind a segment like this (`/password/…`).
const SECRET_SEGMENTS: [&str; 6] = ["password", "passwd", "pass", "pwd", "token", "auth"];

/// A URL, or what somebody took for one, without credentials: neither those in
/// front of the host nor those in the path or query (`user=admin&password=…`).
pub fn redacted(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (hidden, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("***@", rest),
        None => ("", rest),
    };
    let (authority, path) = split_path(rest);
    // Mistyped (`viewer:secret=192.0.2.10`), anything may stand anywhere.
    let authority = if is_host_and_port(authority) {
        authority
    } else {
        HIDDEN
    };
    let path = if path.contains([':', '#']) {
        "/***".to_owned()
    } else {
        parts(path).iter().map(Part::shown).collect()
    };
    format!("{scheme}{hidden}{authority}{path}")
}

/// `text` without the credentials of `url`, which somebody may have repeated in it.
pub fn without_those_of(url: &str, text: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let mut secrets: Vec<&str> = parts(split_path(rest).1)
        .iter()
        .map(|part| part.hidden)
        .collect();
    secrets.retain(|secret| secret.len() >= 3);
    // A longer one may hold a shorter one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.into_iter().fold(text.to_owned(), |text, secret| {
        text.replace(secret, "<hidden>")
            .replace(&unescaped(secret), "<hidden>")
    })
}

fn split_path(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

/// What stands between two `&`.
struct Part<'a> {
    /// With the `&`, but for the first.
    plain: &'a str,
    hidden: &'a str,
    /// The one before hides something that goes on here.
    goes_on: bool,
}

impl Part<'_> {
    fn shown(&self) -> String {
        match (self.goes_on, self.hidden) {
            (true, _) => String::new(),
            (false, "") => self.plain.to_owned(),
            (false, _) => format!("{}{HIDDEN}", self.plain),
        }
    }
}

/// Path and query.
fn parts(path: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let end = path[at + 1..]
            .find('&')
            .map_or(path.len(), |found| at + 1 + found);
        let text = &path[at..end];
        let after_hidden = parts.last().is_some_and(|part| !part.hidden.is_empty());
        // A password may have a `&` in it.
        let goes_on =
            after_hidden && !text.contains('=') && !text.to_ascii_lowercase().contains("%3d");
        let secret_at = if goes_on { 0 } else { secret_at(text) };
        let (plain, hidden) = text.split_at(secret_at);
        parts.push(Part {
            plain,
            hidden,
            goes_on,
        });
        at = end;
    }
    parts
}

/// Where the first credential begins; at the end, if there is none.
fn secret_at(text: &str) -> usize {
    let lower = text.to_ascii_lowercase();
    let mut ends = vec![0];
    let mut key_at = 0;
    let mut at = 0;
    let mut first = text.len();
    while let Some(byte) = lower.as_bytes().get(at) {
        let equals = match byte {
            b'=' => 1,
            b'%' if lower[at..].starts_with("%3d") => 3,
            _ => 0,
        };
        if equals > 0 && is_secret_key(&lower[key_at..at]) {
            first = at + equals;
            break;
        }
        let segment_ends = matches!(byte, b'/' | b'?' | b'&' | b';' | b',' | b'+');
        if segment_ends && is_secret_segment(&lower[key_at..at]) && *byte == b'/' && at > 0 {
            first = at + 1;
            break;
        }
        if equals > 0 || segment_ends {
            key_at = at + equals.max(1);
            ends.push(key_at);
        }
        at += equals.max(1);
    }
    // A name and a password, packed: `YWRtaW46MTIzNDU=`.
    let packed = ends.into_iter().filter(|begin| *begin < first);
    packed
        .into_iter()
        .find(|begin| is_packed(&text[*begin..]))
        .unwrap_or(first)
}

fn is_secret_segment(lower: &str) -> bool {
    SECRET_SEGMENTS.contains(&unescaped(lower).as_str())
}

fn is_secret_key(lower: &str) -> bool {
    let key = unescaped(lower).to_ascii_lowercase();
    let word = key
        .rsplit(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or("");
    SECRET_IN.iter().any(|secret| key.contains(secret)) || SECRET_WORDS.contains(&word)
}

/// Base64 of `name:password` begins here.
fn is_packed(text: &str) -> bool {
    let text = unescaped(text);
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "+/-_=".contains(c)));
    let whole = &text[..end.unwrap_or(text.len())];
    let segment = whole.split('/').next().unwrap_or("");
    [whole, segment].into_iter().any(|text| {
        let kinds = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];
        let mut unpacked = kinds.iter().filter_map(|kind| kind.decode(text).ok());
        unpacked.any(|bytes| {
            bytes.len() >= 4
                && bytes.contains(&b':')
                && bytes.iter().all(|b| (b' '..=b'~').contains(b))
        })
    })
}

/// `%40` → `@`. What is no escape stays as it is: the predecessors took it so.
pub fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

fn is_host_and_port(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    let colons = text.starts_with('[');
    host.chars().all(|c| plain(c) || (colons && c == ':'))
        && port.is_none_or(|port| {
            (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_shown_url_holds_no_credentials_wherever_they_stand() {
        for (url, want) in [
            ("rtsp://[2001:db8::1]:554/s", "rtsp://[2001:db8::1]:554/s"),
            ("rtsp://viewer:geheim=192.0.2.10/s", "rtsp://***/s"),
            ("rtsp:/viewer:geheim", "***/***"),
            ("rtsp:///viewer:geheim", "rtsp:///***"),
            ("rtsp://viewer:geheim@cam/s", "rtsp://***@cam/s"),
            ("rtsp://viewer:ge@he/im@cam/s", "rtsp://***@cam/s"),
            ("viewer:geheim@cam/s", "***@cam/s"),
            // A password that has what separates others.
            (
                "rtsp://c/s?password=ge/he?im;x&channel=1",
                "rtsp://c/s?password=***&channel=1",
            ),
            (
                "rtsp://c/s?password=ge&heim&channel=1",
                "rtsp://c/s?password=***&channel=1",
            ),
            ("rtsp://c/s?p%61ssword=geheim", "rtsp://c/s?p%61ssword=***"),
            ("rtsp://c/s?password%3Dgeheim", "rtsp://c/s?password%3D***"),
            ("rtsp://c/s?src=rtsp://a:geheim@b/c", "rtsp://***@b/c"),
            (
                "https://c/s?X-Amz-Credential=a&X-Amz-Signature=geheim",
                "https://c/s?X-Amz-Credential=***&X-Amz-Signature=***",
            ),
        ] {
            assert_eq!(redacted(url), want);
        }
    }

    /// Addresses as manuals of cameras and recorders have them.
    #[test]
    fn the_forms_of_the_vendors_are_shown_without_their_credentials() {
        for (vendor, url, want) in [
            (
                "Xiongmai",
                "rtsp://c:554/user=admin_password=geheim_channel=1_stream=0.sdp?real_stream",
                "rtsp://c:554/user=***",
            ),
            (
                "Xiongmai, by &",
                "rtsp://c/user=admin&password=geheim&channel=1&stream=0.sdp?",
                "rtsp://c/user=***&password=***&channel=1&stream=0.sdp?",
            ),
            (
                "Foscam",
                "rtsp://c:88/videoMain?usr=admin&pwd=geheim",
                "rtsp://c:88/videoMain?usr=***&pwd=***",
            ),
            (
                "Foscam, CGI",
                "http://c:88/cgi-bin/CGIStream.cgi?cmd=GetMJStream&usr=admin&pwd=geheim",
                "http://c:88/cgi-bin/CGIStream.cgi?cmd=GetMJStream&usr=***&pwd=***",
            ),
            (
                "VStarcam",
                "http://c:81/videostream.cgi?loginuse=admin&loginpas=geheim",
                "http://c:81/videostream.cgi?loginuse=***&loginpas=***",
            ),
            (
                "Provision, TVT",
                "rtsp://c/profile1?authbasic=YWRtaW46Z2VoZWlt",
                "rtsp://c/profile1?authbasic=***",
            ),
            (
                "padded",
                "rtsp://c/chID=1&streamtype=main&authbasic=YWRtaW46Z2VoZWltMQ==",
                "rtsp://c/chID=1&streamtype=main&authbasic=***",
            ),
            (
                "Reolink",
                "http://c/flv?port=1935&app=bcs&stream=channel0_main.bcs&user=admin&password=geheim",
                "http://c/flv?port=1935&app=bcs&stream=channel0_main.bcs&user=***&password=***",
            ),
            (
                "Reolink, token",
                "rtmp://c/bcs/channel0_main.bcs?channel=0&stream=0&token=geheim",
                "rtmp://c/bcs/channel0_main.bcs?channel=0&stream=0&token=***",
            ),
            (
                "Vivotek, ACTi",
                "http://c/cgi-bin/encoder?USER=Admin&PWD=geheim&GET_STREAM",
                "http://c/cgi-bin/encoder?USER=***&PWD=***",
            ),
            (
                "Milesight, Grandstream",
                "rtsp://c/main?username=admin&passwd=geheim",
                "rtsp://c/main?username=***&passwd=***",
            ),
            (
                "Tenvis",
                "http://c/vjpeg.v?user=admin&pass=geheim",
                "http://c/vjpeg.v?user=***&pass=***",
            ),
            (
                "Uniview",
                "rtsp://c/media/video1?account=admin&psw=geheim",
                "rtsp://c/media/video1?account=***&psw=***",
            ),
            (
                "Blue Iris",
                "http://c/mjpg/cam1?session=geheim",
                "http://c/mjpg/cam1?session=***",
            ),
            (
                "ZoneMinder",
                "http://c/zm/cgi-bin/nph-zms?mode=jpeg&monitor=1&user=a&pass=geheim&auth=geheim",
                "http://c/zm/cgi-bin/nph-zms?mode=jpeg&monitor=1&user=***&pass=***&auth=***",
            ),
            (
                "UniFi",
                "rtsps://c:7441/abc?enableSrtp&key=geheim",
                "rtsps://c:7441/abc?enableSrtp&key=***",
            ),
            (
                "by segments",
                "rtsp://c/live/user=admin/password/geheim/ch1",
                "rtsp://c/live/user=***",
            ),
            (
                "by segments only",
                "rtsp://c/live/password/geheim/ch1",
                "rtsp://c/live/password/***",
            ),
            (
                "packed in the path",
                "rtsp://c/live/YWRtaW46Z2VoZWlt/ch1",
                "rtsp://c/live/***",
            ),
            (
                "packed alone",
                "rtsp://c/live?YWRtaW46Z2VoZWltMQ==",
                "rtsp://c/live?***",
            ),
            (
                "two letters",
                "rtsp://c/live?u=admin&p=geheim",
                "rtsp://c/live?u=***&p=***",
            ),
        ] {
            assert_eq!(redacted(url), want, "{vendor}");
        }
    }

    #[test]
    fn what_holds_no_credentials_is_shown_whole() {
        for url in [
            "rtsp://192.0.2.10:554/stream1",
            "rtsp://c/Streaming/Channels/101?transportmode=unicast&profile=Profile_1",
            "rtsp://c/cam/realmonitor?channel=1&subtype=0&unicast=true&proto=Onvif",
            "rtsp://c/axis-media/media.amp?videocodec=h264&resolution=1280x720&camera=1",
            "rtsp://c/h264Preview_01_main",
            "rtsp://c/live/ch00_0",
            "rtsp://c/11",
            "rtsp://c/media/video1",
            "rtsp://c/videoinput_1:0/h264_1/media.stm"
                .replace(":0", "")
                .as_str(),
            "https://example.com/updates/hindsight-9.0.0-arm64.hsu",
        ] {
            assert_eq!(redacted(url), url);
        }
    }

    #[test]
    fn what_a_camera_repeats_of_its_address_is_hidden_too() {
        let url = "rtsp://c/s?authbasic=YWRtaW46Z2VoZWlt&pwd=ge%20heim&channel=1";
        let said = "no stream at /s?authbasic=YWRtaW46Z2VoZWlt&pwd=ge%20heim&channel=1 for ge heim";
        assert_eq!(
            without_those_of(url, said),
            "no stream at /s?authbasic=<hidden>&pwd=<hidden>&channel=1 for <hidden>"
        );
        assert_eq!(
            without_those_of("rtsp://c/s", "s is not there"),
            "s is not there"
        );
    }

    proptest! {
        #[test]
        fn nothing_of_a_password_is_shown(
            key in prop::sample::select(vec!["password", "pwd", "authbasic", "loginpas", "TOKEN", "p", "admin_pass"]),
            before in "(/[a-z]{1,6}){1,3}[?/]([a-z]{1,5}=[0-9]{1,3}&){0,3}",
            password in "Q[Q/?;.,+~!*$-]{3,12}Q",
        ) {
            let shown = redacted(&format!("rtsp://c{before}{key}={password}&channel=1"));
            prop_assert!(!shown.contains('Q'), "{}", shown);
            prop_assert!(shown.ends_with("=***&channel=1"), "{}", shown);
        }

        #[test]
        fn anything_is_shown_without_a_panic(url in ".{0,80}") {
            let _ = redacted(&url);
            let _ = without_those_of(&url, &url);
        }
    }
}
