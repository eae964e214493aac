//! What is not right is refused for its own reason, and changes nothing that is started.

use std::fs;
use std::path::Path;

use hindsight::disk::{Disk, Lock};
use hindsight::update::{Slot, SlotState, UpdateError, Updater};

use crate::rig::{Maker, Rig, Says, packed, said, signature_of, system};

const LEN: usize = 700_000;

/// The words of the refusal; slots and files are as they were.
fn refused(rig: &Rig, update: &Path) -> String {
    let before = rig.all();
    let error = rig.install(update).unwrap_err();
    assert!(rig.all() == before, "something was changed: {error}");
    error.to_string()
}

#[test]
fn a_changed_byte_anywhere_breaks_the_signature() {
    let rig = Rig::new(Slot::A, LEN);
    let new = system(20, LEN);
    let bytes = Says::of(&new).file(&packed(&new));
    let update = rig.update(&bytes);
    for at in [0, 11, 40, 200, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&update, &changed).unwrap();
        let why = refused(&rig, &update);
        assert!(why.contains("the signature does not hold"), "{at}: {why}");
    }
    fs::write(&update, [&bytes[..], b"more"].concat()).unwrap();
    assert!(refused(&rig, &update).contains("the signature does not hold"));
}

#[test]
fn a_file_that_was_cut_short_is_refused_by_its_signature_and_its_length_is_told() {
    let rig = Rig::new(Slot::A, LEN);
    let new = system(21, LEN);
    let bytes = Says::of(&new).file(&packed(&new));
    let update = rig.update(&bytes);
    for len in [0, 20, 150, 170, bytes.len() / 3, bytes.len() - 1] {
        fs::write(&update, &bytes[..len]).unwrap();
        let why = refused(&rig, &update);
        let words = format!("the signature does not hold: the file ({len} bytes) was cut short,");
        assert!(why.contains(&words), "{why}");
    }
}

#[test]
fn a_signature_that_is_missing_or_of_somebody_else_or_none_at_all_is_told() {
    let rig = Rig::new(Slot::A, LEN);
    let update = rig.update_of(&system(22, LEN));
    let bytes = fs::read(&update).unwrap();
    fs::write(signature_of(&update), Maker::new().sign(&bytes)).unwrap();
    let why = refused(&rig, &update);
    assert!(why.contains("was signed with another key than"), "{why}");
    for text in ["", "a\nb\nc\nd\n", &"x".repeat(20_000)] {
        fs::write(signature_of(&update), text).unwrap();
        let why = refused(&rig, &update);
        assert!(why.contains("is no signature of minisign"), "{why}");
    }
    // The words that a signature vouches for are part of it.
    let renamed = rig.maker.sign(&bytes).replace("an update", "an UPDATE");
    fs::write(signature_of(&update), renamed).unwrap();
    assert!(refused(&rig, &update).contains("the signature does not hold"));
    fs::remove_file(signature_of(&update)).unwrap();
    let why = refused(&rig, &update);
    assert!(
        why.contains("no signature beside it") && why.contains(".hsu.minisig"),
        "{why}"
    );
}

#[test]
fn without_a_public_key_nothing_is_believed() {
    let rig = Rig::new(Slot::A, LEN);
    let update = rig.update_of(&system(23, LEN));
    let key = rig.path("update.pub");
    for text in ["", "no key", "untrusted comment: x\nRWQ\n"] {
        fs::write(&key, text).unwrap();
        let why = refused(&rig, &update);
        assert!(why.contains("is no public key of minisign"), "{why}");
    }
    fs::remove_file(&key).unwrap();
    let why = refused(&rig, &update);
    assert!(
        why.contains("there is no such file; it must hold the public key"),
        "{why}"
    );
    assert!(!rig.install(&update).unwrap_err().is_of_the_update());
}

#[test]
fn an_update_for_another_box_is_refused_though_its_signature_holds() {
    let rig = Rig::new(Slot::A, LEN);
    let new = system(24, LEN);
    let says = Says::of(&new);
    let body = packed(&new);
    let large = system(25, LEN + 1);
    for (update, words) in [
        (
            Says {
                arch: "amd64".to_owned(),
                ..says.clone()
            }
            .file(&body),
            "is for amd64, this box is arm64; take hindsight-9.0.0-arm64.hsu",
        ),
        (
            Says {
                version: "0.9.9".to_owned(),
                ..says.clone()
            }
            .file(&body),
            "is version 0.9.9, older than 1.0.0, which runs; --allow-older",
        ),
        (
            Says::of(&large).file(&packed(&large)),
            "unpacks to 700001 bytes, slot b",
        ),
        (b"PK\x03\x04 a zip\n".to_vec(), "is no update of Hindsight"),
    ] {
        let path = rig.update(&update);
        let why = refused(&rig, &path);
        assert!(why.contains(words), "{why}");
        assert!(rig.install(&path).unwrap_err().is_of_the_update());
    }
}

