//! The drawing of the wiring guide, made of the pin map: black on white, for A4.

use std::fmt::Write;

use hindsight::board::pins::{Fit, Pin, PinIs, PinMap};

use crate::is_up_to_date;

#[test]
fn the_drawing_is_what_the_pin_map_says() {
    is_up_to_date("wiring.svg", &drawing(PinMap::generic()));
}

#[test]
fn the_drawing_names_every_recommended_pin() {
    let svg = drawing(PinMap::generic());
    let pins = &PinMap::generic().recommended;
    for bcm in pins
        .buttons
        .iter()
        .chain([&pins.ready, &pins.busy, &pins.fault, &pins.sound])
    {
        assert!(svg.contains(&format!(">GPIO {bcm}<")), "GPIO {bcm}");
        assert!(svg.contains(&format!("pin = {bcm}")), "pin = {bcm}");
    }
}

/// Centre of the left and the right column of pads.
const ODD: i32 = 600;
const EVEN: i32 = 648;
const TOP: i32 = 190;
const PITCH: i32 = 44;
/// Where the wires leave the labels of the left column.
const WIRE: i32 = 462;
/// The vertical wire to ground.
const BUS: i32 = 240;

struct Drawing<'a> {
    map: &'a PinMap,
    svg: String,
}

fn drawing(map: &PinMap) -> String {
    let mut drawing = Drawing {
        map,
        svg: String::new(),
    };
    drawing.frame();
    drawing.header();
    drawing.lights();
    drawing.buttons();
    drawing.sound();
    drawing.legend();
    drawing.config();
    drawing.svg.push_str("</svg>\n");
    drawing.svg
}

fn y_of(header: u8) -> i32 {
    TOP + i32::from((header - 1) / 2) * PITCH
}

/// As `style` gives it: anchor, size, weight.
#[derive(Clone, Copy)]
struct Style(&'static str, u32, &'static str);

const LEFT: Style = Style("start", 19, "normal");
const RIGHT: Style = Style("end", 19, "normal");
const LEFT_BOLD: Style = Style("start", 19, "bold");
const RIGHT_BOLD: Style = Style("end", 19, "bold");
const MIDDLE: Style = Style("middle", 17, "normal");

