//! Where the queue hears of the storage and of new sidecars. Nobody who tells it waits.
//!
//! Not here: what is done about it (`maintenance`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::store::Sidecars;
use crate::base::PressId;

/// Whether a press is done with for good: what is removed of it does not come back.
pub type Settled = Arc<dyn Fn(&PressId) -> bool + Send + Sync>;

/// A storage that was opened.
pub struct OpenedStorage {
    pub sidecars: Arc<Sidecars>,
    pub settled: Settled,
}

/// What the queue is told.
pub enum Message {
    /// The storage can be used.
    Open(Box<OpenedStorage>),
    /// A sidecar was written.
    New(PathBuf),
    /// Look at the stop signal.
    Wake,
}

/// Where the queue hears of new highlights. Nobody who tells it waits.
#[derive(Clone, Debug)]
pub struct Inbox(Sender<Message>);

/// The other end of an [`Inbox`].
pub struct Mail(Inbox, Receiver<Message>);

impl Mail {
    pub fn open(self) -> (Inbox, Receiver<Message>) {
        (self.0, self.1)
    }
}

/// An inbox for whoever writes sidecars, and its mail for [`Queue::start`](super::Queue::start).
pub fn inbox() -> (Inbox, Mail) {
    let (send, receive) = unbounded();
    let inbox = Inbox(send);
    (inbox.clone(), Mail(inbox, receive))
}

impl Inbox {
    /// The storage can be used. `settled` says whether a press is done with for good.
    pub fn opened(
        &self,
        sidecars: Arc<Sidecars>,
        settled: impl Fn(&PressId) -> bool + Send + Sync + 'static,
    ) {
        let settled: Settled = Arc::new(settled);
        let open = OpenedStorage { sidecars, settled };
        // Without a queue nobody hears it.
        let _ = self.0.send(Message::Open(Box::new(open)));
    }

    /// A sidecar has been written.
    pub fn new_job(&self, sidecar: &Path) {
        let _ = self.0.send(Message::New(sidecar.to_owned()));
    }

    /// Somebody should look at the stop signal.
    pub fn wake(&self) {
        let _ = self.0.send(Message::Wake);
    }
}
