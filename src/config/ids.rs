//! The ids of entries: that they are there, are ids, and stand once.

use super::checker::KeySentence;
use super::keys::TableSpec;
use super::place::SourceLocation;
use super::problem::Findings;
use super::written::Table;
use crate::base::CameraId;

crate::sentences! {
    /// What is wrong with an id; follows `key = value`.
    pub enum IdSentence {
        NotText { rule: &'static str } = "config_id_not_text": "is no id; an id is text: {rule}",
        MeansAllCameras {} = "config_id_means_all_cameras":
            "cannot be an id: it means all cameras; choose another",
        MeansAll {} = "config_id_means_all": "cannot be an id: it means all; choose another",
        NamesFiles { rule: &'static str } = "config_id_cannot_name_files":
            "cannot be an id: it names files; use {rule}",
        NoId { rule: &'static str } = "config_no_id": "cannot be an id; use {rule}",
        Taken { table: &'static str, place: String } = "config_id_taken":
            "is taken by the {table} at {place}; each needs an id of its own",
        TooLike { other: String, place: String, variables: String } = "config_id_too_like":
            "is too like \"{other}\" at {place}: both would be {variables}_… in the environment; rename one",
    }
}

crate::sentences! {
    /// What is wrong with an entry that names no id; a whole sentence.
    pub enum NoIdSentence {
        DefaultTaken { table: String, id: String, place: String } = "config_default_id_taken":
            "{table} has no id and would be \"{id}\", which stands at {place}; write an id of its own",
    }
}

/// The part of a variable's name that stands for an entry's id: capitals, `-` as `_`.
pub fn id_in_names(id: &str) -> String {
    id.to_ascii_uppercase().replace('-', "_")
}

/// The ids of one table so far.
pub struct Ids {
    spec: &'static TableSpec,
    taken: Vec<(String, SourceLocation)>,
    seen: usize,
}

impl Ids {
    pub fn of(spec: &'static TableSpec) -> Ids {
        Ids {
            spec,
            taken: Vec::new(),
            seen: 0,
        }
    }

    /// The next entry's id, if it is one and no other has it or one that its variables would mix up.
    pub fn take(&mut self, entry: &Table, found: &mut Findings) -> Option<CameraId> {
        self.seen += 1;
        let Some(cell) = entry.get("id") else {
            return self.take_default(&entry.called(self.seen), entry, found);
        };
        let rule = CameraId::RULE;
        let Some(text) = cell.text() else {
            found.reject(cell, IdSentence::NotText { rule });
            return None;
        };
        let Ok(id) = CameraId::new(text) else {
            found.reject(cell, self.no_id(text));
            return None;
        };
        if let Some((other, place)) = self.same_in_names(text) {
            found.reject(cell, self.collides_with(other, place, text));
            return None;
        }
        self.taken.push((text.to_owned(), cell.place.clone()));
        Some(id)
    }

    fn take_default(
        &mut self,
        name: &str,
        entry: &Table,
        found: &mut Findings,
    ) -> Option<CameraId> {
        let table = self.spec.header();
        let Ok(id) = CameraId::new(name) else {
            let example = self
                .spec
                .repeats
                .as_ref()
                .map_or("", |many| many.example_id);
            let what = KeySentence::Missing {
                table,
                missing: "id".to_owned(),
                example: format!("\"{example}\""),
            };
            found.problem(&entry.place, what);
            return None;
        };
        if let Some((_, place)) = self.same_in_names(name) {
            let what = NoIdSentence::DefaultTaken {
                table,
                id: name.to_owned(),
                place: place.to_string(),
            };
            found.problem(&entry.place, what);
            return None;
        }
        self.taken.push((name.to_owned(), entry.place.clone()));
        Some(id)
    }

    fn no_id(&self, text: &str) -> IdSentence {
        let rule = CameraId::RULE;
        match (text, self.spec.name) {
            ("all", "camera") => IdSentence::MeansAllCameras {},
            ("all", _) => IdSentence::MeansAll {},
            (_, "camera") => IdSentence::NamesFiles { rule },
            _ => IdSentence::NoId { rule },
        }
    }

    fn same_in_names(&self, id: &str) -> Option<&(String, SourceLocation)> {
        let names = id_in_names(id);
        let mut taken = self.taken.iter();
        taken.find(|(other, _)| id_in_names(other) == names)
    }

    fn collides_with(&self, other: &str, place: &SourceLocation, id: &str) -> IdSentence {
        let (table, place) = (self.spec.name, place.to_string());
        if other == id {
            return IdSentence::Taken { table, place };
        }
        let (names, capitals) = (id_in_names(id), table.to_ascii_uppercase());
        IdSentence::TooLike {
            other: other.to_owned(),
            place,
            variables: format!("HINDSIGHT_{capitals}_{names}"),
        }
    }
}
