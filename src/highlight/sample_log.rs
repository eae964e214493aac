//! What an exporter notes beside its temporary file: one line a fact, each
//! with its checksum, appended only after the data that it names is synced.
//! So whatever a line says is on the disk.
//!
//! Not here: what the facts mean (`cut`), when they are written (`writing`).

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::{CameraId, PressId};
use crate::cut::Fact;
use crate::cut::Plan;
use crate::disk::{Disk, File};

const VERSION: u32 = 1;
/// A longer file of facts is damaged: some 300 bytes an AU, 110 a second, an hour; or PCM of a quarter of one at its largest.
const LARGEST: u64 = 1 << 28;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    version: u32,
    pub press_id: PressId,
    pub camera_id: CameraId,
    /// Bytes kept free for the index, as `mp4::data_offset` wants it.
    pub reserve: u64,
    pub plan: Plan,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Begin(Begin),
    Fact(Fact),
}

fn encoded(line: &Line) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string(line).map_err(io::Error::other)?;
    let crc = crc32fast::hash(json.as_bytes());
    Ok(format!("{crc:08x} {json}\n").into_bytes())
}

fn decoded(line: &[u8]) -> Option<Line> {
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (crc, json) = text.split_once(' ')?;
    let crc = u32::from_str_radix(crc, 16).ok()?;
    (crc == crc32fast::hash(json.as_bytes())).then_some(())?;
    serde_json::from_str(json).ok()
}

/// The facts beside a temporary file, up to the first that is not whole.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedSamples {
    pub begin: Begin,
    pub facts: Vec<Fact>,
    /// Where the next line belongs.
    end: u64,
}

/// Reads facts. `None`: there are none that can be used.
pub fn read(disk: &Disk, path: &Path) -> io::Result<Option<LoggedSamples>> {
    match disk.read_file(path, LARGEST) {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(e) => Err(e),
    }
}

fn parse(bytes: &[u8]) -> Option<LoggedSamples> {
    let mut lines = bytes.split_inclusive(|b| *b == b'\n');
    let first = lines.next()?;
    let Some(Line::Begin(begin)) = decoded(first) else {
        return None;
    };
    let mut end = first.len();
    let mut facts = Vec::new();
    for line in lines {
        let Some(Line::Fact(fact)) = decoded(line) else {
            break;
        };
        facts.push(fact);
        end += line.len();
    }
    (begin.version == VERSION).then_some(LoggedSamples {
        begin,
        facts,
        end: u64::try_from(end).ok()?,
    })
}

impl LoggedSamples {
    /// Forgets the facts whose data does not lie within `data_len` bytes, and
    /// all behind the first of them. Returns how much data is named.
    pub fn keep_within(&mut self, data_len: u64) -> u64 {
        let mut named = 0;
        let beyond = self.facts.iter().position(|fact| match fact {
            Fact::Taken { au, offset, .. } => {
                let end = offset.saturating_add(u64::from(au.len));
                if end <= data_len {
                    named = named.max(end);
                }
                end > data_len
            }
            _ => false,
        });
        if let Some(beyond) = beyond {
            self.facts.truncate(beyond);
            // The lines of these go too: what is noted next stands behind the kept ones.
            self.end = 0;
        }
        named
    }
}

/// Appends facts as the data that they name becomes durable.
pub struct SampleLog {
    file: File,
    at: u64,
    /// Facts whose data is not synced yet, with the end of the data named.
    /// Most clips are finished before anything of them must be written down.
    unsynced: Vec<(u64, Fact)>,
}

impl SampleLog {
    /// A new file that begins with `begin`; what stood there is gone.
    pub fn create(
        disk: &Disk,
        path: &Path,
        press_id: &PressId,
        camera_id: &CameraId,
        reserve: u64,
        plan: &Plan,
    ) -> io::Result<SampleLog> {
        let begin = Begin {
            version: VERSION,
            press_id: press_id.clone(),
            camera_id: camera_id.clone(),
            reserve,
            plan: plan.clone(),
        };
        let file = disk.create(path)?;
        let line = encoded(&Line::Begin(begin))?;
        file.write_all_at(&line, 0)?;
        Ok(SampleLog {
            file,
            at: line.len() as u64,
            unsynced: Vec::new(),
        })
    }

