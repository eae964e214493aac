//! What is tolerated of cameras' RTSP, each with the camera it was seen with; and how retina says that it
//! refuses it.
//!
//! Not here: the mending (`text`, `mend`, `sdp_text`, `sign_in`, `keepalive`).

use super::super::sentence::QuirkSentence as Quirk;
use crate::base::Coded;

/// A quirk that the relay mends.
#[derive(Debug)]
pub struct QuirkRow {
    pub quirk: Quirk,
    /// Whose it is: for who reads the table.
    #[cfg_attr(not(test), allow(dead_code))]
    pub seen_with: &'static str,
    /// A part of what retina says when it refuses it; empty where that says something else.
    refusal: &'static str,
}

const fn row(quirk: Quirk, seen_with: &'static str, refusal: &'static str) -> QuirkRow {
    QuirkRow {
        quirk,
        seen_with,
        refusal,
    }
}

/// In the order in which a refusal is looked up.
pub const QUIRKS: &[QuirkRow] = &[
    row(
        Quirk::HeaderWithoutValue {},
        "Amcrest, Dahua (MediaMTX 34, 368)",
        "message-header > field-value",
    ),
    row(
        Quirk::BlankFoldedLine {},
        "Luma x20 (scrypted 2137)",
        "message-header > field-name",
    ),
    row(Quirk::FoldedLine {}, "servers of the time of RFC 2068", ""),
    row(
        Quirk::LineWithoutColon {},
        "unnamed OEM firmware (ffmpeg takes it)",
        "",
    ),
    row(
        Quirk::OddHeaderName {},
        "unnamed OEM firmware (a blank before the colon)",
        "",
    ),
    row(
        Quirk::HeaderNotAscii {},
        "cameras named by their owners, in Server and realm",
        "",
    ),
    row(Quirk::LineEnds {}, "home-made servers on ESP32", ""),
    row(
        Quirk::NoReasonPhrase {},
        "home-made servers, \"RTSP/1.0 200\"",
        "status-line",
    ),
    row(
        Quirk::OddStatusLine {},
        "home-made servers, two blanks or another version",
        "",
    ),
    row(
        Quirk::OddLength {},
        "unnamed OEM firmware, \"Content-Length: 512 bytes\"",
        "Content-Length",
    ),
    row(
        Quirk::OddSequence {},
        "Tapo (answers with the previous CSeq), home-made servers without it",
        "cseq",
    ),
    row(Quirk::OddSequence {}, "the same", "response with CSeq"),
    row(
        Quirk::AsksUs {},
        "servers on gortsplib (gortsplib 56)",
        "request",
    ),
    row(
        Quirk::NoSession {},
        "home-made servers",
        "Missing Session header",
    ),
    row(
        Quirk::SessionChanges {},
        "servers with a session for each track",
        "session id changed",
    ),
    row(
        Quirk::TimeoutZero {},
        "unnamed, \"Session: 12345;timeout=0\"",
        "timeout=0",
    ),
    row(
        Quirk::OddSession {},
        "unnamed, \"timeout = 60\"",
        "Unparseable timeout",
    ),
    row(
        Quirk::OddSession {},
        "the same",
        "Unparseable Session header",
    ),
    row(
        Quirk::OddTransport {},
        "cameras without interleaved=, or with server_port=-1",
        "Transport header",
    ),
    row(Quirk::OddTransport {}, "the same", "channel number"),
    row(Quirk::OddTransport {}, "the same", "adjacent channels"),
    // Retina says so of each packet.
    row(Quirk::OtherSender {}, "OEM firmware (retina 121)", ""),
    row(
        Quirk::OddRtpInfo {},
        "unnamed, \"seq=;rtptime=\"; names of streams with commas",
        "bad seq",
    ),
    row(Quirk::OddRtpInfo {}, "the same", "RTP-Info"),
    row(
        Quirk::OddContentType {},
        "servers that add a charset",
        "content type",
    ),
    row(
        Quirk::OddContentBase {},
        "relative addresses in Content-Base",
        "bad Content-",
    ),
    row(
        Quirk::OddContentBase {},
        "the same",
        "unable to join base url",
    ),
    row(
        Quirk::SdpNotText {},
        "cameras whose name has an umlaut in Latin-1",
        "ncoding",
    ),
    row(
        Quirk::SdpNegativePort {},
        "unnamed, \"m=video -1 RTP/AVP 96\"",
        "Port",
    ),
    row(
        Quirk::OddSdp {},
        "lines without =, no v=, two o=",
        "Unable to parse SDP",
    ),
    row(
        Quirk::OddSdp {},
        "the same, in all tracks",
        "No parseable streams",
    ),
    row(
        Quirk::OddChallenge {},
        "OvenMediaEngine 1936 (blanks for commas)",
        "Can't understand WWW-Authenticate",
    ),
    row(Quirk::DigestAlgorithm {}, "Hikvision OEM (go2rtc 2344)", ""),
    row(Quirk::NonceOnce {}, "RFC 7616 allows it", ""),
    row(Quirk::NonceExpires {}, "Axis M5525 (SharpRTSP 126)", ""),
    row(
        Quirk::SilentKeepAlive {},
        "unnamed; it sends, and that is answer enough",
        "failed to respond to keepalive",
    ),
    row(
        Quirk::OddKeepAlive {},
        "Amcrest, Dahua; Tapo",
        "Unexpected RTSP response",
    ),
    row(
        Quirk::OddBytes {},
        "MediaMTX 1085; a message longer than it said",
        "Invalid RTSP message",
    ),
];

