//! What stands in `hw/` is true: the pin maps, the overlay, the drawing, the tables
//! of the wiring guide. All of it derives from `hw/boards` and from the table of the
//! lights, and drifts from neither.
//!
//! `HINDSIGHT_WRITE=1 cargo test --test hw` writes the drawing and the tables anew.

#![allow(clippy::unwrap_used)]

mod boards;
mod drawing;
mod guide;
mod overlay;

use std::path::PathBuf;

/// A file of `hw/`.
fn hw(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("hw")
        .join(name)
}

fn read(name: &str) -> String {
    let path = hw(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file `name` is `text`, or is made so when asked.
fn is_up_to_date(name: &str, text: &str) {
    if std::env::var_os("HINDSIGHT_WRITE").is_some() {
        std::fs::write(hw(name), text).unwrap();
    }
    assert!(
        read(name) == text,
        "hw/{name} is not what hw/boards and src/board say: HINDSIGHT_WRITE=1 cargo test --test hw"
    );
}
