//! Pin maps: what hangs on which pin of which board.
//!
//! The maps are `hw/boards/*.toml`, written for people who wire and embedded here;
//! the wiring guide and its drawing are made of the same files. Pure but for
//! [`PinMap::of_this_machine`], which reads two lines of the device tree.
//!
//! Not here: opening a pin, asking the kernel who holds it (the backends).

use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

/// The ids of all maps and what they are made of. The generic one comes first:
/// the others take its header.
const WRITTEN: [(&str, &str); 6] = [
    ("generic", include_str!("../../hw/boards/generic.toml")),
    ("pi3", include_str!("../../hw/boards/pi3.toml")),
    ("pi4", include_str!("../../hw/boards/pi4.toml")),
    ("pi5", include_str!("../../hw/boards/pi5.toml")),
    ("zero2w", include_str!("../../hw/boards/zero2w.toml")),
    ("cm4", include_str!("../../hw/boards/cm4.toml")),
];

/// Where Linux tells what machine this is.
const DEVICE_TREE: &str = "/proc/device-tree";

static ALL: LazyLock<Vec<PinMap>> = LazyLock::new(|| {
    // The files are part of the program, and a test reads every one of them.
    parse_all(&WRITTEN).unwrap_or_else(|error| panic!("hw/boards: {error}"))
});

/// One board's header, and the lines beside it that are not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinMap {
    /// As `[board] model` names it.
    pub id: String,
    /// As people call it.
    pub name: String,
    /// Strings of the device tree's `compatible`; one that ends in a comma means
    /// any board of that maker which no other map names.
    pub compatible: Vec<String>,
    /// The device tree's `model`, without its revision.
    pub models: Vec<String>,
    /// Label of the header's chip in the kernel; `None`: unknown.
    pub chip: Option<String>,
    /// All pins of the header, by their number, from 1.
    pub pins: Vec<Pin>,
    pub recommended: Recommended,
    inside: Vec<Inside>,
}

/// One pin of the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// As it is counted on the board, from 1.
    pub header: u8,
    pub is: PinIs,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinIs {
    Volts3,
    Volts5,
    Ground,
    Line(HeaderLine),
}

/// A pin that the processor drives or reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderLine {
    /// The BCM number: `pin` in the configuration, and the line's offset on the chip.
    pub bcm: u32,
    /// What else it can be.
    pub names: Vec<String>,
    /// Pulled up from power-on until somebody sets it; else down.
    pub pulled_up: bool,
    pub fit: Fit,
}

/// What may hang on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    Any,
    /// A button only, and why.
    Button(String),
    /// Nothing of ours, and why.
    Reserved(String),
}

/// Pins that suit on every board: buttons where the chip pulls up by itself,
/// lights where it pulls down. BCM numbers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommended {
    pub buttons: Vec<u32>,
    pub ready: u32,
    pub busy: u32,
    pub fault: u32,
    pub sound: u32,
}

/// Lines of the same chip that are not on the header.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inside {
    from: u32,
    /// Included.
    to: u32,
    why: String,
}

/// Why a map cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{id}.toml: {why}")]
pub struct PinsError {
    pub id: String,
    pub why: MapFault,
}

/// What is wrong with a map.
#[derive(Debug, thiserror::Error)]
pub enum MapFault {
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    #[error("its id is {0:?}, which should be its file's name")]
    OtherId(String),
    #[error("header {0:?}: there is no such map")]
    NoSuchHeader(String),
    #[error("either header or [[pin]], not both")]
    HeaderAndPins,
    #[error("[recommended] is missing")]
    NothingRecommended,
    #[error("pin {pin} stands where pin {place} should")]
    Misplaced { pin: u8, place: usize },
    #[error("pin {pin}: {why}")]
    Pin { pin: u8, why: WrittenPinFault },
    #[error("bcm {bcm} is recommended {why}")]
    Recommended { bcm: u32, why: &'static str },
}

/// What is wrong with one pin of a map.
#[derive(Debug, thiserror::Error)]
pub enum WrittenPinFault {
    #[error("is = \"3V3\", \"5V\", \"GND\" or bcm, not {0:?}")]
    Is(Option<String>),
    #[error("why is missing")]
    NoWhy,
    #[error("use = \"any\", \"button\" or \"reserved\", not {0:?}")]
    Use(Option<String>),
    #[error("reset = \"up\" or \"down\", not {0:?}")]
    Reset(Option<String>),
    #[error("bcm {0} is named twice")]
    Twice(u32),
}

impl PinMap {
    /// All maps; the generic one first.
    pub fn all() -> &'static [PinMap] {
        &ALL
    }

