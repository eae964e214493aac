//! Hindsight: press the button after it happened.
//!
//! ```text
//!            RAM                              SSD                                  network
//! camera ──▶ ingest ──▶ RING ──▶ highlight ──▶ queue ──▶ finish (FFmpeg) ──▶ upload
//!                        │          ▲
//!                        │          └── press ◀── trigger ◀── button · HTTP · keyboard
//!                        └──▶ tap ──▶ other programs
//!   health watches all of it, and speaks through the API
//! ```
//!
//! Everything flows one way, to something slower and more durable. A stage may
//! lose time; its left neighbour never does.
//!
//! Rooms, from the ground up (who may import whom is checked by `tests/rules`):
//!
//! * [`base`]: clocks, ids, the press as a value, rate-limited counters, the stop signal
//! * [`config`]: what people write, and what the program trusts
//! * [`media`]: access units, tracks, parameter sets, the 90 kHz timeline
//! * [`mp4`]: the muxer, pure: sample facts in, bytes and offsets out
//! * [`fragment`]: pure: access units in, fragments of MP4 out
//! * [`cut`]: pure: footage in, an exact plan of samples and edits out
//! * [`disk`]: temp → write → sync → rename → sync directory; free space
//! * [`storage`]: where what lies on the storage, and what its files are called
//! * [`spawn`]: programs in processes of their own
//! * [`cage`]: how a process that reads what strangers send locks itself in
//! * [`access`]: who may sign in: users, sessions, shared links; their files
//! * [`ring`]: the shared-memory ring: one writer, any number of readers
//! * [`ingest`]: RTSP (retina) → ring; reconnect policy, stall watch, timeline
//! * [`tap`]: ring → fragmented MP4 on a pipe
//! * [`board`]: buttons and lights: rppal on a Pi, the character device elsewhere, a simulated board
//! * [`trigger`]: turns edges and keys into presses: gestures, cooldown, opening hours
//! * [`queue`]: durable jobs: what is still to be done with a clip, kept in its sidecar
//! * [`highlight`]: journal, export, commit, sidecar, verify
//! * [`finish`]: watermark, vertical format and thumbnail, by FFmpeg
//! * [`upload`]: folder, S3, signed URL
//! * [`health`]: snapshots → one verdict
//! * [`update`]: a signed system into the slot that does not run, and the switch to it
//! * [`web`]: the HTTP API
//! * [`appliance`]: what only a box flashed from our SD image needs: its disk, its one file to configure
//! * [`demo`]: the built-in RTSP camera, and the faults tests script into it
//! * [`service`]: composition root: builds, starts, watches and stops everything
//! * [`commands`]: one file a command of the program; with `service` the only place that knows all rooms

// What a room's header points at may be the room's own; what a command says of its arguments is no HTML.
#![allow(rustdoc::private_intra_doc_links, rustdoc::invalid_html_tags)]
#![cfg_attr(
    not(test),
    warn(
        clippy::cast_lossless,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss
    )
)]

pub mod access;
pub mod appliance;
pub mod base;
pub mod board;
pub mod cage;
pub mod commands;
pub mod config;
pub mod cut;
pub mod demo;
pub mod disk;
pub mod finish;
pub mod fragment;
pub mod health;
pub mod highlight;
pub mod ingest;
pub mod media;
pub mod mp4;
pub mod queue;
pub mod ring;
pub mod service;
pub mod spawn;
pub mod storage;
pub mod tap;
pub mod trigger;
pub mod update;
pub mod upload;
pub mod web;
