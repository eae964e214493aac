//! The open connections: which task each is, and how to end those that make room for another.
//!
//! Not here: who makes room for whom (`places`), what is sent on them (`server`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::places::{NoPlace, Origin, PlaceRules, Places};
use crate::base::lock;

pub(super) struct ConnectionTable {
    open: Mutex<Open>,
    emptied: Notify,
}

struct Open {
    places: Places,
    tasks: HashMap<u64, AbortHandle>,
}

impl ConnectionTable {
    pub fn new(rules: PlaceRules) -> ConnectionTable {
        ConnectionTable {
            open: Mutex::new(Open {
                places: Places::new(rules),
                tasks: HashMap::new(),
            }),
            emptied: Notify::new(),
        }
    }

    /// Gives a connection its place; whoever has to make room for it is ended.
    pub fn enter(&self, origin: Origin) -> Result<u64, NoPlace> {
        let mut open = lock(&self.open);
        let given = open.places.admit(origin)?;
        let displaced = given.displaced.and_then(|id| open.tasks.remove(&id));
        drop(open);
        if let Some(task) = displaced {
            task.abort();
        }
        Ok(given.id)
    }

    pub fn handle(&self, id: u64, task: AbortHandle) {
        lock(&self.open).tasks.insert(id, task);
    }

    /// A stranger asks; whether not for the first time.
    pub fn hear(&self, id: u64) -> bool {
        lock(&self.open).places.hear(id)
    }

    fn leave(&self, id: u64) {
        let mut open = lock(&self.open);
        open.places.leave(id);
        open.tasks.remove(&id);
        if open.places.is_empty() {
            self.emptied.notify_one();
        }
    }

    /// Until the last connection left.
    pub async fn empty(&self) {
        while !lock(&self.open).places.is_empty() {
            self.emptied.notified().await;
        }
    }
}

/// A connection's place in the table, until it is dropped.
pub(super) struct OpenConnection<'a>(pub &'a ConnectionTable, pub u64);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

/// A request at work, from its headers to the last byte of its answer.
pub(super) struct RequestAtWork(Arc<ConnectionTable>, u64);

impl RequestAtWork {
    /// `known`: whether somebody known asks. `None`: all places of those like them are at work.
    pub fn begin(
        table: &Arc<ConnectionTable>,
        connection: u64,
        known: bool,
    ) -> Option<RequestAtWork> {
        let begun = lock(&table.open).places.begin(connection, known);
        begun.then(|| RequestAtWork(table.clone(), connection))
    }
}

impl Drop for RequestAtWork {
    fn drop(&mut self) {
        lock(&self.0.open).places.end(self.1);
    }
}
