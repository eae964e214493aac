//! A new system into the slot that does not run, and the switch to it.
//!
//! The card of the image has two slots, each a partition with a whole system, and two small
//! files that say which of them U-Boot starts ([`state`]). An update writes the other slot, reads
//! it back, and only then has it tried ([`install`]); the system in it confirms itself once its
//! service has been healthy for two minutes ([`confirm`]). A cut at any moment leaves a slot that
//! boots: before the first byte is written no file speaks of the other slot, and none does until
//! the last is on the card.
//!
//! An update is one file, `hindsight-<version>-arm64.hsu`: a line of JSON ([`header`]), then the
//! slot's bytes packed with zstd; beside it `hindsight-<version>-arm64.hsu.minisig`, the signature
//! of the whole file. Nothing of it is believed, or even looked at, before the signature holds.
//! Made like this, with `SLOT` the slot's bytes (a file of the partition's size, or less), `KEY`
//! minisign's secret key and `OUT` a folder:
//!
//! ```sh
//! hsu="$OUT/hindsight-$VERSION-arm64.hsu"
//! sha256=$(sha256sum "$SLOT" | cut -d ' ' -f 1)
//! printf '{"format":1,"version":"%s","arch":"arm64","size":%s,"sha256":"%s"}\n' \
//!     "$VERSION" "$(stat -c %s "$SLOT")" "$sha256" >"$hsu"
//! zstd -q -19 -T0 -c "$SLOT" >>"$hsu"
//! minisign -S -s "$KEY" -m "$hsu" -t "hindsight $VERSION arm64"
//! ```
//!
//! Not here: the service and its health (`commands` asks and hands the answers in), what U-Boot does
//! with the files (`image/`), restarting the box (`commands`).

pub mod confirm;
pub mod error;
pub mod fetch;
pub mod header;
pub mod image;
pub mod install;
pub mod layout;
pub mod state;
pub mod store;
mod unpack;

pub use error::UpdateError;
pub use header::Header;
pub use image::Image;
pub use install::{InstallStep, Updater};
pub use layout::Layout;
pub use state::{Slot, SlotState};
pub use store::SlotStore;
