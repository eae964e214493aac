//! What the headers of a camera's answers mean, where they are written in ways of their own. Pure.
//!
//! Not here: how headers are read (`text`), what is done with them (`talk`).

use std::net::IpAddr;

use url::Url;

use super::super::sentence::QuirkSentence as Quirk;
use super::quirk::Quirks;

/// Seconds that a session lasts where nobody says so (RFC 2326, 12.37).
const USUAL_TIMEOUT_S: u32 = 60;
/// Streams in one answer.
const MOST_STREAMS: usize = 16;

/// The name of a session, as it is sent back, and its seconds without a sign of life.
pub fn session(value: &str, quirks: &mut Quirks) -> (String, u32) {
    let Some((id, parameters)) = value.split_once(';') else {
        return (value.trim().to_owned(), USUAL_TIMEOUT_S);
    };
    let exact = parameters.trim().strip_prefix("timeout=");
    let exact = exact.and_then(|timeout| timeout.parse::<u32>().ok());
    let timeout = exact.or_else(|| {
        quirks.met(Quirk::OddSession {});
        parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let same = name.trim().eq_ignore_ascii_case("timeout");
            let digits = value.trim().trim_matches('"');
            digits.parse::<u32>().ok().filter(|_| same)
        })
    });
    if timeout == Some(0) {
        quirks.met(Quirk::TimeoutZero {});
    }
    let timeout = timeout.filter(|timeout| *timeout > 0);
    (id.trim().to_owned(), timeout.unwrap_or(USUAL_TIMEOUT_S))
}

/// What SETUP came to.
#[derive(Debug, PartialEq, Eq)]
pub struct SetUp {
    /// Channels of RTP and RTCP.
    pub channels: (u8, u8),
    pub sender: Option<u32>,
}

/// The camera sends by UDP, though it was asked not to.
#[derive(Debug, PartialEq, Eq)]
pub struct OnlyUdp;

