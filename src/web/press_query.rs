//! What a `POST /save-clip` asks for, in its body or behind its `?`. Pure: bytes in, a query or a sentence
//! that a clerk understands out.
//!
//! Not here: whether somebody waits for the clips (`routes::press`).

use serde_json::{Map, Value};

use super::answers::press::{AllCameras, AskedCameras};
use super::sentence::{InSeconds, RequestSentence};
use super::url_query::{pairs, short};
use crate::base::CameraId;

/// What can be asked for.
#[derive(Clone, Debug)]
pub(super) struct PressChoice<'a> {
    pub cameras: &'a [CameraId],
    pub pre_ms: u64,
    pub post_ms: u64,
    /// Longest window.
    pub ring_ms: u64,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PressQuery {
    /// Without duplicates, in the config's order.
    pub cameras: Vec<CameraId>,
    /// `camera_id` as it was asked, for the answer.
    pub camera_id: AskedCameras,
    pub pre_ms: u64,
    pub post_ms: u64,
}

/// What a body may say.
const KEYS: [&str; 4] = ["camera_id", "duration", "pre", "post"];
/// What may stand behind the `?`.
pub(super) const QUERY_KEYS: &[&str] = &["camera_id", "duration", "pre", "post", "wait"];

/// Reads a body and a query; nothing in both is a press of all cameras with the config's window.
pub(super) fn read(
    body: &[u8],
    query: Option<&str>,
    choice: &PressChoice,
) -> Result<PressQuery, RequestSentence> {
    let mut fields = of_body(body)?;
    add_query(&mut fields, query)?;
    let (pre_ms, post_ms) = window(&fields, choice)?;
    let (cameras, camera_id) = cameras(fields.get("camera_id"), choice)?;
    Ok(PressQuery {
        cameras,
        camera_id,
        pre_ms,
        post_ms,
    })
}

fn of_body(body: &[u8]) -> Result<Map<String, Value>, RequestSentence> {
    let fields = if body.trim_ascii().is_empty() {
        Map::new()
    } else {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => fields,
            Ok(other) => {
                let value = other.to_string();
                return Err(RequestSentence::BodyNotObject { value });
            }
            Err(error) => {
                let error = error.to_string();
                return Err(RequestSentence::BodyNotJson { error });
            }
        }
    };
    match fields.keys().find(|key| !KEYS.contains(&key.as_str())) {
        Some(key) => Err(RequestSentence::KeyUnknown { key: short(key) }),
        None => Ok(fields),
    }
}

/// Adds what stands behind the `?` as if the body had said it.
fn add_query(fields: &mut Map<String, Value>, query: Option<&str>) -> Result<(), RequestSentence> {
    let pairs: Vec<(String, String)> = pairs(query).collect();
    for key in KEYS {
        let said = pairs.iter().filter(|(other, _)| other == key);
        let mut said: Vec<Value> = said.map(|(_, text)| meant(key, text)).collect();
        let asked = match said.len() {
            0 => continue,
            1 => said.remove(0),
            _ if key == "camera_id" => Value::Array(said),
            _ if said.iter().all(|other| same(other, &said[0])) => said.remove(0),
            _ => return Err(RequestSentence::KeyTwice { key }),
        };
        match fields.get(key) {
            Some(Value::Null) | None => {
                fields.insert(key.to_owned(), asked);
            }
            Some(other) if same(other, &asked) => {}
            Some(_) => return Err(RequestSentence::KeyTwice { key }),
        }
    }
    Ok(())
}

/// The text as JSON would have it; what is no number is refused later, with its text.
fn meant(key: &str, text: &str) -> Value {
    let number = || serde_json::Number::from_f64(text.trim().parse().ok()?);
    match key {
        "camera_id" => Value::from(text),
        _ => number().map_or_else(|| Value::from(text), Value::Number),
    }
}