/// It was written before it was found out; the files still speak of the running slot alone.
#[test]
fn what_does_not_unpack_to_what_was_signed_is_not_tried() {
    let new = system(26, LEN);
    let says = Says::of(&new);
    let other = system(27, LEN);
    let mut broken = packed(&new);
    let middle = broken.len() / 2;
    broken[middle] ^= 0x55;
    for (body, words) in [
        (packed(&other), "its SHA-256 is another"),
        (
            packed(&new[..LEN - 1]),
            "there are 699999 bytes, not 700000",
        ),
        (packed(&system(26, LEN + 1)), "more than the 700000 bytes"),
        (broken, "unpack"),
        (packed(&new)[..middle].to_vec(), "cannot be unpacked"),
        ([&packed(&new)[..], b"more"].concat(), "cannot be unpacked"),
        (
            b"this is not packed with zstd".to_vec(),
            "cannot be unpacked",
        ),
        (Vec::new(), "there are 0 bytes, not 700000"),
    ] {
        let rig = Rig::new(Slot::A, LEN);
        let error = rig.install(&rig.update(&says.file(&body))).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.is_of_the_update());
        assert_eq!(rig.says(), SlotState::settled(Slot::A));
        assert!(fs::read(&rig.layout.a).unwrap() == rig.a);
        rig.install(&rig.update_of(&new)).unwrap();
    }
}

#[test]
fn a_slot_on_trial_does_not_overwrite_the_one_that_is_known_to_work() {
    let rig = Rig::new(Slot::B, LEN);
    let update = rig.update_of(&system(28, LEN));
    for left in [1, 0] {
        rig.restore(SlotState {
            left,
            ..SlotState::trying_other(Slot::A)
        });
        let why = refused(&rig, &update);
        assert!(
            why.contains("slot b runs and is itself not confirmed yet"),
            "{why}"
        );
    }
}

#[test]
fn one_update_at_a_time() {
    let rig = Rig::new(Slot::A, LEN);
    let update = rig.update_of(&system(29, LEN));
    let held = Lock::take(&rig.layout.lock).unwrap().unwrap();
    assert!(refused(&rig, &update).contains("another update is under way"));
    drop(held);
    let first = Updater::begin(&rig.layout, &Disk::default()).unwrap();
    assert!(refused(&rig, &update).contains("another update is under way"));
    drop(first);
    rig.install(&update).unwrap();
}

#[test]
fn a_mounted_slot_is_left_alone() {
    let rig = Rig::new(Slot::A, LEN);
    let update = rig.update_of(&system(30, LEN));
    let line = format!(
        "40 1 0:99 / /mnt/look ro - ext4 {} ro\n",
        rig.layout.b.display()
    );
    fs::write(&rig.layout.mounts, line).unwrap();
    let why = refused(&rig, &update);
    assert!(
        why.contains("is mounted at /mnt/look; unmount it: umount /mnt/look"),
        "{why}"
    );
}

#[test]
fn a_box_whose_files_are_damaged_says_so_and_is_not_touched() {
    let rig = Rig::new(Slot::A, LEN);
    let update = rig.update_of(&system(31, LEN));
    rig.say(0, &[0; 512]);
    rig.say(1, b"somebody's editor");
    let why = refused(&rig, &update);
    assert!(
        why.contains("slots-0.env its checksum does not hold"),
        "{why}"
    );
    assert!(
        why.contains("slots-1.env is 17 bytes long and must be 512"),
        "{why}"
    );
    let output = rig.command().arg("--status").output().unwrap();
    let (code, _, err) = said(&output);
    assert_eq!(code, Some(1));
    assert!(
        err.contains("slot a runs, version") && err.contains("can be used"),
        "{err}"
    );
}

#[test]
fn a_file_that_is_not_there_or_is_a_folder_is_told() {
    let rig = Rig::new(Slot::A, LEN);
    let why = refused(&rig, Path::new("/no/such/file.hsu"));
    assert_eq!(why, "/no/such/file.hsu: there is no such file");
    let why = refused(&rig, rig.dir.path());
    assert!(why.contains("is no file"), "{why}");
}

#[test]
fn a_machine_without_our_image_says_how_it_is_updated() {
    let cmdline = fs::read_to_string("/proc/cmdline").unwrap();
    assert!(
        !cmdline.contains("hindsight.slot="),
        "the tests do not run on an image"
    );
    let rig = Rig::new(Slot::A, LEN);
    for arguments in [&["x.hsu"][..], &["--status"], &["--confirm"]] {
        let mut command = rig.command();
        let program = command.get_program().to_owned();
        command = std::process::Command::new(program);
        let output = command.arg("update").args(arguments).output().unwrap();
        let (code, _, err) = said(&output);
        assert_eq!(code, Some(2), "{err}");
        assert!(
            err.contains("not started from a slot of Hindsight's image"),
            "{err}"
        );
    }
}

#[test]
fn the_shell_tells_a_bad_update_from_a_box_that_cannot_be_updated() {
    let rig = Rig::new(Slot::A, LEN);
    let update = rig.update_of(&system(32, LEN));
    let mut bytes = fs::read(&update).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&update, bytes).unwrap();
    let run = || {
        said(
            &rig.update_command(update.to_str().unwrap())
                .output()
                .unwrap(),
        )
    };
    let (code, _, err) = run();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("the signature does not hold"), "{err}");
    let _held = Lock::take(&rig.layout.lock).unwrap().unwrap();
    let (code, _, err) = run();
    assert_eq!(code, Some(2), "{err}");
    assert!(matches!(
        rig.install(&update),
        Err(UpdateError::Busy { .. })
    ));
}
