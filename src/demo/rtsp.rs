//! RTSP messages as bytes: what a client sends, what we answer.
//!
//! Pure; the conversation is in `session`.

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RtspRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
}

impl RtspRequest {
    pub fn header(&self, name: &str) -> Option<&str> {
        let same = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .find(same)
            .map(|(_, value)| value.as_str())
    }
}

/// What stands at the front of the bytes read so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// Not yet whole.
    Partial,
    /// A request of so many bytes.
    RtspRequest(RtspRequest, usize),
    /// Interleaved data (RTCP of the client), of so many bytes.
    Data(usize),
    /// Neither.
    Bad,
}

const LONGEST: usize = 64 * 1024;

pub(super) fn front(bytes: &[u8]) -> Front {
    if let [b'$', rest @ ..] = bytes {
        return match rest {
            [_, high, low, ..] => {
                let len = 4 + usize::from(u16::from_be_bytes([*high, *low]));
                if bytes.len() >= len {
                    Front::Data(len)
                } else {
                    Front::Partial
                }
            }
            _ => Front::Partial,
        };
    }
    let Some(head) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return if bytes.len() > LONGEST {
            Front::Bad
        } else {
            Front::Partial
        };
    };
    let Some(request) = std::str::from_utf8(&bytes[..head]).ok().and_then(parse) else {
        return Front::Bad;
    };
    let body = request
        .header("Content-Length")
        .map_or(Ok(0), |n| n.trim().parse::<usize>());
    match body {
        Ok(body) if body <= LONGEST && bytes.len() >= head + 4 + body => {
            Front::RtspRequest(request, head + 4 + body)
        }
        Ok(body) if body <= LONGEST => Front::Partial,
        _ => Front::Bad,
    }
}

fn parse(head: &str) -> Option<RtspRequest> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, url, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with("RTSP/") {
        return None;
    }
    let headers = lines.map(|line| {
        let (key, value) = line.split_once(':')?;
        Some((key.trim().to_owned(), value.trim().to_owned()))
    });
    Some(RtspRequest {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: headers.collect::<Option<_>>()?,
    })
}

/// An answer to `request`.
pub(super) fn answer(
    request: &RtspRequest,
    status: u16,
    headers: &[(&str, String)],
    body: &str,
) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        302 => "Found",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        454 => "Session Not Found",
        461 => "Unsupported Transport",
        503 => "Service Unavailable",
        _ => "Refused",
    };
    let sequence = request.header("CSeq").unwrap_or("0");
    let mut text = format!("RTSP/1.0 {status} {reason}\r\nCSeq: {sequence}\r\n");
    for (key, value) in headers {
        text += &format!("{key}: {value}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    (text + "\r\n" + body).into_bytes()
}

/// What a SETUP asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransportOffer {
    /// Channel of RTP; RTCP has the next one.
    Tcp(Option<u8>),
    /// The client's ports for RTP and RTCP.
    Udp(u16, u16),
}

/// The first transport of a `Transport` header that we can do.
pub(super) fn transport(header: &str) -> Option<TransportOffer> {
    header.split(',').find_map(|offer| {
        let fields: Vec<&str> = offer.split(';').map(str::trim).collect();
        let pair = |name: &str| {
            let value = fields.iter().find_map(|f| f.strip_prefix(name))?;
            let (first, second) = value.split_once('-').unwrap_or((value, ""));
            let first = first.parse::<u16>().ok()?;
            Some((first, second.parse().unwrap_or(first.wrapping_add(1))))
        };
        match fields.first().copied()? {
            "RTP/AVP/TCP" => Some(TransportOffer::Tcp(
                pair("interleaved=").and_then(|(channel, _)| u8::try_from(channel).ok()),
            )),
            "RTP/AVP" | "RTP/AVP/UDP" if !fields.contains(&"multicast") => {
                pair("client_port=").map(|(rtp, rtcp)| TransportOffer::Udp(rtp, rtcp))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_when_its_body_is() {
        let text = b"SET_PARAMETER rtsp://h/x RTSP/1.0\r\nCSeq: 7\r\ncontent-length: 2\r\n\r\nab$";
        for cut in 0..text.len() - 1 {
            assert_eq!(front(&text[..cut]), Front::Partial, "{cut} bytes");
        }
        let Front::RtspRequest(request, len) = front(text) else {
            panic!("not taken");
        };
        assert_eq!(
            (request.method.as_str(), len),
            ("SET_PARAMETER", text.len() - 1)
        );
        assert_eq!(request.header("cseq"), Some("7"));
    }

    #[test]
    fn interleaved_data_is_stepped_over_and_nonsense_is_named() {
        assert_eq!(front(b"$\x01\x00\x02ab"), Front::Data(6));
        assert_eq!(front(b"$\x01\x00\x02a"), Front::Partial);
        assert_eq!(front(b"GET / HTTP/1.1\r\n\r\n"), Front::Bad);
        assert_eq!(front(b"X\r\n\r\n"), Front::Bad);
    }

    #[test]
    fn transports_are_read_as_clients_write_them() {
        for (text, asked) in [
            (
                "RTP/AVP/TCP;unicast;interleaved=2-3",
                Some(TransportOffer::Tcp(Some(2))),
            ),
            ("RTP/AVP/TCP;unicast", Some(TransportOffer::Tcp(None))),
            (
                "RTP/AVP;unicast;client_port=5000-5001",
                Some(TransportOffer::Udp(5000, 5001)),
            ),
            (
                "RTP/AVP/UDP;unicast;client_port=5000",
                Some(TransportOffer::Udp(5000, 5001)),
            ),
            (
                "RTP/AVP;multicast,RTP/AVP/TCP;interleaved=0-1",
                Some(TransportOffer::Tcp(Some(0))),
            ),
            ("RAW/RAW/UDP", None),
        ] {
            assert_eq!(transport(text), asked, "{text}");
        }
    }
}
