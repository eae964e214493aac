//! A strict reader of our own clips, for `verify`, the read-back and salvage.
//!
//! It believes nothing: any bytes give either facts that hold together or an
//! error that names what is wrong. Memory stays in proportion to the index.
//! Not here: what the samples hold; foreign files (they are refused).

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use mp4_atom::{Atom, Codec as Entry, Decode, Encode, Moov, Trak};

use super::inspected::{Inspected, InspectedTrack};
use super::tree::{self, Hand, TopBox, io, name, unreadable};
use super::types::{MOVIE_TIMESCALE, Mp4Error, rescale};
use super::{boxes, tables};
use crate::media::{Codec, Track, TrackParams, flac};

/// Reads a clip's index and checks that all of it holds together.
pub fn inspect<R: Read + Seek>(file: R, size: u64) -> Result<Inspected, Mp4Error> {
    inspect_by(file, size, Hand::Ours)
}

/// Likewise what FFmpeg wrote for us, at 90000 ticks a second of the movie: it may say a little more
/// than ours do, and must hold together as ours must.
pub fn inspect_encoded<R: Read + Seek>(file: R, size: u64) -> Result<Inspected, Mp4Error> {
    inspect_by(file, size, Hand::Encoder)
}

fn inspect_by<R: Read + Seek>(mut file: R, size: u64, hand: Hand) -> Result<Inspected, Mp4Error> {
    let outline = Outline::of(&mut file, size)?;
    let index = outline.index(&mut file)?;
    inspect_index(&index, &outline, hand)
}

/// A day of video has less; a sparse file that claims more is no reason to fill memory.
const INDEX_MOST: u64 = 256 << 20;

/// Where the parts of a clip stand.
pub(super) struct Outline {
    pub moov: TopBox,
    pub mdat: TopBox,
}

impl Outline {
    pub fn of<R: Read + Seek>(file: &mut R, size: u64) -> Result<Outline, Mp4Error> {
        let boxes = tree::top_level(file, size)?;
        if boxes.first().is_none_or(|first| &first.kind != b"ftyp") {
            return unreadable("it does not begin as an MP4 does (ftyp)");
        }
        if let Some(other) = boxes[1..]
            .iter()
            .find(|b| ![b"moov", b"mdat", b"free"].contains(&&b.kind))
        {
            return unreadable(format!("box {} does not belong here", name(other.kind)));
        }
        let only = |kind: &[u8; 4]| {
            let mut found = boxes.iter().filter(|b| &b.kind == kind);
            match (found.next(), found.next()) {
                (Some(only), None) => Ok(*only),
                (None, _) => unreadable(format!("it has no box {}", name(*kind))),
                (Some(_), Some(_)) => unreadable(format!("it has two boxes {}", name(*kind))),
            }
        };
        Ok(Outline {
            moov: only(b"moov")?,
            mdat: only(b"mdat")?,
        })
    }

    /// The whole `moov`, header included.
    pub fn index<R: Read + Seek>(&self, file: &mut R) -> Result<Vec<u8>, Mp4Error> {
        if self.moov.size > INDEX_MOST {
            return unreadable(format!("an index of {} bytes", self.moov.size));
        }
        io("cannot seek", file.seek(SeekFrom::Start(self.moov.at)))?;
        let mut index = Vec::new();
        // Grows with what is really there, whatever the header says.
        let read = file.take(self.moov.size).read_to_end(&mut index);
        match io("cannot read the index", read)? as u64 == self.moov.size {
            true => Ok(index),
            false => unreadable("the index is cut short"),
        }
    }

    fn data(&self) -> Range<u64> {
        self.mdat.at + self.mdat.header..self.mdat.at + self.mdat.size
    }
}

