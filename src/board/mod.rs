//! Buttons and lights: edges in, levels out.
//!
//! Backends (`rppal` on a Raspberry Pi that has `/dev/gpiomem`, the GPIO character
//! device elsewhere, USB keys, a simulated board) behind two small traits; the
//! pin maps; what each light shows when.
//!
//! Not here: what an edge means (`trigger`), what becomes of a press (`highlight`).

mod cdev;
mod chip;
mod error;
pub mod lights;
mod listen;
mod open;
pub mod patterns;
mod peek;
pub mod pins;
mod rppal;
pub mod sim;
mod sys;
mod types;
mod usb;

pub use error::{BoardError, BoardNote, BoardPartName};
pub use open::{open, open_levels};
pub use peek::{Peeked, peek};
pub use types::{
    BoardEvent, BoardPart, Edge, Edges, LedOutputs, Levels, OpenBoard, PinFault, Settings,
};
