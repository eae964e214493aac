//! `hindsight press`: the button of the running service, from the command line.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::client::{ServiceAnswer, ServiceClient};
use super::common::{Common, Show};
use super::exit::{NOT_DONE, WRONG};
use super::parse;
use crate::base::CameraId;
use crate::config::Config;

/// Press the button of the running service
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hindsight press\n  \
    hindsight press --camera court1 --pre 40s --post 10s --wait")]
pub struct Args {
    /// Only this camera; may repeat [default: all]
    #[arg(long = "camera", value_name = "ID", value_parser = parse::camera)]
    cameras: Vec<CameraId>,
    /// How much before the press [default: the configuration's]
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    pre: Option<Duration>,
    /// How much after the press [default: the configuration's]
    #[arg(long, value_name = "TIME", value_parser = parse::duration)]
    post: Option<Duration>,
    /// Wait until the clips are there
    #[arg(long)]
    wait: bool,
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        common.with_config(Show::Nothing, &self.cameras, |config| press(config, &self))
    }
}

fn press(config: &Config, args: &Args) -> ExitCode {
    let post_ms = args.post.map_or(config.highlight.post_ms, ms);
    let limit = match args.wait {
        true => Duration::from_millis(post_ms) + Duration::from_secs(180),
        false => Duration::from_secs(40),
    };
    let path = match args.wait {
        true => "/save-clip?wait=true",
        false => "/save-clip",
    };
    match ServiceClient::new(config, limit).post(path, &wish(args)) {
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(NOT_DONE)
        }
        Ok(answer) if answer.status == 200 => {
            println!("{}", taken(&answer.body, &config.storage.path));
            let clips = answer.body["clips"].as_array();
            let missing =
                clips.is_some_and(|clips| clips.iter().any(|clip| clip["clip"].is_null()));
            ExitCode::from(if missing { WRONG } else { 0 })
        }
        Ok(answer) => {
            eprintln!("{}", not_taken(&answer));
            ExitCode::from(WRONG)
        }
    }
}

fn wish(args: &Args) -> Value {
    let mut wish = Map::new();
    if !args.cameras.is_empty() {
        wish.insert("camera_id".to_owned(), json!(args.cameras));
    }
    for (key, time) in [("pre", args.pre), ("post", args.post)] {
        if let Some(time) = time {
            wish.insert(key.to_owned(), json!(time.as_secs_f64()));
        }
    }
    Value::Object(wish)
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn taken(body: &Value, storage: &Path) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut lines = vec![format!(
        "{}: {}",
        text(&body["press_id"]),
        text(&body["message"])
    )];
    let list = |key: &str| body[key].as_array().cloned().unwrap_or_default();
    for note in list("notes") {
        lines.push(format!(
            "  {}: {}",
            text(&note["camera_id"]),
            text(&note["reason"])
        ));
    }
    for refusal in list("refused") {
        let (id, reason) = (text(&refusal["camera_id"]), text(&refusal["reason"]));
        lines.push(format!("  {id} did not take it: {reason}"));
    }
    for clip in list("clips") {
        let id = text(&clip["camera_id"]);
        lines.push(match clip["clip"].as_str() {
            Some(path) => {
                let seconds =
                    crate::service::say::seconds(clip["duration_ms"].as_u64().unwrap_or(0));
                let file = storage.join(path.trim_start_matches('/'));
                format!("  {id}: {seconds} clip → {}", file.display())
            }
            None => format!("  {id}: no clip: {}", text(&clip["reason"])),
        });
    }
    lines.join("\n")
}

fn not_taken(answer: &ServiceAnswer) -> String {
    let mut lines = vec![match answer.message() {
        "" => format!(
            "not taken: the service answered with status {}",
            answer.status
        ),
        message => format!("not taken: {message}"),
    }];
    for refusal in answer.body["refused"].as_array().unwrap_or(&Vec::new()) {
        let text = |key: &str| refusal[key].as_str().unwrap_or("?").to_owned();
        lines.push(format!("  {}: {}", text("camera_id"), text("reason")));
    }
    lines.join("\n")
}
