//! What a camera's SDP says of its tracks beyond their coding: which way each goes, and what belongs together. Pure.
//!
//! Not here: codings, which the RTSP library reads; which tracks are taken (`tracks`).

/// More sections than this no camera has.
const MOST_SECTIONS: usize = 64;
/// More codings of a track, or more words on one, neither.
const MOST_CODINGS: usize = 16;
const LONGEST_FMTP: usize = 16_384;

/// Which way a track goes, by the word in the SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    SendOnly,
    RecvOnly,
    Both,
    Inactive,
}

/// One `m=` of an SDP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub media: String,
    pub control: String,
    pub direction: Option<Direction>,
    /// An attribute of the maker's says that it is for talking to the camera.
    pub talk: bool,
    /// Its number in the groups of what belongs together (`a=group:LS`), if it is in one.
    pub group: Option<usize>,
    /// What is said of its codings, by payload type.
    fmtp: Vec<(u8, String)>,
    mid: String,
}

/// The sections in their order; what is no SDP has none.
pub(super) fn sections(sdp: &[u8]) -> Vec<Section> {
    let text = String::from_utf8_lossy(sdp);
    let mut sections: Vec<Section> = Vec::new();
    let mut session = Section::default();
    let mut groups: Vec<Vec<&str>> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(media) = line.strip_prefix("m=") {
            if sections.len() == MOST_SECTIONS {
                break;
            }
            let kind = media.split_ascii_whitespace().next().unwrap_or("");
            sections.push(Section {
                media: kind.to_ascii_lowercase(),
                direction: session.direction,
                ..Section::default()
            });
        } else if let Some(attribute) = line.strip_prefix("a=") {
            if let Some(mids) = attribute.strip_prefix("group:LS ") {
                groups.push(mids.split_ascii_whitespace().collect());
            }
            sections.last_mut().unwrap_or(&mut session).learn(attribute);
        }
    }
    for section in &mut sections {
        let of_mine = |group: &Vec<&str>| group.contains(&section.mid.as_str());
        section.group = groups.iter().position(of_mine);
    }
    sections
}

impl Section {
    /// What is said of the coding of this payload type; empty if nothing.
    pub fn fmtp(&self, payload_type: u8) -> &str {
        let found = self.fmtp.iter().find(|(of, _)| *of == payload_type);
        found.map_or("", |(_, text)| text)
    }

    fn learn(&mut self, attribute: &str) {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        match name.trim() {
            "sendonly" => self.direction = Some(Direction::SendOnly),
            "recvonly" => self.direction = Some(Direction::RecvOnly),
            "sendrecv" => self.direction = Some(Direction::Both),
            "inactive" => self.direction = Some(Direction::Inactive),
            "fmtp" if self.fmtp.len() < MOST_CODINGS && value.len() <= LONGEST_FMTP => {
                let (of, text) = value
                    .trim()
                    .split_once(char::is_whitespace)
                    .unwrap_or((value, ""));
                if let Ok(of) = of.parse() {
                    self.fmtp.push((of, text.trim().to_owned()));
                }
            }
            "mid" => value.trim().clone_into(&mut self.mid),
            "control" => {
                value.trim().clone_into(&mut self.control);
                self.talk |= says_talk(value);
            }
            // Hikvision, Dahua and others name their back channel in an attribute of their own.
            name if name.starts_with("x-") => self.talk |= says_talk(attribute),
            _ => {}
        }
    }
}

fn says_talk(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    [
        "backchannel",
        "back-channel",
        "audioback",
        "talkback",
        "x-talk",
        "twowayaudio",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// Which section tells of each track, given as (media, end of its control URL) in their order. The library leaves out sections
/// that it cannot read, so the count alone does not tell.
pub(super) fn matched(sections: &[Section], tracks: &[(&str, &str)]) -> Vec<Option<usize>> {
    let mut used = vec![false; sections.len()];
    let by_control = |used: &[bool], media: &str, url: &str| {
        sections.iter().enumerate().position(|(n, section)| {
            !used[n]
                && section.media == media
                && !section.control.is_empty()
                && url.ends_with(&section.control)
        })
    };
    let by_order = |used: &[bool], media: &str| {
        let mut free = sections.iter().zip(used);
        free.position(|(section, used)| !used && section.media == media)
    };
    let mut found: Vec<Option<usize>> = Vec::new();
    for (media, url) in tracks {
        let at = by_control(&used, media, url);
        if let Some(n) = at {
            used[n] = true;
        }
        found.push(at);
    }
    for (at, (media, _)) in found.iter_mut().zip(tracks) {
        if at.is_none() {
            *at = by_order(&used, media);
            if let Some(n) = *at {
                used[n] = true;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONVIF: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=x\r\na=recvonly\r\na=group:LS v a\r\n\
        m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\na=mid:v\r\n\
        m=audio 0 RTP/AVP 0\r\na=control:trackID=2\r\na=mid:a\r\n\
        m=audio 0 RTP/AVP 8\r\na=control:trackID=3\r\na=sendonly\r\n\
        m=application 0 RTP/AVP 107\r\na=control:trackID=4\r\n";

    #[test]
    fn a_direction_of_the_session_holds_where_a_track_has_none_of_its_own() {
        let sections = sections(ONVIF.as_bytes());
        let directions: Vec<_> = sections.iter().map(|s| s.direction).collect();
        let recv = Some(Direction::RecvOnly);
        assert_eq!(directions, [recv, recv, Some(Direction::SendOnly), recv]);
        let groups: Vec<_> = sections.iter().map(|s| s.group).collect();
        assert_eq!(groups, [Some(0), Some(0), None, None]);
    }

    #[test]
    fn a_back_channel_is_known_by_what_its_maker_calls_it() {
        for talk in [
            "a=x-onvif-track:BackChannel0",
            "a=control:rtsp://192.0.2.10/audioback",
            "a=x-talk",
        ] {
            assert!(
                sections(format!("m=audio 0 RTP/AVP 0\n{talk}\n").as_bytes())[0].talk,
                "{talk}"
            );
        }
        for other in [
            "a=x-onvif-track:AUDIO000",
            "a=x-bufferdelay:0.5",
            "a=control:trackID=2",
        ] {
            assert!(
                !sections(format!("m=audio 0 RTP/AVP 0\n{other}\n").as_bytes())[0].talk,
                "{other}"
            );
        }
    }

    #[test]
    fn tracks_are_found_by_their_control_and_else_by_their_order() {
        let sections = sections(ONVIF.as_bytes());
        let base = "rtsp://192.0.2.10/stream/";
        let url = |end: &str| format!("{base}{end}");
        let (second, third) = (url("trackID=2"), url("trackID=3"));
        let found = matched(&sections, &[("audio", &third), ("audio", &second)]);
        assert_eq!(found, [Some(2), Some(1)]);
        let found = matched(
            &sections,
            &[("video", base), ("audio", base), ("text", base)],
        );
        assert_eq!(found, [Some(0), Some(1), None]);
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "([ma]=[a-z:x-]{0,12}( [0-9]{1,3})?\r?\n){0,90}", noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(sections(text.as_bytes()).len() <= MOST_SECTIONS);
            let found = sections(&noise);
            prop_assert_eq!(matched(&found, &[("audio", "")]).len(), 1);
        }
    }
}