/// `30` is `30.0`, and a camera is a list of this one.
fn same(one: &Value, other: &Value) -> bool {
    fn list(value: &Value) -> Option<Vec<&str>> {
        let mut all = match value {
            Value::Array(list) => list.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?,
            value => vec![value.as_str()?],
        };
        all.sort_unstable();
        all.dedup();
        Some(all)
    }
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => list(one).is_some_and(|one| Some(one) == list(other)),
    }
}

fn cameras(
    asked: Option<&Value>,
    choice: &PressChoice,
) -> Result<(Vec<CameraId>, AskedCameras), RequestSentence> {
    let everybody = || (choice.cameras.to_vec(), AskedCameras::All(AllCameras::All));
    let one = |value: &Value| {
        let text = value.as_str().ok_or_else(|| {
            let value = short(&value.to_string());
            RequestSentence::CameraUnclear { value }
        })?;
        let known = choice.cameras.iter().find(|id| id.as_str() == text);
        known.cloned().ok_or_else(|| {
            let ids: Vec<&str> = choice.cameras.iter().map(CameraId::as_str).collect();
            RequestSentence::CameraUnknown {
                camera: short(text),
                cameras: ids.join(", "),
            }
        })
    };
    match asked {
        None | Some(Value::Null) => Ok(everybody()),
        Some(Value::String(text)) if text == "all" => Ok(everybody()),
        Some(Value::Array(list)) if list.is_empty() => Err(RequestSentence::CamerasEmpty {}),
        Some(Value::Array(list)) => {
            let asked: Vec<CameraId> = list.iter().map(one).collect::<Result<_, _>>()?;
            let all = choice.cameras.iter();
            let cameras: Vec<CameraId> = all.filter(|id| asked.contains(id)).cloned().collect();
            Ok((cameras.clone(), AskedCameras::Several(cameras)))
        }
        Some(value) => {
            let camera = one(value)?;
            Ok((vec![camera.clone()], AskedCameras::One(camera)))
        }
    }
}

/// `pre` and `post` in milliseconds.
fn window(
    fields: &Map<String, Value>,
    choice: &PressChoice,
) -> Result<(u64, u64), RequestSentence> {
    let duration = seconds(fields, "duration")?;
    let (pre, post) = (seconds(fields, "pre")?, seconds(fields, "post")?);
    let (pre_ms, post_ms) = match duration {
        Some(_) if pre.is_some() || post.is_some() => {
            return Err(RequestSentence::DurationAndWindow {});
        }
        Some(0) => return Err(RequestSentence::DurationZero {}),
        Some(ms) => (ms, 0),
        None => (pre.unwrap_or(choice.pre_ms), post.unwrap_or(choice.post_ms)),
    };
    let whole_ms = pre_ms + post_ms;
    if whole_ms == 0 {
        return Err(RequestSentence::WindowZero {});
    }
    if whole_ms > choice.ring_ms {
        return Err(RequestSentence::WindowTooLong {
            asked_ms: InSeconds(whole_ms),
            ring_ms: InSeconds(choice.ring_ms),
        });
    }
    Ok((pre_ms, post_ms))
}

