//! The built-in camera by itself, on a port of loopback, until it is killed: what the emulated box of
//! `make image-test` sees as its camera, through QEMU's user network.
//!
//!     cargo run --example image_camera -- 8554

use hindsight::demo::{DemoCamera, Script};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse()?,
        None => 0,
    };
    let camera = DemoCamera::start(Script {
        port,
        keep_log: false,
        ..Script::default()
    })?;
    println!("{}", camera.url());
    loop {
        std::thread::park();
    }
}
