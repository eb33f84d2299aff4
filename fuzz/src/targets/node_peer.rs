//! Frames of other nodes, to a node that is a cluster by itself.

use cluster::fabric::migration::{Known, Step, What, put_record};
use cluster::fabric::{Change, Frame, HEADER_BYTES, Head, Kind, Lookup, Removal, Transfer};
use cluster::{NodeId, Protocol};
use record::body::BodyWriter;
use record::{Generation, LastUpdateTime, RecordMeta};
use wire::{Digest, ParticleType};

use super::world::World;
use super::{Entry, Outcome, Target};
use crate::corpus::Corpus;

pub const ENTRY: Entry = Entry {
    name: "node_peer",
    what: "frames of other nodes, answered by a node",
    seeds,
    make: |_| Box::new(Frames(World::new())),
};

struct Frames(World);

impl Target for Frames {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        let answers = self.0.tell_as_peer(input);
        let kind = Frame::parse(input).map(|frame| frame.kind);
        let heads: Vec<_> =
            answers.iter().map(|answer| answer.get(HEADER_BYTES).copied()).collect();
        Outcome::of((kind, heads))
    }
}

/// A frame of each kind, as a node of the same view would send it.
fn seeds(corpus: &Corpus) -> Vec<Vec<u8>> {
    let world = World::new();
    let (cluster_key, me) = (world.cluster_key(), NodeId(0xA1));
    let frame = |kind, call, write: &dyn Fn(&mut Vec<u8>)| {
        Head { protocol: Protocol::FIRST, kind, call, from: me }.frame(write)
    };
    let (namespace, digest, at) = (&b"test"[..], Digest([7; Digest::SIZE]), LastUpdateTime(500));
    let mut bytes = Vec::new();
    let mut body = BodyWriter::new(&mut bytes, Some(b"\x03key"));
    body.bin(b"a", ParticleType::STRING, b"value");
    body.finish();
    let generation = Generation(1);
    let meta = RecordMeta { last_update_time: at, generation, ..RecordMeta::default() };
    let transfer = Transfer { meta, set_name: b"set", bytes: &bytes };
    let known = Some((at, generation));
    let mut seeds = vec![
        frame(Kind::Remove, 1, &|out| {
            Removal { cluster_key, namespace, digest, at }.encode(out);
        }),
        frame(Kind::Lookup, 2, &|out| {
            Lookup { cluster_key, namespace, digest, known }.encode(out);
        }),
        frame(Kind::Command, 3, &|out| out.extend_from_slice(b"truncate:namespace=test;set=s")),
        frame(Kind::Answer, 4, &|out| out.push(0)),
        frame(Kind::Membership, 0, &|out| out.push(0)),
        frame(Kind::Exchange, 0, &|out| out.push(0)),
        frame(Kind::Metadata, 0, &|out| out.extend_from_slice(&[9, 1, 2, 3, 4, 5, 6, 7, 8])),
    ];
    for is_late in [false, true] {
        seeds.push(frame(Kind::Write, 5, &|out| {
            Change { cluster_key, namespace, digest, is_late, transfer }.encode(out);
        }));
    }
    let (mut list, mut records, mut encoded) = (Vec::new(), Vec::new(), Vec::new());
    Known { digest, last_update_time: at, generation }.encode(&mut list);
    transfer.encode(&mut encoded);
    put_record(&mut records, &digest, &encoded);
    let partition = digest.partition();
    for what in [
        What::Begin([1; 16]),
        What::Ready { differ: 1, empty: 1 },
        What::List(1, &list),
        What::Want(1, &[1]),
        What::Records(1, &records),
        What::Packed(1, &records),
        What::Stored(1),
        What::End,
        What::AllDone,
    ] {
        let step = Step { cluster_key, namespace, partition, what };
        seeds.push(frame(Kind::Migration, 0, &|out| step.encode(out)));
    }
    seeds.extend(
        corpus
            .requests
            .iter()
            .take(200)
            .map(|request| frame(Kind::Proxy, 6, &|out| out.extend_from_slice(request))),
    );
    seeds
}