/// A number of seconds, as milliseconds; at most a day, so that sums cannot overflow.
fn seconds(fields: &Map<String, Value>, key: &'static str) -> Result<Option<u64>, RequestSentence> {
    let value = match fields.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let shown = || short(&value.to_string());
    match value.as_f64() {
        None => Err(RequestSentence::SecondsNotNumber {
            key,
            value: shown(),
        }),
        Some(seconds) if seconds < 0.0 => Err(RequestSentence::SecondsNegative {
            key,
            value: shown(),
        }),
        Some(seconds) if seconds > 86_400.0 => Err(RequestSentence::SecondsTooMany {
            key,
            value: shown(),
        }),
        Some(seconds) => {
            let span = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
            Ok(Some(u64::try_from(span.as_millis()).unwrap_or(0)))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read_with(body: &str) -> Result<PressQuery, RequestSentence> {
        read_both(body, None)
    }

    fn read_both(body: &str, query: Option<&str>) -> Result<PressQuery, RequestSentence> {
        let cameras: Vec<CameraId> = ["court1", "court2", "goal"]
            .map(|id| CameraId::new(id).unwrap())
            .to_vec();
        read(
            body.as_bytes(),
            query,
            &PressChoice {
                cameras: &cameras,
                pre_ms: 40_000,
                post_ms: 10_000,
                ring_ms: 90_000,
            },
        )
    }

    #[test]
    fn nothing_asked_is_all_cameras_with_the_configs_window() {
        for body in [
            "",
            " \n",
            "{}",
            r#"{"camera_id": null, "duration": null}"#,
            r#"{"camera_id":"all"}"#,
        ] {
            let query = read_with(body).unwrap();
            assert_eq!(
                (query.cameras.len(), query.pre_ms, query.post_ms),
                (3, 40_000, 10_000)
            );
            assert_eq!(query.camera_id, AskedCameras::All(AllCameras::All));
        }
    }

    #[test]
    fn a_duration_is_the_last_seconds_and_a_window_can_be_asked_as_pre_and_post() {
        let query = read_with(r#"{"camera_id": "goal", "duration": 12.5}"#).unwrap();
        assert_eq!((query.pre_ms, query.post_ms), (12_500, 0));
        assert_eq!(query.cameras[0].as_str(), "goal");
        let query = read_with(r#"{"pre": 5, "post": 0}"#).unwrap();
        assert_eq!((query.pre_ms, query.post_ms), (5_000, 0));
        let query = read_with(r#"{"post": 20}"#).unwrap();
        assert_eq!((query.pre_ms, query.post_ms), (40_000, 20_000));
    }

    #[test]
    fn several_cameras_can_be_asked_and_each_counts_once() {
        let query = read_with(r#"{"camera_id": ["goal", "court1", "goal"]}"#).unwrap();
        let asked = serde_json::to_value(&query.camera_id).unwrap();
        assert_eq!(asked, serde_json::json!(["court1", "goal"]));
        assert_eq!(query.cameras.len(), 2);
    }

    #[test]
    fn what_stands_behind_the_question_mark_is_as_if_the_body_had_said_it() {
        for (query, body) in [
            (
                "camera_id=goal&duration=2",
                r#"{"camera_id":"goal","duration":2}"#,
            ),
            ("duration=12.5&wait=true", r#"{"duration":12.5}"#),
            ("pre=5&post=0", r#"{"pre":5,"post":0}"#),
            ("camera_id=all", r#"{"camera_id":"all"}"#),
            (
                "camera_id=co%75rt1&camera_id=goal",
                r#"{"camera_id":["court1","goal"]}"#,
            ),
            ("wait=1", ""),
            ("", ""),
        ] {
            let right = read_with(body).unwrap();
            assert_eq!(read_both("", Some(query)).unwrap(), right, "{query}");
            assert_eq!(
                read_both(body, Some(query)).unwrap(),
                right,
                "both: {query}"
            );
            assert_eq!(read_both(body, Some("")).unwrap(), right);
        }
        let split = read_both(r#"{"camera_id":"goal","post":null}"#, Some("pre=3&post=1")).unwrap();
        assert_eq!((split.pre_ms, split.post_ms), (3_000, 1_000));
        assert_eq!(split.cameras[0].as_str(), "goal");
    }

    #[test]
    fn what_is_said_twice_must_be_the_same() {
        let twice = |key: &str| {
            format!(
                "\"{key}\" is given twice, and not the same; give it once, in the body or behind the ?"
            )
        };
        for (body, query, complaint) in [
            (r#"{"duration":3}"#, "duration=2", twice("duration")),
            ("", "duration=3&duration=2", twice("duration")),
            (r#"{"camera_id":"goal"}"#, "camera_id=court1", twice("camera_id")),
            (r#"{"camera_id":"all"}"#, "camera_id=court1", twice("camera_id")),
            (r#"{"camera_id":["goal"]}"#, "camera_id=goal&camera_id=court1", twice("camera_id")),
            (r#"{"pre":"x"}"#, "pre=1", twice("pre")),
            (
                r#"{"pre":1}"#,
                "duration=2",
                r#""duration" means the last seconds before the press; give either it or "pre" and "post""#.to_owned(),
            ),
            (
                "",
                "duration=40s",
                r#""duration" must be a number of seconds, such as 40, not "40s""#.to_owned(),
            ),
            (
                "",
                "duration=inf",
                r#""duration" must be a number of seconds, such as 40, not "inf""#.to_owned(),
            ),
            (
                "",
                "pre=",
                r#""pre" must be a number of seconds, such as 40, not """#.to_owned(),
            ),
            (
                "",
                "camera_id=",
                r#"there is no camera ""; the cameras are court1, court2, goal, or "all""#.to_owned(),
            ),
        ] {
            let said = read_both(body, Some(query)).unwrap_err().to_string();
            assert_eq!(said, complaint, "{body} and {query}");
        }
        let same = [
            (r#"{"camera_id":["goal"]}"#, "camera_id=goal"),
            (r#"{"duration":2}"#, "duration=2.0&duration=2"),
        ];
        for (body, query) in same {
            assert!(read_both(body, Some(query)).is_ok(), "{body} and {query}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_words() {
        let table = [
            (
                "{",
                "the body is not JSON: EOF while parsing an object at line 1 column 1",
            ),
            (
                "[]",
                r#"the body must be a JSON object such as {"camera_id": "all"}, not []"#,
            ),
            (
                "null",
                r#"the body must be a JSON object such as {"camera_id": "all"}, not null"#,
            ),
            (
                r#"{"camera_id":"court9"}"#,
                r#"there is no camera "court9"; the cameras are court1, court2, goal, or "all""#,
            ),
            (
                r#"{"camera_id":["goal","../x"]}"#,
                r#"there is no camera "../x"; the cameras are court1, court2, goal, or "all""#,
            ),
            (
                r#"{"camera_id":[]}"#,
                r#""camera_id" is an empty list; leave it out for all cameras"#,
            ),
            (
                r#"{"camera_id":7}"#,
                r#""camera_id" must be a camera's id, a list of ids, or "all", not 7"#,
            ),
            (
                r#"{"duration":0}"#,
                r#""duration" must be more than 0 seconds"#,
            ),
            (
                r#"{"duration":0.0001}"#,
                r#""duration" must be more than 0 seconds"#,
            ),
            (
                r#"{"duration":-3}"#,
                r#""duration" must be 0 seconds or more, not -3"#,
            ),
            (
                r#"{"duration":"40s"}"#,
                r#""duration" must be a number of seconds, such as 40, not "40s""#,
            ),
            (
                r#"{"duration":true}"#,
                r#""duration" must be a number of seconds, such as 40, not true"#,
            ),
            (
                r#"{"duration":1e300}"#,
                r#""duration" must be less than a day, not 1e+300"#,
            ),
            (
                r#"{"duration":91}"#,
                "91 s is more than the 90 s that the rings hold; ask for less, or raise [ring] seconds",
            ),
            (
                r#"{"pre":0,"post":0}"#,
                r#""pre" and "post" are both 0: there would be nothing to see"#,
            ),
            (
                r#"{"duration":4,"pre":2}"#,
                r#""duration" means the last seconds before the press; give either it or "pre" and "post""#,
            ),
            (
                r#"{"durtion":4}"#,
                r#""durtion" means nothing here; the keys are "camera_id", "duration", "pre" and "post""#,
            ),
        ];
        for (body, complaint) in table {
            let said = read_with(body).unwrap_err().to_string();
            assert_eq!(said, complaint, "for {body}");
        }
        let long = format!(r#"{{"camera_id":"{}"}}"#, "ä".repeat(500));
        assert!(read_with(&long).unwrap_err().to_string().chars().count() < 200);
        assert!(
            read(
                &[0xff, 0xfe],
                None,
                &PressChoice {
                    cameras: &[],
                    pre_ms: 1,
                    post_ms: 1,
                    ring_ms: 1
                }
            )
            .is_err()
        );
    }
}
