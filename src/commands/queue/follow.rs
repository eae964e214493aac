//! `hindsight queue --follow`: the queue while it works. On a terminal a picture with bars that is drawn
//! anew in place; in a pipe a line for each change.
//!
//! Not here: asking once (`queue`), who answers (`web`).

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::client::{ClientError, ServiceAnswer, ServiceClient};
use super::super::exit::{NOT_DONE, WRONG};
use super::parts::{below, progress, refused};
use crate::base::{Clock, RealClock};
use crate::config::Config;
use crate::service::say::{short_age, table};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
const BAR: usize = 20;
/// Where the terminal does not say how large it is.
const USUAL: (usize, usize) = (80, 24);

/// Until it is interrupted, the service ends, or nobody reads any more.
pub(super) fn follow(config: &Config, client: &ServiceClient) -> ExitCode {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let mut watching: Box<dyn Watching> = match io::stdout().is_terminal() && !dumb {
        true => Box::new(Picture::default()),
        false => Box::new(Lines {
            timezone: config.venue.timezone.clone(),
            known: None,
        }),
    };
    let mut seen = false;
    loop {
        match client.get("/queue") {
            Ok(answer) if answer.status == 200 => {
                seen = true;
                // Who closed the pipe has seen enough.
                if watching.look(&answer).is_err() {
                    return ExitCode::SUCCESS;
                }
            }
            Ok(answer) => return refused(&answer),
            // A moment of silence, of a service that was there.
            Err(ClientError::Late(_)) if seen => {}
            Err(ClientError::NoService(_)) if seen => {
                eprintln!("the service has ended");
                return ExitCode::from(WRONG);
            }
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(NOT_DONE);
            }
        }
        std::thread::sleep(LOOK);
    }
}

trait Watching {
    fn look(&mut self, answer: &ServiceAnswer) -> io::Result<()>;
}

// ── on a terminal ──

/// What stands on the terminal now.
#[derive(Default)]
struct Picture {
    drawn: Vec<String>,
}