    pub fn by_id(id: &str) -> Option<&'static PinMap> {
        ALL.iter().find(|map| map.id == id)
    }

    /// The header of Raspberry Pis, where nothing better is known.
    pub fn generic() -> &'static PinMap {
        &ALL[0]
    }

    /// The board this machine is; `None`: none that has this header, so nothing is
    /// known of its lines.
    pub fn of_this_machine() -> Option<&'static PinMap> {
        PinMap::of_device_tree(Path::new(DEVICE_TREE))
    }

    /// The same for a folder that holds a device tree's `compatible` and `model`.
    pub fn of_device_tree(folder: &Path) -> Option<&'static PinMap> {
        let read = |name| std::fs::read(folder.join(name)).unwrap_or_default();
        let compatible = read("compatible");
        let compatible = compatible.split(|byte| *byte == 0);
        let compatible: Vec<String> = compatible
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .filter(|part| !part.is_empty())
            .collect();
        let model = String::from_utf8_lossy(&read("model")).replace('\0', "");
        PinMap::of_machine(&compatible, &model)
    }

    /// The map of a machine whose device tree says this.
    pub fn of_machine(compatible: &[String], model: &str) -> Option<&'static PinMap> {
        let model = model.split(" Rev ").next().unwrap_or(model).trim();
        let named = |map: &&PinMap| {
            let known = map
                .compatible
                .iter()
                .any(|known| compatible.contains(known));
            known || map.models.iter().any(|known| known == model)
        };
        let of_its_maker = |map: &&PinMap| {
            let makers = map.compatible.iter().filter(|known| known.ends_with(','));
            let mut makers = makers.map(String::as_str);
            makers.any(|maker| compatible.iter().any(|part| part.starts_with(maker)))
        };
        let all = ALL.iter();
        all.clone()
            .find(named)
            .or_else(|| all.clone().find(of_its_maker))
    }

    /// Why nothing of ours may use line `bcm`; `None`: it may.
    pub fn reserved(&self, bcm: u32) -> Option<&str> {
        let inside = self
            .inside
            .iter()
            .find(|it| (it.from..=it.to).contains(&bcm));
        inside
            .map(|it| it.why.as_str())
            .or_else(|| match self.line(bcm)?.fit {
                Fit::Reserved(ref why) => Some(why.as_str()),
                _ => None,
            })
    }

    /// The pin of the header that line `bcm` is on.
    pub fn header_pin(&self, bcm: u32) -> Option<u8> {
        let on = |pin: &&Pin| matches!(&pin.is, PinIs::Line(line) if line.bcm == bcm);
        self.pins.iter().find(on).map(|pin| pin.header)
    }

    /// Line `bcm`, where it is on the header.
    pub fn line(&self, bcm: u32) -> Option<&HeaderLine> {
        self.lines().find(|line| line.bcm == bcm)
    }

    /// All lines on the header, by their pins.
    pub fn lines(&self) -> impl Iterator<Item = &HeaderLine> {
        self.pins.iter().filter_map(|pin| match &pin.is {
            PinIs::Line(line) => Some(line),
            _ => None,
        })
    }
}

/// A file of `hw/boards` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMap {
    id: String,
    name: String,
    header: Option<String>,
    #[serde(default)]
    compatible: Vec<String>,
    #[serde(default)]
    models: Vec<String>,
    chip: Option<String>,
    recommended: Option<Recommended>,
    #[serde(default)]
    pin: Vec<WrittenPin>,
    #[serde(default)]
    inside: Vec<Inside>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPin {
    header: u8,
    is: Option<String>,
    bcm: Option<u32>,
    #[serde(default)]
    names: Vec<String>,
    reset: Option<String>,
    #[serde(rename = "use")]
    fit: Option<String>,
    why: Option<String>,
}

