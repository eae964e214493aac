//! Calls a camera, in the way that it needs.
//!
//! Not here: which way that is (`relay::decide`), one call (`session`).

use std::sync::Arc;
use std::time::Duration;

use retina::client::SessionGroup;

use crate::config::Camera;

use super::relay::{CallWay, RelayMemory, over_udp};
use super::sentence::CaptureSentence;
use super::session::{self, Playing, StartTimes};
use super::settings::POLITE;

/// [`session::connect`], without the relay, or with it; learns which.
pub async fn connect(
    camera: &Camera,
    group: &Arc<SessionGroup>,
    limit: Duration,
    start_times: &mut StartTimes,
    memory: &mut RelayMemory,
) -> Result<Playing, CaptureSentence> {
    let way = memory.way();
    let failed = match session::connect(camera, way, group, limit, start_times).await {
        Ok(playing) => return Ok(playing),
        Err(reason) => over_udp(reason, camera),
    };
    if way == CallWay::Relayed {
        memory.failed(&failed);
        return Err(failed);
    }
    if !memory.tries_after(&failed, camera) {
        return Err(failed);
    }
    // Some cameras serve few at a time: let it hear the good-bye first.
    let _ = tokio::time::timeout(POLITE, group.await_teardown()).await;
    match session::connect(camera, CallWay::Relayed, group, limit, start_times).await {
        Ok(playing) => {
            memory.helped(&failed, playing.mended());
            Ok(playing)
        }
        Err(reason) => {
            memory.failed(&reason);
            let tells_more = matches!(
                reason,
                CaptureSentence::Misspeaks { .. }
                    | CaptureSentence::NoSignIn { .. }
                    | CaptureSentence::NoSuchStream {}
                    | CaptureSentence::NoTransport {}
                    | CaptureSentence::OffersNothing {}
                    | CaptureSentence::OffersNoVideo { .. }
            );
            Err(if tells_more { reason } else { failed })
        }
    }
}
