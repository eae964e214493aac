//! The files in `schemas/` are made from the answers' types, and compared here with what is committed.
//!
//! `HINDSIGHT_SCHEMAS=write cargo test --lib web::schemas` writes them anew.

#![allow(clippy::unwrap_used)]

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::answers::health::HealthAnswer;
use super::answers::highlights::{HighlightList, SidecarText};
use super::answers::press::PressAnswer;
use super::answers::queue::{QueueAnswer, QueueChanged};
use super::answers::said::SaidAnswer;
use super::answers::status::StatusAnswer;
use super::routes::session::{MeAnswer, SessionsAnswer};
use super::routes::users::UsersAnswer;
use crate::base::{BootId, CameraId, PressId};

/// A type that is written as a text of this form.
macro_rules! text {
    ($type:ty, $name:literal, $pattern:literal) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": $pattern})
            }
        }
    };
}
text!(CameraId, "CameraId", "^[a-z0-9][a-z0-9_-]{0,31}$");
text!(PressId, "PressId", "^[0-9a-f]{8}-[0-9a-f]{11}-[0-9a-f]{8}$");
text!(BootId, "BootId", "^[0-9a-f]{32}$");

impl JsonSchema for SidecarText {
    fn schema_name() -> Cow<'static, str> {
        "SidecarText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "What the sidecar says: see sidecar.schema.json.", "type": "object"})
    }
}

/// The answer. A request that was understood has all of these; one that was not has success (false), message, code and args
/// alone, as has every other error of the API.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code)]
enum PressReply {
    Understood(PressAnswer),
    #[schemars(extend("properties" = {"success": {"const": false}}))]
    Refused(SaidAnswer),
}

/// No field is there that the schema does not name.
#[derive(Clone, Debug)]
struct Strict;

impl Transform for Strict {
    fn transform(&mut self, schema: &mut Schema) {
        if schema.get("type").is_some_and(|t| t == "object") && schema.get("properties").is_some() {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
        transform_subschemas(self, schema);
    }
}

/// Bounds of Rust's integers are no promise of ours, but that a count is never negative.
#[derive(Clone, Debug)]
struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        let number = ["integer", "number"].iter().any(|name| says(schema, name));
        if number {
            schema.remove("format");
            if schema
                .get("maximum")
                .and_then(Value::as_u64)
                .is_some_and(|most| most > 1000)
            {
                schema.remove("maximum");
            }
        }
        transform_subschemas(self, schema);
    }
}

/// Whether `name` is among the types.
fn says(schema: &Schema, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(all)) => all.iter().any(|one| one == name),
        _ => false,
    }
}

fn schema<T: JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(Strict)
        .with_transform(Plain);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), format!("Hindsight {title}").into());
    schema.to_value()
}

#[test]
fn the_schemas_are_those_of_the_types() {
    let all = [
        ("press", schema::<PressReply>("POST /save-clip")),
        ("status", schema::<StatusAnswer>("GET /status")),
        ("health", schema::<HealthAnswer>("GET /health")),
        ("highlights", schema::<HighlightList>("GET /highlights")),
        ("queue", schema::<QueueAnswer>("GET /queue")),
        (
            "queue_change",
            schema::<QueueChanged>("POST /queue/retry, POST /queue/drop"),
        ),
        (
            "said",
            schema::<SaidAnswer>("where something is done or refused"),
        ),
        ("me", schema::<MeAnswer>("GET /api/me")),
        ("sessions", schema::<SessionsAnswer>("GET /api/sessions")),
        ("users", schema::<UsersAnswer>("GET /api/users")),
    ];
    let write = std::env::var("HINDSIGHT_SCHEMAS").is_ok_and(|what| what == "write");
    for (name, right) in all {
        jsonschema::meta::validate(&right).unwrap();
        let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let right = serde_json::to_string_pretty(&right).unwrap() + "\n";
        if write {
            std::fs::write(&path, &right).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == right,
            "{path} is not what the types say: see the head of {}",
            file!()
        );
    }
}

#[test]
fn every_row_of_the_table_that_answers_in_json_has_its_schema() {
    for route in super::ROUTES {
        let json = !route.path.ends_with("{file}");
        assert_eq!(route.schema.is_some(), json, "{}", route.path);
    }
}
