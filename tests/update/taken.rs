//! What is right is written, read back, and tried.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hindsight::disk::Disk;
use hindsight::update::install::InstallStep;
use hindsight::update::{Image, Slot, SlotState, Updater};

use crate::rig::{Rig, Says, packed, said, system};

#[test]
fn an_update_is_written_to_the_other_slot_and_tried_twice() {
    for running in [Slot::A, Slot::B] {
        let rig = Rig::new(running, 1_500_000);
        let new = system(3, 1_200_000);
        let written = rig.install(&rig.update_of(&new)).unwrap();
        assert_eq!((written.slot, written.version.major), (running.other(), 9));
        assert_eq!(rig.says(), SlotState::trying_other(running));
        let slot = fs::read(rig.layout.device(running.other())).unwrap();
        assert!(slot[..new.len()] == new, "the slot holds something else");
        let [a, b, ..] = rig.all();
        let (ran, had) = match running {
            Slot::A => (a, &rig.a),
            Slot::B => (b, &rig.b),
        };
        assert!(ran == *had, "the running slot was touched");
    }
}

#[test]
fn a_slot_of_64_mb_is_filled_to_its_last_byte_and_every_step_is_told() {
    const LEN: usize = 64 << 20;
    let rig = Rig::new(Slot::A, LEN);
    let new = system(4, LEN);
    let path = rig.update_of(&new);
    let image = Image::open(&path).unwrap();
    let update = Updater::begin(&rig.layout, &Disk::default()).unwrap();
    let mut steps = Vec::new();
    let rules = rig.rules();
    update
        .install(&image, &rules, &mut |step| steps.push(step))
        .unwrap();
    assert!(fs::read(&rig.layout.b).unwrap() == new);
    let total = LEN as u64;
    let proved = image.len;
    for last in [
        InstallStep::Proving {
            done: proved,
            total: proved,
        },
        InstallStep::Writing { done: total, total },
        InstallStep::ReadingBack { done: total, total },
    ] {
        assert!(steps.contains(&last), "{last:?} was not told");
    }
}

#[test]
fn packed_bytes_in_several_frames_are_one_system() {
    let rig = Rig::new(Slot::A, 900_000);
    let new = system(5, 900_000);
    let body: Vec<u8> = new.chunks(250_001).flat_map(packed).collect();
    rig.install(&rig.update(&Says::of(&new).file(&body)))
        .unwrap();
    assert!(fs::read(&rig.layout.b).unwrap() == new);
}

#[test]
fn an_update_that_waits_for_its_restart_is_replaced_by_the_next() {
    let rig = Rig::new(Slot::A, 600_000);
    for seed in [6, 7] {
        let new = system(seed, 600_000);
        rig.install(&rig.update_of(&new)).unwrap();
        assert!(fs::read(&rig.layout.b).unwrap() == new);
        assert_eq!(rig.says(), SlotState::trying_other(Slot::A));
    }
}

#[test]
fn a_box_that_went_back_takes_the_next_update() {
    let rig = Rig::new(Slot::A, 600_000);
    rig.restore(SlotState {
        left: 0,
        ..SlotState::trying_other(Slot::A)
    });
    rig.install(&rig.update_of(&system(8, 600_000))).unwrap();
    assert_eq!(rig.says(), SlotState::trying_other(Slot::A));
}

#[test]
fn a_slot_that_cannot_be_started_any_more_is_mended_from_the_one_that_was_taken_instead() {
    let rig = Rig::new(Slot::B, 600_000);
    rig.restore(SlotState::settled(Slot::A));
    let new = system(9, 600_000);
    rig.install(&rig.update_of(&new)).unwrap();
    assert!(fs::read(&rig.layout.a).unwrap() == new);
    assert_eq!(rig.says(), SlotState::trying_other(Slot::B));
}

#[test]
fn an_older_version_is_taken_where_somebody_insists_and_a_rebuild_of_the_same_always() {
    let rig = Rig::new(Slot::A, 300_000);
    let new = system(10, 300_000);
    let says = |version: &str| Says {
        version: version.to_owned(),
        ..Says::of(&new)
    };
    let mut rules = rig.rules();
    rules.allow_older = true;
    let old = rig.update(&says("0.9.0").file(&packed(&new)));
    let begun = Updater::begin(&rig.layout, &Disk::default()).unwrap();
    begun
        .install(&Image::open(&old).unwrap(), &rules, &mut |_| {})
        .unwrap();
    drop(begun);
    rig.install(&rig.update(&says("1.0.0+rebuilt").file(&packed(&new))))
        .unwrap();
}

#[test]
fn a_public_key_may_be_its_second_line_alone() {
    let rig = Rig::new(Slot::A, 300_000);
    let key = rig.maker.public();
    fs::write(rig.path("update.pub"), key.lines().nth(1).unwrap()).unwrap();
    rig.install(&rig.update_of(&system(11, 300_000))).unwrap();
}

#[test]
fn the_shell_hears_how_far_it_is_and_what_comes_next() {
    let rig = Rig::new(Slot::A, 600_000);
    let new = system(12, 600_000);
    let update = rig.update_of(&new);
    let output = rig
        .update_command(update.to_str().unwrap())
        .output()
        .unwrap();
    let (code, out, err) = said(&output);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    for words in [
        "checking the signature: 100 %",
        "writing the slot: 100 % of 600 kB",
        "reading it back: 100 %",
        "slot b holds version 9.0.0 and is tried at the next restart",
        "restart the box when nobody plays",
    ] {
        assert!(out.contains(words), "{out}");
    }
    let output = rig.command().arg("--status").output().unwrap();
    let (code, out, _) = said(&output);
    assert_eq!(code, Some(0));
    let version = env!("CARGO_PKG_VERSION");
    let table = format!(
        "runs       slot a, version {version}\nconfirmed  slot a\ntried      b, 2 tries left\n\
         slot b holds an update that is tried at the next restart\n"
    );
    assert_eq!(out, table);
}

#[test]
fn with_reboot_the_box_restarts_once_all_is_written_and_only_then() {
    let rig = Rig::new(Slot::A, 300_000);
    let tools = rig.path("tools");
    fs::create_dir(&tools).unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$@\" >>{0}/asked\ncat {1} >{0}/then\n",
        rig.dir.path().display(),
        rig.env_file(1).display()
    );
    fs::write(tools.join("systemctl"), script).unwrap();
    fs::set_permissions(tools.join("systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let update = rig.update_of(&system(13, 300_000));
    let run = |from: &str| {
        let mut command = rig.update_command(from);
        command.arg("--reboot").env("PATH", &path);
        said(&command.output().unwrap())
    };
    let (code, _, err) = run("/no/such.hsu");
    assert_eq!(code, Some(2), "{err}");
    assert!(!rig.path("asked").exists(), "restarted for nothing");
    let (code, out, err) = run(update.to_str().unwrap());
    assert_eq!(code, Some(0), "{out}{err}");
    assert_eq!(fs::read_to_string(rig.path("asked")).unwrap(), "reboot\n");
    let then = fs::read(rig.path("then")).unwrap();
    assert_eq!(
        SlotState::decode(&then),
        Ok(SlotState::trying_other(Slot::A))
    );
}
