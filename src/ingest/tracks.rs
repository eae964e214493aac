//! Which of the streams that a camera offers are taken, and what is said of the others.
//!
//! One of pictures, and the sound that belongs to it: never the way back, by which one talks to a camera.
//!
//! Not here: the calls to the camera (`session`), how an SDP says which way a track goes (`sdp`).

use retina::client::Stream;

use crate::config::CameraSound;
use crate::media::{Codec, Track, TrackParams, pcm};

use super::depacketize::AacForm;
use super::sdp::{self, Direction, Section};
use super::sentence::CaptureSentence;

/// So many are named; an SDP may hold thousands.
const NAMED: usize = 8;

/// Which of a camera's streams are taken.
pub(super) struct Chosen {
    pub video: usize,
    pub codec: Codec,
    pub audio: Option<usize>,
    pub audio_rate: Option<u32>,
    /// What the SDP says of the coding of each.
    pub video_fmtp: String,
    pub audio_fmtp: String,
    pub left_out: Vec<CaptureSentence>,
}

/// The first H.264 or H.265, and its sound.
pub(super) fn choose(
    streams: &[Stream],
    sdp: &[u8],
    sound: CameraSound,
) -> Result<Chosen, CaptureSentence> {
    let sections = sdp::sections(sdp);
    let urls = streams.iter().map(|stream| {
        let control = stream.control();
        (stream.media(), control.map_or("", |url| url.as_str()))
    });
    let matched = sdp::matched(&sections, &urls.collect::<Vec<_>>());
    let sections: Vec<Option<&Section>> = matched
        .into_iter()
        .map(|section| section.and_then(|n| sections.get(n)))
        .collect();
    let offers: Vec<Offer> = streams
        .iter()
        .zip(&sections)
        .map(|(stream, section)| Offer::of(stream, *section))
        .collect();
    let picked = pick(&offers, sound)?;
    let fmtp = |index: usize| {
        let section = sections.get(index).copied().flatten();
        section
            .zip(streams.get(index))
            .map_or("", |(section, stream)| {
                section.fmtp(stream.rtp_payload_type())
            })
            .to_owned()
    };
    Ok(Chosen {
        video_fmtp: fmtp(picked.video),
        audio_fmtp: picked.audio.map(fmtp).unwrap_or_default(),
        audio_rate: picked
            .audio
            .and_then(|index| streams.get(index))
            .map(Stream::clock_rate_hz),
        ..picked
    })
}

/// Parameters of a stream of PCM; `None` for all others, and PCM that is not taken.
pub(super) fn pcm_params(stream: &Stream) -> Option<TrackParams> {
    let channels = stream.channels().map_or(1, std::num::NonZero::get);
    let codec = match (stream.media(), stream.encoding_name()) {
        ("audio", "pcma") => Codec::Pcma,
        ("audio", "pcmu") => Codec::Pcmu,
        ("audio", "l16") => Codec::L16,
        _ => return None,
    };
    pcm::params(codec, stream.clock_rate_hz(), channels)
}

fn aac_form(stream: &Stream, section: Option<&Section>) -> Option<AacForm> {
    let fmtp = section?.fmtp(stream.rtp_payload_type());
    AacForm::of(fmtp, stream.clock_rate_hz())
}

/// A stream, as far as the choice depends on it.
#[derive(Clone, Debug)]
struct Offer {
    media: String,
    /// For people.
    encoding: String,
    /// `None` where it is none that is taken.
    codec: Option<Codec>,
    direction: Option<Direction>,
    talk: bool,
    group: Option<usize>,
}

impl Offer {
    fn of(stream: &Stream, section: Option<&Section>) -> Offer {
        let codec = match (stream.media(), stream.encoding_name()) {
            ("video", "h264") => Some(Codec::H264),
            ("video", "h265") => Some(Codec::H265),
            ("audio", "mpeg4-generic") => aac_form(stream, section).map(|_| Codec::Aac),
            _ => pcm_params(stream).map(|params| params.codec),
        };
        Offer {
            media: plain(stream.media()),
            encoding: name_of(stream.encoding_name()),
            codec,
            direction: section.and_then(|section| section.direction),
            talk: section.is_some_and(|section| section.talk),
            group: section.and_then(|section| section.group),
        }
    }

    fn is(&self, track: Track) -> bool {
        self.codec.is_some_and(|codec| codec.track() == track)
    }

