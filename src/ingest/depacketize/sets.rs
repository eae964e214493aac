//! The parameter sets that a camera has sent, by id, and the parameters that they make together. Pure.
//!
//! One generation of parameters is all sets in force: which one a picture takes is the picture's to say. The SPS that the
//! newest picture takes stands first, since it describes the pictures.
//!
//! Not here: reading ids (`h264`, `h265`), the records (`media::records`).

use std::collections::BTreeMap;

use crate::media::{ParamsError, TrackParams, params_from_avcc, params_from_hvcc, records};

/// Longer than any camera's by far.
const LONGEST: usize = 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SetKind {
    Vps,
    Sps,
    Pps,
}

/// A parameter set's own number, and for a PPS the SPS that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SetId {
    pub kind: SetKind,
    pub id: u32,
    pub takes: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct ParameterSets {
    vps: BTreeMap<u32, Vec<u8>>,
    sps: BTreeMap<u32, Vec<u8>>,
    /// With the SPS that each takes.
    pps: BTreeMap<u32, (u32, Vec<u8>)>,
    /// Of the newest picture.
    active_sps: Option<u32>,
    changed: bool,
}

impl ParameterSets {
    /// True if its content is new. One that is too long is none.
    pub fn learn(&mut self, set: SetId, nal: &[u8]) -> Result<bool, TooLong> {
        if nal.len() > LONGEST {
            return Err(TooLong);
        }
        let new = match set.kind {
            SetKind::Vps => differs(&mut self.vps, set.id, nal),
            SetKind::Sps => differs(&mut self.sps, set.id, nal),
            SetKind::Pps => {
                let known = self.pps.get(&set.id);
                let new = known.is_none_or(|(_, known)| known != nal);
                if new {
                    self.pps.insert(set.id, (set.takes, nal.to_vec()));
                }
                new
            }
        };
        self.changed |= new;
        Ok(new)
    }

    /// Whether a picture that names this PPS can be decoded.
    pub fn has(&self, pps: u32) -> bool {
        let sps = self.pps.get(&pps).map(|(sps, _)| sps);
        sps.is_some_and(|sps| self.sps.contains_key(sps))
    }

    /// Enough for any picture at all.
    pub fn is_usable(&self) -> bool {
        self.pps.keys().any(|pps| self.has(*pps))
    }

    pub fn sps_of(&self, pps: u32) -> Option<u32> {
        self.pps.get(&pps).map(|(sps, _)| *sps)
    }

    /// A picture takes this PPS. True if what describes the pictures is another than before.
    pub fn activate(&mut self, pps: u32) -> bool {
        let sps = self.sps_of(pps);
        if sps.is_some() && sps != self.active_sps {
            self.active_sps = sps;
            self.changed = true;
        }
        std::mem::take(&mut self.changed)
    }

    /// All sets in one record. Where they are too many for a ring, those that the newest picture can take.
    pub fn params(&self, h265: bool, most_bytes: usize) -> Result<TrackParams, ParamsError> {
        let all = self.record(h265, None)?;
        let active = self.active_sps.filter(|_| all.len() > most_bytes);
        let record = match active {
            Some(sps) => self.record(h265, Some(sps))?,
            None => all,
        };
        match h265 {
            true => params_from_hvcc(&record),
            false => params_from_avcc(&record),
        }
    }

    /// `only`: what takes this SPS.
    fn record(&self, h265: bool, only: Option<u32>) -> Result<Vec<u8>, ParamsError> {
        let wanted = |sps: u32| only.is_none_or(|only| only == sps);
        let mut order: Vec<(&u32, &Vec<u8>)> =
            self.sps.iter().filter(|(id, _)| wanted(**id)).collect();
        // Stable: the others stay in the order of their ids.
        order.sort_by_key(|(id, _)| Some(**id) != self.active_sps);
        let sps: Vec<&[u8]> = order.iter().map(|(_, nal)| nal.as_slice()).collect();
        let pps = self.pps.values().filter(|(sps, _)| wanted(*sps));
        let pps: Vec<&[u8]> = pps.map(|(_, nal)| nal.as_slice()).collect();
        match h265 {
            true => {
                let vps: Vec<&[u8]> = self.vps.values().map(Vec::as_slice).collect();
                records::hvcc(&vps, &sps, &pps)
            }
            false => records::avcc(&sps, &pps),
        }
    }
}

/// A parameter set longer than any camera's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

fn differs(sets: &mut BTreeMap<u32, Vec<u8>>, id: u32, nal: &[u8]) -> bool {
    let new = sets.get(&id).is_none_or(|known| known != nal);
    if new {
        sets.insert(id, nal.to_vec());
    }
    new
}