    /// Goes on behind `noted`, which stands at `path`.
    pub fn go_on(disk: &Disk, path: &Path, noted: &LoggedSamples) -> io::Result<SampleLog> {
        let file = disk.open_rw(path)?;
        let mut this = SampleLog {
            file,
            at: noted.end,
            unsynced: Vec::new(),
        };
        if noted.end == 0 {
            let mut bytes = encoded(&Line::Begin(noted.begin.clone()))?;
            for fact in &noted.facts {
                bytes.extend(encoded(&Line::Fact(fact.clone()))?);
            }
            this.file.write_all_at(&bytes, 0)?;
            this.at = bytes.len() as u64;
        }
        this.file.set_len(this.at)?;
        if noted.end == 0 {
            // What is written from now on lies where the forgotten facts pointed.
            this.file.sync()?;
        }
        Ok(this)
    }

    /// Remembers a fact; `data_end` is where the data ends that it needs.
    pub fn note(&mut self, fact: Fact, data_end: u64) {
        self.unsynced.push((data_end, fact));
    }

    /// The first `data_len` bytes of the data are on the disk: writes down and
    /// syncs what they allow.
    pub fn synced(&mut self, data_len: u64) -> io::Result<()> {
        let count = self
            .unsynced
            .iter()
            .take_while(|(end, _)| *end <= data_len)
            .count();
        if count == 0 {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for (_, fact) in &self.unsynced[..count] {
            bytes.extend(encoded(&Line::Fact(fact.clone()))?);
        }
        self.file.write_all_at(&bytes, self.at)?;
        self.file.sync()?;
        self.at += bytes.len() as u64;
        self.unsynced.drain(..count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::highlight::journal::samples::taken;
    use crate::media::{Alignment, AuFlags, AuMeta, Track};

    fn fact(pos: u64) -> Fact {
        Fact::Taken {
            pos,
            offset: pos * 100,
            au: AuMeta {
                track: Track::Video,
                flags: AuFlags::default(),
                generation: 1,
                epoch: 1,
                pts: 3000,
                pts_90k: 3000,
                alignment: Alignment::Arrival,
                arrival_mono_ns: 5,
                lost_packets: 0,
                dropped_bytes: 0,
                len: 100,
            },
        }
    }

    fn written(dir: &Path, facts: u64) -> std::path::PathBuf {
        let path = dir.join("f");
        let press = taken(1).press;
        let plan = &taken(1).cameras[0].plan;
        let disk = Disk::default();
        let mut file =
            SampleLog::create(&disk, &path, &press.id, &press.cameras[0], 4096, plan).unwrap();
        for pos in 0..facts {
            file.note(fact(pos), pos * 100 + 100);
        }
        file.synced(facts * 100).unwrap();
        path
    }

    #[test]
    fn only_facts_whose_data_is_synced_are_written_down() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path(), 3);
        let noted = read(&Disk::default(), &path).unwrap().unwrap();
        assert_eq!(noted.facts, [fact(0), fact(1), fact(2)]);
        let mut file = SampleLog::go_on(&Disk::default(), &path, &noted).unwrap();
        file.note(fact(3), 400);
        file.note(fact(4), 500);
        file.synced(499).unwrap();
        let noted = read(&Disk::default(), &path).unwrap().unwrap();
        assert_eq!(noted.facts.len(), 4);
        assert_eq!(noted.begin.reserve, 4096);
    }

    #[test]
    fn facts_torn_at_any_byte_are_whole_up_to_there() {
        let dir = tempfile::tempdir().unwrap();
        let bytes = std::fs::read(written(dir.path(), 3)).unwrap();
        let mut before = 0;
        for cut in 0..=bytes.len() {
            let facts = parse(&bytes[..cut]).map_or(0, |n| n.facts.len() + 1);
            assert!(facts >= before && facts <= before + 1, "cut at {cut}");
            before = facts;
        }
        assert_eq!(before, 4);
    }

    #[test]
    fn facts_behind_the_end_of_the_data_are_forgotten_for_good() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path(), 5);
        let disk = Disk::default();
        let mut noted = read(&disk, &path).unwrap().unwrap();
        assert_eq!(noted.keep_within(350), 300);
        let mut file = SampleLog::go_on(&disk, &path, &noted).unwrap();
        file.note(fact(9), 400);
        file.synced(400).unwrap();
        let facts = read(&disk, &path).unwrap().unwrap().facts;
        assert_eq!(facts, [fact(0), fact(1), fact(2), fact(9)]);
        assert!(parse(b"nonsense\n").is_none());
    }
}
