//! Of `hindsight check`: the pins of buttons and lights. Takes none.
//!
//! Not here: the picture of the header (`board`).

use std::time::Duration;

use super::super::board::{WiredPart, map_of, parts};
use super::super::client::ServiceClient;
use super::found::CheckFindings;
use crate::board::peek;
use crate::config::Backend;
use crate::config::Config;
use crate::service::{panel, say};

/// Says what hangs where.
pub(super) fn pins(config: &Config, found: &mut CheckFindings) {
    let settings = panel::settings(config);
    if settings.buttons.is_empty() && settings.leds.is_empty() {
        println!("buttons none is configured; \"hindsight board\" shows where one could be");
        return;
    }
    let (map, known) = match map_of(config) {
        Ok(map) => map,
        Err(unknown) => return found.wrong.push(unknown.to_string()),
    };
    // A pin that the service has is no fault; where it runs, it knows how they are.
    let client = ServiceClient::new(config, Duration::from_secs(3));
    let service = client.get("/status").ok().filter(|a| a.status == 200);
    let service = service.map(|answer| answer.body["board"].clone());
    let mut without = |why: &str| {
        let no_pins = format!("no button and no light works: {why}");
        found.wrong.push(no_pins);
        "no pins can be used".to_owned()
    };
    let (look, chip) = match config.board.backend {
        Backend::Sim => (None, "simulated ([board] backend = \"sim\")".to_owned()),
        Backend::None => (None, without("[board] backend = \"none\"")),
        _ => match peek(&settings, map) {
            Ok(look) => {
                let chip = look.chip.to_string();
                (Some(look), chip)
            }
            Err(error) => (None, without(&error.to_string())),
        },
    };
    let look = look.as_ref();
    let rules = (known || look.is_none()).then_some(map);
    let parts = parts(&settings, rules, look, service.as_ref());
    println!("buttons {chip}");
    let row = |part: &WiredPart| {
        let name = format!("        {}", part.name);
        vec![name, part.place(map), part.now.to_owned()]
    };
    let rows: Vec<Vec<String>> = parts.iter().map(row).collect();
    print!("{}", say::table(&rows));
    for WiredPart { name, wrong, .. } in &parts {
        let wrong = wrong.iter().map(|what| format!("{name}: {what}"));
        found.wrong.extend(wrong);
    }
}
