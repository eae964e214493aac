//! Of `hindsight check`: the pins of buttons and lights. Takes none.
//!
//! Not here: the picture of the header (`board`). Called by: check.

use std::time::Duration;

use super::super::board::{Part, map_of, parts};
use super::super::client::Client;
use super::Found;
use crate::board::{Peeked, peek};
use crate::config::Backend;
use crate::config::Config;
use crate::service::{panel, say};

/// Says what hangs where.
pub(super) fn pins(config: &Config, found: &mut Found) {
    let settings = panel::settings(config);
    if settings.buttons.is_empty() && settings.leds.is_empty() {
        println!("buttons none is configured; \"hindsight board\" shows where one could be");
        return;
    }
    let (map, known) = match map_of(config) {
        Ok(map) => map,
        Err(unknown) => return found.wrong.push(unknown),
    };
    // A pin that the service has is no fault; where it runs, it knows how they are.
    let client = Client::new(config, Duration::from_secs(3));
    let service = client.get("/status").ok().filter(|a| a.status == 200);
    let service = service.map(|answer| answer.body["board"].clone());
    let looked = match config.board.backend {
        Backend::Sim => Err("simulated ([board] backend = \"sim\")".to_owned()),
        Backend::None => without(found, "[board] backend = \"none\""),
        _ => peek(&settings, map).or_else(|error| without(found, &error.to_string())),
    };
    let look = looked.as_ref().ok();
    let rules = (known || look.is_none()).then_some(map);
    let parts = parts(&settings, rules, look, service.as_ref());
    match &looked {
        Ok(look) => println!("buttons {}", look.chip),
        Err(why) => println!("buttons {why}"),
    }
    let row = |part: &Part| {
        let name = format!("        {}", part.name);
        vec![name, part.place(map), part.now.to_owned()]
    };
    let rows: Vec<Vec<String>> = parts.iter().map(row).collect();
    print!("{}", say::table(&rows));
    for Part { name, wrong, .. } in &parts {
        let wrong = wrong.iter().map(|what| format!("{name}: {what}"));
        found.wrong.extend(wrong);
    }
}

fn without(found: &mut Found, why: &str) -> Result<Peeked, String> {
    let no_pins = format!("no button and no light works: {why}");
    found.wrong.push(no_pins);
    Err("no pins can be used".to_owned())
}
