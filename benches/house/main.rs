//! Speed and memory, side by side with the alternatives in one run; medians.
//!
//! `make bench` runs all parts; `benches/run clip cameras …` some of them. Not a
//! test: nothing fails here, a person reads the table.
#![allow(clippy::unwrap_used)]

mod button;
mod cameras;
mod clip;
#[path = "../../tests/support/coded.rs"]
#[allow(dead_code, reason = "tests also read times and audio")]
mod coded;
mod finish;
mod follow;
mod process;
mod queue;
#[path = "../../tests/support/s3.rs"]
#[allow(dead_code, reason = "tests also look at what it holds")]
mod s3;
mod update;
mod upload;
#[path = "../../tests/support/waiting.rs"]
#[allow(dead_code, reason = "tests also name the press")]
mod waiting;

/// One line of the table.
pub struct Row {
    pub what: String,
    /// What was measured, on both sides.
    pub measured: String,
    pub value: String,
    pub must: &'static str,
    pub aim: &'static str,
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    if let [flag, role, rest @ ..] = &arguments[..]
        && flag == "--role"
    {
        return match role.as_str() {
            "follower" => follow::play(rest),
            _ => cameras::play(role, rest),
        };
    }
    let wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|a| a == part);
    let mut rows = Vec::new();
    if wanted("clip") {
        rows.extend(clip::bench());
    }
    if wanted("button") {
        rows.extend(button::bench());
    }
    if wanted("follow") {
        rows.extend(follow::bench());
    }
    if wanted("finish") {
        rows.extend(finish::bench());
    }
    if wanted("queue") {
        rows.extend(queue::bench());
    }
    if wanted("upload") {
        rows.extend(upload::bench());
    }
    if wanted("update") {
        rows.extend(update::bench());
    }
    if wanted("one") {
        rows.extend(cameras::one());
    }
    if wanted("hundred") {
        rows.extend(cameras::hundred());
    }
    if wanted("most") {
        rows.extend(cameras::most());
    }
    print(&rows);
}

fn print(rows: &[Row]) {
    let width = |f: fn(&Row) -> &str| rows.iter().map(|r| f(r).chars().count()).max().unwrap_or(0);
    let (a, b, c) = (width(|r| &r.what), width(|r| &r.value), width(|r| r.must));
    println!(
        "\n{:a$}  {:>b$}  {:>c$}  {:>8}  measured",
        "what", "here", "must", "aim"
    );
    for row in rows {
        println!(
            "{:a$}  {:>b$}  {:>c$}  {:>8}  {}",
            row.what, row.value, row.must, row.aim, row.measured
        );
    }
}
