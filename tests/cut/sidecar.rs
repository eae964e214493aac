//! The sidecar against its schema, with real values.

use hindsight::base::{BootId, CameraId, Coded, Press, PressId, Source, Wall};
use hindsight::cut::{Ended, NoFootage, plan};
use hindsight::highlight::sentence::ClipSentence;
use hindsight::highlight::sidecar::{About, FileFacts, Sidecar, Status, rfc3339};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::camera::*;

const AT: u64 = ON_MONO_NS + 30 * SECOND_NS;
/// 2026-11-05 12:34:56.789 UTC.
const WALL_NS: i64 = 1_793_882_096_789_000_000;

pub fn a_press() -> Press {
    let boot_id = BootId([7; 16]);
    Press {
        id: PressId::new(boot_id, AT),
        boot_id,
        instant_mono_ns: AT,
        pre_ms: 10_000,
        post_ms: 2_000,
        source: Source::Http,
        button: None,
        cameras: vec![CameraId::new("court1").unwrap()],
        folder: "2026-11-05".to_owned(),
        wall_unix_ns: WALL_NS,
        wall_synchronised: true,
    }
}

fn all() -> Vec<Sidecar> {
    let press = a_press();
    let timezone = TimeZone::get("America/Sao_Paulo").unwrap();
    let about = About {
        press: &press,
        camera_name: "Court 1, north",
        court: Some("Court 1"),
        camera_id: &press.cameras[0],
        latency_ms: 300,
        timezone: &timezone,
    };
    let file = |name: &str| FileFacts {
        file_name: name.to_owned(),
        size_bytes: 25_000_000,
        sha256: "0123456789abcdef".repeat(4),
    };
    let mut made = vec![Sidecar::without_clip(
        &about,
        &NoFootage::Hole {}.sentence(),
    )];
    for audio in [false, true] {
        let mut ring = film(&Spec {
            audio,
            ..Spec::default()
        });
        ring.lose(|n| (660..665).contains(&n));
        let plan = plan(&ring.at(AT), &window(AT, 10_000, 2_000)).unwrap();
        for ended in [
            Ended::Complete,
            Ended::Stopped,
            Ended::Power,
            Ended::Restart,
            Ended::Camera,
        ] {
            let mut exporter = Exporter::new(&ring, &plan, false);
            exporter.read_until(if ended == Ended::Complete {
                u64::MAX
            } else {
                AT + SECOND_NS
            });
            let report = exporter.finish(ended).finished.unwrap().report;
            made.push(Sidecar::for_clip(&about, file("court1.mp4"), &report, None));
            let difference = "the second reader sees 3 tracks, not 2".to_owned();
            let why = ClipSentence::ReadersDisagree { difference }.sentence();
            made.push(Sidecar::for_clip(
                &about,
                file("court1.suspect.mp4"),
                &report,
                Some(&why),
            ));
        }
    }
    made
}