/// Reads maps; each `(id, text)` may take the header of one before it.
pub fn parse_all(written: &[(&str, &str)]) -> Result<Vec<PinMap>, PinsError> {
    let mut maps: Vec<PinMap> = Vec::new();
    for (id, text) in written {
        let map = parse(id, text, &maps).map_err(|why| PinsError {
            id: (*id).to_owned(),
            why,
        })?;
        maps.push(map);
    }
    Ok(maps)
}

fn parse(id: &str, text: &str, before: &[PinMap]) -> Result<PinMap, MapFault> {
    let written: WrittenMap = toml::from_str(text)?;
    let of = match &written.header {
        Some(id) => {
            let other = before.iter().find(|map| map.id == *id);
            Some(other.ok_or_else(|| MapFault::NoSuchHeader(id.clone()))?)
        }
        None => None,
    };
    let pins = match (of, written.pin.is_empty()) {
        (Some(of), true) => of.pins.clone(),
        (None, false) => header(written.pin)?,
        _ => return Err(MapFault::HeaderAndPins),
    };
    let recommended = written
        .recommended
        .or_else(|| Some(of?.recommended.clone()));
    let map = PinMap {
        id: written.id,
        name: written.name,
        compatible: written.compatible,
        models: written.models,
        chip: written.chip,
        pins,
        recommended: recommended.ok_or(MapFault::NothingRecommended)?,
        inside: written.inside,
    };
    suits(&map)?;
    if map.id != id || before.iter().any(|other| other.id == map.id) {
        return Err(MapFault::OtherId(map.id));
    }
    Ok(map)
}

fn header(written: Vec<WrittenPin>) -> Result<Vec<Pin>, MapFault> {
    let mut pins: Vec<Pin> = Vec::new();
    for pin in written {
        let (number, place) = (pin.header, pins.len() + 1);
        if usize::from(number) != place {
            return Err(MapFault::Misplaced { pin: number, place });
        }
        let fault = |why| MapFault::Pin { pin: number, why };
        let is = pin_is(pin).map_err(fault)?;
        if let PinIs::Line(line) = &is {
            let twice = pins
                .iter()
                .any(|pin| matches!(&pin.is, PinIs::Line(other) if other.bcm == line.bcm));
            if twice {
                return Err(fault(WrittenPinFault::Twice(line.bcm)));
            }
        }
        pins.push(Pin { header: number, is });
    }
    Ok(pins)
}

fn pin_is(pin: WrittenPin) -> Result<PinIs, WrittenPinFault> {
    let Some(bcm) = pin.bcm else {
        return match pin.is.as_deref() {
            Some("3V3") => Ok(PinIs::Volts3),
            Some("5V") => Ok(PinIs::Volts5),
            Some("GND") => Ok(PinIs::Ground),
            _ => Err(WrittenPinFault::Is(pin.is)),
        };
    };
    let why = pin.why.ok_or(WrittenPinFault::NoWhy);
    let fit = match pin.fit.as_deref() {
        Some("any") => Fit::Any,
        Some("button") => Fit::Button(why?),
        Some("reserved") => Fit::Reserved(why?),
        _ => return Err(WrittenPinFault::Use(pin.fit)),
    };
    let pulled_up = match pin.reset.as_deref() {
        Some("up") => true,
        Some("down") => false,
        _ => return Err(WrittenPinFault::Reset(pin.reset)),
    };
    Ok(PinIs::Line(HeaderLine {
        bcm,
        names: pin.names,
        pulled_up,
        fit,
    }))
}

