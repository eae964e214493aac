//! Parts on their way, two at once: while the server writes one down and answers, the next is
//! on the line.
//!
//! Not here: which parts are sent, and what is noted of them (`multipart`).

use std::fs::File;
use std::path::Path;
use std::thread;

use crossbeam_channel::{
    Receiver, RecvError, RecvTimeoutError, Sender, bounded, select, unbounded,
};

use super::bucket::{CRC32, base64};
use super::parts::SentPart;
use super::requests::Asking;
use crate::queue::work::Failure;
use crate::upload::attempt::{Flow, Meter, no_thread};
use crate::upload::hash::Sum;
use crate::upload::http::{Body, Stretch};
use crate::upload::sentence::S3UploadSentence;

/// More gained nothing here, and on a slow line each that is cut off is sent again.
const SENDERS: usize = 2;

/// A part to be sent.
#[derive(Clone, Copy)]
pub struct Work {
    pub number: u32,
    pub offset: u64,
    pub len: u64,
    pub crc32: u32,
}

/// What all parts of an upload have in common.
pub struct PartUpload<'a> {
    pub asking: &'a Asking<'a>,
    pub key: &'a str,
    pub path: &'a Path,
    pub file: &'a File,
    pub meter: &'a Meter<'a>,
    pub upload_id: &'a str,
    pub count: u32,
}

impl PartUpload<'_> {
    fn send(&self, work: Work) -> Result<SentPart, Failure> {
        let Work { number, crc32, .. } = work;
        let text = number.to_string();
        let query = [("partNumber", text.as_str()), ("uploadId", self.upload_id)];
        let url = self.asking.url(self.key, &query);
        let checksum = base64(&crc32.to_be_bytes());
        let headers = vec![(CRC32.to_owned(), checksum.clone())];
        let body = Body::File(Stretch {
            path: self.path,
            file: self.file,
            offset: work.offset,
            len: work.len,
            sum: Sum::Crc32(crc32),
            meter: self.meter,
        });
        let doing = format!("part {number} of {} of {}", self.count, self.key);
        let answer = self.asking.ask("PUT", &url, headers, body, &doing)?;
        let proved = self
            .asking
            .same_checksum(&answer, CRC32, &checksum, &doing)?;
        let etag = answer.header("etag").map(str::to_owned);
        let etag = etag.ok_or_else(|| {
            Failure::failed(S3UploadSentence::NoEtag {
                doing,
                server: answer.server.clone(),
            })
        })?;
        Ok(SentPart {
            number,
            etag,
            crc32,
            proved,
        })
    }
}

type News = Result<SentPart, Failure>;

/// The senders, as the thread that feeds them sees them.
pub struct PartPool<'a> {
    flow: &'a Flow<'a>,
    give: Sender<Work>,
    waiting: Receiver<Work>,
    told: Receiver<News>,
}

/// Starts the senders; `feed` hands parts on, and hears of the rest at its end.
pub fn run(
    upload: &PartUpload<'_>,
    flow: &Flow<'_>,
    feed: impl FnOnce(PartPool<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // One waits, so that none stands idle while something is noted.
    let (give, waiting) = bounded::<Work>(1);
    let (tell, told) = unbounded();
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            let (todo, tell) = (waiting.clone(), tell.clone());
            let send = move || {
                for work in todo {
                    // Whoever fed us has left.
                    let _ = tell.send(upload.send(work));
                }
            };
            let named = thread::Builder::new().name("upload-send".to_owned());
            let started = named.spawn_scoped(scope, send);
            started.map_err(|error| no_thread(&error))?;
        }
        drop(tell);
        feed(PartPool {
            flow,
            give,
            waiting,
            told,
        })
    })
}

impl PartPool<'_> {
    /// Waits for a free sender; `took` hears of parts that arrived meanwhile.
    pub fn hand_on(
        &self,
        work: Work,
        took: &mut dyn FnMut(SentPart) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            select! {
                send(self.give, work) -> given => {
                    given.map_err(|_| gone())?;
                    return Ok(());
                }
                recv(self.told) -> news => took(news.map_err(|RecvError| gone())??)?,
                default(Flow::LOOK) => self.flow.tell(),
            }
        }
    }

    /// Nothing more is begun; what is on its way is brought to its end.
    pub fn recall(&self) {
        while self.waiting.try_recv().is_ok() {}
    }

    /// Hears of all that is still on its way. The first failure is told.
    pub fn rest(
        self,
        took: &mut dyn FnMut(SentPart) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        drop((self.give, self.waiting));
        let mut ended = Ok(());
        loop {
            let news = match self.told.recv_timeout(Flow::LOOK) {
                Ok(news) => news.and_then(&mut *took),
                Err(RecvTimeoutError::Timeout) => {
                    self.flow.tell();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return ended,
            };
            ended = ended.and(news);
        }
    }
}

/// A sender panicked: the scope says so.
fn gone() -> Failure {
    Failure::failed(S3UploadSentence::SendersEnded {})
}