fn inspect_index(index: &[u8], outline: &Outline, hand: Hand) -> Result<Inspected, Mp4Error> {
    tree::walk(index, hand, &mut |_, _, _| {})?;
    let moov = Moov::decode(&mut &index[..])
        .or_else(|e| unreadable(format!("the index does not decode: {e}")))?;
    if moov.mvhd.timescale != MOVIE_TIMESCALE {
        return unreadable(format!(
            "{} ticks per second, not {MOVIE_TIMESCALE}",
            moov.mvhd.timescale
        ));
    }
    let data = outline.data();
    let tracks = moov
        .trak
        .iter()
        .map(|trak| {
            inspect_track(trak, &data, hand).map_err(|e| match e {
                Mp4Error::Unreadable(what) => {
                    Mp4Error::Unreadable(format!("track {}: {what}", trak.tkhd.track_id))
                }
                other => other,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    check_tracks(&tracks)?;
    let longest = moov.trak.iter().map(|trak| trak.tkhd.duration);
    if longest.max() != Some(moov.mvhd.duration) {
        return unreadable(format!(
            "it says it lasts {} ticks; its longest track does not",
            moov.mvhd.duration
        ));
    }
    let created = moov.mvhd.creation_time;
    Ok(Inspected {
        tracks,
        index_first: outline.moov.at < outline.mdat.at,
        data,
        duration_90k: moov.mvhd.duration,
        created_unix_s: created.saturating_sub(boxes::SECONDS_1904_TO_1970),
    })
}

fn check_tracks(tracks: &[InspectedTrack]) -> Result<(), Mp4Error> {
    let Some(first) = tracks.first() else {
        return unreadable("it has no track");
    };
    if first.track() != Track::Video {
        return unreadable("its first track is no video");
    }
    if let Some(extra) = tracks[1..].iter().find(|t| t.track() == Track::Video) {
        return unreadable(format!("track {} is a second video", extra.id));
    }
    let mut ids: Vec<u32> = tracks.iter().map(|track| track.id).collect();
    ids.sort_unstable();
    if ids[0] == 0 || ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return unreadable(format!("track ids {ids:?}"));
    }
    if first.shown().next().is_none() {
        return unreadable("none of its frames is shown");
    }
    if !first.samples.first().is_some_and(|sample| sample.sync) {
        return unreadable("its first frame is no key frame");
    }
    let mut places: Vec<(u64, u64)> = tracks
        .iter()
        .flat_map(|track| &track.samples)
        .map(|sample| (sample.offset, sample.offset + u64::from(sample.size)))
        .collect();
    places.sort_unstable();
    match places.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        Some(pair) => unreadable(format!("two samples share byte {}", pair[1].0)),
        None => Ok(()),
    }
}

fn inspect_track(trak: &Trak, data: &Range<u64>, hand: Hand) -> Result<InspectedTrack, Mp4Error> {
    let entries = entries(trak)?;
    let samples = tables::samples(trak, data, entries.len(), hand)?;
    let edits = trak.edts.as_ref().and_then(|edts| edts.elst.as_ref());
    let edits = edits.map_or(&[][..], |elst| &elst.entries);
    if edits.iter().any(|edit| edit.media_rate != 1.into()) {
        return unreadable("an edit that does not play at normal speed");
    }
    let (lead_90k, shown_90k, shown_from) = match edits {
        [shown] => (0, shown.segment_duration, shown.media_time),
        [lead, shown] if lead.media_time.is_none() => (
            lead.segment_duration,
            shown.segment_duration,
            shown.media_time,
        ),
        _ => return unreadable(format!("an edit list of {} entries", edits.len())),
    };
    let Some(shown_from) = shown_from else {
        return unreadable("an edit list that shows nothing");
    };
    if !fits_header(trak.tkhd.duration, lead_90k, shown_90k, hand) {
        return unreadable(format!(
            "its header says {} ticks, its edit list {lead_90k} and {shown_90k}",
            trak.tkhd.duration
        ));
    }
    let track = InspectedTrack {
        id: trak.tkhd.track_id,
        entries,
        samples,
        lead_90k,
        shown_from,
        shown_90k,
    };
    // FFmpeg counts the media by decode times, which end before the last frame has been shown.
    let behind = match hand {
        Hand::Ours => 0,
        Hand::Encoder => shown_from,
    };
    check_edit(&track, trak.mdia.mdhd.duration.saturating_add(behind))?;
    Ok(track)
}

/// Whether a track's header tells the length of its edit list. FFmpeg rounds each of the three
/// numbers by itself, so with a lead they may be off by a tick; ours are exact.
fn fits_header(header_90k: u64, lead_90k: u64, shown_90k: u64, hand: Hand) -> bool {
    let slack_90k = match hand {
        Hand::Encoder if lead_90k > 0 => 1,
        Hand::Encoder | Hand::Ours => 0,
    };
    lead_90k
        .checked_add(shown_90k)
        .is_some_and(|edits_90k| edits_90k.abs_diff(header_90k) <= slack_90k)
}

/// What is shown lies within the media, whose duration is that of its samples.
fn check_edit(track: &InspectedTrack, media_duration: u64) -> Result<(), Mp4Error> {
    let ticks = rescale(track.shown_90k, MOVIE_TIMESCALE, track.timescale());
    let end = ticks.and_then(|ticks| track.shown_from.checked_add(ticks));
    // Rounding to the movie's ticks and back is off by at most a tick.
    if end.is_none_or(|end| end > media_duration.saturating_add(1)) {
        return unreadable(format!(
            "its edit list shows {} ticks of 1/90000 s from {} on, its media has {media_duration}",
            track.shown_90k, track.shown_from
        ));
    }
    let last = track.samples.iter().map(|sample| sample.cts).max();
    if last.is_none_or(|last| last >= media_duration) {
        return unreadable(format!(
            "its media is said to last {media_duration} ticks, a sample comes later"
        ));
    }
    Ok(())
}

fn entries(trak: &Trak) -> Result<Vec<TrackParams>, Mp4Error> {
    let mdia = &trak.mdia;
    let timescale = mdia.mdhd.timescale;
    if timescale == 0 {
        return unreadable("0 ticks per second");
    }
    let entries = mdia
        .minf
        .stbl
        .stsd
        .codecs
        .iter()
        .map(|entry| entry_params(entry, timescale))
        .collect::<Result<Vec<_>, _>>()?;
    let Some(first) = entries.first() else {
        return unreadable("no sample entry");
    };
    if entries.iter().any(|entry| entry.codec != first.codec) {
        return unreadable("sample entries of several codecs");
    }
    let handler = match first.track() {
        Track::Video => b"vide",
        Track::Audio => b"soun",
    };
    if mdia.hdlr.handler != handler.into() {
        return unreadable(format!(
            "{} in a track of {:?}",
            mdia.hdlr.handler, first.codec
        ));
    }
    Ok(entries)
}

fn entry_params(entry: &Entry, timescale: u32) -> Result<TrackParams, Mp4Error> {
    let video = |codec, visual: &mp4_atom::Visual, pasp: &Option<mp4_atom::Pasp>, config| {
        let aspect = |value: u32| u16::try_from(value).unwrap_or(1).max(1);
        TrackParams {
            codec,
            timescale,
            config,
            width: visual.width,
            height: visual.height,
            pixel_aspect: pasp
                .as_ref()
                .map_or((1, 1), |p| (aspect(p.h_spacing), aspect(p.v_spacing))),
            channels: 0,
        }
    };
    Ok(match entry {
        Entry::Avc1(avc1) => video(Codec::H264, &avc1.visual, &avc1.pasp, body(&avc1.avcc)?),
        Entry::Hvc1(hvc1) => video(Codec::H265, &hvc1.visual, &hvc1.pasp, body(&hvc1.hvcc)?),
        Entry::Mp4a(mp4a) => {
            let config = &mp4a.esds.es_desc.dec_config;
            let Some(specific) = config.dec_specific.as_ref().filter(|s| !s.raw.is_empty()) else {
                return unreadable("AAC without its configuration");
            };
            TrackParams {
                codec: Codec::Aac,
                timescale,
                config: specific.raw.clone(),
                width: 0,
                height: 0,
                pixel_aspect: (1, 1),
                channels: mp4a.audio.channel_count,
            }
        }
        Entry::Flac(flac) => flac_params(flac, timescale)?,
        _ => return unreadable("a codec that is not ours"),
    })
}

/// What it says of its samples must be what the track says.
fn flac_params(entry: &mp4_atom::Flac, timescale: u32) -> Result<TrackParams, Mp4Error> {
    let channels = entry.audio.channel_count;
    match flac::format_of(&entry.dfla) {
        Some(said) if said == (timescale, channels, entry.audio.sample_size) => Ok(TrackParams {
            codec: Codec::Flac,
            timescale,
            config: body(&entry.dfla)?,
            width: 0,
            height: 0,
            pixel_aspect: (1, 1),
            channels,
        }),
        said => unreadable(format!(
            "FLAC of {said:?} (rate, channels, bits) in a track of {timescale} Hz and {channels} channels"
        )),
    }
}

/// A box's bytes without its header.
fn body<T: Atom>(atom: &T) -> Result<Vec<u8>, Mp4Error> {
    let mut bytes = Vec::new();
    atom.encode(&mut bytes)
        .or_else(|e| unreadable(format!("{}: {e}", T::KIND)))?;
    Ok(bytes.split_off(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoders_edit_list_with_a_lead_may_be_a_tick_off_its_header_and_ours_never() {
        // As FFmpeg 5.1 wrote it, of a clip whose sound begins 4.2 s after its picture.
        let (header, lead, shown) = (451_748, 374_947, 76_800);
        assert!(fits_header(header, lead, shown, Hand::Encoder));
        assert!(fits_header(header - 1, lead, shown, Hand::Encoder));
        assert!(!fits_header(header, lead, shown, Hand::Ours));
        assert!(!fits_header(header + 1, lead, shown, Hand::Encoder));
        assert!(!fits_header(shown + 1, 0, shown, Hand::Encoder));
        assert!(!fits_header(header, u64::MAX, shown, Hand::Encoder));
    }
}