impl Drawing<'_> {
    fn put(&mut self, text: &str) {
        self.svg.push_str(text);
        self.svg.push('\n');
    }

    /// Text whose middle line is at `y`.
    fn text(&mut self, x: i32, y: i32, style: Style, text: &str) {
        let Style(anchor, size, weight) = style;
        let base = y + i32::try_from(size).unwrap() * 35 / 100;
        let mut line =
            format!("<text x=\"{x}\" y=\"{base}\" font-size=\"{size}\" text-anchor=\"{anchor}\"");
        if weight != "normal" {
            write!(line, " font-weight=\"{weight}\"").unwrap();
        }
        self.put(&format!("{line}>{text}</text>"));
    }

    fn wire(&mut self, points: &[(i32, i32)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        self.put(&format!("<polyline points=\"{}\"/>", points.join(" ")));
    }

    fn dot(&mut self, x: i32, y: i32) {
        self.put(&format!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"5\" style=\"fill: black\"/>"
        ));
    }

    fn resistor(&mut self, y: i32, value: &str) {
        self.put(&format!(
            "<rect x=\"370\" y=\"{}\" width=\"80\" height=\"28\" style=\"fill: white\"/>",
            y - 14
        ));
        self.text(410, y, MIDDLE, value);
    }

    fn pin_of(&self, bcm: u32) -> u8 {
        self.map.header_pin(bcm).unwrap()
    }

    /// The nearest ground above a pin of the left column, or below it.
    fn ground_beside(&self, header: u8) -> u8 {
        let odd = |pin: &&Pin| pin.header % 2 == 1 && pin.is == PinIs::Ground;
        let grounds = self.map.pins.iter().filter(odd).map(|pin| pin.header);
        grounds
            .min_by_key(|ground| ground.abs_diff(header))
            .unwrap()
    }

    fn frame(&mut self) {
        self.put("<!-- Made of hw/boards by tests/hw. Do not edit. -->");
        self.put("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1000 1414\" width=\"1000\" height=\"1414\" font-family=\"DejaVu Sans, Verdana, Arial, sans-serif\" stroke-width=\"3\">");
        self.put("<style>polyline, rect, path, circle { stroke: black; fill: none } text { fill: black }</style>");
        self.put("<rect width=\"1000\" height=\"1414\" style=\"fill: white; stroke: none\"/>");
        self.text(
            50,
            58,
            Style("start", 36, "bold"),
            "Hindsight: the button and the lights",
        );
        self.text(
            50,
            102,
            LEFT,
            "The 40-pin header of a Raspberry Pi from above: the end with the SD card up,",
        );
        self.text(
            50,
            128,
            LEFT,
            "the header along the right edge. Pin 1 is square. Wire only while the power is off.",
        );
    }

    fn header(&mut self) {
        let height = 19 * PITCH + 56;
        self.put(&format!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{height}\" rx=\"8\" stroke-width=\"2\"/>",
            ODD - 28,
            TOP - 28,
            EVEN - ODD + 56
        ));
        for pin in self.map.pins.clone() {
            self.pad(&pin);
            self.label(&pin);
        }
    }

    fn pad(&mut self, pin: &Pin) {
        let (x, y) = (
            if pin.header % 2 == 1 { ODD } else { EVEN },
            y_of(pin.header),
        );
        let used = self.use_of(pin).is_some();
        let (fill, ink) = match &pin.is {
            PinIs::Ground => ("black", "white"),
            PinIs::Volts3 | PinIs::Volts5 => ("#bbb", "black"),
            PinIs::Line(_) => ("white", "black"),
        };
        let width = if used { 5 } else { 2 };
        let style = format!("style=\"fill: {fill}\" stroke-width=\"{width}\"");
        match pin.header {
            1 => self.put(&format!(
                "<rect x=\"{}\" y=\"{}\" width=\"34\" height=\"34\" {style}/>",
                x - 17,
                y - 17
            )),
            _ => self.put(&format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"17\" {style}/>")),
        }
        if let PinIs::Line(line) = &pin.is
            && matches!(line.fit, Fit::Reserved(_))
        {
            let (a, b) = (x - 12, x + 12);
            self.put(&format!(
                "<path d=\"M{a} {} L{b} {} M{a} {} L{b} {}\" stroke-width=\"2\"/>",
                y - 12,
                y + 12,
                y + 12,
                y - 12
            ));
            return;
        }
        self.put(&format!(
            "<text x=\"{x}\" y=\"{}\" font-size=\"16\" font-weight=\"bold\" text-anchor=\"middle\" style=\"fill: {ink}\">{}</text>",
            y + 6,
            pin.header
        ));
    }

    fn label(&mut self, pin: &Pin) {
        let odd = pin.header % 2 == 1;
        let used = self.use_of(pin).is_some();
        let style = match (odd, used) {
            (true, true) => RIGHT_BOLD,
            (true, false) => RIGHT,
            (false, true) => LEFT_BOLD,
            (false, false) => LEFT,
        };
        let x = if odd { ODD - 36 } else { EVEN + 36 };
        let (name, more) = match &pin.is {
            PinIs::Ground => ("ground".to_owned(), String::new()),
            PinIs::Volts3 => ("3.3 V".to_owned(), String::new()),
            PinIs::Volts5 => ("5 V".to_owned(), "for the buzzer".to_owned()),
            PinIs::Line(line) => {
                let more = match &line.fit {
                    Fit::Any => String::new(),
                    Fit::Button(_) => "button only".to_owned(),
                    Fit::Reserved(why) if why.contains("console") => {
                        "not for us: console".to_owned()
                    }
                    Fit::Reserved(_) => "not for us: ID".to_owned(),
                };
                (format!("GPIO {}", line.bcm), more)
            }
        };
        self.text(x, y_of(pin.header), style, &name);
        let beside = if odd { x - 100 } else { x + 100 };
        let small = Style(if odd { "end" } else { "start" }, 16, "normal");
        if !more.is_empty() {
            self.text(beside, y_of(pin.header), small, &more);
        }
    }

    /// What of the drawing hangs on a pin.
    fn use_of(&self, pin: &Pin) -> Option<()> {
        let pins = &self.map.recommended;
        let all = pins
            .buttons
            .iter()
            .chain([&pins.ready, &pins.busy, &pins.fault, &pins.sound]);
        let all: Vec<u8> = all.map(|bcm| self.pin_of(*bcm)).collect();
        let grounds = all.iter().map(|header| self.ground_beside(*header));
        let used: Vec<u8> = all.iter().copied().chain(grounds).collect();
        used.contains(&pin.header).then_some(())
    }

    /// Wires from each pin to a common one that ends at the nearest ground.
    fn bus(&mut self, headers: &[u8]) {
        let ground = self.ground_beside(headers[0]);
        let ys = headers.iter().chain([&ground]).map(|header| y_of(*header));
        let (from, to) = (ys.clone().min().unwrap(), ys.max().unwrap());
        self.wire(&[(BUS, from), (BUS, to)]);
        self.wire(&[(WIRE, y_of(ground)), (BUS, y_of(ground))]);
        for header in headers {
            self.wire(&[(WIRE, y_of(*header)), (BUS, y_of(*header))]);
            self.dot(BUS, y_of(*header));
        }
    }

    fn lights(&mut self) {
        let pins = &self.map.recommended;
        let all = [
            (pins.ready, "ready", "green"),
            (pins.busy, "busy", "yellow"),
            (pins.fault, "fault", "red"),
        ];
        let headers: Vec<u8> = all.iter().map(|light| self.pin_of(light.0)).collect();
        self.bus(&headers);
        for ((_, role, colour), header) in all.iter().zip(headers) {
            let y = y_of(header);
            self.resistor(y, "330 Ω");
            self.led(y);
            self.text(BUS - 18, y, RIGHT_BOLD, &format!("{role} ({colour})"));
        }
    }

    /// Current flows to the left, to ground.
    fn led(&mut self, y: i32) {
        let (tip, back) = (288, 318);
        self.put(&format!(
            "<path d=\"M{back} {} L{back} {} L{tip} {y} Z\" style=\"fill: white\"/>",
            y - 14,
            y + 14
        ));
        self.put(&format!(
            "<path d=\"M{tip} {} L{tip} {}\"/>",
            y - 14,
            y + 14
        ));
        for x in [tip + 4, tip + 16] {
            let (a, b) = (y - 14, y - 26);
            self.put(&format!(
                "<path d=\"M{x} {a} l-8 {} m0 0 l7 2 m-7 -2 l1 8\" stroke-width=\"2\"/>",
                b - a
            ));
        }
    }

    fn buttons(&mut self) {
        let headers: Vec<u8> = self
            .map
            .recommended
            .buttons
            .iter()
            .map(|bcm| self.pin_of(*bcm))
            .collect();
        self.bus(&headers);
        for (n, header) in headers.into_iter().enumerate() {
            let y = y_of(header);
            self.resistor(y, "1 kΩ");
            self.put(&format!("<rect x=\"284\" y=\"{}\" width=\"46\" height=\"34\" style=\"fill: white; stroke: none\"/>", y - 30));
            self.put(&format!(
                "<circle cx=\"286\" cy=\"{y}\" r=\"5\" style=\"fill: white\"/>"
            ));
            self.put(&format!(
                "<circle cx=\"328\" cy=\"{y}\" r=\"5\" style=\"fill: white\"/>"
            ));
            self.put(&format!(
                "<path d=\"M280 {} L334 {} M307 {} L307 {} M298 {} L316 {}\"/>",
                y - 12,
                y - 12,
                y - 12,
                y - 25,
                y - 25,
                y - 25
            ));
            self.text(BUS - 18, y, RIGHT_BOLD, &format!("button {}", n + 1));
        }
    }

    /// An NPN transistor switches a buzzer of 5 V.
    fn sound(&mut self) {
        let header = self.pin_of(self.map.recommended.sound);
        let (y, ground) = (y_of(header), y_of(self.ground_beside(header)));
        let up = y - 2 * PITCH + 16;
        self.wire(&[(WIRE, y), (322, y)]);
        self.resistor(y, "1 kΩ");
        self.put(&format!(
            "<circle cx=\"310\" cy=\"{y}\" r=\"27\" stroke-width=\"2\"/>"
        ));
        self.put(&format!(
            "<path d=\"M322 {} L322 {}\" stroke-width=\"5\"/>",
            y - 16,
            y + 16
        ));
        self.wire(&[(322, y - 8), (298, y - 22), (298, up), (270, up)]);
        self.wire(&[(322, y + 8), (298, y + 22), (298, ground), (WIRE, ground)]);
        self.put(&format!(
            "<path d=\"M298 {} l4 -11 l6 10 Z\" style=\"fill: black\" stroke-width=\"1\"/>",
            y + 22
        ));
        self.put(&format!(
            "<rect x=\"180\" y=\"{}\" width=\"90\" height=\"40\" rx=\"20\" style=\"fill: white\"/>",
            up - 20
        ));
        self.text(225, up, MIDDLE, "buzzer");
        self.text(
            262,
            up + 33,
            Style("end", 16, "normal"),
            "5 V, sounds by itself",
        );
        self.wire(&[(180, up), (150, up)]);
        self.text(142, up - 11, RIGHT_BOLD, "+ 5 V");
        self.text(142, up + 13, Style("end", 16, "normal"), "pin 2 or 4");
        self.text(270, y, RIGHT, "BC547");
    }

    fn legend(&mut self) {
        let y = TOP + 20 * PITCH + 14;
        self.text(50, y, LEFT_BOLD, "Pads");
        let kinds = [
            ("black", "ground"),
            ("#bbb", "power: never to a button or light"),
            ("white", "free for a button or a light"),
        ];
        for (n, (fill, what)) in (0..).zip(kinds) {
            let y = y + 38 + n * 38;
            self.put(&format!(
                "<circle cx=\"66\" cy=\"{y}\" r=\"13\" style=\"fill: {fill}\" stroke-width=\"2\"/>"
            ));
            self.text(92, y, LEFT, what);
        }
        let y = y + 38 + 3 * 38;
        self.put(&format!(
            "<circle cx=\"66\" cy=\"{y}\" r=\"13\" stroke-width=\"2\"/>"
        ));
        self.put(&format!(
            "<path d=\"M57 {} L75 {} M57 {} L75 {}\" stroke-width=\"2\"/>",
            y - 9,
            y + 9,
            y + 9,
            y - 9
        ));
        self.text(92, y, LEFT, "reserved: nothing may hang here");
        self.text(50, y + 42, LEFT, "A dot joins wires. The LED's longer leg");
        self.text(50, y + 66, LEFT, "points to the resistor.");
    }

    /// The lines of `hindsight.toml` that belong to the drawing.
    fn config(&mut self) {
        let y = TOP + 20 * PITCH + 14;
        self.text(500, y, LEFT_BOLD, "In hindsight.toml");
        let pins = &self.map.recommended;
        let lights = [
            (pins.ready, "ready"),
            (pins.busy, "busy"),
            (pins.fault, "fault"),
            (pins.sound, "sound"),
        ];
        let mut lines = vec![
            "[[button]]".to_owned(),
            format!("pin = {}", pins.buttons[0]),
        ];
        lines.extend([
            "[[button]]".to_owned(),
            format!("pin = {}", pins.buttons[1]),
        ]);
        let columns = [
            lines,
            lights
                .iter()
                .flat_map(|(bcm, role)| {
                    [
                        "[[led]]".to_owned(),
                        format!("pin = {bcm}"),
                        format!("role = \"{role}\""),
                    ]
                })
                .collect(),
        ];
        for (x, lines) in [500, 700].into_iter().zip(columns) {
            for (n, line) in (0..).zip(&lines) {
                let y = y + 32 + n * 25;
                self.put(&format!(
                    "<text x=\"{x}\" y=\"{y}\" font-size=\"18\" font-family=\"DejaVu Sans Mono, monospace\">{line}</text>"
                ));
            }
        }
    }
}
