//! The ids of entries: that they are there, are ids, and stand once.
//!
//! Called by: `camera`, `button`, `target`.

use super::environment::id_in_names;
use super::problem::{Findings, SourceLocation};
use super::written::{Table, Value, called, header};
use crate::base::CameraId;

/// The ids of one table so far.
pub struct Ids {
    table: &'static str,
    taken: Vec<(String, SourceLocation)>,
    seen: usize,
}

impl Ids {
    pub fn of(table: &'static str) -> Ids {
        Ids {
            table,
            taken: Vec::new(),
            seen: 0,
        }
    }

    /// The next entry's id, if it is one and no other has it or one that its variables would mix up.
    pub fn take(&mut self, entry: &Table, found: &mut Findings) -> Option<CameraId> {
        self.seen += 1;
        let name = called(self.table, self.seen, entry);
        let Some(cell) = entry.get("id") else {
            return self.take_default(&name, entry, found);
        };
        let rule = CameraId::RULE;
        let Value::Text(text) = &cell.value else {
            found.reject(cell, format!("is no id; an id is text: {rule}"));
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
        self.taken.push((text.clone(), cell.place.clone()));
        Some(id)
    }

    fn take_default(
        &mut self,
        name: &str,
        entry: &Table,
        found: &mut Findings,
    ) -> Option<CameraId> {
        let (header, example) = (header(self.table), self.example());
        let Ok(id) = CameraId::new(name) else {
            let text = format!("{header} has no id; write id = \"{example}\"");
            found.problem(&entry.place, text);
            return None;
        };
        if let Some((_, place)) = self.same_in_names(name) {
            let text = format!(
                "{header} has no id and would be \"{name}\", which stands at {place}; write an id of its own"
            );
            found.problem(&entry.place, text);
            return None;
        }
        self.taken.push((name.to_owned(), entry.place.clone()));
        Some(id)
    }

    fn example(&self) -> &'static str {
        match self.table {
            "camera" => "court1",
            "target" => "cloud",
            _ => "wall",
        }
    }

    fn no_id(&self, text: &str) -> String {
        let rule = CameraId::RULE;
        match (text, self.table) {
            ("all", "camera") => "cannot be an id: it means all cameras; choose another".to_owned(),
            ("all", _) => "cannot be an id: it means all; choose another".to_owned(),
            (_, "camera") => format!("cannot be an id: it names files; use {rule}"),
            _ => format!("cannot be an id; use {rule}"),
        }
    }

    fn same_in_names(&self, id: &str) -> Option<&(String, SourceLocation)> {
        let names = id_in_names(id);
        let mut taken = self.taken.iter();
        taken.find(|(other, _)| id_in_names(other) == names)
    }

    fn collides_with(&self, other: &str, place: &SourceLocation, id: &str) -> String {
        let table = self.table;
        if other == id {
            return format!("is taken by the {table} at {place}; each needs an id of its own");
        }
        let (names, capitals) = (id_in_names(id), table.to_ascii_uppercase());
        format!(
            "is too like \"{other}\" at {place}: both would be HINDSIGHT_{capitals}_{names}_… in the \
             environment; rename one"
        )
    }
}
