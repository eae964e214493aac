//! All that can go wrong with a camera, by name.
//!
//! Not here: doing it (`camera` and what it is made of).

use std::sync::Arc;

use super::footage::Footage;

/// A step of an RTSP conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RtspStage {
    Connect,
    Options,
    Describe,
    Setup,
    Play,
}

/// Of the answer to a request of this method, as it should be, what is sent; `None`: nothing.
pub type Bend = fn(&str, &str) -> Option<Vec<u8>>;

/// When a scripted fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// From the camera's start.
    Start,
    /// Directly before the camera's `n`-th video frame (counted in decoding
    /// order from the camera's start of time, through all loops) is sent to a session.
    Frame(u64),
}

/// One fault. Those of conversation hold for all requests from then on, until
/// [`CameraFault::Behave`]; those of the stream strike the sessions that play.
#[derive(Clone, Debug)]
pub enum CameraFault {
    // --- the conversation ---
    /// Accepts and answers up to and including this stage, then nothing more
    /// (and sends no RTP either).
    MuteAfter(RtspStage),
    /// Answers requests of this stage and all later ones with this status: 401
    /// (however often the password comes), 404, 503…
    Refuse { from: RtspStage, status: u16 },
    /// Answers DESCRIBE with 302 to this place.
    Redirect(String),
    /// No longer listens: connections are refused. Open ones live on.
    CloseListener,
    /// Listens again, on the same port.
    OpenListener,
    /// Answers with bytes that are no RTSP.
    Nonsense,
    /// Begins an answer whose headers never end.
    EndlessHeaders,
    /// Answers one byte at a time, so many milliseconds apart.
    SlowBytes { ms: u64 },
    /// Answers are not written as they should be, also to keep-alives.
    Bend(Bend),
    /// An end to all of the above.
    Behave,

    // --- the stream ---
    /// No RTP; TCP and RTSP live on. Then (if a time is given) live again.
    Stall { ms: Option<u64> },
    /// Nothing is written for so long; then all of it comes at once, late.
    Hold { ms: u64 },
    /// Neither reads nor writes any more, and does not close.
    HalfOpen,
    /// Closes the connections between two frames.
    Close,
    /// Closes the connection in the middle of an access unit.
    CloseMidAu,
    /// The next `packets` RTP packets of video are not sent.
    Lose { packets: u32 },
    /// From now on each video packet is lost with this probability (per
    /// thousand), by the script's seed.
    LoseAtRandom { per_mille: u16 },
    /// The sequence numbers of video jump by so much, without loss.
    SequenceJump(u16),
    /// The next two video packets change places.
    Reorder,
    /// The next video packet is sent twice.
    Duplicate,
    /// All tracks' timestamps jump, in ticks of 90 kHz.
    TimestampJump { ticks_90k: i64 },
    /// The next video frames carry times that are off by so much each, in ticks of 90 kHz; they are sent when they are due.
    TimestampsOff { ticks_90k: Vec<i64> },
    /// All tracks go on under another SSRC.
    SsrcChange,
    /// Bytes that are neither RTSP nor interleaved data, on the connection.
    Garbage { bytes: usize },
    /// A message of so many bytes in the next video frame: legal, and huge.
    HugeAu { bytes: usize },
    /// Other footage from the next key frame on: new parameter sets in mid-stream.
    Switch(Arc<Footage>),
    /// A frame that is not ours, on video's channel of RTP or RTCP. Nothing over UDP.
    Stray { rtcp: bool, payload: Vec<u8> },
    /// RTCP sender reports on or off.
    SenderReports(bool),
}

impl CameraFault {
    /// Whether it is the camera as a whole that has it, not a session that plays.
    pub(super) fn is_of_camera(&self) -> bool {
        matches!(
            self,
            CameraFault::MuteAfter(_)
                | CameraFault::Refuse { .. }
                | CameraFault::Redirect(_)
                | CameraFault::CloseListener
                | CameraFault::OpenListener
                | CameraFault::Nonsense
                | CameraFault::EndlessHeaders
                | CameraFault::SlowBytes { .. }
                | CameraFault::Bend(_)
                | CameraFault::Behave
                | CameraFault::Switch(_)
        )
    }
}

/// How the camera answers at present: the sum of the faults of conversation.
#[derive(Clone, Debug, Default)]
pub(super) struct Manners {
    pub mute_after: Option<RtspStage>,
    pub refuse: Option<(RtspStage, u16)>,
    pub redirect: Option<String>,
    pub nonsense: bool,
    pub endless_headers: bool,
    pub slow_ms: Option<u64>,
    pub bend: Option<Bend>,
}

impl Manners {
    /// Takes a fault of conversation; leaves others alone.
    pub fn learn(&mut self, fault: &CameraFault) {
        match fault {
            CameraFault::MuteAfter(stage) => self.mute_after = Some(*stage),
            CameraFault::Refuse { from, status } => self.refuse = Some((*from, *status)),
            CameraFault::Redirect(to) => self.redirect = Some(to.clone()),
            CameraFault::Nonsense => self.nonsense = true,
            CameraFault::EndlessHeaders => self.endless_headers = true,
            CameraFault::SlowBytes { ms } => self.slow_ms = Some(*ms),
            CameraFault::Bend(bend) => self.bend = Some(*bend),
            CameraFault::Behave => *self = Manners::default(),
            _ => {}
        }
    }
}
