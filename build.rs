//! Finds the commit that is being built, for `--version`.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=BUILD_COMMIT");
    // Whoever builds without the repository (an archive, a container) may say it.
    let told = std::env::var("BUILD_COMMIT").ok();
    let commit = told.or_else(commit).unwrap_or_else(|| "unknown".to_owned());
    // Cargo hands this name on to programs it runs, and `HINDSIGHT_…` is the configuration's.
    println!("cargo:rustc-env=BUILT_FROM_COMMIT={commit}");
}

fn commit() -> Option<String> {
    let here = std::env::var("CARGO_MANIFEST_DIR").ok()?;
    let top = git(&["rev-parse", "--show-toplevel"])?;
    // Unpacked inside of another repository, that one's commit says nothing.
    let same = Path::new(&top).canonicalize().ok()? == Path::new(&here).canonicalize().ok()?;
    if !same {
        return None;
    }
    watch("HEAD");
    // A debug build is not made anew for each commit: that would compile and link
    // everything again. Its `--version` says so.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        watch("packed-refs");
        if let Some(branch) = git(&["symbolic-ref", "--quiet", "HEAD"]) {
            watch(&branch);
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

/// `--git-path` knows where a worktree keeps what.
fn watch(name: &str) {
    if let Some(path) = git(&["rev-parse", "--git-path", name])
        && Path::new(&path).exists()
    {
        println!("cargo:rerun-if-changed={path}");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
