//! The open connections: who is idle since when, and who makes room for another.
//!
//! Not here: what is sent on them (`server`).

use crate::base::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::task::AbortHandle;

/// The open connections: who is idle since when, and how to end them.
#[derive(Default)]
pub(super) struct ConnectionTable(Mutex<Connections>);

#[derive(Default)]
struct Connections {
    next: u64,
    open: BTreeMap<u64, Connection>,
    emptied: Arc<tokio::sync::Notify>,
}

struct Connection {
    /// `None` while a request is at work; else a number that grows with each change.
    idle_since: Option<u64>,
    task: Option<AbortHandle>,
}

impl ConnectionTable {
    /// False if all places are taken by connections that are at work.
    pub fn make_room(&self, places: usize) -> bool {
        let mut table = lock(&self.0);
        if table.open.len() < places {
            return true;
        }
        let idle = table
            .open
            .iter()
            .filter_map(|(id, c)| Some((c.idle_since?, *id)));
        let Some((_, longest)) = idle.min() else {
            return false;
        };
        let task = table.open.remove(&longest).and_then(|c| c.task);
        drop(table);
        if let Some(task) = task {
            task.abort();
        }
        true
    }

    pub fn enter(&self) -> u64 {
        let mut table = lock(&self.0);
        table.next += 1;
        let id = table.next;
        let idle = Connection {
            idle_since: Some(id),
            task: None,
        };
        table.open.insert(id, idle);
        id
    }

    pub fn handle(&self, id: u64, task: AbortHandle) {
        if let Some(connection) = lock(&self.0).open.get_mut(&id) {
            connection.task = Some(task);
        }
    }

    fn set_busy(&self, id: u64, busy: bool) {
        let mut table = lock(&self.0);
        table.next += 1;
        let now = table.next;
        if let Some(connection) = table.open.get_mut(&id) {
            connection.idle_since = (!busy).then_some(now);
        }
    }

    fn leave(&self, id: u64) {
        let mut table = lock(&self.0);
        table.open.remove(&id);
        if table.open.is_empty() {
            table.emptied.notify_one();
        }
    }

    /// Until the last connection left.
    pub async fn empty(&self) {
        loop {
            let emptied = {
                let table = lock(&self.0);
                if table.open.is_empty() {
                    return;
                }
                table.emptied.clone()
            };
            emptied.notified().await;
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
    pub fn new(table: &Arc<ConnectionTable>, connection: u64) -> RequestAtWork {
        table.set_busy(connection, true);
        RequestAtWork(table.clone(), connection)
    }
}

impl Drop for RequestAtWork {
    fn drop(&mut self) {
        self.0.set_busy(self.1, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_idle_longest_makes_room_and_the_busy_stay() {
        let table = ConnectionTable::default();
        let [first, second, third] = [table.enter(), table.enter(), table.enter()];
        table.set_busy(first, true);
        assert!(table.make_room(4));
        assert!(table.make_room(3), "an idle one leaves");
        assert!(lock(&table.0).open.contains_key(&first));
        assert!(
            !lock(&table.0).open.contains_key(&second),
            "it was idle longest"
        );
        table.set_busy(third, true);
        assert!(!table.make_room(2), "both are at work");
        table.set_busy(first, false);
        assert!(table.make_room(2));
        assert!(!lock(&table.0).open.contains_key(&first));
    }
}
