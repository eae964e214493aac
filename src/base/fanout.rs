//! Events from one teller to any number of listeners.
//!
//! Whoever tells never waits. A listener that does not keep up loses the newest events and
//! is told how many.
//!
//! Not here: the events.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::sync::lock;

/// The telling side. Dropping it ends all subscriptions.
#[derive(Debug)]
pub struct Fanout<T> {
    capacity: usize,
    listeners: Mutex<Vec<Listener<T>>>,
}

#[derive(Debug)]
struct Listener<T> {
    events: Sender<T>,
    lost: Arc<AtomicU64>,
}

impl<T: Clone> Fanout<T> {
    /// Each listener may be so many events behind.
    pub fn new(capacity: usize) -> Fanout<T> {
        Fanout {
            capacity,
            listeners: Mutex::default(),
        }
    }

    /// All events from now on.
    pub fn subscribe(&self) -> Subscription<T> {
        let (send, events) = bounded(self.capacity);
        let lost = Arc::new(AtomicU64::new(0));
        lock(&self.listeners).push(Listener {
            events: send,
            lost: lost.clone(),
        });
        Subscription { events, lost }
    }

    /// Tells everybody; forgets those who left.
    pub fn tell(&self, event: &T) {
        lock(&self.listeners).retain(|listener| match listener.events.try_send(event.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                listener.lost.fetch_add(1, Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
    }
}

/// The listening side. Dropping it ends it.
#[derive(Debug)]
pub struct Subscription<T> {
    events: Receiver<T>,
    lost: Arc<AtomicU64>,
}

impl<T> Subscription<T> {
    /// The events in their order.
    pub fn events(&self) -> &Receiver<T> {
        &self.events
    }

    /// How many events were lost since this was last asked. They came after those that
    /// are waiting in [`events`](Subscription::events) at that moment.
    pub fn take_lost(&self) -> u64 {
        self.lost.swap(0, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_hears_everything_from_when_he_came_in_order() {
        let fanout = Fanout::new(8);
        fanout.tell(&0);
        let (one, other) = (fanout.subscribe(), fanout.subscribe());
        (1..=3).for_each(|event| fanout.tell(&event));
        for listener in [&one, &other] {
            let heard: Vec<u32> = listener.events().try_iter().collect();
            assert_eq!((heard, listener.take_lost()), (vec![1, 2, 3], 0));
        }
    }

    #[test]
    fn who_does_not_keep_up_loses_the_newest_and_is_told_how_many() {
        let fanout = Fanout::new(2);
        let (slow, quick) = (fanout.subscribe(), fanout.subscribe());
        for event in 0..5 {
            fanout.tell(&event);
            assert_eq!(quick.events().try_recv(), Ok(event));
        }
        let heard: Vec<u32> = slow.events().try_iter().collect();
        assert_eq!(heard, [0, 1]);
        assert_eq!((slow.take_lost(), slow.take_lost()), (3, 0));
        assert_eq!(quick.take_lost(), 0);
    }

    #[test]
    fn who_left_is_forgotten_and_the_tellers_end_is_heard() {
        let fanout = Fanout::new(2);
        drop(fanout.subscribe());
        fanout.tell(&1);
        assert!(lock(&fanout.listeners).is_empty());
        let last = fanout.subscribe();
        fanout.tell(&2);
        drop(fanout);
        assert_eq!(last.events().iter().collect::<Vec<_>>(), [2]);
    }
}
