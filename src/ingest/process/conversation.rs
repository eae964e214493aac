//! What a process that reads cameras may say, and when: it is believed no more than the cameras that it
//! reads. Pure.
//!
//! The order: the ring of each camera, then [`FromChild::Caged`], then anything but these. Whatever it says
//! is bounded and printable; a sentence is one that ingest has. The first fault ends the process.
//!
//! Not here: bytes (`wire`), what becomes of messages (`supervisor`).

use crate::base::sentence::{Arg, CatalogueEntry, Sentence};

use super::super::sentence::{BufferSentence, CaptureSentence, QuirkSentence, RtspStep};
use super::super::state::{Counters, Words};
use super::lines::{LineBudget, LineFate};
use super::message::{
    CameraIndex, FromChild, LONGEST_ARG, LONGEST_TEXT, LogLine, RingFound, short,
};

/// Of what is odd about one camera.
const MOST_WARNINGS: usize = 8;
/// A sentence within a sentence within a sentence.
const DEEPEST: u32 = 3;
/// Of an event's name.
const LONGEST_EVENT: usize = 48;
/// Bytes in a second. A process that reads many cameras says about 10 kB.
const MOST_A_SECOND: usize = 512 * 1024;
const SECOND_NS: u64 = 1_000_000_000;

/// Why a process is not listened to any more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    #[error("{what} comes before {expected}")]
    OutOfOrder {
        what: &'static str,
        expected: &'static str,
    },
    #[error("camera {index} is none of its {cameras}")]
    NoSuchCamera { index: CameraIndex, cameras: usize },
    #[error("camera {index} was given back")]
    GivenBack { index: CameraIndex },
    #[error("{what} {wrong}")]
    Unfit {
        what: &'static str,
        wrong: &'static str,
    },
    #[error("{bytes} bytes within a second, at most {limit} are taken")]
    TooMuch { bytes: usize, limit: usize },
}

/// What is kept of one process's talk.
#[derive(Debug)]
pub struct Conversation {
    /// One more than cameras: for lines that are of none.
    lines: Vec<LineBudget>,
    gone: Vec<bool>,
    rings: usize,
    caged: bool,
    second: u64,
    bytes: usize,
}

impl Conversation {
    pub fn with(cameras: usize) -> Conversation {
        Conversation {
            lines: vec![LineBudget::default(); cameras + 1],
            gone: vec![false; cameras],
            rings: 0,
            caged: false,
            second: 0,
            bytes: 0,
        }
    }

    fn cameras(&self) -> usize {
        self.lines.len() - 1
    }

    /// A message of so many bytes. `None`: it is left out, a line too many.
    pub fn take(
        &mut self,
        message: FromChild,
        bytes: usize,
        now_mono_ns: u64,
    ) -> Result<Option<FromChild>, Nonsense> {
        self.count(bytes, now_mono_ns)?;
        self.in_order(&message)?;
        if let Some(camera) = camera_of(&message) {
            self.knows(camera)?;
        }
        match &message {
            FromChild::Ring { found, .. } => ring(found)?,
            FromChild::NoRing { error, .. } => text("an error", error, LONGEST_TEXT)?,
            FromChild::Caged(report) => report
                .words()
                .try_for_each(|word| text("a word of its cage", word, LONGEST_ARG))?,
            FromChild::Words { words: said, .. } => words(said, now_mono_ns)?,
            FromChild::Counters { counters: said, .. } => counters(said, now_mono_ns)?,
            FromChild::Line(said) => {
                line(said)?;
                return Ok(self.within_budget(message, now_mono_ns));
            }
            FromChild::GaveBack { camera, .. } => {
                self.gone
                    .iter_mut()
                    .skip(usize::from(*camera))
                    .take(1)
                    .for_each(|gone| *gone = true);
            }
            FromChild::Beat { .. } | FromChild::Resolve { .. } => {}
        }
        Ok(Some(message))
    }