fn schema() -> jsonschema::Validator {
    let text = include_str!("../../schemas/sidecar.schema.json");
    let schema: Value = serde_json::from_str(text).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn as_json(sidecar: &Sidecar) -> Value {
    serde_json::from_slice(&sidecar.to_bytes()).unwrap()
}

#[test]
fn every_sidecar_fits_the_schema_and_is_read_back_as_it_was() {
    let schema = schema();
    let mut statuses = Vec::new();
    for sidecar in all() {
        let errors: Vec<String> = schema
            .iter_errors(&as_json(&sidecar))
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(sidecar.contradiction(), None);
        let bytes = sidecar.to_bytes();
        assert_eq!(Sidecar::from_bytes(&bytes).unwrap(), sidecar);
        assert_eq!(bytes.last(), Some(&b'\n'));
        if !statuses.contains(&sidecar.status) {
            statuses.push(sidecar.status);
        }
    }
    assert_eq!(statuses, [Status::None, Status::Queued, Status::Suspect]);
}

#[test]
fn a_sidecar_of_a_later_version_is_read_without_what_is_new_in_it() {
    for sidecar in all() {
        let mut later = as_json(&sidecar);
        let objects = ["", "/camera", "/requested", "/clock"];
        for object in objects {
            later.pointer_mut(object).unwrap()["of_tomorrow"] = json!({"so": ["it", "is"]});
        }
        let bytes = serde_json::to_vec(&later).unwrap();
        assert_eq!(Sidecar::from_bytes(&bytes).unwrap(), sidecar);
    }
}

#[test]
fn what_the_schema_forbids_is_found() {
    let schema = schema();
    let good = as_json(&all()[1]);
    assert!(schema.is_valid(&good));
    let broken: [(&str, Value); 12] = [
        ("/type", json!("clip")),
        ("/status", json!("done")),
        ("/status", json!("none")),
        ("/status", json!("suspect")),
        ("/created_at", json!("yesterday")),
        ("/press_id", json!("../../etc")),
        ("/file_name", json!(null)),
        ("/file_name", json!("../court1.mp4")),
        ("/size_bytes", json!(0)),
        ("/sha256", json!("ABC")),
        ("/meta/codec", json!("vp9")),
        ("/clock/boot_id", json!("")),
    ];
    for (path, value) in broken {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = value.clone();
        assert!(!schema.is_valid(&bad), "{path} = {value} passes");
    }
    for object in [
        "",
        "/meta",
        "/clock",
        "/camera",
        "/requested",
        "/clock/mapping",
        "/gaps/0",
        "/damaged/0",
    ] {
        let mut more = good.clone();
        let fields = more.pointer_mut(object).unwrap().as_object_mut().unwrap();
        fields.insert("password".to_owned(), json!("x"));
        assert!(!schema.is_valid(&more), "an unknown key in {object} passes");
        let mut fewer = good.clone();
        let fields = fewer.pointer_mut(object).unwrap().as_object_mut().unwrap();
        let first = fields.keys().next().unwrap().clone();
        fields.remove(&first);
        assert!(
            !schema.is_valid(&fewer),
            "{first} may be missing in {object}"
        );
    }
}

#[test]
fn created_at_is_the_press_in_the_venues_time() {
    let sidecar = &all()[1];
    assert_eq!(sidecar.created_at, "2026-11-05T09:34:56.789-03:00");
    assert_eq!(sidecar.clock.press_mono_ns, AT);
    let kathmandu = TimeZone::get("Asia/Kathmandu").unwrap();
    assert_eq!(rfc3339(0, &kathmandu), "1970-01-01T05:30:00.000+05:30");
    assert_eq!(rfc3339(-1, &TimeZone::UTC), "1969-12-31T23:59:59.999+00:00");
    for ns in [i64::MIN, i64::MAX] {
        assert!(rfc3339(ns, &kathmandu).contains('T'));
    }
}

#[test]
fn a_clock_set_later_corrects_the_label_and_nothing_else() {
    let mut sidecar = all().remove(1);
    sidecar.clock.wall_synchronised = false;
    let before = sidecar.clone();
    let wall = Wall {
        unix_ns: WALL_NS + 3600 * 1_000_000_000,
        synchronised: true,
    };
    // The clock was set 60 s after the press, and then said an hour more.
    let timezone = TimeZone::get("America/Sao_Paulo").unwrap();
    sidecar.correct_clock(wall, AT + 60 * SECOND_NS, &timezone);
    assert_eq!(sidecar.created_at, "2026-11-05T10:33:56.789-03:00");
    assert!(sidecar.clock.wall_synchronised);
    sidecar.created_at = before.created_at.clone();
    sidecar.clock.wall_synchronised = false;
    assert_eq!(sidecar, before);
}

#[test]
fn a_sidecar_that_contradicts_itself_is_found() {
    let mut none = all().remove(0);
    none.reason = None;
    assert!(none.contradiction().unwrap().contains("without a reason"));
    let mut clip = all().remove(1);
    clip.sha256 = None;
    assert!(clip.contradiction().is_some());
    clip.status = Status::None;
    clip.reason = Some("x".to_owned());
    assert!(clip.contradiction().unwrap().contains("describes a clip"));
}

#[test]
fn what_a_sidecar_says_has_codes_and_one_without_them_is_read_as_ever() {
    for sidecar in all() {
        let mut json = as_json(&sidecar);
        assert_eq!(json["reason"].is_null(), json.get("reason_code").is_none());
        let texts: Vec<_> = sidecar.note_codes.iter().map(|note| &note.text).collect();
        assert_eq!(texts, sidecar.notes.iter().collect::<Vec<_>>());
        let old = json.as_object_mut().unwrap();
        for added in ["reason_code", "reason_args", "note_codes"] {
            old.remove(added);
        }
        let old = Sidecar::from_bytes(json.to_string().as_bytes()).unwrap();
        assert_eq!((&old.reason, &old.notes), (&sidecar.reason, &sidecar.notes));
        assert_eq!(old.reason_code, None);
    }
}
