//! Buttons, lights and opening hours: what is written arrives.

use hindsight::config::{
    ActiveLevel, Backend, BoardSettings, Button, ButtonRole, Input, Led, LedRole, PressWindow, Pull,
};

use super::*;

fn window(pre_s: u64, post_s: u64) -> PressWindow {
    PressWindow {
        pre_ms: pre_s * 1000,
        post_ms: post_s * 1000,
    }
}

fn ids(button: &Button) -> Vec<&str> {
    button.cameras.iter().map(|id| id.as_str()).collect()
}

#[test]
fn a_button_needs_no_more_than_its_pin() {
    let north = CAMERA.replace("court1", "north").replace("/s", "/n");
    let toml = format!(
        "[highlight]\npre = \"30s\"\npost = \"5s\"\n{CAMERA}{north}[[button]]\npin = 17\n[[led]]\npin = 22\n"
    );
    let config = Desk::new().toml(&toml).config();
    let [button] = &config.buttons[..] else {
        panic!("{:?}", config.buttons);
    };
    assert_eq!(button.id, "button1");
    assert_eq!(button.role, ButtonRole::Press);
    assert_eq!(ids(button), ["court1", "north"]);
    assert_eq!(button.single, window(30, 5));
    assert_eq!((button.long, button.double), (None, None));
    assert_eq!((button.cooldown_ms, button.shutdown_hold_ms), (3000, None));
    let wanted = Input::Gpio {
        pin: 17,
        active: ActiveLevel::Low,
        pull: Pull::Up,
        debounce_ms: 20,
    };
    assert_eq!(button.input, wanted);
    let led = Led {
        pin: 22,
        active: ActiveLevel::High,
        role: LedRole::Status,
    };
    assert_eq!(config.leds, [led]);
    assert_eq!(config.board, BoardSettings::default());
    assert_eq!(config.venue.open, None);
}

#[test]
fn all_of_a_button_arrives() {
    let north = CAMERA.replace("court1", "north").replace("/s", "/n");
    let toml = format!(
        "{CAMERA}{north}[board]\nbackend = \"CDEV\"\nmodel = \"pi4\"\nchip = \"gpiochip4\"\n\
         [[button]]\nid = \"wall\"\ninput = \"gpio\"\npin = 5\nactive = \"high\"\ndebounce = \"5ms\"\n\
         cameras = [\"north\"]\npre = \"20s\"\nlong_pre = \"60s\"\ndouble_post = \"2s\"\ncooldown = \"0s\"\n\
         shutdown_hold = \"8s\"\n\
         [[button]]\ninput = \"usb\"\ndevice = \"Presenter\"\nkey = \"key_pagedown\"\n\
         [[button]]\npin = 6\npull = \"off\"\nrole = \"shutdown\"\n\
         [[button]]\npin = 7\npull = \"down\"\n\
         [[led]]\npin = 22\nactive = \"low\"\nrole = \"sound\"\n"
    );
    let desk = Desk::new().toml(&toml);
    assert_eq!(desk.says(), "fine");
    let config = desk.config();
    assert_eq!(config.board.backend, Backend::Cdev);
    assert_eq!(config.board.model.as_deref(), Some("pi4"));
    assert_eq!(config.board.chip.as_deref(), Some("gpiochip4"));
    let [wall, usb, stop, high] = &config.buttons[..] else {
        panic!("{:?}", config.buttons);
    };
    assert_eq!(wall.id, "wall");
    assert_eq!(ids(wall), ["north"]);
    assert_eq!(wall.single, window(20, 10));
    assert_eq!(wall.long, Some(window(60, 10)));
    assert_eq!(wall.double, Some(window(20, 2)));
    assert_eq!((wall.cooldown_ms, wall.shutdown_hold_ms), (0, Some(8000)));
    let gpio = |pin, active, pull, debounce_ms| Input::Gpio {
        pin,
        active,
        pull,
        debounce_ms,
    };
    assert_eq!(wall.input, gpio(5, ActiveLevel::High, Pull::Down, 5));
    assert_eq!(usb.id, "button2");
    let pedal = Input::Usb {
        device: Some("Presenter".to_owned()),
        key: "KEY_PAGEDOWN".to_owned(),
    };
    assert_eq!(usb.input, pedal);
    assert_eq!(stop.role, ButtonRole::Shutdown);
    assert_eq!(stop.input, gpio(6, ActiveLevel::Low, Pull::Off, 20));
    // Brushed in passing, it does not stop the box.
    assert_eq!(stop.shutdown_hold_ms, Some(3000));
    assert_eq!(high.input, gpio(7, ActiveLevel::High, Pull::Down, 20));
    assert_eq!(
        (config.leds[0].active, config.leds[0].role),
        (ActiveLevel::Low, LedRole::Sound)
    );
}

