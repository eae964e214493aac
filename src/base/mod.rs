//! Ground that every room stands on: clocks, ids, the press as a value, the
//! stop signal, counters for repeated errors, notices about the box, sentences with codes, addresses as they may be shown.
//!
//! Not here: anything that knows a camera, a file format or a socket.

pub mod backoff;
pub mod clock;
pub mod counted;
pub mod fanout;
pub mod heartbeat;
pub mod hex;
pub mod hours;
pub mod ids;
pub mod notice;
pub mod press;
pub mod quantity;
pub mod redact;
pub mod sentence;
pub mod stop;
pub mod sync;
pub mod sys;

pub use backoff::Backoff;
pub use clock::{Clock, RealClock, SimClock, Wall};
pub use counted::Counted;
pub use fanout::{Fanout, Subscription};
pub use heartbeat::Heartbeat;
pub use hex::hex;
pub use ids::{BootId, CameraId, PressId};
pub use notice::Notice;
pub use press::{Press, PressAck, PressError, PressRequest, Refusal, Source};
pub use sentence::{Arg, Coded, Sentence};
pub use stop::{Stop, StopLevel};
pub use sync::lock;
