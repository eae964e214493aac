//! Of `hindsight check`: the pins of buttons and lights. Takes none.
//!
//! Not here: the picture of the header (`board`). Called by: check.

use std::time::Duration;

use super::super::board::{Part, map_of, parts};
use super::super::client::Client;
use super::super::{panel, say};
use crate::board::peek;
use crate::config::Config;
use crate::config::board::Backend;

/// Says what hangs where; `wrong` hears of pins that cannot be used.
pub(super) fn pins(config: &Config, wrong: &mut Vec<String>) {
    let settings = panel::settings(config);
    if settings.buttons.is_empty() && settings.leds.is_empty() {
        println!("buttons none is configured; \"hindsight board\" shows where one could be");
        return;
    }
    let (map, known) = match map_of(config) {
        Ok(found) => found,
        Err(unknown) => return wrong.push(unknown),
    };
    // A pin that the service has is no fault; where it runs, it knows how they are.
    let client = Client::new(&config.http, Duration::from_secs(3));
    let service = client.get("/status").ok().filter(|a| a.status == 200);
    let service = service.map(|answer| answer.body["board"].clone());
    let looked = match config.board.backend {
        Backend::Sim => None,
        Backend::None => {
            wrong.push("[board] backend = \"none\": no button and no light works".to_owned());
            None
        }
        _ => match peek(&settings, map) {
            Ok(look) => Some(look),
            Err(error) => {
                wrong.push(format!("no button and no light works: {error}"));
                None
            }
        },
    };
    let rules = (known || looked.is_none()).then_some(map);
    let parts = parts(&settings, rules, looked.as_ref(), service.as_ref());
    let heading = match (&looked, config.board.backend) {
        (Some(look), _) => look.chip.clone(),
        (None, Backend::Sim) => "simulated ([board] backend = \"sim\")".to_owned(),
        (None, _) => "none can be reached".to_owned(),
    };
    println!("buttons {heading}");
    let row = |part: &Part| {
        let name = format!("        {}", part.name);
        vec![name, part.place(map), part.now.to_owned()]
    };
    let rows: Vec<Vec<String>> = parts.iter().map(row).collect();
    print!("{}", say::table(&rows));
    for part in &parts {
        wrong.extend(
            part.wrong
                .iter()
                .map(|what| format!("{}: {what}", part.name)),
        );
    }
}
