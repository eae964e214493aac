//! All tables together: what people may write, and what the program trusts.
//!
//! Not here: any one table (its file).

use std::path::PathBuf;

use super::board::BoardSettings;
use super::button::Button;
use super::camera::Camera;
use super::checker::Checker;
use super::finish::Finish;
use super::highlight::Highlight;
use super::http::Http;
use super::ingest::IngestSettings;
use super::keys::TableSpec;
use super::led::Led;
use super::log::Log;
use super::pins::Connections;
use super::queue::QueueSettings;
use super::reconnect::Reconnect;
use super::ring::RingSettings;
use super::storage::Storage;
use super::target::TargetSettings;
use super::trigger::Trigger;
use super::upload::UploadSettings;
use super::venue::Venue;
use super::{
    board, button, camera, finish, highlight, http, ingest, led, log, logo, queue, reconnect, ring,
    storage, target, trigger, upload, venue,
};

/// Every table there is, in the order in which people are told of them.
pub static TABLES: &[&TableSpec] = &[
    &venue::TABLE,
    &storage::TABLE,
    &ring::TABLE,
    &highlight::TABLE,
    &trigger::TABLE,
    &reconnect::TABLE,
    &ingest::TABLE,
    &camera::TABLE,
    &http::TABLE,
    &log::TABLE,
    &board::TABLE,
    &button::TABLE,
    &led::TABLE,
    &finish::TABLE,
    &logo::TABLE,
    &queue::TABLE,
    &upload::TABLE,
    &target::TABLE,
];

pub fn table_spec(name: &str) -> Option<&'static TableSpec> {
    TABLES.iter().find(|spec| spec.name == name).copied()
}

pub fn table_names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|spec| spec.name)
}

/// The configuration that the program trusts: every value has been checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub venue: Venue,
    pub storage: Storage,
    pub ring: RingSettings,
    pub highlight: Highlight,
    pub trigger: Trigger,
    pub reconnect: Reconnect,
    pub ingest: IngestSettings,
    /// At least one, but where `Sources` allow none; ids are unique.
    pub cameras: Vec<Camera>,
    pub http: Http,
    pub log: Log,
    pub board: BoardSettings,
    /// Ids are unique, pins are named once among buttons and LEDs.
    pub buttons: Vec<Button>,
    pub leds: Vec<Led>,
    pub finish: Finish,
    pub queue: QueueSettings,
    pub upload: UploadSettings,
    /// Ids are unique.
    pub targets: Vec<TargetSettings>,
    /// Where others write down what is wrong with the box (`--notices`); no key of the file.
    pub notices: Option<PathBuf>,
}

/// All of it, or as much as could be made of it; what was found knows whether it can be trusted.
pub fn check(check: &mut Checker<'_>) -> Config {
    let highlight = highlight::check(check);
    let cameras = camera::check(check);
    let mut connections = Connections::default();
    let buttons = button::check(check, &highlight, &cameras, &mut connections);
    let leds = led::check(check, &mut connections);
    let storage = storage::check(check);
    let logos = logo::check(check);
    let finish = finish::check(check, logos);
    Config {
        venue: venue::check(check),
        ring: ring::check(check, &highlight, &buttons),
        trigger: trigger::check(check),
        reconnect: reconnect::check(check),
        ingest: ingest::check(check),
        http: http::check(check),
        log: log::check(check),
        board: board::check(check),
        queue: queue::check(check, finish.marks()),
        upload: upload::check(check),
        targets: target::check(check, &storage),
        highlight,
        cameras,
        buttons,
        leds,
        storage,
        finish,
        notices: None,
    }
}

impl Config {
    /// The longest window that anybody's press can have: pre and post together.
    pub fn longest_window_ms(&self) -> u64 {
        let of_buttons = self.buttons.iter().flat_map(Button::windows);
        let windows = of_buttons.map(|(_, window)| window);
        let all = windows.chain([self.highlight.window()]);
        all.map(|window| window.length_ms()).max().unwrap_or(0)
    }

    /// What one press of all cameras needs on the disk at most.
    pub fn press_bytes(&self) -> u64 {
        let cameras = u64::try_from(self.cameras.len()).unwrap_or(u64::MAX);
        let bits_per_camera = (self.longest_window_ms() / 1000 + 1) * self.ring.max_bitrate_bps;
        bits_per_camera.saturating_mul(cameras) / 8
    }
}
