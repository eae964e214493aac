//! What the camera says about its tracks.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::footage::Footage;
use super::reel::{Coding, Reel};
use crate::base::hex;

/// RTP payload type of a track.
pub(super) fn payload_type(coding: &Coding) -> u8 {
    match coding {
        Coding::H264(_) | Coding::H265(_) => 96,
        Coding::Aac { .. } => 97,
        Coding::Pcmu => 0,
        Coding::Pcma => 8,
    }
}

/// The session description; tracks are `trackID=1` (video) and `trackID=2` (audio).
pub(super) fn describe(
    footage: &Footage,
    with_audio: bool,
    with_sets: bool,
    back_channel: bool,
) -> String {
    let mut sdp = String::from(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=Hindsight demo\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\na=range:npt=now-\r\n",
    );
    media(&mut sdp, "video", 1, &footage.video, with_sets);
    if back_channel {
        // As ONVIF has it: what the client may send.
        sdp.push_str("m=audio 0 RTP/AVP 0\r\na=control:trackID=3\r\na=sendonly\r\n");
    }
    if let Some(audio) = footage.audio.as_ref().filter(|_| with_audio) {
        media(&mut sdp, "audio", 2, audio, with_sets);
    }
    sdp
}

fn media(sdp: &mut String, kind: &str, id: u8, reel: &Reel, with_sets: bool) {
    let number = payload_type(&reel.coding);
    let (name, fmtp) = words(&reel.coding, with_sets);
    let channels = match reel.coding {
        Coding::Aac { channels, .. } => format!("/{channels}"),
        _ => String::new(),
    };
    let rate = reel.rate;
    // Writing to a String cannot fail.
    let _ = write!(sdp, "m={kind} 0 RTP/AVP {number}\r\n");
    // Payload type 0 says it all, and some cameras leave it at that.
    if reel.coding != Coding::Pcmu {
        let _ = write!(sdp, "a=rtpmap:{number} {name}/{rate}{channels}\r\n");
    }
    if !fmtp.is_empty() {
        let _ = write!(sdp, "a=fmtp:{number} {fmtp}\r\n");
    }
    let _ = write!(sdp, "a=control:trackID={id}\r\n");
}

/// Name of the coding, and its format parameters.
fn words(coding: &Coding, with_sets: bool) -> (&'static str, String) {
    match coding {
        Coding::H264(sets) => ("H264", h264(sets, with_sets)),
        Coding::H265(sets) if with_sets => ("H265", h265(sets)),
        Coding::H265(_) => ("H265", String::new()),
        Coding::Aac { config, .. } => {
            let config = hex(config);
            let fmtp = format!(
                "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config={config}"
            );
            ("mpeg4-generic", fmtp)
        }
        Coding::Pcmu => ("PCMU", String::new()),
        Coding::Pcma => ("PCMA", String::new()),
    }
}

fn h264(sets: &[Vec<u8>], with_sets: bool) -> String {
    if !with_sets {
        return "packetization-mode=1".into();
    }
    let profile: String = sets
        .first()
        .and_then(|sps| sps.get(1..4))
        .map(hex)
        .unwrap_or_default();
    let sets: Vec<String> = sets.iter().map(|set| STANDARD.encode(set)).collect();
    format!(
        "packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={}",
        sets.join(",")
    )
}

fn h265(sets: &[Vec<u8>]) -> String {
    let of_kind = |kind: u8| {
        let sets = sets
            .iter()
            .filter(|s| s.first().is_some_and(|b| b >> 1 & 0x3f == kind));
        sets.map(|s| STANDARD.encode(s))
            .collect::<Vec<_>>()
            .join(",")
    };
    format!(
        "sprop-vps={};sprop-sps={};sprop-pps={}",
        of_kind(32),
        of_kind(33),
        of_kind(34)
    )
}
