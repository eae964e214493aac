//! The sidecar's schema is written by hand, since it says more than its types do; here both must name the same fields.

use std::collections::BTreeSet;

use hindsight::base::Source;
use hindsight::cut::{Certainty, Damaged, Ended, Gap, GapReason};
use hindsight::media::{Alignment, Track};
use hindsight::queue::sidecar::{
    ClockFacts, Kind, MappingFacts, MarkedMeta, Meta, Removed, Requested, Sidecar, SidecarCamera,
    Stage, Status, TargetState, UploadStatus,
};
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde_json::Value;

/// Writes down which fields or variants a type asks for, and gives it none.
struct Names<'a>(&'a mut BTreeSet<String>);

impl Names<'_> {
    fn note<T>(self, names: &[&str]) -> Result<T, Error> {
        self.0.extend(names.iter().map(|name| (*name).to_owned()));
        Err(Error::custom("only asked"))
    }
}

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        self.note(&[])
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.note(fields)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.note(variants)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

fn names<T: DeserializeOwned>() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let _ = T::deserialize(Names(&mut names));
    assert!(!names.is_empty(), "{}", std::any::type_name::<T>());
    names
}

/// Where the schema says what an object has, and what it has.
fn objects() -> Vec<(&'static str, BTreeSet<String>)> {
    vec![
        ("", names::<Sidecar>()),
        ("/camera", names::<SidecarCamera>()),
        ("/meta", names::<Meta>()),
        ("/requested", names::<Requested>()),
        ("/gaps/items", names::<Gap>()),
        ("/damaged/items", names::<Damaged>()),
        ("/clock", names::<ClockFacts>()),
        ("/clock/mapping", names::<MappingFacts>()),
        ("/meta_wm", names::<MarkedMeta>()),
        ("/uploads/items", names::<TargetState>()),
    ]
}

/// The same for words. Of codecs a clip takes fewer than there are.
fn words() -> Vec<(&'static str, BTreeSet<String>)> {
    vec![
        ("/type", names::<Kind>()),
        ("/status", names::<Status>()),
        ("/source", names::<Source>()),
        ("/ended", names::<Ended>()),
        ("/gaps/items/track", names::<Track>()),
        ("/gaps/items/reason", names::<GapReason>()),
        ("/clock/certainty", names::<Certainty>()),
        ("/clock/alignment", names::<Alignment>()),
        ("/stage", names::<Stage>()),
        ("/uploads/items/status", names::<UploadStatus>()),
        ("/removed", names::<Removed>()),
    ]
}

fn found(
    node: &Value,
    at: &str,
    objects: &mut Vec<(String, BTreeSet<String>)>,
    words: &mut Vec<(String, BTreeSet<String>)>,
) {
    let texts = |list: &Value| -> BTreeSet<String> {
        let list = list.as_array().unwrap().iter();
        list.filter_map(|word| Some(word.as_str()?.to_owned()))
            .collect()
    };
    if let Some(list) = node.get("enum") {
        words.push((at.to_owned(), texts(list)));
    }
    if let Some(word) = node.get("const").and_then(Value::as_str) {
        words.push((at.to_owned(), BTreeSet::from([word.to_owned()])));
    }
    if let Some(items) = node.get("items") {
        found(items, &format!("{at}/items"), objects, words);
    }
    let Some(fields) = node.get("properties").and_then(Value::as_object) else {
        return;
    };
    let named: BTreeSet<String> = fields.keys().cloned().collect();
    assert_eq!(node["additionalProperties"], false, "{at}");
    let required = texts(&node["required"]);
    // Sidecars of versions without codes have none.
    let of_codes = ["_code", "_codes", "_args"];
    let absent = named.difference(&required);
    let never: Vec<_> = absent
        .filter(|name| !of_codes.iter().any(|end| name.ends_with(end)))
        .collect();
    assert_eq!(never, [""; 0], "{at}: what is there is always there");
    objects.push((at.to_owned(), named));
    for (name, field) in fields {
        found(field, &format!("{at}/{name}"), objects, words);
    }
}

#[test]
fn the_sidecars_schema_and_its_types_have_the_same_fields_and_words() {
    let schema: Value =
        serde_json::from_str(include_str!("../../schemas/sidecar.schema.json")).unwrap();
    let (mut in_objects, mut in_words) = (Vec::new(), Vec::new());
    found(&schema, "", &mut in_objects, &mut in_words);
    in_words.retain(|(at, _)| !at.ends_with("codec"));
    let by_place = |list: Vec<(&'static str, BTreeSet<String>)>| {
        let mut list: Vec<_> = list
            .into_iter()
            .map(|(at, names)| (at.to_owned(), names))
            .collect();
        list.sort();
        list
    };
    in_objects.sort();
    in_words.sort();
    assert_eq!(in_objects, by_place(objects()));
    assert_eq!(in_words, by_place(words()));
}
