//! What the room says to people: of presses, of clips, of the storage.
//!
//! Not here: what the cut says of its clip (`cut`), what `verify` finds.

use crate::base::CameraId;
use crate::base::sentence::Sentence;
use crate::cut::Tenths;

crate::sentences! {
    /// Why a camera did not take a press, why nobody did, and what should be known of one that did.
    pub enum AdmissionSentence {
        CameraUnknown { camera_id: CameraId } = "press_camera_unknown":
            "no camera \"{camera_id}\" is configured",
        RingUnreadable { error: String } = "press_ring_unreadable": "its ring cannot be read: {error}",
        NoRoom { path: String, free_mb: u64, needed_mb: u64 } = "press_disk_full":
            "no room on {path}: {free_mb} MB are free, {needed_mb} MB are needed; delete old highlights",
        NoRoomNow { path: String, free_mb: u64, needed_mb: u64, promised_mb: u64 } = "press_disk_full_while_writing":
            "no room on {path}: {free_mb} MB are free, {needed_mb} MB are needed ({promised_mb} MB of them for clips being written); delete old highlights",
        NotDurable { path: String, error: String } = "press_not_durable":
            "the press could not be written to {path}: {error}",
        Stale { silent_ms: WholeSeconds } = "press_camera_silent":
            "no picture has come for {silent_ms}: the clip gets what there is, and what comes in time",
        Short { missing_ms: Tenths } = "press_ring_too_short":
            "the ring does not reach back far enough: the clip starts {missing_ms} later than asked for",
        Both { one: Sentence, other: Sentence } = "press_two_notes": "{one}; {other}",
    }
}

crate::sentences! {
    /// Why there is no clip, why it is suspect, and what should be known of it.
    pub enum ClipSentence {
        RingGone {} = "clip_ring_gone": "the service was restarted, and its ring in memory is gone",
        PowerCut {} = "clip_power_cut": "the power went before anything of this clip had reached the disk",
        DiskFailed { error: String } = "clip_disk_failed": "the disk failed: {error}",
        NotAClip { error: String } = "clip_index_impossible": "{error}",
        ReadersDisagree { difference: String } = "clip_readers_disagree": "{difference}",
        DisagreementLost {} = "clip_disagreement_lost":
            "two readers disagree about this clip; in which way was lost in a restart",
        Unreadable { error: String } = "clip_unreadable": "{error}",
        DiskRefused { error: String } = "clip_disk_refused_meanwhile":
            "the disk refused while this clip was written: {error}",
        GapsUnknown {} = "clip_gaps_unknown": "what was known of gaps and damaged frames was lost in a restart",
        GapsDropped {} = "clip_gaps_dropped": "the list of gaps and damaged frames was lost in a restart",
    }
}

crate::quantities! {
    /// Milliseconds, shown as whole seconds. As an argument: milliseconds.
    pub struct WholeSeconds(f, ms: u64) {
        // Half a second is rounded to the even one.
        let (seconds, rest_ms) = (ms / 1000, ms % 1000);
        let up = rest_ms > 500 || (rest_ms == 500 && !seconds.is_multiple_of(2));
        write!(f, "{} s", seconds + u64::from(up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_as_ever() {
        for ms in (0..9_000_u32).step_by(50) {
            let as_ever = format!("{:.0} s", f64::from(ms) / 1000.0);
            assert_eq!(WholeSeconds(u64::from(ms)).to_string(), as_ever, "{ms}");
        }
    }
}