/// What is recommended must be possible and, before the service runs, harmless.
fn suits(map: &PinMap) -> Result<(), MapFault> {
    let all = &map.recommended;
    let lights = [all.ready, all.busy, all.fault, all.sound];
    let wanted = all.buttons.iter().map(|bcm| (*bcm, true));
    let wanted: Vec<(u32, bool)> = wanted.chain(lights.map(|bcm| (bcm, false))).collect();
    for (at, (bcm, up)) in wanted.iter().enumerate() {
        let not = |why| MapFault::Recommended { bcm: *bcm, why };
        let line = map.line(*bcm).ok_or(not("and not on the header"))?;
        if line.fit != Fit::Any || map.reserved(*bcm).is_some() {
            return Err(not("and does not suit everything"));
        }
        if line.pulled_up != *up {
            return Err(not("and pulled the wrong way from power-on"));
        }
        if wanted[..at].iter().any(|(other, _)| other == bcm) {
            return Err(not("twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id_of(compatible: &[&str], model: &str) -> Option<&'static str> {
        let compatible: Vec<String> = compatible.iter().map(|it| (*it).to_owned()).collect();
        PinMap::of_machine(&compatible, model).map(|map| map.id.as_str())
    }

    #[test]
    fn boards_are_known_by_what_their_device_tree_says() {
        let pi = |own: &str, chip: &str| id_of(&[own, chip], "");
        assert_eq!(
            pi("raspberrypi,3-model-b-plus", "brcm,bcm2837"),
            Some("pi3")
        );
        assert_eq!(pi("raspberrypi,4-model-b", "brcm,bcm2711"), Some("pi4"));
        assert_eq!(pi("raspberrypi,5-model-b", "brcm,bcm2712"), Some("pi5"));
        assert_eq!(
            pi("raspberrypi,model-zero-2-w", "brcm,bcm2837"),
            Some("zero2w")
        );
        assert_eq!(
            pi("raspberrypi,4-compute-module", "brcm,bcm2711"),
            Some("cm4")
        );
        assert_eq!(id_of(&[], "Raspberry Pi 4 Model B Rev 1.4"), Some("pi4"));
        assert_eq!(
            id_of(&[], "Raspberry Pi Compute Module 4 Rev 1.0"),
            Some("cm4")
        );
        assert_eq!(pi("raspberrypi,9-model-z", "brcm,bcm9999"), Some("generic"));
        assert_eq!(pi("xunlong,orangepi-zero3", "allwinner,sun50i-h618"), None);
        assert_eq!(id_of(&[], ""), None);
    }

    #[test]
    fn a_device_tree_is_read_as_the_kernel_shows_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(PinMap::of_device_tree(folder.path()), None);
        let compatible = b"raspberrypi,4-model-b\0brcm,bcm2711\0";
        std::fs::write(folder.path().join("compatible"), compatible).unwrap();
        std::fs::write(
            folder.path().join("model"),
            b"Raspberry Pi 4 Model B Rev 1.4\0",
        )
        .unwrap();
        let map = PinMap::of_device_tree(folder.path()).unwrap();
        assert_eq!(map.chip.as_deref(), Some("pinctrl-bcm2711"));
    }

    #[test]
    fn reserved_pins_say_for_whom() {
        let map = PinMap::by_id("pi3").unwrap();
        assert!(map.reserved(0).unwrap().contains("ID_SD"));
        assert!(map.reserved(1).unwrap().contains("ID_SC"));
        assert!(map.reserved(14).unwrap().contains("serial console"));
        assert_eq!(map.reserved(50), Some("the SD card"));
        assert_eq!(map.reserved(17), None);
        assert_eq!(map.header_pin(17), Some(11));
        assert_eq!(map.header_pin(50), None);
    }

    #[test]
    fn a_map_with_a_mistake_is_refused_in_words() {
        let good = WRITTEN[0].1;
        let of = |text: &str| match parse_all(&[("generic", text)]) {
            Ok(_) => panic!("taken"),
            Err(error) => error.to_string(),
        };
        let changed = |from: &str, to: &str| of(&good.replacen(from, to, 1));
        assert!(changed("bcm = 17", "bcm = 4").contains("bcm 4 is named twice"));
        assert!(changed("header = 7", "header = 8").contains("pin 8 stands where pin 7 should"));
        assert!(changed("ready = 17", "ready = 14").contains("bcm 14 is recommended and does not"));
        assert!(changed("ready = 17", "ready = 7").contains("bcm 7 is recommended and pulled"));
        assert!(changed("ready = 17", "ready = 27").contains("bcm 27 is recommended twice"));
        assert!(changed("is = \"GND\"", "is = \"ground\"").contains("pin 6: is ="));
        assert!(changed("why = \"the serial", "# ").contains("pin 8: why is missing"));
        assert!(changed("id = \"generic\"", "id = \"x\"").contains("its file's name"));
    }
}