    fn count(&mut self, bytes: usize, now_mono_ns: u64) -> Result<(), Nonsense> {
        let second = now_mono_ns / SECOND_NS;
        if second != self.second {
            (self.second, self.bytes) = (second, 0);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        match self.bytes <= MOST_A_SECOND {
            true => Ok(()),
            false => Err(Nonsense::TooMuch {
                bytes: self.bytes,
                limit: MOST_A_SECOND,
            }),
        }
    }

    fn in_order(&mut self, message: &FromChild) -> Result<(), Nonsense> {
        let wrong = |what, expected| Err(Nonsense::OutOfOrder { what, expected });
        match message {
            FromChild::Ring { camera, .. } | FromChild::NoRing { camera, .. } => {
                if usize::from(*camera) != self.rings {
                    return wrong("the ring of a camera", "that of another");
                }
                self.rings += 1;
            }
            FromChild::Caged(_) if self.caged => return wrong("a second cage", "an end"),
            FromChild::Caged(_) if self.rings < self.cameras() => {
                return wrong("its cage", "its rings");
            }
            FromChild::Caged(_) => self.caged = true,
            // Opening a ring is worth a line.
            FromChild::Line(_) => {}
            _ if !self.caged => return wrong("what it reads", "its cage"),
            _ => {}
        }
        Ok(())
    }

    fn knows(&self, index: CameraIndex) -> Result<(), Nonsense> {
        let cameras = self.cameras();
        match self.gone.get(usize::from(index)) {
            Some(false) => Ok(()),
            Some(true) => Err(Nonsense::GivenBack { index }),
            None => Err(Nonsense::NoSuchCamera { index, cameras }),
        }
    }

    fn within_budget(&mut self, message: FromChild, now_mono_ns: u64) -> Option<FromChild> {
        let camera = camera_of(&message).map_or(self.cameras(), usize::from);
        let fate = self.lines.get_mut(camera)?.line(now_mono_ns);
        (fate != LineFate::LeftOut).then_some(message)
    }
}

fn camera_of(message: &FromChild) -> Option<CameraIndex> {
    match message {
        FromChild::Ring { camera, .. }
        | FromChild::NoRing { camera, .. }
        | FromChild::Words { camera, .. }
        | FromChild::Counters { camera, .. }
        | FromChild::GaveBack { camera, .. }
        | FromChild::Resolve { camera } => Some(*camera),
        FromChild::Line(line) => line.camera,
        FromChild::Caged(_) | FromChild::Beat { .. } => None,
    }
}

fn unfit(what: &'static str, wrong: &'static str) -> Nonsense {
    Nonsense::Unfit { what, wrong }
}

fn text(what: &'static str, text: &str, longest: usize) -> Result<(), Nonsense> {
    if text.chars().nth(longest).is_some() {
        return Err(unfit(what, "is too long"));
    }
    match text.chars().any(char::is_control) {
        true => Err(unfit(what, "cannot be printed")),
        false => Ok(()),
    }
}

fn ring(found: &RingFound) -> Result<(), Nonsense> {
    match found {
        RingFound::Replaced { why } => text("what was wrong with a ring", why, LONGEST_TEXT),
        RingFound::Created | RingFound::Adopted { .. } => Ok(()),
    }
}

/// Nothing of a process has happened in the future; a second is for its clock to be read later than ours.
fn past(what: &'static str, mono_ns: u64, now_mono_ns: u64) -> Result<(), Nonsense> {
    match mono_ns <= now_mono_ns.saturating_add(SECOND_NS) {
        true => Ok(()),
        false => Err(unfit(what, "is in the future")),
    }
}

fn words(words: &Words, now_mono_ns: u64) -> Result<(), Nonsense> {
    past("a state", words.since_mono_ns, now_mono_ns)?;
    if words.warnings.len() > MOST_WARNINGS {
        return Err(unfit("warnings", "are too many"));
    }
    for codec in [&words.video, &words.audio].into_iter().flatten() {
        text("the name of a codec", codec, LONGEST_ARG)?;
    }
    let said = words.reason.iter().chain(&words.warnings);
    let said = said.chain(&words.relay);
    said.into_iter()
        .try_for_each(|said| sentence(said, DEEPEST))
}

fn counters(counters: &Counters, now_mono_ns: u64) -> Result<(), Nonsense> {
    past("a picture", counters.last_au_mono_ns, now_mono_ns)
}

fn known(code: &str) -> Option<&'static CatalogueEntry> {
    let mut all = [
        CaptureSentence::CATALOGUE,
        QuirkSentence::CATALOGUE,
        RtspStep::CATALOGUE,
        BufferSentence::CATALOGUE,
    ]
    .into_iter()
    .flatten();
    all.find(|entry| entry.code == code)
}

