//! `hindsight queue`: what waits, what is at work, what was given up; and `retry`
//! and `drop`. Asks the running service; without one, the storage itself.

mod follow;
mod parts;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{ClientError, ServiceClient};
use super::common::{Common, Show};
use super::exit::{NOT_DONE, WRONG};
use crate::base::RealClock;
use crate::config::Config;
use crate::queue::Which;
use crate::queue::manual::Still;
use crate::service::say::{short_age, table};
use parts::{below, progress, refused};

const LIMIT: Duration = Duration::from_secs(20);

/// What is still to be done with clips: marking, uploading; what was given up, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hindsight queue\n  \
    hindsight queue --follow          bars while it works, until Ctrl-C\n  \
    hindsight queue retry --failed    try again what was given up\n  \
    hindsight queue drop 0a1b2c3d     take a job out; its files stay until keep_uploaded is over")]
pub struct Args {
    /// Go on showing it: bars on a terminal, a line for each change in a pipe
    #[arg(long, short)]
    follow: bool,
    #[command(subcommand)]
    action: Option<QueueAction>,
}

#[derive(Debug, clap::Subcommand)]
enum QueueAction {
    /// Try a job again at once, from the beginning of its stage
    #[command(
        after_help = "Examples:\n  hindsight queue retry 0a1b2c3d\n  hindsight queue retry --failed"
    )]
    Retry {
        /// A job's id, or a part of it that fits one press only
        #[arg(value_name = "ID", required_unless_present = "failed")]
        id: Option<String>,
        /// All that were given up
        #[arg(long, conflicts_with = "id")]
        failed: bool,
    },
    /// Take a job out of the queue: it is not tried any more, its files stay until keep_uploaded is over
    #[command(after_help = "Example:\n  hindsight queue drop 0a1b2c3d")]
    Drop {
        /// A job's id, or a part of it that fits one press only
        #[arg(value_name = "ID")]
        id: String,
    },
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        common.with_config(Show::Nothing, &[], |config| {
            let client = ServiceClient::new(config, LIMIT);
            match &self.action {
                Some(action) => change(config, &client, action),
                None if self.follow => follow::follow(config, &client),
                None => show(config, &client),
            }
        })
    }
}

fn show(config: &Config, client: &ServiceClient) -> ExitCode {
    match client.get("/queue") {
        Ok(answer) if answer.status == 200 => {
            print!("{}", shown(&answer.body));
            ExitCode::SUCCESS
        }
        Ok(answer) => refused(&answer),
        Err(ClientError::NoService(_)) => match still(config) {
            Ok(still) => {
                print!("{}", shown(&json!({"jobs": still.list(&RealClock)})));
                println!("no service answers: this is what it would go on with");
                ExitCode::SUCCESS
            }
            Err(code) => code,
        },
        Err(error) => not_asked(&error),
    }
}

fn change(config: &Config, client: &ServiceClient, action: &QueueAction) -> ExitCode {
    let answer = match action {
        QueueAction::Retry { id: Some(id), .. } => client.post("/queue/retry", &json!({"id": id})),
        QueueAction::Retry { id: None, .. } => {
            client.post("/queue/retry", &json!({"failed": true}))
        }
        QueueAction::Drop { id } => client.post("/queue/drop", &json!({"id": id})),
    };
    match answer {
        Ok(answer) if answer.status == 200 => {
            println!("{}", answer.message());
            ExitCode::SUCCESS
        }
        Ok(answer) => refused(&answer),
        Err(ClientError::NoService(_)) => match still(config) {
            Ok(still) => change_without_service(config, &still, action),
            Err(code) => code,
        },
        Err(error) => not_asked(&error),
    }
}

fn not_asked(error: &ClientError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(NOT_DONE)
}

