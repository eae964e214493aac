//! Presses and what becomes of them, in words for people.

use std::path::Path;

use super::say;
use crate::base::{PressAck, PressError};
use crate::highlight::Event;
use crate::queue;
use crate::queue::sidecar::Stage;
use crate::queue::work::Failure;

/// An event in words.
pub(crate) fn told(event: &Event) -> Option<String> {
    match event {
        Event::Committed {
            camera,
            path,
            end_of_window_mono_ns,
            committed_mono_ns,
            duration_ms,
            notes,
            ..
        } => {
            let after = end_of_window_mono_ns.map(|end| {
                let took = say::short_time(committed_mono_ns.saturating_sub(end));
                format!(", on disk {took} after the window closed")
            });
            let mut text = format!(
                "{camera}: {} clip → {}{}",
                say::seconds(*duration_ms),
                path.display(),
                after.unwrap_or_default()
            );
            for note in notes {
                text.push_str("\n        ");
                text.push_str(&note.text);
            }
            Some(text)
        }
        Event::NoClip { camera, reason, .. } => Some(format!("{camera}: no clip: {reason}")),
        Event::Retired { .. } => None,
    }
}

/// What was done with a clip, in words; `None`: nothing worth a line.
pub(crate) fn worked(event: &queue::Event) -> Option<String> {
    use queue::Event as Q;
    Some(match event {
        Q::Began { .. } => return None,
        Q::Finished {
            camera,
            marked,
            vertical,
            thumbnail,
            notes,
            took_ms,
            ..
        } => {
            let made = [
                ("marked video", marked),
                ("vertical video", vertical),
                ("thumbnail", thumbnail),
            ];
            let mut lines: Vec<String> = made
                .iter()
                .filter_map(|(what, path)| Some(made_file(camera.as_str(), what, path.as_deref()?)))
                .collect();
            if let Some(first) = lines.first_mut() {
                first.push_str(&format!(", {} of work", say::seconds(*took_ms)));
            }
            lines.extend(notes.iter().map(|note| format!("        {note}")));
            return (!lines.is_empty()).then(|| lines.join("\n"));
        }
        Q::Uploaded {
            camera,
            target,
            place,
            took_ms,
            ..
        } => format!(
            "{camera}: uploaded → {target}: {place}, in {}",
            say::short_time(took_ms.saturating_mul(1_000_000))
        ),
        Q::Failed {
            camera,
            stage,
            target,
            failure,
            ..
        } => {
            let doing = doing(*stage, target.as_deref());
            match failure {
                Failure::Cancelled => return None,
                Failure::Unavailable { why, .. } => format!("{camera}: {doing} waits: {why}"),
                Failure::Failed { why } => format!("{camera}: {doing} went wrong: {why}"),
                Failure::Permanent { why } => format!("{camera}: {doing} was given up: {why}"),
                Failure::Deferred { why, .. } => format!("{camera}: {doing} comes later: {why}"),
            }
        }
        // Its last upload has been told.
        Q::Done { .. } => return None,
    })
}

fn doing(stage: Stage, target: Option<&str>) -> String {
    match (stage, target) {
        (Stage::Finish, _) => "finishing".to_owned(),
        (Stage::Upload, None) => "uploading".to_owned(),
        (Stage::Upload, Some(target)) => format!("uploading to {target}"),
    }
}

fn made_file(camera: &str, what: &str, path: &Path) -> String {
    format!("{camera}: {what} → {}", path.display())
}

/// The answer to a press, in words.
pub(crate) fn answered(answer: &Result<PressAck, PressError>, post_ms: u64) -> String {
    let mut lines = Vec::new();
    let refused = match answer {
        Ok(ack) => {
            let rest = match post_ms {
                0 => String::new(),
                ms => format!("; {} more to come", say::seconds(ms)),
            };
            lines.push(format!("pressed: {}{rest}", ack.press.id));
            for note in &ack.notes {
                lines.push(format!("  {}: {}", note.camera_id, note.reason));
            }
            ack.refused.as_slice()
        }
        Err(error) => {
            lines.push(format!("not taken: {error}"));
            match error {
                PressError::NoCamera(refused) => refused.as_slice(),
                _ => &[],
            }
        }
    };
    for refusal in refused {
        let (id, reason) = (&refusal.camera_id, &refusal.reason);
        lines.push(format!("  {id} did not take it: {reason}"));
    }
    lines.join("\n")
}

/// The same for the log, which is read line by line.
pub(crate) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::base::{CameraId, PressId, Refusal, Sentence};

    fn said(text: &str) -> Sentence {
        Sentence {
            code: "test".to_owned(),
            args: Default::default(),
            text: text.to_owned(),
        }
    }

    fn camera() -> CameraId {
        CameraId::new("court1").unwrap()
    }

    #[test]
    fn a_clip_is_told_with_its_length_its_place_and_how_soon_it_was_there() {
        let committed = |end_of_window_mono_ns| Event::Committed {
            press_id: PressId::try_from("0123abcd-00000000abc-00010002".to_owned()).unwrap(),
            camera: camera(),
            path: "/clips/court1.mp4".into(),
            end_of_window_mono_ns,
            committed_mono_ns: 5_009_400_000,
            duration_ms: 12_040,
            notes: vec![said("a note")],
        };
        let text = told(&committed(Some(5_000_000_000))).unwrap();
        assert_eq!(
            one_line(&text),
            "court1: 12.0 s clip → /clips/court1.mp4, on disk 9 ms after the window closed; a note"
        );
        let text = told(&committed(None)).unwrap();
        assert_eq!(
            text.lines().next().unwrap(),
            "court1: 12.0 s clip → /clips/court1.mp4"
        );
    }

    #[test]
    fn a_refused_press_names_each_camera_and_why() {
        let refused = vec![Refusal::new(camera(), said("its ring is empty"))];
        let text = answered(&Err(PressError::NoCamera(refused)), 0);
        assert_eq!(
            one_line(&text),
            "not taken: no camera took the press; court1 did not take it: its ring is empty"
        );
    }
}