/// Of an answer to a SETUP that asked for these channels.
pub fn transport(
    value: Option<&str>,
    asked: (u8, u8),
    quirks: &mut Quirks,
) -> Result<SetUp, OnlyUdp> {
    let fields: Vec<&str> = value.unwrap_or_default().split(';').collect();
    let get = |name: &str| {
        fields.iter().find_map(|field| {
            let (key, value) = field.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let channels = get("interleaved").and_then(channels);
    let tcp = value.is_none_or(|value| value.to_ascii_uppercase().contains("TCP"));
    if channels.is_none() && !tcp && get("client_port").is_some() {
        return Err(OnlyUdp);
    }
    if !exact(&fields) {
        quirks.met(Quirk::OddTransport {});
    }
    let sender = get("ssrc").filter(|digits| digits.len() > 4);
    Ok(SetUp {
        channels: channels.unwrap_or(asked),
        sender: sender.and_then(|digits| u32::from_str_radix(digits, 16).ok()),
    })
}

fn channels(value: &str) -> Option<(u8, u8)> {
    let mut numbers = value.split(['-', ',']).map(|number| number.trim().parse());
    let rtp: u8 = numbers.next()?.ok()?;
    let next = rtp.checked_add(1).unwrap_or(rtp);
    let rtcp = numbers.next().and_then(Result::ok).unwrap_or(next);
    Some((rtp, rtcp))
}

/// As retina wants it.
fn exact(fields: &[&str]) -> bool {
    let mut channels = false;
    let fine = fields.iter().all(|field| match field.split_once('=') {
        Some(("interleaved", pair)) => {
            channels = true;
            let (rtp, rtcp) = pair.split_once('-').unwrap_or((pair, ""));
            let (rtp, rtcp) = (rtp.parse::<u8>(), (rtcp.is_empty(), rtcp.parse::<u8>()));
            match (rtp, rtcp) {
                (Ok(_), (true, _)) => true,
                (Ok(rtp), (false, Ok(rtcp))) => rtp.checked_add(1) == Some(rtcp),
                _ => false,
            }
        }
        Some(("source", address)) => address.parse::<IpAddr>().is_ok(),
        Some(("server_port", pair)) => pair.split_once('-').is_some_and(|(rtp, rtcp)| {
            let rtp = rtp.parse::<u16>().ok().and_then(|rtp| rtp.checked_add(1));
            rtp.is_some() && rtp == rtcp.parse::<u16>().ok()
        }),
        _ => true,
    });
    fine && channels
}

/// Where each stream begins: what of it can be read. `None`: nothing.
pub fn rtp_info(value: &str, quirks: &mut Quirks) -> Option<String> {
    let mut items = Vec::new();
    let mut odd = false;
    // A comma may stand in an address, too.
    for (at, item) in value.split("url=").enumerate().take(MOST_STREAMS) {
        if at == 0 {
            odd |= !item.trim().is_empty();
            continue;
        }
        let (url, parameters) = item.split_once(';').unwrap_or((item, ""));
        let url = url.trim().trim_end_matches(',').trim_matches('"');
        odd |= url.contains([',', '"', ' ']);
        let mut mended = format!("url={}", url.replace(',', "%2C").replace([' ', '"'], ""));
        for parameter in parameters.split([';', ',']).map(str::trim) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let (name, number) = (key.trim().to_ascii_lowercase(), value.trim());
            let fits = match &*name {
                "seq" => number.parse::<u16>().is_ok(),
                "rtptime" => number.parse::<u32>().is_ok(),
                _ => {
                    odd |= !parameter.is_empty() && !parameter.contains('=');
                    continue;
                }
            };
            odd |= name == "seq" && (!fits || key != "seq" || value != number);
            if fits {
                mended += &format!(";{name}={number}");
            }
        }
        items.push(mended);
    }
    if odd || items.is_empty() {
        quirks.met(Quirk::OddRtpInfo {});
    }
    (!items.is_empty()).then(|| items.join(","))
}

/// The address to which a description's others are relative, as retina resolves it; `asked` where the camera
/// names none that is one.
pub fn base(value: Option<&str>, asked: &str, quirks: &mut Quirks) -> String {
    let Some(value) = value else {
        return asked.to_owned();
    };
    for candidate in [value.to_owned(), format!("rtsp://{value}")] {
        let host = |url: Url| url.host_str().is_some_and(|host| !host.is_empty());
        let has_host = Url::parse(&candidate).is_ok_and(host);
        if has_host && candidate.is_ascii() && !candidate.contains(char::is_whitespace) {
            return candidate;
        }
    }
    quirks.met(Quirk::OddContentBase {});
    asked.to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn met(read: impl FnOnce(&mut Quirks)) -> Vec<Quirk> {
        let mut quirks = Quirks::default();
        read(&mut quirks);
        quirks.all().to_vec()
    }

    #[test]
    fn sessions_are_read_as_cameras_write_them() {
        let odd = vec![Quirk::OddSession {}];
        for (value, id, timeout, quirks) in [
            ("1234ABCD", "1234ABCD", 60, vec![]),
            ("1234ABCD;timeout=30", "1234ABCD", 30, vec![]),
            ("1234ABCD; timeout=30", "1234ABCD", 30, vec![]),
            ("12345;timeout=0", "12345", 60, vec![Quirk::TimeoutZero {}]),
            ("12345;timeout = 60", "12345", 60, odd.clone()),
            ("12345;Timeout=\"45\"", "12345", 45, odd.clone()),
            ("12345;timeout=60;foo=bar", "12345", 60, odd.clone()),
            ("12345;timeout=soon", "12345", 60, odd.clone()),
            ("12345;", "12345", 60, odd.clone()),
        ] {
            let found = met(|quirks| {
                assert_eq!(session(value, quirks), (id.to_owned(), timeout), "{value}");
            });
            assert_eq!(found, quirks, "{value}");
        }
    }

    #[test]
    fn transports_are_read_as_cameras_write_them() {
        let odd = vec![Quirk::OddTransport {}];
        for (value, channels, sender, quirks) in [
            (
                "RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=11223344",
                (2, 3),
                Some(0x1122_3344),
                vec![],
            ),
            (
                "RTP/AVP/TCP;unicast;interleaved=2;ssrc=A046",
                (2, 3),
                None,
                vec![],
            ),
            (
                "RTP/AVP/TCP;unicast;interleaved = 4-5",
                (4, 5),
                None,
                odd.clone(),
            ),
            (
                "RTP/AVP/TCP;unicast;interleaved=0-0",
                (0, 0),
                None,
                odd.clone(),
            ),
            (
                "RTP/AVP/TCP;unicast;interleaved=1-0",
                (1, 0),
                None,
                odd.clone(),
            ),
            ("RTP/AVP/TCP;unicast", (0, 1), None, odd.clone()),
            ("", (0, 1), None, odd.clone()),
            (
                "RTP/AVP/TCP;unicast;interleaved=0-1;server_port=-1--1",
                (0, 1),
                None,
                odd.clone(),
            ),
            (
                "RTP/AVP/TCP;interleaved=0-1;source=camera",
                (0, 1),
                None,
                odd.clone(),
            ),
            (
                "RTP/AVP;unicast;interleaved=0-1;source=192.0.2.1",
                (0, 1),
                None,
                vec![],
            ),
        ] {
            let given = (!value.is_empty()).then_some(value);
            let found = met(|quirks| {
                let set_up = SetUp { channels, sender };
                assert_eq!(transport(given, (0, 1), quirks), Ok(set_up), "{value}");
            });
            assert_eq!(found, quirks, "{value}");
        }
        let udp = "RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001";
        let mut quirks = Quirks::default();
        assert_eq!(transport(Some(udp), (0, 1), &mut quirks), Err(OnlyUdp));
    }

    #[test]
    fn where_streams_begin_is_read_as_cameras_write_it() {
        let odd = vec![Quirk::OddRtpInfo {}];
        for (value, mended, quirks) in [
            (
                "url=rtsp://h/x/1;seq=5;rtptime=7,url=rtsp://h/x/2;seq=6;rtptime=8",
                Some("url=rtsp://h/x/1;seq=5;rtptime=7,url=rtsp://h/x/2;seq=6;rtptime=8"),
                vec![],
            ),
            (
                "url=rtsp://h/x/1;seq=5;rtptime=7;ssrc=1, url=rtsp://h/x/2;rtptime=8",
                Some("url=rtsp://h/x/1;seq=5;rtptime=7,url=rtsp://h/x/2;rtptime=8"),
                vec![],
            ),
            (
                "url=rtsp://h/x/1;seq=;rtptime=7",
                Some("url=rtsp://h/x/1;rtptime=7"),
                odd.clone(),
            ),
            (
                "url=rtsp://h/x/1;seq=70000",
                Some("url=rtsp://h/x/1"),
                odd.clone(),
            ),
            (
                "url=rtsp://h/x/1;seq = 5",
                Some("url=rtsp://h/x/1;seq=5"),
                odd.clone(),
            ),
            (
                "url=rtsp://h/a,b/1;seq=5",
                Some("url=rtsp://h/a%2Cb/1;seq=5"),
                odd.clone(),
            ),
            (
                "url=rtsp://h/x/1;now",
                Some("url=rtsp://h/x/1"),
                odd.clone(),
            ),
            ("rtsp://h/x/1;seq=5", None, odd.clone()),
        ] {
            let found = met(|quirks| {
                assert_eq!(rtp_info(value, quirks).as_deref(), mended, "{value}");
            });
            assert_eq!(found, quirks, "{value}");
        }
    }

    #[test]
    fn a_base_that_is_no_address_is_the_one_that_was_asked_for() {
        let asked = "rtsp://192.0.2.1/live";
        for (value, expected, odd) in [
            (None, asked, false),
            (
                Some("rtsp://10.0.0.1:554/live/"),
                "rtsp://10.0.0.1:554/live/",
                false,
            ),
            (Some("192.0.2.1/live/"), "rtsp://192.0.2.1/live/", false),
            (Some("/live/"), asked, true),
            (Some("rtsp://192.0.2.1/li ve/"), asked, true),
        ] {
            let found = met(|quirks| assert_eq!(base(value, asked, quirks), expected));
            assert_eq!(!found.is_empty(), odd, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn any_value_is_read(value in "[ -~]{0,60}|\\PC{0,30}|(url=[ -~]{0,20}){0,5}") {
            let mut quirks = Quirks::default();
            prop_assert!(session(&value, &mut quirks).1 > 0);
            let _ = transport(Some(&value), (0, 1), &mut quirks);
            rtp_info(&value, &mut quirks);
            base(Some(&value), "rtsp://h/", &mut quirks);
        }
    }
}
