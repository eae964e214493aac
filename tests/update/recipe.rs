//! The recipe in the room's header makes an update that a box takes. It is read from there, so
//! that it cannot say something else than what is tested.

use std::fs;
use std::path::Path;
use std::process::Command;

use hindsight::update::{Slot, SlotState};

use crate::rig::{Rig, signature_of, system};

fn recipe() -> String {
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/update/mod.rs");
    let room = fs::read_to_string(room).unwrap();
    let lines = room
        .lines()
        .map(|line| line.trim_start_matches("//!").trim_start());
    let inside = lines.skip_while(|line| *line != "```sh").skip(1);
    let recipe: Vec<&str> = inside.take_while(|line| *line != "```").collect();
    assert!(recipe.len() > 4, "no recipe in the room's header");
    recipe.join("\n")
}

fn have(tool: &str) -> bool {
    let asked = Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .output();
    asked.is_ok_and(|output| output.status.success())
}

#[test]
fn the_recipe_of_the_rooms_header_makes_an_update_that_is_taken() {
    if !have("minisign") || !have("zstd") {
        return eprintln!("SKIPPED: no minisign or no zstd here; tests/install gets them");
    }
    let rig = Rig::new(Slot::A, 3_000_000);
    let new = system(60, 2_900_000);
    fs::write(rig.path("system"), &new).unwrap();
    let run = |script: &str| {
        let output = Command::new("sh")
            .args(["-euc", script])
            .current_dir(rig.dir.path())
            .env("SLOT", rig.path("system"))
            .env("OUT", rig.dir.path())
            .env("KEY", rig.path("secret"))
            .env("VERSION", "9.1.0-rc.1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{script}\n{text}");
    };
    run("minisign -G -W -f -p update.pub -s secret");
    run(&recipe());
    let update = rig.path("hindsight-9.1.0-rc.1-arm64.hsu");
    let written = rig.install(&update).unwrap();
    assert_eq!(written.version.to_string(), "9.1.0-rc.1");
    assert!(fs::read(&rig.layout.b).unwrap()[..new.len()] == new);
    assert_eq!(rig.says(), SlotState::trying_other(Slot::A));

    // The way in which minisign signed before, which needs all of it in memory.
    run("minisign -S -l -s secret -m hindsight-9.1.0-rc.1-arm64.hsu");
    let why = rig.install(&update).unwrap_err().to_string();
    assert!(why.contains("sign it without -l"), "{why}");
    assert!(signature_of(&update).exists());

    // A window that a small box has no memory for.
    run("head -n 1 hindsight-9.1.0-rc.1-arm64.hsu >large.hsu
         zstd -q --ultra -22 --long=27 -c <system >>large.hsu; minisign -S -s secret -m large.hsu");
    let why = rig.install(&rig.path("large.hsu")).unwrap_err().to_string();
    assert!(why.contains("pack it with zstd -19"), "{why}");
}