/// The queue as it lies on the storage of a service that does not run.
fn still(config: &Config) -> Result<Still, ExitCode> {
    let storage = &config.storage.path;
    if !storage.exists() {
        eprintln!(
            "no service answers, and there is no storage at {}",
            storage.display()
        );
        return Err(ExitCode::from(NOT_DONE));
    }
    let targets = config.targets.iter().map(|target| target.id.clone());
    Ok(Still::read(storage, &config.queue, targets.collect()))
}

fn change_without_service(config: &Config, still: &Still, action: &QueueAction) -> ExitCode {
    let timezone = &config.venue.timezone;
    let done = match action {
        QueueAction::Retry { id: Some(id), .. } => {
            still.retry(&Which::Id(id.clone()), &RealClock, timezone)
        }
        QueueAction::Retry { id: None, .. } => still.retry(&Which::Failed, &RealClock, timezone),
        QueueAction::Drop { id } => still.drop_job(id, &RealClock, timezone),
    };
    match done {
        Ok(ids) => {
            println!("{}", said(action, &ids));
            println!("no service answers: it goes on from here when it starts");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(WRONG)
        }
    }
}

/// What was done, in a sentence.
fn said(action: &QueueAction, ids: &[String]) -> String {
    let what = match action {
        QueueAction::Drop { .. } => {
            "taken out of the queue; the files stay until keep_uploaded is over"
        }
        _ => "tried again",
    };
    match ids {
        [] => "no job was given up: nothing to try again".to_owned(),
        ids => format!("{}: {what}", ids.join(", ")),
    }
}

fn shown(body: &Value) -> String {
    let jobs = body["jobs"].as_array().cloned().unwrap_or_default();
    let head = [
        "ID",
        "CAMERA",
        "AGE",
        "STATUS",
        "STAGE",
        "PROGRESS",
        "TRIED",
        "LAST ERROR",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let bar = match std::io::stdout().is_terminal() {
        true => 10,
        false => 0,
    };
    rows.extend(jobs.iter().map(|job| row(job, bar)));
    let mut text = match jobs.is_empty() {
        true => "nothing waits\n".to_owned(),
        false => table(&rows),
    };
    text.push_str(&below(body));
    text
}

fn row(job: &Value, bar: usize) -> Vec<String> {
    let text = |key: &str| job[key].as_str().unwrap_or("").to_owned();
    let age = job["age_ms"].as_u64().map_or("?".to_owned(), short_age);
    let uploads = job["uploads"].as_array().cloned().unwrap_or_default();
    let mut running = Vec::new();
    if let Some(permille) = job["permille"].as_u64() {
        running.push(progress(permille, bar));
    }
    for upload in &uploads {
        if let Some(permille) = upload["permille"].as_u64() {
            let target = upload["target"].as_str().unwrap_or("?");
            running.push(format!("{target} {}", progress(permille, bar)));
        }
    }
    vec![
        text("id"),
        text("camera_id"),
        age,
        text("status"),
        text("stage"),
        running.join(", "),
        job["attempts"].as_u64().unwrap_or(0).to_string(),
        text("last_error").replace('\n', " "),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_a_row_with_its_progress_and_its_whole_error() {
        let job = json!({
            "id": "a/court1", "camera_id": "court1", "age_ms": 61_000, "status": "uploading", "stage": null,
            "attempts": 1, "last_error": "first\nsecond", "permille": null,
            "uploads": [{"target": "club", "permille": 455}],
        });
        let cells = row(&job, 10);
        assert_eq!(
            cells,
            [
                "a/court1",
                "court1",
                "1 min",
                "uploading",
                "",
                "club [####      ] 45 %",
                "1",
                "first second"
            ]
        );
        assert_eq!(row(&job, 0)[5], "club 45 %");
        let text = shown(&json!({"jobs": [], "status": {"counts": {"done": 1}}}));
        assert_eq!(
            text,
            "nothing waits\n0 to finish, 0 to upload, 0 given up, 1 highlight done\n"
        );
    }
}