fn sentence(said: &Sentence, deeper: u32) -> Result<(), Nonsense> {
    const WHAT: &str = "a sentence";
    let entry = known(&said.code).ok_or(unfit(WHAT, "is none of ours"))?;
    text(WHAT, &said.text, LONGEST_TEXT)?;
    if said.args.len() != entry.args.len() {
        return Err(unfit(WHAT, "has other arguments"));
    }
    for (name, arg) in &said.args {
        if !entry.args.contains(&name.as_str()) {
            return Err(unfit(WHAT, "has other arguments"));
        }
        match arg {
            Arg::Number(_) => {}
            Arg::Text(said) => text("a sentence's argument", said, LONGEST_ARG)?,
            Arg::Sentence(_) if deeper == 0 => return Err(unfit(WHAT, "has no end")),
            Arg::Sentence(within) => sentence(within, deeper - 1)?,
        }
    }
    Ok(())
}

/// As it is taken: a process says no more of a camera than that, however much the camera says.
pub fn fitted(words: &Words) -> Words {
    let codec = |of: &Option<String>| of.as_ref().map(|of| short(of, LONGEST_ARG));
    let warnings = words.warnings.iter().take(MOST_WARNINGS);
    Words {
        reason: words.reason.as_ref().map(fitted_sentence),
        video: codec(&words.video),
        audio: codec(&words.audio),
        warnings: warnings.map(fitted_sentence).collect(),
        relay: words.relay.as_ref().map(fitted_sentence),
        ..words.clone()
    }
}

fn fitted_sentence(said: &Sentence) -> Sentence {
    let arg = |arg: &Arg| match arg {
        Arg::Number(number) => Arg::Number(*number),
        Arg::Text(text) => Arg::Text(short(text, LONGEST_ARG)),
        Arg::Sentence(within) => Arg::Sentence(Box::new(fitted_sentence(within))),
    };
    let args = said.args.iter();
    Sentence {
        code: said.code.clone(),
        args: args.map(|(name, of)| (name.clone(), arg(of))).collect(),
        text: short(&said.text, LONGEST_TEXT),
    }
}

