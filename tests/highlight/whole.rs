//! Presses that nothing disturbs.

use hindsight::highlight::cut::Ended;
use hindsight::highlight::sidecar::Status;

use crate::rig::{Place, SECOND, now};

#[test]
fn a_press_whose_window_is_over_is_a_clip_at_once() {
    let place = Place::new(&["court1"]);
    let _camera = place.camera("court1", 10);
    let service = place.start();
    let press = service.press(&place.request(now() - SECOND, 5_000, 0));
    let outcomes = service.outcomes(&press);
    assert_eq!(outcomes.len(), 1);
    let outcome = &outcomes[0];
    assert_eq!(outcome.status, Status::Queued, "{outcome:?}");
    assert_eq!(outcome.ended, Some(Ended::Complete));
    assert!(
        (5_000..=5_050).contains(&outcome.duration_ms),
        "{outcome:?}"
    );
    let listed = service.highlights.list(10);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].sidecar.press_id, press);
}