/// What was mended, once each, in the order in which it was met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks(Vec<Quirk>);

impl Quirks {
    pub fn met(&mut self, quirk: Quirk) {
        if !self.0.contains(&quirk) {
            self.0.push(quirk);
        }
    }

    pub fn first(&self) -> Option<&Quirk> {
        self.0.first()
    }

    #[cfg(test)]
    pub fn all(&self) -> &[Quirk] {
        &self.0
    }
}

/// By the code of its sentence.
pub fn by_code(code: &str) -> Option<Quirk> {
    let row = QUIRKS.iter().find(|row| row.quirk.code() == code);
    row.map(|row| row.quirk.clone())
}

/// What retina refused, by the first line of its error and the status of the answer that it is about; `None`
/// where it was something else.
pub fn of_refusal(line: &str, status: Option<u16>) -> Option<Quirk> {
    let of_text = line.starts_with("RTSP framing error");
    let of_answer = status.is_some_and(|status| (200..300).contains(&status));
    let of_challenge = line.contains("Can't understand WWW-Authenticate");
    let of_keep_alive = line.contains("failed to respond to keepalive");
    if !(of_text || of_answer || of_challenge || of_keep_alive) {
        return None;
    }
    // What an answer says of itself comes before the colon, and may have any word in it.
    let said = match line.split_once("CSeq=") {
        Some((_, behind)) if of_answer => behind,
        _ => line,
    };
    let row = QUIRKS
        .iter()
        .find(|row| !row.refusal.is_empty() && said.contains(row.refusal));
    Some(row.map_or(Quirk::OddBytes {}, |row| row.quirk.clone()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_retina_refuses_is_known_by_its_words() {
        for (line, quirk) in [
            (
                "RTSP framing error: Invalid RTSP message: byte 35: response > message-header > field-value; buffered:",
                Some(Quirk::HeaderWithoutValue {}),
            ),
            (
                "RTSP framing error: Invalid RTSP message: byte 99: response > message-header > field-name; buffered:",
                Some(Quirk::BlankFoldedLine {}),
            ),
            (
                "RTSP framing error: Invalid RTSP message: byte 12: status-line; buffered:",
                Some(Quirk::NoReasonPhrase {}),
            ),
            (
                "200 response to SETUP CSeq=3: Invalid timeout=0 in Session header \"12345;timeout=0\"",
                Some(Quirk::TimeoutZero {}),
            ),
            (
                "200 response to SETUP CSeq=3: Missing Session header",
                Some(Quirk::NoSession {}),
            ),
            (
                "200 response to PLAY CSeq=4: bad seq \"\"",
                Some(Quirk::OddRtpInfo {}),
            ),
            (
                "200 response to DESCRIBE CSeq=1: Unable to parse SDP: Line 3 had invalid encoding",
                Some(Quirk::SdpNotText {}),
            ),
            (
                "RTSP framing error: Unexpected RTSP response Response {",
                Some(Quirk::OddKeepAlive {}),
            ),
            (
                "Error reading from RTSP peer: Server failed to respond to keepalive 6 within 3s",
                Some(Quirk::SilentKeepAlive {}),
            ),
            (
                "401 response to DESCRIBE CSeq=1: Can't understand WWW-Authenticate header: x",
                Some(Quirk::OddChallenge {}),
            ),
            (
                "RTSP framing error: something new",
                Some(Quirk::OddBytes {}),
            ),
            (
                "404 response to DESCRIBE CSeq=1: Unexpected RTSP response status",
                None,
            ),
            (
                "401 response to DESCRIBE CSeq=2: Received Unauthorized after trying digest auth",
                None,
            ),
            (
                "Unable to connect to RTSP server: Connection refused (os error 111)",
                None,
            ),
        ] {
            let status = line.get(..3).and_then(|digits| digits.parse().ok());
            assert_eq!(of_refusal(line, status), quirk, "{line}");
        }
    }

    #[test]
    fn each_tolerated_quirk_names_who_has_it() {
        for row in QUIRKS {
            assert!(!row.seen_with.is_empty(), "{:?}", row.quirk);
            assert!(row.quirk.code().starts_with("camera_quirk_"));
        }
    }

    #[test]
    fn a_quirk_is_met_once() {
        let mut quirks = Quirks::default();
        for _ in 0..3 {
            quirks.met(Quirk::NoSession {});
            quirks.met(Quirk::OddSdp {});
        }
        assert_eq!(quirks.all(), [Quirk::NoSession {}, Quirk::OddSdp {}]);
        assert_eq!(quirks.first(), Some(&Quirk::NoSession {}));
    }
}