fn line(line: &LogLine) -> Result<(), Nonsense> {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    let event = &line.event;
    if event.len() > LONGEST_EVENT || event.is_empty() || !event.chars().all(plain) {
        return Err(unfit("the event of a line", "is no name"));
    }
    text("a line", &line.text, LONGEST_TEXT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::message::Heavy;
    use super::*;
    use crate::base::Coded;
    use crate::cage::CageReport;
    use crate::ingest::state::ConnectionPhase;
    use proptest::prelude::*;

    const NOW: u64 = 5_000_000_000;

    fn ring_of(camera: CameraIndex) -> FromChild {
        let found = RingFound::Created;
        FromChild::Ring { camera, found }
    }

    fn caged() -> FromChild {
        FromChild::Caged(CageReport::default())
    }

    /// A process with two cameras that has begun to read.
    fn begun() -> Conversation {
        let mut talk = Conversation::with(2);
        for message in [ring_of(0), ring_of(1), caged()] {
            assert!(talk.take(message, 10, NOW).unwrap().is_some());
        }
        talk
    }

    fn said(reason: Option<Sentence>) -> FromChild {
        let words = Words {
            phase: ConnectionPhase::Waiting,
            since_mono_ns: NOW,
            reason,
            ..Words::default()
        };
        FromChild::Words {
            camera: 1,
            words: Box::new(words),
        }
    }

    fn refused(message: FromChild) -> String {
        begun().take(message, 10, NOW).unwrap_err().to_string()
    }

    #[test]
    fn nothing_is_heard_before_the_rings_and_the_cage_and_neither_twice() {
        let beat = FromChild::Beat { used_bytes: 1 };
        let mut talk = Conversation::with(2);
        assert!(talk.take(beat.clone(), 10, NOW).is_err());
        assert!(Conversation::with(2).take(caged(), 10, NOW).is_err());
        assert!(Conversation::with(2).take(ring_of(1), 10, NOW).is_err());
        assert!(begun().take(beat.clone(), 10, NOW).unwrap() == Some(beat));
        assert_eq!(refused(caged()), "a second cage comes before an end");
        assert!(refused(ring_of(0)).starts_with("the ring of a camera"));
    }

    #[test]
    fn a_camera_that_it_was_not_given_ends_it() {
        let counters = Counters::default();
        let wrong = FromChild::Counters {
            camera: 2,
            counters,
        };
        assert_eq!(refused(wrong), "camera 2 is none of its 2");
        assert!(refused(FromChild::Resolve { camera: 9 }).contains("camera 9"));
    }

    #[test]
    fn a_sentence_is_one_that_ingest_has_or_it_ends_it() {
        let good = CaptureSentence::GivenUp {
            why: CaptureSentence::Closed {}.sentence(),
        };
        assert!(begun().take(said(Some(good.sentence())), 10, NOW).is_ok());
        let edited = |edit: fn(&mut Sentence)| {
            let mut sentence = good.sentence();
            edit(&mut sentence);
            refused(said(Some(sentence)))
        };
        assert!(edited(|s| s.code = "press_taken".to_owned()).contains("none of ours"));
        assert!(edited(|s| s.text = "x".repeat(601)).contains("too long"));
        assert!(edited(|s| s.text.push('\u{1b}')).contains("printed"));
        assert!(edited(|s| s.args.clear()).contains("other arguments"));
        let endless = (0..5).fold(good.sentence(), |why, _| {
            CaptureSentence::GivenUp { why }.sentence()
        });
        let mut endless = endless;
        endless.text.clear();
        assert!(refused(said(Some(endless))).contains("no end"));
    }

    #[test]
    fn of_a_camera_that_it_gave_back_it_says_nothing_more() {
        let mut talk = begun();
        let back = FromChild::GaveBack {
            camera: 1,
            why: Heavy::Work,
        };
        assert!(talk.take(back, 10, NOW).is_ok());
        assert!(talk.take(FromChild::Resolve { camera: 0 }, 10, NOW).is_ok());
        let more = talk.take(FromChild::Resolve { camera: 1 }, 10, NOW);
        assert_eq!(more, Err(Nonsense::GivenBack { index: 1 }));
    }

    #[test]
    fn pictures_from_the_future_end_it() {
        let counters = Counters {
            last_au_mono_ns: NOW + 2 * SECOND_NS,
            ..Counters::default()
        };
        let camera = 0;
        assert!(refused(FromChild::Counters { camera, counters }).contains("future"));
    }

    #[test]
    fn one_that_talks_too_much_ends_and_one_with_too_many_lines_is_not_heard() {
        let mut talk = begun();
        let line = |text: &str| {
            FromChild::Line(LogLine {
                camera: Some(0),
                level: log::Level::Warn,
                event: "camera_lost".to_owned(),
                text: text.to_owned(),
            })
        };
        let heard = (0..200).filter(|_| talk.take(line("a"), 10, NOW).unwrap().is_some());
        assert_eq!(heard.count(), 60);
        assert!(talk.take(line("a"), MOST_A_SECOND, NOW).is_err());
        assert!(refused(line("a\nb")).contains("printed"));
        let mut nameless = line("a");
        if let FromChild::Line(line) = &mut nameless {
            line.event = "event=\"x\"".to_owned();
        }
        assert!(refused(nameless).contains("no name"));
    }

    proptest! {
        /// Whatever a camera makes ingest say.
        #[test]
        fn what_is_fitted_is_taken(text in any::<String>(), long in 0_usize..3_000, many in 0_usize..40) {
            let offers = text.repeat(1 + long / text.len().max(1));
            let why = CaptureSentence::OffersNoVideo { offers: offers.clone() }.sentence();
            let words = Words {
                since_mono_ns: NOW,
                reason: Some(CaptureSentence::GivenUp { why: why.clone() }.sentence()),
                video: Some(offers),
                warnings: vec![why; many],
                ..Words::default()
            };
            let message = FromChild::Words { camera: 0, words: Box::new(fitted(&words)) };
            let length = super::super::wire::encode(&message, super::super::wire::LONGEST_SAID);
            prop_assert!(length.is_ok());
            prop_assert!(begun().take(message, 10, NOW).is_ok());
        }

        /// Whatever JSON a process makes up: an answer, and no camera that is not its own.
        #[test]
        fn whatever_it_says_is_a_message_or_its_end(
            camera in any::<u16>(), number in any::<u64>(), text in ".{0,40}", kind in 0_u8..6,
        ) {
            let json = match kind {
                0 => format!(r#"{{"Ring":{{"camera":{camera},"found":"Created"}}}}"#),
                1 => format!(r#"{{"Beat":{{"used_bytes":{number}}}}}"#),
                2 => format!(r#"{{"Resolve":{{"camera":{camera}}}}}"#),
                3 => format!(r#"{{"Beat":{{"used_bytes":{number},"more":1}}}}"#),
                4 => serde_json::json!({"NoRing": {"camera": camera, "error": text}}).to_string(),
                _ => text.clone(),
            };
            if let Ok(message) = serde_json::from_str::<FromChild>(&json) {
                let known = camera_of(&message).is_none_or(|camera| camera < 2);
                let taken = begun().take(message, 10, NOW);
                prop_assert!(known || taken.is_err());
                prop_assert!(kind != 3, "an unknown field was taken");
            }
        }
    }
}
