//! Asks for a password: on the terminal without showing it, else as the first line of stdin.
//!
//! Not here: what makes a good one (`access`).

use std::io::{self, BufRead, IsTerminal, Read, Write};

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};

/// More is no password.
const BYTES_MOST: u64 = 4096;

#[derive(Debug, thiserror::Error)]
pub(super) enum PasswordError {
    #[error("no password was given")]
    NotGiven,
    #[error("the two passwords differ")]
    Differ,
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("the password is no UTF-8 text")]
    NotText,
}

/// A new one; on a terminal it is asked for twice.
pub(super) fn ask_for_new() -> Result<String, PasswordError> {
    if !io::stdin().is_terminal() {
        return first_line(io::stdin().lock());
    }
    let first = ask("Password (at least 10 characters): ")?;
    match ask("The same again: ")? == first {
        true => Ok(first),
        false => Err(PasswordError::Differ),
    }
}

fn first_line(input: impl BufRead) -> Result<String, PasswordError> {
    let mut line = Vec::new();
    input.take(BYTES_MOST).read_until(b'\n', &mut line)?;
    let line = String::from_utf8(line).map_err(|_| PasswordError::NotText)?;
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err(PasswordError::NotGiven),
        password => Ok(password.to_owned()),
    }
}

fn ask(prompt: &str) -> Result<String, PasswordError> {
    let mut stderr = io::stderr();
    write!(stderr, "{prompt}")?;
    stderr.flush()?;
    let typed = {
        let _silent = Silent::begin()?;
        typed(io::stdin().lock())
    };
    writeln!(stderr)?;
    typed
}

/// The terminal shows nothing and hands on each key, Ctrl-C as well: whoever gives up must get it back as it was.
struct Silent(Termios);

impl Silent {
    fn begin() -> io::Result<Silent> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_flags &= !(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
        termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Silent(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}

/// The keys up to Enter.
fn typed(mut keys: impl Read) -> Result<String, PasswordError> {
    let mut typed = Vec::new();
    let mut key = [0];
    loop {
        if keys.read(&mut key)? == 0 {
            return Err(PasswordError::NotGiven);
        }
        match key[0] {
            b'\r' | b'\n' => break,
            // Ctrl-C, Ctrl-D.
            3 | 4 => return Err(PasswordError::NotGiven),
            // Ctrl-U.
            21 => typed.clear(),
            8 | 127 => erase(&mut typed),
            byte if typed.len() < 4096 => typed.push(byte),
            _ => {}
        }
    }
    match String::from_utf8(typed) {
        Ok(password) if password.is_empty() => Err(PasswordError::NotGiven),
        Ok(password) => Ok(password),
        Err(_) => Err(PasswordError::NotText),
    }
}

/// The last character, of however many bytes.
fn erase(typed: &mut Vec<u8>) {
    while let Some(byte) = typed.pop() {
        if byte & 0xC0 != 0x80 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_become_a_password_and_can_be_taken_back() {
        let typed = |keys: &str| typed(keys.as_bytes());
        assert_eq!(typed("golo\r").unwrap(), "golo");
        assert_eq!(typed("goloé\u{7f}\u{8}o\n").unwrap(), "golo");
        assert_eq!(typed("wrong\u{15}golo\n").unwrap(), "golo");
        for given_up in ["", "golo", "golo\u{3}", "\u{4}", "\n"] {
            assert!(
                matches!(typed(given_up), Err(PasswordError::NotGiven)),
                "{given_up:?}"
            );
        }
    }

    #[test]
    fn a_script_gives_it_as_a_line() {
        assert_eq!(
            first_line(&b"golo na quadra\r\nmore"[..]).unwrap(),
            "golo na quadra"
        );
        assert_eq!(first_line(&b" golo "[..]).unwrap(), " golo ");
        assert!(first_line(&b"\n"[..]).is_err() && first_line(&b""[..]).is_err());
        assert!(matches!(
            first_line(&[0xff, b'\n'][..]),
            Err(PasswordError::NotText)
        ));
    }
}