    /// It goes to the camera. RTSP describes tracks as the client sees them: what it may send is the way
    /// back. A camera that calls its own picture "sendonly" speaks of itself.
    fn goes_to_camera(&self, picture: &Offer) -> bool {
        let back = match picture.direction {
            Some(Direction::SendOnly) => Direction::RecvOnly,
            _ => Direction::SendOnly,
        };
        self.talk || self.direction == Some(back)
    }
}

fn pick(offers: &[Offer], sound: CameraSound) -> Result<Chosen, CaptureSentence> {
    let pictures = offers.iter().enumerate();
    let video = pictures
        .clone()
        .find_map(|(n, offer)| Some((n, offer, offer.codec.filter(|_| offer.is(Track::Video))?)));
    let Some((video, picture, codec)) = video else {
        return Err(no_video(offers));
    };
    // A camera of several lenses lists each one's sound behind its picture.
    let next = pictures.filter(|(n, offer)| *n > video && offer.media == "video");
    let next = next.map(|(n, _)| n).next().unwrap_or(offers.len());
    let heard = |offer: &Offer| match sound {
        CameraSound::Off => false,
        CameraSound::AsBefore => offer.codec == Some(Codec::Aac),
        CameraSound::Unsaid | CameraSound::Auto => true,
    };
    let candidates = offers.iter().enumerate().filter(|(_, offer)| {
        offer.is(Track::Audio)
            && !offer.goes_to_camera(picture)
            && offer.direction != Some(Direction::Inactive)
            && heard(offer)
    });
    let audio = candidates.min_by_key(|(n, offer)| {
        let grouped = picture.group.is_some() && offer.group == picture.group;
        let near = (video..next).contains(n);
        (!grouped, !near, offer.codec != Some(Codec::Aac), *n)
    });
    let audio = audio.map(|(n, _)| n);
    Ok(Chosen {
        video,
        codec,
        audio,
        audio_rate: None,
        video_fmtp: String::new(),
        audio_fmtp: String::new(),
        left_out: left_out(offers, (video, picture), audio, sound),
    })
}

fn left_out(
    offers: &[Offer],
    (video, picture): (usize, &Offer),
    audio: Option<usize>,
    sound: CameraSound,
) -> Vec<CaptureSentence> {
    let others = offers
        .iter()
        .enumerate()
        .filter(|(n, offer)| *n != video && Some(*n) != audio && offer.media != "application");
    let mut said: Vec<CaptureSentence> = others
        .map(|(_, offer)| why_not(offer, picture, audio.is_some(), sound))
        .collect();
    if said.len() > NAMED {
        let more = said.split_off(NAMED).len();
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        said.push(CaptureSentence::MoreTracksLeftOut { more });
    }
    said
}

fn why_not(offer: &Offer, picture: &Offer, has_sound: bool, sound: CameraSound) -> CaptureSentence {
    let encoding = offer.encoding.clone();
    let media = offer.media.clone();
    let sounds = offer.media == "audio";
    match offer.codec {
        _ if sounds && offer.goes_to_camera(picture) => {
            CaptureSentence::TalkBackLeftOut { encoding }
        }
        _ if sounds && sound == CameraSound::Off => CaptureSentence::SoundOff { encoding },
        Some(codec) if codec.is_pcm() && sound == CameraSound::AsBefore && !has_sound => {
            CaptureSentence::SoundAsBefore { encoding }
        }
        Some(_) => CaptureSentence::SecondTrackLeftOut { media, encoding },
        None => CaptureSentence::TrackLeftOut { media, encoding },
    }
}

fn no_video(offers: &[Offer]) -> CaptureSentence {
    let named = offers.iter().take(NAMED).map(|offer| &*offer.encoding);
    let mut offered = named.collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = offers.len().checked_sub(NAMED) {
        offered.push_str(&format!(" and {more} more"));
    }
    CaptureSentence::OffersNoVideo { offers: offered }
}

