//! A simulated GPIO chip (`gpio-sim`), by the kernel's own files.

use std::fs;
use std::path::{Path, PathBuf};

const ALL: &str = "/sys/kernel/config/gpio-sim";

/// A chip that is there until it is dropped.
pub struct SimChip {
    config: PathBuf,
    lines: PathBuf,
    hogs: Vec<u32>,
}

impl SimChip {
    pub fn new(label: &str, lines: u32) -> SimChip {
        SimChip::with_hogs(label, lines, &[])
    }

    /// With lines that somebody has from the start.
    pub fn with_hogs(label: &str, lines: u32, hogs: &[(u32, &str)]) -> SimChip {
        let config = Path::new(ALL).join(label);
        let bank = config.join("bank");
        fs::create_dir_all(&bank).unwrap();
        write(&bank.join("num_lines"), &lines.to_string());
        write(&bank.join("label"), label);
        for (line, name) in hogs {
            let hog = bank.join(format!("line{line}")).join("hog");
            fs::create_dir_all(&hog).unwrap();
            write(&hog.join("name"), name);
            write(&hog.join("direction"), "input");
        }
        write(&config.join("live"), "1");
        let name = read(&bank.join("chip_name"));
        let device = read(&config.join("dev_name"));
        let lines = Path::new("/sys/devices/platform").join(device).join(&name);
        SimChip {
            config,
            lines,
            hogs: hogs.iter().map(|(line, _)| *line).collect(),
        }
    }

    fn line(&self, line: u32) -> PathBuf {
        self.lines.join(format!("sim_gpio{line}"))
    }

    /// What is wired to the pin pulls it up or down; an input follows at once.
    pub fn pull(&self, line: u32, high: bool) {
        let pull = match high {
            true => "pull-up",
            false => "pull-down",
        };
        write(&self.line(line).join("pull"), pull);
    }

    /// What a voltmeter at the pin shows.
    pub fn high(&self, line: u32) -> bool {
        read(&self.line(line).join("value")) == "1"
    }

    /// Pulls the chip out of the machine.
    pub fn vanish(&self) {
        write(&self.config.join("live"), "0");
    }
}

impl Drop for SimChip {
    fn drop(&mut self) {
        let _ = fs::write(self.config.join("live"), "0");
        let bank = self.config.join("bank");
        for line in &self.hogs {
            let line = bank.join(format!("line{line}"));
            let _ = fs::remove_dir(line.join("hog"));
            let _ = fs::remove_dir(line);
        }
        let _ = fs::remove_dir(bank);
        let _ = fs::remove_dir(&self.config);
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
}

fn read(path: &Path) -> String {
    let text = fs::read_to_string(path);
    let text = text.unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    text.trim().to_owned()
}