impl Watching for Picture {
    fn look(&mut self, answer: &ServiceAnswer) -> io::Result<()> {
        let size = terminal_size::terminal_size();
        let size = size.map(|(wide, high)| (usize::from(wide.0), usize::from(high.0)));
        let frame = frame(&answer.body, size.unwrap_or(USUAL));
        if frame == self.drawn {
            return Ok(());
        }
        let mut text = String::new();
        if !self.drawn.is_empty() {
            // Back to its first line, and all from there away.
            text.push_str(&format!("\x1b[{}A\r\x1b[J", self.drawn.len()));
        }
        for line in &frame {
            text.push_str(line);
            text.push('\n');
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        self.drawn = frame;
        Ok(())
    }
}

/// The whole picture: no line wider, and not more lines, than the terminal, or it could not be drawn over.
fn frame(body: &Value, (wide, high): (usize, usize)) -> Vec<String> {
    let jobs = body["jobs"].as_array().map_or(&[][..], Vec::as_slice);
    let (busy, idle): (Vec<&Value>, Vec<&Value>) = jobs.iter().partition(|job| at_work(job));
    let rows: Vec<Vec<String>> = busy.into_iter().chain(idle).flat_map(rows).collect();
    let below = below(body);
    let below: Vec<&str> = below.lines().collect();
    let room = high.saturating_sub(below.len() + 2).max(1);
    let mut lines: Vec<String> = table(&rows).lines().map(str::to_owned).collect();
    if lines.is_empty() {
        lines.push("nothing waits".to_owned());
    }
    if lines.len() > room {
        let more = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(format!("… and {more} more"));
    }
    lines.extend(below.into_iter().map(str::to_owned));
    let most = wide.saturating_sub(1).max(1);
    lines
        .into_iter()
        .map(|line| line.chars().take(most).collect())
        .collect()
}

fn at_work(job: &Value) -> bool {
    let uploads = job["uploads"].as_array().map_or(&[][..], Vec::as_slice);
    let mut all = uploads.iter().chain([job]);
    all.any(|part| part["permille"].is_u64())
}

/// One for each thing that is done with it now; one that says why, if none is.
fn rows(job: &Value) -> Vec<Vec<String>> {
    let text = |key: &str| job[key].as_str().unwrap_or("").to_owned();
    let mut now: Vec<(String, String)> = Vec::new();
    if let Some(permille) = job["permille"].as_u64() {
        now.push(("marking".to_owned(), progress(permille, BAR)));
    }
    for upload in job["uploads"].as_array().unwrap_or(&Vec::new()) {
        if let Some(permille) = upload["permille"].as_u64() {
            let target = upload["target"].as_str().unwrap_or("?");
            now.push((format!("to {target}"), progress(permille, BAR)));
        }
    }
    if now.is_empty() {
        let why = text("last_error").replace('\n', " ");
        let why = why.chars().take(BAR * 2).collect();
        now.push((text("status").replace('_', " "), why));
    }
    let age = job["age_ms"].as_u64().map_or("?".to_owned(), short_age);
    let mut name = [text("camera_id"), age];
    let rows = now.into_iter().map(|(what, how)| {
        let [camera, age] = std::mem::take(&mut name);
        vec![camera, age, what, how, text("id")]
    });
    rows.collect()
}

// ── in a pipe ──

struct Lines {
    timezone: TimeZone,
    /// A sentence for each job; `None`: nothing was seen yet.
    known: Option<BTreeMap<String, String>>,
}

impl Watching for Lines {
    fn look(&mut self, answer: &ServiceAnswer) -> io::Result<()> {
        let now = sentences(&answer.body);
        let news = news(self.known.as_ref(), &now);
        self.known = Some(now);
        let ns = i128::from(RealClock.wall().unix_ns);
        let at = jiff::Timestamp::from_nanosecond(ns).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let at = at.to_zoned(self.timezone.clone());
        let mut out = io::stdout().lock();
        for line in news {
            writeln!(out, "{} {line}", at.strftime("%H:%M:%S"))?;
        }
        out.flush()
    }
}

/// How each job is, in steps of a tenth: a line for every permille would be too much.
fn sentences(body: &Value) -> BTreeMap<String, String> {
    let jobs = body["jobs"].as_array().map_or(&[][..], Vec::as_slice);
    let sentence = |job: &Value| {
        let text = |key: &str| job[key].as_str().unwrap_or("").replace('\n', " ");
        let mut words = vec![text("status").replace('_', " ")];
        let tenth = |part: &Value| Some(part["permille"].as_u64()? / 100 * 10);
        words.extend(tenth(job).map(|percent| format!("marking {percent} %")));
        for upload in job["uploads"].as_array().unwrap_or(&Vec::new()) {
            let target = upload["target"].as_str().unwrap_or("?");
            words.extend(tenth(upload).map(|percent| format!("to {target} {percent} %")));
        }
        words.push(text("last_error"));
        words.retain(|word| !word.is_empty());
        (text("id"), words.join(", "))
    };
    jobs.iter().map(sentence).collect()
}

/// What changed.
fn news(known: Option<&BTreeMap<String, String>>, now: &BTreeMap<String, String>) -> Vec<String> {
    let Some(known) = known else {
        let all = now.iter().map(|(id, sentence)| format!("{id}: {sentence}"));
        let all: Vec<String> = all.collect();
        return match all.is_empty() {
            true => vec!["nothing waits".to_owned()],
            false => all,
        };
    };
    let changed = now.iter().filter(|(id, is)| known.get(*id) != Some(is));
    let changed = changed.map(|(id, sentence)| format!("{id}: {sentence}"));
    let gone = known.keys().filter(|id| !now.contains_key(*id));
    let gone = gone.map(|id| format!("{id}: nothing more is to be done"));
    changed.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body() -> Value {
        let job = |n: u32, status: &str, permille: Option<u32>, uploads: Value| {
            json!({
                "id": format!("press-{n}/court1"), "camera_id": "court1", "age_ms": 61_000 * n, "status": status,
                "permille": permille, "last_error": null, "uploads": uploads,
            })
        };
        let mut late = job(3, "queued_retry", None, json!([]));
        late["last_error"] = json!("FFmpeg gave up\nwith code 69");
        json!({
            "jobs": [
                late,
                job(2, "queued", None, json!([])),
                job(1, "uploading", None, json!([
                    {"target": "club", "permille": 455}, {"target": "nas", "permille": null}])),
                job(0, "finishing", Some(300), json!([])),
            ],
            "status": {
                "waiting": [{"target": "nas", "since_ms": 120_000, "why": "connection refused"}],
                "counts": {"to_finish": 3, "to_upload": 1, "failed": 0, "done": 12},
            },
        })
    }

    #[test]
    fn what_is_at_work_stands_above_with_its_bar_and_who_waits_below_with_why() {
        let text = frame(&body(), (200, 24)).join("\n");
        let wanted = "\
court1  1 min  to club       [#########           ] 45 %  press-1/court1
court1  0 s    marking       [######              ] 30 %  press-0/court1
court1  3 min  queued retry  FFmpeg gave up with code 69  press-3/court1
court1  2 min  queued                                     press-2/court1
uploading to nas waits since 2 min: connection refused
3 to finish, 1 to upload, 0 given up, 12 highlights done";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_picture_is_never_larger_than_its_terminal() {
        for (wide, high) in [(40, 6), (10, 5), (80, 24), (1, 1)] {
            let lines = frame(&body(), (wide, high));
            assert!(lines.len() <= high.max(4), "{lines:#?}");
            let widest = lines.iter().map(|line| line.chars().count()).max();
            assert!(widest < Some(wide.max(2)), "{lines:#?}");
        }
        let few = frame(&body(), (80, 6));
        assert_eq!(few[1], "… and 3 more");
        let empty = frame(&json!({"jobs": []}), (80, 24));
        assert_eq!(empty, ["nothing waits"]);
    }

    #[test]
    fn in_a_pipe_a_line_is_told_for_each_change_and_each_tenth() {
        let mut body = body();
        let first = sentences(&body);
        assert_eq!(news(None, &first).len(), 4);
        assert_eq!(news(None, &BTreeMap::new()), ["nothing waits"]);
        body["jobs"][3]["permille"] = json!(399);
        assert_eq!(news(Some(&first), &sentences(&body)), [""; 0]);
        body["jobs"][3]["permille"] = json!(400);
        let second = sentences(&body);
        assert_eq!(
            news(Some(&first), &second),
            ["press-0/court1: finishing, marking 40 %"]
        );
        body["jobs"].as_array_mut().map(Vec::pop);
        assert_eq!(
            news(Some(&second), &sentences(&body)),
            ["press-0/court1: nothing more is to be done"]
        );
    }
}
