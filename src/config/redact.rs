//! What may be shown of an address: nothing of its credentials. Pure.

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
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // Mistyped (`viewer:secret=192.0.2.10`), anything may stand anywhere.
    let authority = if is_host_and_port(authority) {
        authority
    } else {
        "***"
    };
    let path = if path.contains([':', '#']) {
        "/***"
    } else {
        path
    };
    format!(
        "{scheme}{hidden}{authority}{}",
        without_password_fields(path)
    )
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

fn without_password_fields(text: &str) -> String {
    const FIELDS: [&str; 7] = [
        "password=",
        "passwd=",
        "pass=",
        "pwd=",
        "psw=",
        "token=",
        "auth=",
    ];
    let lower = text.to_ascii_lowercase();
    let mut shown = String::new();
    let mut at = 0;
    while at < text.len() {
        let next = FIELDS
            .iter()
            .filter_map(|field| {
                lower[at..]
                    .find(field)
                    .map(|found| at + found + field.len())
            })
            .min();
        let Some(value_at) = next else { break };
        let value_end = text[value_at..].find(['&', '?', '/', ';']);
        shown.push_str(&text[at..value_at]);
        shown.push_str("***");
        at = value_end.map_or(text.len(), |end| value_at + end);
    }
    shown + &text[at..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_holds_no_credentials_wherever_they_stand() {
        for (url, want) in [
            ("rtsp://[2001:db8::1]:554/s", "rtsp://[2001:db8::1]:554/s"),
            ("rtsp://viewer:geheim=192.0.2.10/s", "rtsp://***/s"),
            ("rtsp:/viewer:geheim", "***/***"),
            ("rtsp:///viewer:geheim", "rtsp:///***"),
            (
                "rtsp://192.0.2.10:554/stream1",
                "rtsp://192.0.2.10:554/stream1",
            ),
            ("rtsp://viewer:geheim@cam/s", "rtsp://***@cam/s"),
            ("rtsp://viewer:ge@he/im@cam/s", "rtsp://***@cam/s"),
            ("viewer:geheim@cam/s", "***@cam/s"),
            (
                "rtsp://c/user=a&password=geheim&channel=1",
                "rtsp://c/user=a&password=***&channel=1",
            ),
            (
                "rtsp://c/user=a_PassWord=geheim_channel=1",
                "rtsp://c/user=a_PassWord=***",
            ),
            (
                "rtsp://c/s?pwd=geheim&token=geheim",
                "rtsp://c/s?pwd=***&token=***",
            ),
        ] {
            assert_eq!(redacted(url), want);
        }
    }
}
