//! `HINDSIGHT_BREAK=name` takes that piece out of the protocol: it becomes
//! `--cfg hindsight_break="name"`, without building the dependencies again.

fn main() {
    println!("cargo:rerun-if-env-changed=HINDSIGHT_BREAK");
    println!("cargo:rerun-if-changed=build.rs");
    if let Ok(name) = std::env::var("HINDSIGHT_BREAK") {
        println!("cargo:rustc-cfg=hindsight_break=\"{name}\"");
    }
}
