//! What the board says: why a pin or a key does not work, what an installer should know.
//!
//! Not here: what a light shows (`patterns`).

use crate::base::sentence::{Arg, Coded, Sentence, ToArg};

crate::sentences! {
    /// Why a button or a light does not work; says who has its pin and what to do.
    pub enum BoardError {
        /// The service runs without.
        NoGpio {} = "board_no_gpio": "there is no GPIO on this machine (no /dev/gpiochip0)",
        ChipClosed { path: String, error: String } = "board_chip_closed":
            "{path} cannot be opened: {error}; the service's user belongs into the group that owns it (`gpio` on Raspberry Pi OS)",
        NoSuchChip { chip: String, chips: String } = "board_no_such_chip": "there is no GPIO chip `{chip}` here; there are {chips}",
        /// It does not tell who has its pins.
        ChipSilent { chip: String, error: String } = "board_chip_silent": "{chip} does not say who has its pins: {error}",
        ChipGone { part: BoardPartName } = "board_chip_gone": "{part}: the GPIO chip is gone",
        NoSuchPin { part: BoardPartName, chip: String, last_pin: u32, pin: u32 } = "board_no_such_pin":
            "{part}: {chip} has the pins 0 to {last_pin}, no {pin}",
        PinReserved { part: BoardPartName, board: String, why: String } = "board_pin_reserved":
            "{part}: this pin is reserved on a {board}: {why}; choose another pin (`hindsight board` shows them)",
        PinTaken { part: BoardPartName, who: String } = "board_pin_taken":
            "{part}: the pin is in use by {who}; choose another pin, or stop what uses it",
        PinTakenByHindsight { part: BoardPartName, who: String } = "board_pin_taken_by_hindsight":
            "{part}: the pin is in use by {who}; that is another Hindsight: is the service running?",
        PinRefused { part: BoardPartName, chip: String, error: String } = "board_pin_refused":
            "{part}: {chip} refuses the pin: {error}",
        PinUnusable { part: BoardPartName, error: String } = "board_pin_unusable": "{part}: {error}",
        LevelNotSet { part: BoardPartName, error: String } = "board_level_not_set": "{part}: its level cannot be set: {error}",
        EdgesUnread { part: BoardPartName, error: String } = "board_edges_unread": "{part}: its edges cannot be read: {error}",
        InterruptEnded { part: BoardPartName } = "board_interrupt_ended":
            "{part}: its interrupt ended and cannot be set again",
        NoListener { what: &'static str, error: String } = "board_no_listener":
            "the buttons cannot be listened to: no {what}: {error}",
        RppalNotHere { chip: String } = "board_rppal_not_here":
            "`rppal` wants a Raspberry Pi's own kernel, with /dev/gpiomem and a chip of its header; here is {chip}; use backend \"cdev\"",
        RppalUnusable { error: String } = "board_rppal_unusable":
            "`rppal` cannot be used here: {error}; the service's user belongs into the group `gpio`, or use backend \"cdev\"",
        UnknownKey { button: String, key: String } = "board_unknown_key":
            "button `{button}`: the kernel knows no key `{key}`; keys are named like KEY_B, KEY_PAGEDOWN, BTN_0",
        InputsUnwatched { error: String } = "board_inputs_unwatched": "new input devices cannot be waited for: {error}",
        /// No device with this key is plugged in.
        KeyMissing { button: String, key: String } = "board_key_missing":
            "button `{button}`: no input device with a key {key} is plugged in",
        NamedKeyMissing { button: String, device: String, key: String } = "board_named_key_missing":
            "button `{button}`: no input device with `{device}` in its name and a key {key} is plugged in",
        /// Nor could another device be looked at.
        KeyBarred { missing: Sentence, path: String, error: String } = "board_key_barred":
            "{missing}; {path} cannot be opened: {error} (the service's user belongs into the group `input`)",
        NoSuchLed { led: usize } = "board_no_such_led": "there is no LED {led}",
        HeldLong {} = "board_button_held_long":
            "it has been held for more than 30 s: free it, or look for a short in its cable",
        /// Of a simulated board.
        Simulated { why: String } = "board_simulated": "{why}",
    }
}

crate::sentences! {
    /// What an installer should know, though it works.
    pub enum BoardNote {
        ChipGuessed { chip: String, chips: String } = "board_chip_guessed":
            "none of the GPIO chips is known to have a header; the pins are taken on {chip}; name another with `chip` in [board]: {chips}",
        WithoutRppal { why: Sentence } = "board_without_rppal": "{why}: which is what is done",
    }
}

crate::sentences! {
    /// What a button or an LED is called.
    pub enum BoardPartName {
        Button { button: String, pin: u32 } = "board_part_button": "button `{button}` on GPIO {pin}",
        Key { button: String, key: String } = "board_part_key": "button `{button}` ({key})",
        Led { role: &'static str, pin: u32 } = "board_part_led": "LED `{role}` on GPIO {pin}",
        Buzzer { pin: u32 } = "board_part_buzzer": "buzzer (`sound`) on GPIO {pin}",
    }
}

impl std::error::Error for BoardError {}

impl ToArg for BoardPartName {
    fn to_arg(&self) -> Arg {
        self.sentence().to_arg()
    }
}
