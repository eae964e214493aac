//! The real program with the built-in camera: its commands, its stop, its secrets.

#![allow(clippy::unwrap_used)]

mod commands;
mod delivery;
mod secrets;
mod stopping;

#[allow(dead_code)]
#[path = "../support/service.rs"]
mod service;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use hindsight::demo::{DemoCamera, Script};
use serde_json::Value;

/// A camera that shows the bundled pattern.
fn pattern() -> DemoCamera {
    DemoCamera::start(Script {
        keep_log: false,
        ..Script::default()
    })
    .unwrap()
}

/// One camera of the pattern, as "court1".
fn court1(camera: &DemoCamera) -> String {
    service::camera("court1", camera.url().as_str(), "")
}

/// What a command printed and how it ended.
fn run(command: &mut Command) -> (i32, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().unwrap_or(-1), said)
}

fn sidecar(clip: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(clip.with_extension("json")).unwrap()).unwrap()
}

/// Panics if `value` is not what the schema of that name says.
fn conforms(name: &str, value: &Value) {
    let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:?}\n{value}");
}
