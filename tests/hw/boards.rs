//! The pin maps, against what every Raspberry Pi since 2014 has in common.

use std::collections::BTreeSet;

use hindsight::board::pins::{Fit, PinIs, PinMap};

/// Header pin → BCM number, as the makers of the board print it.
const HEADER: [(u8, u32); 28] = [
    (3, 2),
    (5, 3),
    (7, 4),
    (8, 14),
    (10, 15),
    (11, 17),
    (12, 18),
    (13, 27),
    (15, 22),
    (16, 23),
    (18, 24),
    (19, 10),
    (21, 9),
    (22, 25),
    (23, 11),
    (24, 8),
    (26, 7),
    (27, 0),
    (28, 1),
    (29, 5),
    (31, 6),
    (32, 12),
    (33, 13),
    (35, 19),
    (36, 16),
    (37, 26),
    (38, 20),
    (40, 21),
];

#[test]
fn every_board_has_all_forty_pins_where_they_are() {
    assert_eq!(PinMap::all().len(), 6);
    for map in PinMap::all() {
        assert_eq!(map.pins.len(), 40, "{}", map.id);
        let lines: Vec<(u8, u32)> = map
            .pins
            .iter()
            .filter_map(|pin| match &pin.is {
                PinIs::Line(line) => Some((pin.header, line.bcm)),
                _ => None,
            })
            .collect();
        assert_eq!(lines, HEADER, "{}", map.id);
        let of = |is: PinIs| {
            let found = map.pins.iter().filter(|pin| pin.is == is);
            found.map(|pin| pin.header).collect::<Vec<_>>()
        };
        assert_eq!(of(PinIs::Volts3), [1, 17], "{}", map.id);
        assert_eq!(of(PinIs::Volts5), [2, 4], "{}", map.id);
        assert_eq!(
            of(PinIs::Ground),
            [6, 9, 14, 20, 25, 30, 34, 39],
            "{}",
            map.id
        );
        // BCM283x and RP1 pull the lines 0 to 8 up from power-on, the others down.
        for line in map.lines() {
            assert_eq!(
                line.pulled_up,
                line.bcm <= 8,
                "{}: bcm {}",
                map.id,
                line.bcm
            );
        }
    }
}

#[test]
fn memories_of_add_on_boards_and_the_console_are_reserved_everywhere() {
    for map in PinMap::all() {
        let reserved: Vec<u32> = (0..28).filter(|bcm| map.reserved(*bcm).is_some()).collect();
        assert_eq!(reserved, [0, 1, 14, 15], "{}", map.id);
        for bcm in [2, 3] {
            let fit = &map.line(bcm).unwrap().fit;
            assert!(
                matches!(fit, Fit::Button(why) if why.contains("1.8 kΩ")),
                "{}",
                map.id
            );
        }
    }
}

#[test]
fn a_known_board_says_whose_every_line_beside_the_header_is() {
    let lines_of = |chip: &str| match chip {
        "pinctrl-bcm2835" | "pinctrl-rp1" => 54,
        "pinctrl-bcm2711" => 58,
        other => panic!("unknown chip {other}"),
    };
    for map in PinMap::all().iter().filter(|map| map.id != "generic") {
        let chip = map.chip.as_deref().unwrap();
        for bcm in 28..lines_of(chip) {
            assert!(map.reserved(bcm).is_some(), "{}: line {bcm}", map.id);
        }
        assert_eq!(map.reserved(lines_of(chip)), None, "{}", map.id);
    }
}

#[test]
fn no_two_boards_are_known_by_the_same_words() {
    let mut words = BTreeSet::new();
    for map in PinMap::all() {
        assert!(!map.compatible.is_empty(), "{}", map.id);
        for word in map.compatible.iter().chain(&map.models) {
            assert!(words.insert(word), "{}: {word} is another board's", map.id);
        }
    }
}

#[test]
fn what_is_recommended_is_the_same_on_every_board() {
    let generic = &PinMap::generic().recommended;
    for map in PinMap::all() {
        assert_eq!(&map.recommended, generic, "{}", map.id);
        assert!(generic.buttons.len() >= 2);
    }
}