fn name_of(encoding: &str) -> String {
    match encoding {
        "pcma" => Codec::Pcma.name().to_owned(),
        "pcmu" => Codec::Pcmu.name().to_owned(),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::base::sentence::Coded;

    fn offer(media: &str, codec: Option<Codec>) -> Offer {
        Offer {
            media: media.to_owned(),
            encoding: codec.map_or("JPEG", Codec::name).to_owned(),
            codec,
            direction: None,
            talk: false,
            group: None,
        }
    }

    fn picture() -> Offer {
        offer("video", Some(Codec::H264))
    }

    fn heard(codec: Codec) -> Offer {
        offer("audio", Some(codec))
    }

    fn way(offer: Offer, direction: Direction) -> Offer {
        Offer {
            direction: Some(direction),
            ..offer
        }
    }

    /// The sound that is taken, and the codes of what is said.
    fn picked(offers: &[Offer], sound: CameraSound) -> (Option<usize>, Vec<&'static str>) {
        let chosen = pick(offers, sound).unwrap();
        assert_eq!(chosen.video, 0);
        (
            chosen.audio,
            chosen.left_out.iter().map(Coded::code).collect(),
        )
    }

    /// What is offered, the sound that is taken, and what is said.
    type Case = (&'static str, Vec<Offer>, Option<usize>, Vec<&'static str>);

    #[test]
    fn the_sound_that_belongs_to_the_picture_is_taken_and_never_the_way_back() {
        use Direction::{Both, Inactive, RecvOnly, SendOnly};
        let (pcma, aac) = (|| heard(Codec::Pcma), || heard(Codec::Aac));
        let second = "camera_second_track_left_out";
        let back = "camera_talk_back_left_out";
        let grouped = |offer: Offer, group| Offer {
            group: Some(group),
            ..offer
        };
        let named = Offer {
            talk: true,
            ..pcma()
        };
        let table: Vec<Case> = vec![
            ("none", vec![picture()], None, vec![]),
            ("G.711", vec![picture(), pcma()], Some(1), vec![]),
            (
                "AAC first",
                vec![picture(), pcma(), aac()],
                Some(2),
                vec![second],
            ),
            (
                "ONVIF's way back",
                vec![picture(), way(pcma(), RecvOnly), way(pcma(), SendOnly)],
                Some(1),
                vec![back],
            ),
            (
                "only the way back",
                vec![picture(), way(aac(), SendOnly)],
                None,
                vec![back],
            ),
            (
                "the way back comes first",
                vec![picture(), way(aac(), SendOnly), pcma()],
                Some(2),
                vec![back],
            ),
            (
                "a camera that speaks of itself",
                vec![
                    way(picture(), SendOnly),
                    way(pcma(), SendOnly),
                    way(pcma(), RecvOnly),
                ],
                Some(1),
                vec![back],
            ),
            (
                "both ways",
                vec![picture(), way(pcma(), Both)],
                Some(1),
                vec![],
            ),
            (
                "switched off",
                vec![picture(), way(pcma(), Inactive)],
                None,
                vec![second],
            ),
            (
                "named by its maker",
                vec![picture(), named, pcma()],
                Some(2),
                vec![back],
            ),
            (
                "two lenses",
                vec![picture(), pcma(), picture(), aac()],
                Some(1),
                vec![second, second],
            ),
            (
                "said to belong together",
                vec![grouped(picture(), 0), grouped(aac(), 1), grouped(pcma(), 0)],
                Some(2),
                vec![second],
            ),
        ];
        for (what, offers, audio, said) in table {
            assert_eq!(picked(&offers, CameraSound::Auto), (audio, said), "{what}");
        }
    }

    #[test]
    fn no_sound_is_taken_that_nobody_wants_recorded() {
        let offers = [picture(), heard(Codec::L16), heard(Codec::Aac)];
        assert_eq!(picked(&offers, CameraSound::Unsaid).0, Some(2));
        assert_eq!(
            picked(&offers, CameraSound::Off),
            (None, vec!["camera_sound_off"; 2])
        );
        let as_before = picked(&offers, CameraSound::AsBefore);
        assert_eq!(as_before, (Some(2), vec!["camera_second_track_left_out"]));
        let as_before = picked(&offers[..2], CameraSound::AsBefore);
        assert_eq!(as_before, (None, vec!["camera_sound_as_before"]));
    }

    #[test]
    fn of_thousands_of_tracks_a_few_are_named_and_the_rest_is_counted() {
        let mut offers = vec![picture()];
        offers.extend((0..3_000).map(|_| offer("audio", None)));
        let left_out = pick(&offers, CameraSound::Auto).unwrap().left_out;
        assert_eq!(left_out.len(), 9);
        assert!(left_out[8].to_string().contains("2992"), "{}", left_out[8]);
        let Err(said) = pick(&offers[1..], CameraSound::Auto) else {
            panic!("there is no picture in it");
        };
        assert!(said.to_string().len() < 300, "{said}");
    }
}
