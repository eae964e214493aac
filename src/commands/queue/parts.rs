//! What the queue's table and its picture have in common.

use std::process::ExitCode;

use serde_json::Value;

use crate::commands::client::ServiceAnswer;
use crate::commands::exit::WRONG;
use crate::service::say::{many, short_age};

pub(super) fn refused(answer: &ServiceAnswer) -> ExitCode {
    match answer.message() {
        "" => eprintln!("the service answered with status {}", answer.status),
        message => eprintln!("{message}"),
    }
    ExitCode::from(WRONG)
}

/// What waits for what, and how many there are.
pub(super) fn below(body: &Value) -> String {
    let mut text = String::new();
    for lane in body["status"]["waiting"].as_array().unwrap_or(&Vec::new()) {
        let what = match lane["target"].as_str() {
            Some(target) => format!("uploading to {target}"),
            None => "finishing".to_owned(),
        };
        let since = short_age(lane["since_ms"].as_u64().unwrap_or(0));
        let why = lane["why"].as_str().unwrap_or("?");
        text.push_str(&format!("{what} waits since {since}: {why}\n"));
    }
    let counts = &body["status"]["counts"];
    if counts.is_object() {
        let count = |key: &str| counts[key].as_u64().unwrap_or(0);
        text.push_str(&format!(
            "{} to finish, {} to upload, {} given up, {} done\n",
            count("to_finish"),
            count("to_upload"),
            count("failed"),
            many(count("done"), "highlight"),
        ));
    }
    text
}

/// `[#####     ] 50 %`, the bar so wide; 0: none.
pub(super) fn progress(permille: u64, bar: usize) -> String {
    let permille = usize::try_from(permille.min(1000)).unwrap_or(0);
    let percent = permille / 10;
    if bar == 0 {
        return format!("{percent} %");
    }
    let full = permille * bar / 1000;
    format!(
        "[{}{}] {percent} %",
        "#".repeat(full),
        " ".repeat(bar - full)
    )
}
