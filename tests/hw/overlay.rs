//! The overlay and the lines for `config.txt`: the recommended pins, the dead
//! levels, no line taken from the service, and dtc has nothing to say.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use hindsight::board::patterns::dead_level;
use hindsight::board::pins::PinMap;
use hindsight::config::LedRole;

use crate::{hw, read};

/// The recommended lights, and whether they are lit while no service runs.
fn lights() -> [(u32, bool); 4] {
    let pins = &PinMap::generic().recommended;
    [
        (pins.ready, dead_level(LedRole::Ready)),
        (pins.busy, dead_level(LedRole::Busy)),
        (pins.fault, dead_level(LedRole::Fault)),
        (pins.sound, dead_level(LedRole::Sound)),
    ]
}

fn lights_that_are(lit: bool) -> Vec<u32> {
    let all = lights().into_iter();
    all.filter(|light| light.1 == lit)
        .map(|light| light.0)
        .collect()
}

/// What `config.txt` does to each pin: `gpio=5,6=ip,pu` → 5: "ip,pu", 6: "ip,pu".
fn firmware() -> BTreeMap<u32, String> {
    let mut set = BTreeMap::new();
    for line in read("overlay/config.txt").lines() {
        let Some(rest) = line.strip_prefix("gpio=") else {
            continue;
        };
        let (pins, how) = rest.split_once('=').unwrap();
        for pin in pins.split(',') {
            let twice = set.insert(pin.parse().unwrap(), how.to_owned());
            assert_eq!(twice, None, "pin {pin} is set twice");
        }
    }
    set
}

#[test]
fn config_txt_sets_the_recommended_pins_as_they_are_while_no_service_runs() {
    let mut wanted = BTreeMap::new();
    for bcm in &PinMap::generic().recommended.buttons {
        wanted.insert(*bcm, "ip,pu".to_owned());
    }
    for (bcm, lit) in lights() {
        let how = if lit { "op,dh" } else { "op,dl" };
        wanted.insert(bcm, how.to_owned());
    }
    assert_eq!(firmware(), wanted);
}

#[test]
fn the_overlay_takes_no_line_from_the_service() {
    let text = read("overlay/hindsight-overlay.dts");
    let code: String = text
        .split("*/")
        .map(|part| part.split("/*").next().unwrap())
        .collect();
    for taker in ["gpio-hog", "gpio-leds", "gpio-keys", "gpios"] {
        assert!(!code.contains(taker), "{taker} takes a line for good");
    }
}

/// Runs a tool of Debian's device-tree-compiler; `None`, loudly, where it is not there.
fn tool(name: &str, arguments: &[&Path], options: &[&str]) -> Option<Output> {
    let mut command = Command::new(name);
    match command.args(options).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED: {name}: {error}; it is in Debian's device-tree-compiler");
            None
        }
    }
}

fn compiled(source: &Path, to: &Path) -> Option<()> {
    let options = ["-@", "-I", "dts", "-O", "dtb", "-o", to.to_str().unwrap()];
    let output = tool("dtc", &[source], &options)?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "", "warnings are errors");
    Some(())
}

/// A property of a compiled tree, as `fdtget` prints it.
fn property(tree: &Path, node: &str, name: &str) -> String {
    let output = Command::new("fdtget")
        .arg(tree)
        .args([node, name])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{node} {name}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn numbers(text: &str) -> Vec<u32> {
    text.split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect()
}

#[test]
fn the_overlay_compiles_without_a_warning_and_fits_a_raspberry_pi() {
    let folder = tempfile::tempdir().unwrap();
    let (overlay, base) = (folder.path().join("h.dtbo"), folder.path().join("base.dtb"));
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hw/base.dts");
    let made = compiled(&hw("overlay/hindsight-overlay.dts"), &overlay);
    if made.is_none() || compiled(&ours, &base).is_none() {
        return;
    }
    fits(&overlay, &base);
    // Trees of a real kernel, by hand: usr/lib/linux-image-*/broadcom of Debian's
    // arm64 package, whose files end in .dtb.
    let Some(real) = std::env::var_os("HINDSIGHT_DTBS") else {
        return;
    };
    let mut seen = 0;
    for entry in std::fs::read_dir(real).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if (name.starts_with("bcm2837-rpi") || name.starts_with("bcm2711-rpi"))
            && name.ends_with(".dtb")
        {
            fits(&overlay, &path);
            seen += 1;
        }
    }
    assert!(seen > 0, "HINDSIGHT_DTBS holds no tree of a Raspberry Pi");
}

/// Laid over `base`, it sets the pins and nothing else.
fn fits(overlay: &Path, base: &Path) {
    let result = overlay.with_file_name("result.dtb");
    let options = ["-i", base.to_str().unwrap(), "-o", result.to_str().unwrap()];
    let output = tool("fdtoverlay", &[overlay], &options).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", base.display());

    let gpio = property(base, "/__symbols__", "gpio");
    let of = |node: &str, name: &str| property(&result, &format!("{gpio}/{node}"), name);
    let pins = |node: &str| numbers(&of(node, "brcm,pins"));
    assert_eq!(
        pins("hindsight-buttons"),
        PinMap::generic().recommended.buttons
    );
    assert_eq!(of("hindsight-buttons", "brcm,function"), "0");
    assert_eq!(of("hindsight-buttons", "brcm,pull"), "2");
    for (node, level, lit) in [
        ("hindsight-dark", "output-low", false),
        ("hindsight-lit", "output-high", true),
    ] {
        assert_eq!(pins(node), lights_that_are(lit), "{node}");
        assert_eq!(of(node, "brcm,function"), "1");
        assert_eq!(of(node, level), "");
    }
    // The controller sets the pins up itself as soon as it is there.
    let states = ["hindsight-buttons", "hindsight-dark", "hindsight-lit"];
    let handles: Vec<u32> = states
        .iter()
        .flat_map(|node| numbers(&of(node, "phandle")))
        .collect();
    assert_eq!(numbers(&property(&result, &gpio, "pinctrl-0")), handles);
    assert_eq!(property(&result, &gpio, "pinctrl-names"), "default");
    let watchdog = property(base, "/__symbols__", "pm");
    assert_eq!(property(&result, &watchdog, "status"), "okay");
}
