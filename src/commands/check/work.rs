//! Of `hindsight check`: what is done with clips. FFmpeg and its encoder are tried for a moment, each
//! target is asked whether it is there; nothing stays behind.

use std::sync::Arc;

use super::found::CheckFindings;
use crate::base::quantity::ToFloat;
use crate::base::{Clock, RealClock, Stop};
use crate::config::Config;
use crate::config::Corner;
use crate::finish::{self, FfmpegFinisher, Picture, Trial};
use crate::service::say;
use crate::upload::Limits;
use crate::upload::probe::{ProbeResult, probe};

/// Where no camera says how large its picture is.
const USUAL: Picture = Picture {
    width: 1920,
    height: 1080,
    fps: 25.0,
};

/// What encodes, and how long a clip takes. `largest`: of the cameras' pictures.
pub(super) fn marking(config: &Config, largest: Option<Picture>, found: &mut CheckFindings) {
    let finish = &config.finish;
    let maker = FfmpegFinisher::new(finish::Settings {
        finish: finish.clone(),
        venue: config.venue.name.clone(),
        timezone: config.venue.timezone.clone(),
        reserve_bytes: 0,
        limits: finish::Limits::default(),
    });
    let picture = largest.unwrap_or(USUAL);
    match maker.trial(picture, &Stop::default()) {
        Ok(trial) => tell(config, picture, &trial, found),
        Err(why) if finish.marks() || finish.vertical => {
            found.wrong.push(format!("marking: {why}"))
        }
        Err(why) => found.notes.push(format!("clips get no thumbnail: {why}")),
    }
}

fn tell(config: &Config, picture: Picture, trial: &Trial, found: &mut CheckFindings) {
    let Some(each_s) = trial.each_second_s else {
        println!(
            "marking nothing is to be drawn, so clips stay as the cameras sent them; thumbnails by {}",
            trial.program
        );
        return;
    };
    let clip_ms = config.highlight.pre_ms + config.highlight.post_ms;
    let size = format!("{}x{}", picture.width, picture.height);
    println!(
        "marking {}, {}: about {} for a clip of {} at {size}",
        trial.program,
        trial.coder,
        about(each_s * clip_ms.to_float() / 1000.0),
        say::seconds(clip_ms),
    );
    drawn(config);
    if each_s > 1.0 {
        let faster = match config.finish.preset {
            Some(_) => "leave [finish] preset out, so that the one is found that keeps up",
            None => "take a faster machine",
        };
        found.notes.push(format!(
            "marking takes longer than a clip plays (now, beside all else that runs here), so clips wait for \
             each other when many press: let the cameras send a smaller picture than {size}, or {faster}"
        ));
    }
}

/// "0.8 s", "12 s", "3 min".
fn about(seconds: f64) -> String {
    match seconds {
        s if s < 3.0 => format!("{s:.1} s"),
        s if s < 180.0 => format!("{s:.0} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

fn drawn(config: &Config) {
    let finish = &config.finish;
    let mut rows = Vec::new();
    for logo in &finish.logos {
        let percent = (logo.rel_width * 100.0).round();
        rows.push(vec![
            format!("        {}", logo.file.display()),
            format!("{}, {percent} % of the width", words(logo.corner)),
        ]);
    }
    if let Some(text) = &finish.text {
        let template = format!("        \"{}\"", text.template);
        rows.push(vec![template, words(text.corner).to_owned()]);
    }
    if finish.vertical {
        rows.push(vec!["        and once more, 9:16".to_owned()]);
    }
    print!("{}", say::table(&rows));
}

fn words(corner: Corner) -> &'static str {
    match corner {
        Corner::TopLeft => "top left",
        Corner::TopRight => "top right",
        Corner::BottomLeft => "bottom left",
        Corner::BottomRight => "bottom right",
        Corner::Center => "centre",
    }
}

/// Asks every target; takes as long as the slowest.
pub(super) fn ask_targets(config: &Config) -> Vec<ProbeResult> {
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    probe(config, &clock, Limits::default(), &Stop::default())
}

/// Says what they answered.
pub(super) fn targets(asked: &[ProbeResult], found: &mut CheckFindings) {
    if asked.is_empty() {
        println!("upload  no target is configured: clips stay on this box");
    }
    let mut head = "upload  ";
    let mut rows = Vec::new();
    for ProbeResult { id, what, answer } in asked {
        let answer = match answer {
            Ok(words) => words.clone(),
            Err(why) => {
                found.wrong.push(format!("target {id}: {why}"));
                "cannot be used".to_owned()
            }
        };
        rows.push(vec![format!("{head}{id}"), what.clone(), answer]);
        head = "        ";
    }
    print!("{}", say::table(&rows));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_clip_takes_is_told_as_exactly_as_it_is_known() {
        assert_eq!(about(0.84), "0.8 s");
        assert_eq!(about(12.4), "12 s");
        assert_eq!(about(200.0), "3 min");
    }
}
