//! Which of the streams that a camera offers are taken, and what is said of the others.
//!
//! Not here: the calls to the camera (`session`).

use retina::client::Stream;

use crate::media::Codec;

use super::sentence::CaptureSentence;

/// Which of a camera's streams are taken.
pub(super) struct Chosen {
    pub video: usize,
    pub codec: Codec,
    pub audio: Option<usize>,
    pub audio_rate: Option<u32>,
    pub left_out: Vec<CaptureSentence>,
}

/// The first H.264 or H.265, and the first AAC.
pub(super) fn choose(streams: &[Stream]) -> Result<Chosen, CaptureSentence> {
    let codec_of = |stream: &Stream| match (stream.media(), stream.encoding_name()) {
        ("video", "h264") => Some(Codec::H264),
        ("video", "h265") => Some(Codec::H265),
        ("audio", "mpeg4-generic") if stream.parameters().is_some() => Some(Codec::Aac),
        _ => None,
    };
    let first = |audio: bool| {
        streams.iter().enumerate().find_map(|(index, stream)| {
            codec_of(stream)
                .filter(|codec| (*codec == Codec::Aac) == audio)
                .map(|codec| (index, codec))
        })
    };
    let Some((video, codec)) = first(false) else {
        return Err(no_video(streams));
    };
    let audio = first(true).map(|(index, _)| index);
    let left_out = streams
        .iter()
        .enumerate()
        .filter(|(index, stream)| {
            *index != video && Some(*index) != audio && stream.media() != "application"
        })
        .map(|(_, stream)| CaptureSentence::TrackLeftOut {
            media: plain(stream.media()),
            encoding: name_of(stream),
        })
        .collect();
    Ok(Chosen {
        video,
        codec,
        audio,
        audio_rate: audio.map(|index| streams[index].clock_rate_hz()),
        left_out,
    })
}

fn no_video(streams: &[Stream]) -> CaptureSentence {
    let offers: Vec<String> = streams.iter().map(name_of).collect();
    CaptureSentence::OffersNoVideo {
        offers: offers.join(", "),
    }
}

fn name_of(stream: &Stream) -> String {
    match stream.encoding_name() {
        "pcmu" | "pcma" => "G.711".to_owned(),
        other => plain(&other.to_ascii_uppercase()),
    }
}

/// Names come from the network and go to logs.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic())
        .take(32)
        .collect()
}
