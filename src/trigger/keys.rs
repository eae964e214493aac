//! From bytes to what they ask for. Pure: the caller brings bytes and time.

/// What a key or a line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Press,
    Stop,
    /// `1` to `9` as 0 to 8: a button of a simulated board.
    Button(usize),
}

/// How stdin delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Each key as it is hit: a terminal.
    Single,
    /// Line by line: a pipe.
    Lines,
}

/// Reads keys out of bytes, and leaves out the repeats of a key that is held down.
#[derive(Clone, Debug)]
pub struct Keys {
    mode: Mode,
    line: Vec<u8>,
    last_press_mono_ns: Option<u64>,
}

impl Keys {
    /// A held key repeats after 0.25 to 1 s and then every 30 ms or so; each repeat
    /// starts this time anew.
    const REPEAT_NS: u64 = 1_000_000_000;
    /// Longer lines are no key and not remembered.
    const LONGEST_LINE: usize = 16;

    /// Keys of a terminal: single, and possibly held down.
    pub fn of_terminal() -> Keys {
        Keys::new(Mode::Single)
    }

    /// Lines of a pipe: an empty one or `s` presses, `q` stops.
    pub fn of_pipe() -> Keys {
        Keys::new(Mode::Lines)
    }

    fn new(mode: Mode) -> Keys {
        Keys {
            mode,
            line: Vec::new(),
            last_press_mono_ns: None,
        }
    }

    /// What the bytes that came at `now_mono_ns` ask for, in their order.
    pub fn feed(&mut self, bytes: &[u8], now_mono_ns: u64) -> Vec<Key> {
        match self.mode {
            Mode::Single => self.singles(bytes, now_mono_ns),
            Mode::Lines => bytes
                .iter()
                .filter_map(|byte| self.of_line(*byte))
                .collect(),
        }
    }

    fn singles(&mut self, bytes: &[u8], now_mono_ns: u64) -> Vec<Key> {
        const ESCAPE: u8 = 0x1b;
        let mut keys = Vec::new();
        for byte in bytes {
            match byte {
                // Arrow and function keys: letters follow that mean nothing to us (F4 is ESC O S).
                &ESCAPE => break,
                b'\r' | b'\n' | b's' | b'S' => {
                    let held = self
                        .last_press_mono_ns
                        .is_some_and(|last| now_mono_ns.saturating_sub(last) < Self::REPEAT_NS);
                    self.last_press_mono_ns = Some(now_mono_ns);
                    if !held {
                        keys.push(Key::Press);
                    }
                }
                b'q' | b'Q' => keys.push(Key::Stop),
                b'1'..=b'9' => keys.push(Key::Button(usize::from(byte - b'1'))),
                _ => {}
            }
        }
        keys
    }

    fn of_line(&mut self, byte: u8) -> Option<Key> {
        if byte != b'\n' {
            if self.line.len() <= Self::LONGEST_LINE {
                self.line.push(byte);
            }
            return None;
        }
        let line = std::mem::take(&mut self.line);
        match line.trim_ascii() {
            b"" | b"s" | b"S" => Some(Key::Press),
            b"q" | b"Q" => Some(Key::Stop),
            &[byte @ b'1'..=b'9'] => Some(Key::Button(usize::from(byte - b'1'))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn enter_and_s_press_and_q_stops_and_all_else_is_nothing() {
        for (bytes, want) in [
            (&b"\n"[..], vec![Key::Press]),
            (b"\r", vec![Key::Press]),
            (b"s", vec![Key::Press]),
            (b"S", vec![Key::Press]),
            (b"q", vec![Key::Stop]),
            (b"Q", vec![Key::Stop]),
            (b"19", vec![Key::Button(0), Key::Button(8)]),
            (b"0x", vec![]),
            (b"\x1bOS", vec![]),
            (b"\x1b[A", vec![]),
            ("ß".as_bytes(), vec![]),
            (b"sq", vec![Key::Press, Key::Stop]),
        ] {
            assert_eq!(Keys::of_terminal().feed(bytes, 5 * S), want, "{bytes:?}");
        }
    }

    #[test]
    fn a_key_held_down_is_one_press_and_the_next_hit_is_another() {
        let mut keys = Keys::of_terminal();
        let first_repeat = S + 660_000_000;
        let held = (0..100).map(|n| first_repeat + n * 33_000_000);
        let times = std::iter::once(S).chain(held).chain([8 * S]);
        let presses = times.filter(|now| !keys.feed(b"\n", *now).is_empty());
        assert_eq!(presses.collect::<Vec<_>>(), [S, 8 * S]);
    }

    #[test]
    fn s_and_enter_behind_it_are_one_press() {
        let mut keys = Keys::of_terminal();
        assert_eq!(keys.feed(b"s", S), [Key::Press]);
        assert_eq!(keys.feed(b"\n", S + 200_000_000), []);
        assert_eq!(Keys::of_pipe().feed(b"s\n", S), [Key::Press]);
    }

    #[test]
    fn lines_of_a_pipe_may_come_in_pieces_and_each_counts() {
        let mut keys = Keys::of_pipe();
        assert_eq!(keys.feed(b"\n\ns", S), [Key::Press, Key::Press]);
        assert_eq!(
            keys.feed(b"\r\nhello\n s \n12\nq", S),
            [Key::Press, Key::Press]
        );
        assert_eq!(keys.feed(b"\n", S), [Key::Stop]);
        assert_eq!(keys.feed(b"3\n", S), [Key::Button(2)]);
        let endless = vec![b's'; 1 << 20];
        assert_eq!(keys.feed(&endless, S), []);
        assert!(keys.line.len() < 100);
        assert_eq!(keys.feed(b"\n\n", S), [Key::Press]);
    }
}
