//! A clip's bytes: hash and size by its sidecar, sample tables by two readers,
//! samples by their NAL units.
//!
//! Not here: what was made of it (`made`).

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::checker::StorageChecker;
use crate::base::hex;
use crate::base::quantity::ToFloat;
use crate::highlight::sidecar::{Meta, Sidecar, Status};
use crate::media::slice::{MissingSet, SetsInForce};
use crate::media::{Codec, TICKS_90K, Track, flac, nal};
use crate::mp4::{self, Inspected, InspectedTrack};

impl StorageChecker {
    /// A clip and what its sidecar says of it.
    pub(super) fn clip_with(&mut self, path: &Path, sidecar: &Sidecar) {
        match size_and_hash(path) {
            Err(e) => return self.unreadable(path, &e),
            Ok((size, hash)) => {
                if sidecar.size_bytes.is_some_and(|said| said != size) {
                    let said = sidecar.size_bytes.unwrap_or(0);
                    self.fault(
                        path,
                        format!("it has {size} bytes; its sidecar says {said}"),
                    );
                } else if sidecar.sha256.as_ref().is_some_and(|said| *said != hash) {
                    self.fault(
                        path,
                        "its bytes changed since it was written (SHA-256 differs from its sidecar): check the disk",
                    );
                }
            }
        }
        if sidecar.status == Status::Suspect {
            // What is wrong with it is known and said; it is kept as it is.
            let reason = sidecar.reason.as_deref().unwrap_or("for no known reason");
            return self.note(path, format!("suspect: {reason}"));
        }
        let Some(inspected) = self.tables_of(path) else {
            return;
        };
        if let Some(what) = sidecar
            .meta
            .as_ref()
            .and_then(|meta| against_meta(&inspected, meta))
        {
            self.fault(path, what);
        }
    }

    /// A clip by itself.
    pub(super) fn tables(&mut self, path: &Path) {
        self.tables_of(path);
    }

    fn tables_of(&mut self, path: &Path) -> Option<Inspected> {
        match read_clip(path) {
            Ok(ReadClip::Whole(inspected)) => Some(inspected),
            Ok(ReadClip::Damaged(what)) => {
                self.fault(path, what);
                None
            }
            Err(e) => {
                self.unreadable(path, &e);
                None
            }
        }
    }
}

pub(super) fn size_and_hash(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        size += n as u64;
    }
    Ok((size, hex(&hasher.finalize())))
}

/// A clip that could be read, and what it is.
enum ReadClip {
    Whole(Inspected),
    /// What is wrong with it.
    Damaged(String),
}

fn read_clip(path: &Path) -> io::Result<ReadClip> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut file = BufReader::with_capacity(1 << 18, file);
    let inspected = match mp4::inspect(&mut file, size) {
        Ok(inspected) => inspected,
        Err(e) => return Ok(ReadClip::Damaged(e.to_string())),
    };
    match mp4::second_opinion(&mut file, size, &inspected) {
        Ok(None) => {}
        Ok(Some(what)) => return Ok(ReadClip::Damaged(what)),
        Err(e) => return Ok(ReadClip::Damaged(e.to_string())),
    }
    Ok(match samples(&mut file, &inspected)? {
        None => ReadClip::Whole(inspected),
        Some(what) => ReadClip::Damaged(what),
    })
}

/// Looks into the samples: decoding of the picture starts at a key frame, and every sample of
/// it is made of whole NAL units whose slices name parameter sets that a decoder has by then;
/// sound in FLAC decodes.
fn samples<R: Read + Seek>(file: &mut R, inspected: &Inspected) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    for track in &inspected.tracks {
        let mut sets = Sets::default();
        for (i, sample) in track.samples.iter().enumerate() {
            let codec = sets.enter(track, sample.entry);
            if codec == Codec::Aac {
                break;
            }
            file.seek(SeekFrom::Start(sample.offset))?;
            bytes.resize(usize::try_from(sample.size).unwrap_or(0), 0);
            file.read_exact(&mut bytes)?;
            if codec == Codec::Flac {
                if let Err(error) = flac::decode(&bytes) {
                    return Ok(Some(format!(
                        "its sound is damaged, part {}: {error}",
                        i + 1
                    )));
                }
                continue;
            }
            if !nal::lengths_add_up(&bytes) {
                return Ok(Some(format!("picture {} is damaged", i + 1)));
            }
            let key = nal::classify(codec, &bytes).key;
            if (i == 0 || sample.sync) && !(key && sample.sync) {
                return Ok(Some(format!(
                    "picture {} is no key frame, but should be",
                    i + 1
                )));
            }
            sets.count(i + 1, &bytes);
        }
        if let Some(what) = sets.undecodable() {
            return Ok(Some(what));
        }
    }
    Ok(None)
}

/// What a decoder of the clip was given so far, and what it would have lacked.
#[derive(Default)]
struct Sets {
    entry: Option<u32>,
    codec: Option<Codec>,
    given: SetsInForce,
    pictures: usize,
    lacking: usize,
    /// Number of the first picture that cannot be decoded.
    first: Option<(usize, MissingSet)>,
}

impl Sets {
    /// A sample of this entry is next: another entry brings its own sets.
    fn enter(&mut self, track: &InspectedTrack, entry: u32) -> Codec {
        if self.entry.replace(entry) != Some(entry) {
            let entry = usize::try_from(entry).unwrap_or(usize::MAX);
            let params = track.entries.get(entry);
            self.codec = params.map(|params| params.codec);
            self.given = params.map(SetsInForce::of).unwrap_or_default();
        }
        self.codec.unwrap_or(Codec::H264)
    }

    fn count(&mut self, number: usize, picture: &[u8]) {
        self.pictures += 1;
        let codec = self.codec.unwrap_or(Codec::H264);
        if let Some(missing) = self.given.decode(codec, picture) {
            self.lacking += 1;
            self.first.get_or_insert((number, missing));
        }
    }

    fn undecodable(&self) -> Option<String> {
        let (number, missing) = self.first?;
        let (lacking, pictures) = (self.lacking, self.pictures);
        Some(format!(
            "{lacking} of its {pictures} pictures cannot be decoded: picture {number} needs {missing}"
        ))
    }
}

fn against_meta(clip: &Inspected, meta: &Meta) -> Option<String> {
    let of = |wanted: Track| clip.tracks.iter().find(move |t| t.track() == wanted);
    let video = of(Track::Video)?;
    let first = video.shown().min_by_key(|sample| sample.cts)?;
    let entry = video.entries.get(usize::try_from(first.entry).ok()?)?;
    if (entry.codec, entry.width, entry.height) != (meta.codec, meta.width, meta.height) {
        return Some(format!(
            "it is {:?} {}x{}; its sidecar says {:?} {}x{}",
            entry.codec, entry.width, entry.height, meta.codec, meta.width, meta.height
        ));
    }
    let audio = of(Track::Audio)
        .and_then(|t| t.entries.first())
        .map(|e| e.codec);
    if audio != meta.audio_codec {
        return Some("its sidecar is wrong about its sound".to_owned());
    }
    let plays = clip.duration_90k.to_float() / TICKS_90K.to_float();
    if (plays - meta.duration_sec).abs() > 0.0011 {
        return Some(format!(
            "it plays {plays:.3} s; its sidecar says {:.3} s",
            meta.duration_sec
        ));
    }
    None
}