#[test]
fn the_ring_holds_the_longest_window_of_all_buttons() {
    let toml = format!("{CAMERA}[[button]]\npin = 17\nlong_pre = \"4m\"\n");
    assert_eq!(Desk::new().toml(&toml).config().ring.seconds, 265);
}

#[test]
fn opening_hours_arrive() {
    let toml = format!("{CAMERA}[venue]\nopen = \"mon-fri 07:00-23:30, sat sun 08:00-02:00\"\n");
    let open = Desk::new().toml(&toml).config().venue.open.unwrap();
    let [week, end] = &open.spans[..] else {
        panic!("{open:?}");
    };
    assert_eq!(week.days, [true, true, true, true, true, false, false]);
    assert_eq!((week.from_min, week.to_min), (420, 1410));
    assert_eq!(end.days, [false, false, false, false, false, true, true]);
    assert_eq!((end.from_min, end.to_min), (480, 120));
}

#[test]
fn buttons_and_lights_can_be_changed_from_environment_and_command_line() {
    let toml = format!(
        "{CAMERA}[[button]]\npin = 17\n[[button]]\nid = \"b-2\"\npin = 18\n[[led]]\npin = 22\n"
    );
    let config = Desk::new()
        .toml(&toml)
        .env("HINDSIGHT_VENUE_OPEN", "08:00-20:00")
        .env("HINDSIGHT_BUTTON_BUTTON1_PIN", "4")
        .env("HINDSIGHT_BUTTON_B_2_CAMERAS", "court1")
        .env("HINDSIGHT_BUTTON_B_2_LONG_PRE", "50s")
        .env("HINDSIGHT_LED_1_ROLE", "busy")
        .set("button.b-2.pin=5")
        .set("led.1.pin=6")
        .set("board.backend=sim")
        .config();
    let pins: Vec<u32> = config
        .buttons
        .iter()
        .map(|button| match button.input {
            Input::Gpio { pin, .. } => pin,
            Input::Usb { .. } => panic!("{button:?}"),
        })
        .collect();
    assert_eq!(pins, [4, 5]);
    assert_eq!(config.buttons[1].long, Some(window(50, 10)));
    assert_eq!(
        (config.leds[0].pin, config.leds[0].role),
        (6, LedRole::Busy)
    );
    assert_eq!(config.board.backend, Backend::Sim);
    assert_eq!(config.venue.open.unwrap().spans[0].from_min, 480);
}

#[test]
fn the_cooldown_is_no_longer_than_what_the_clip_still_takes() {
    let with = |more: &str| {
        let toml = format!("{CAMERA}[[button]]\npin = 17\npost = \"1s\"\n{more}");
        Desk::new().toml(&toml).load()
    };
    let loaded = with("");
    assert_eq!(loaded.config.buttons[0].cooldown_ms, 1000);
    assert_eq!(loaded.warnings, []);
    let loaded = with("cooldown = \"2s\"\n");
    assert_eq!(loaded.config.buttons[0].cooldown_ms, 2000);
    let [warning] = &loaded.warnings[..] else {
        panic!("{:?}", loaded.warnings);
    };
    assert_eq!(warning.sentence.code, "config_cooldown_too_long");
    assert_eq!(
        with("double_post = \"500ms\"\n").config.buttons[0].cooldown_ms,
        500
    );
}
