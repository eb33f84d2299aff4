//! Operations on lists and maps, run on recorded ones.

use value::cdt::{self, Guide, Stored};
use value::from_wire;
use value::msgpack::Element;
use wire::{OpCode, ParticleType, Request};

use super::{Entry, Outcome};
use crate::corpus::Corpus;

pub const ENTRY: Entry = Entry {
    name: "collection",
    what: "operations on lists and maps",
    seeds: |corpus| {
        let mut seeds: Vec<_> = requests(corpus)
            .flat_map(|request| request.ops().collect::<Vec<_>>())
            .filter(|op| matches!(op.code, OpCode::CDT_READ | OpCode::CDT_MODIFY))
            .map(|op| op.value.to_vec())
            .collect();
        seeds.sort();
        seeds.dedup();
        seeds
    },
    make: |corpus| {
        let bins = bins(corpus);
        Box::new(move |input: &[u8]| feed(&bins, input))
    },
};

/// A list or map with what is kept beside it.
struct Bin {
    particle_type: ParticleType,
    value: Vec<u8>,
    guide: Vec<u8>,
}

fn requests(corpus: &Corpus) -> impl Iterator<Item = Request<'_>> {
    corpus.requests.iter().filter_map(|body| Request::parse(body).ok())
}

/// Some of the lists and maps that recorded requests write.
fn bins(corpus: &Corpus) -> Vec<Bin> {
    let values = super::values(corpus);
    let written = values.iter().filter_map(|value| {
        let (kind, sent) = value.split_first()?;
        let particle_type = ParticleType(*kind);
        let is_collection = matches!(particle_type, ParticleType::LIST | ParticleType::MAP);
        let value = from_wire(particle_type, sent).ok().filter(|_| is_collection)?.to_vec();
        let guide = cdt::guide_of_written((particle_type, &value), sent);
        Some(Bin { particle_type, value, guide })
    });
    let written: Vec<_> = written.collect();
    let step = (written.len() / 8).max(1);
    written.into_iter().step_by(step).collect()
}

fn feed(bins: &[Bin], input: &[u8]) -> Outcome {
    let mut codes = vec![modify(None, input)];
    for bin in bins {
        let guide = Guide::new(&bin.guide);
        let stored = Stored { particle_type: bin.particle_type, value: &bin.value, guide };
        codes.push(cdt::read(stored, input).map_or_else(|code| code.0, |_| 0));
        codes.push(modify(Some(stored), input));
    }
    Outcome::of(codes)
}

fn modify(bin: cdt::Bin<'_>, input: &[u8]) -> u8 {
    match cdt::modify(bin, input) {
        Err(code) => code.0,
        Ok(modified) => {
            // Millions of nils that a list was padded with are not worth the time.
            let value = modified.bin.map(|(_, value)| value).filter(|value| value.len() < 1 << 20);
            assert!(value.is_none_or(|value| Element::new(&value).is_ok()), "no value is left");
            0
        }
    }
}
