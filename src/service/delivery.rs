//! What is done with a clip, put together: the queue, who finishes, where to.
//!
//! Not here: any of it (`queue`, `finish`, `upload`).

use std::sync::Arc;

use super::error::ServiceError;
use crate::base::{BootId, Clock, Stop};
use crate::config::Config;
use crate::finish::{self, FfmpegFinisher};
use crate::health::{DeliveryInputs, WaitingInputs};
use crate::queue::work::Finisher;
use crate::queue::{self, Mail, Queue};
use crate::storage::budget::Reserve;
use crate::upload;

/// The running queue, and who finishes for it.
pub(crate) struct Delivery {
    pub queue: Queue,
    maker: Arc<FfmpegFinisher>,
}

impl Delivery {
    /// Its threads begin when highlights have opened the storage.
    pub fn start(
        config: &Config,
        boot_id: BootId,
        mail: Mail,
        clock: &Arc<dyn Clock>,
        stop: &Stop,
    ) -> Result<Delivery, ServiceError> {
        let targets = upload::targets(config, clock.clone())?;
        let maker = Arc::new(FfmpegFinisher::new(finish::Settings {
            finish: config.finish.clone(),
            venue: config.venue.name.clone(),
            timezone: config.venue.timezone.clone(),
            // One press may be on its way to the disk; what waits is finished while
            // presses are refused already, so that it can leave the box.
            reserve_bytes: Reserve::of(config.press_bytes()).finishing_bytes,
            limits: finish::Limits::default(),
        }));
        let queue = Queue::start(
            settings(config, boot_id),
            mail,
            maker.clone() as Arc<dyn Finisher>,
            targets,
            clock.clone(),
            stop.clone(),
        )
        .map_err(ServiceError::Thread)?;
        Ok(Delivery { queue, maker })
    }

    /// What health judges.
    pub fn facts(&self) -> DeliveryInputs {
        let status = self.queue.status();
        let waiting = status.waiting.into_iter().filter(|lane| !lane.planned);
        DeliveryInputs {
            waiting: waiting
                .map(|lane| WaitingInputs {
                    target: lane.target,
                    why: lane.why.into(),
                    since_ms: lane.since_ms,
                })
                .collect(),
            problem: self.maker.problem().map(Into::into),
            failed: status.counts.failed,
            used_percent: status.disk_used_percent,
            days_left: status.disk_days_left,
        }
    }
}

fn settings(config: &Config, boot_id: BootId) -> queue::Settings {
    queue::Settings {
        queue: config.queue,
        finish_jobs: config.finish.jobs,
        marks: config.finish.marks(),
        vertical: config.finish.vertical,
        timezone: config.venue.timezone.clone(),
        boot_id,
        reserve_bytes: Reserve::of(config.press_bytes()).presses_bytes,
        backoff: queue::BACKOFF,
        seed: fastrand::u64(..),
    }
}
