//! Requests in a cluster: whoever they arrive at, they are carried out once, and all replicas have what came of
//! them.

mod health;
mod migration;
mod statistics;
mod town;

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cluster::fabric::{Frame, Kind};
use cluster::{Protocol, Protocols};
use engine::stats::NamespaceCounter;
use wire::batch::{BatchBuilder, BatchFlags};
use wire::client::{Reply, RequestBuilder};
use wire::{
    Digest, FieldType, Info1, Info2, Info3, OpCode, ParticleType, PartitionId, ProtoHeader,
    ProtoType, ResultCode,
};

use crate::metadata::Module;
use crate::node::Node;

use town::Town;

fn digest(number: u64) -> Digest {
    Digest::of_key(b"s", ParticleType::INTEGER, &number.to_be_bytes())
}

fn about(number: u64) -> RequestBuilder {
    RequestBuilder::new().namespace("test").set("s").digest(&digest(number))
}

fn put(number: u64, value: u64) -> RequestBuilder {
    let value = value.to_be_bytes();
    about(number).info2(Info2::WRITE).op(OpCode::WRITE, ParticleType::INTEGER, b"a", &value)
}

fn add(number: u64) -> RequestBuilder {
    let value = 1u64.to_be_bytes();
    about(number).info2(Info2::WRITE).op(OpCode::INCREMENT, ParticleType::INTEGER, b"a", &value)
}

fn get(number: u64) -> RequestBuilder {
    about(number).info1(Info1::READ | Info1::GET_ALL)
}

fn delete(number: u64) -> RequestBuilder {
    about(number).info2(Info2::WRITE | Info2::DELETE)
}

/// The integer in the first bin of a reply.
fn value_of(reply: &[u8]) -> Option<u64> {
    let (reply, _) = Reply::parse(reply).unwrap();
    let op = reply.ops().next()?;
    op.value.try_into().ok().map(u64::from_be_bytes)
}

/// Nodes that have a record, live or not.
fn holders(town: &Town, number: u64) -> Vec<usize> {
    let has = |node: &usize| town.nodes[*node].namespaces[0].meta_of(&digest(number)).is_some();
    town.up().into_iter().filter(has).collect()
}

fn sum(town: &Town, counter: NamespaceCounter) -> u64 {
    town.nodes.iter().map(|node| node.namespaces[0].counters.sum(counter)).sum()
}

#[test]
fn any_node_takes_any_request() {
    let mut town = Town::of(3, |_, _| {});
    for number in 0..60 {
        let node = number as usize % 3;
        assert_eq!(town.send(node, put(number, number)).0, ResultCode::OK);
        assert_eq!(town.send((node + 1) % 3, add(number)).0, ResultCode::OK);
        let (result, reply) = town.send((node + 2) % 3, get(number));
        assert_eq!((result, value_of(&reply)), (ResultCode::OK, Some(number + 1)));
        assert_eq!(holders(&town, number).len(), 2, "as many as the replication factor says");
    }
    let relayed = sum(&town, NamespaceCounter::ClientProxyComplete);
    let carried_out = sum(&town, NamespaceCounter::FromProxyWriteSuccess)
        + sum(&town, NamespaceCounter::FromProxyReadSuccess);
    assert!(relayed > 50 && relayed == carried_out, "{relayed} {carried_out}");
    for number in 0..60 {
        assert_eq!(town.send(0, delete(number)).0, ResultCode::OK);
        assert!(holders(&town, number).is_empty());
    }
    assert_eq!(town.send(1, get(1)).0, ResultCode::NOT_FOUND);
}

/// Index, result and number of each row of the answer to a batch.
fn run_batch(
    town: &mut Town,
    node: usize,
    batch: BatchBuilder,
) -> Vec<(u32, ResultCode, Option<u64>)> {
    let message = RequestBuilder::new().info1(Info1::BATCH);
    let message = message.field(FieldType::BATCH, &batch.into_data()).into_body();
    let asked = town.begin(node, ProtoType::Message, &message);
    let out = town.finish(asked);
    let (mut rows, mut rest) = (Vec::new(), &out[..]);
    while let Some((header, behind)) = rest.split_first_chunk() {
        let size = ProtoHeader::parse(*header).unwrap().body_size_bytes;
        let (mut body, behind) = behind.split_at(size);
        while !body.is_empty() {
            let (reply, after) = Reply::parse(body).unwrap();
            if !reply.header.info3.contains(Info3::LAST) {
                let value = reply.ops().next().and_then(|op| op.value.try_into().ok());
                let index = reply.header.transaction_ttl_ms;
                rows.push((index, reply.header.result, value.map(u64::from_be_bytes)));
            }
            body = after;
        }
        rest = behind;
    }
    rows
}

#[test]
fn functions_in_a_batch_are_called_once_and_where_their_records_are() {
    const COUNT: &str = "function count(rec) rec.a = (rec.a or 0) + 1; \
        if aerospike:exists(rec) then aerospike:update(rec) else aerospike:create(rec) end; \
        return rec.a end";
    let mut town = Town::of(3, |_, _| {});
    let content = BASE64.encode(COUNT);
    let size = content.len();
    let put = format!("udf-put:filename=m.lua;content={content};content-len={size};udf-type=LUA");
    assert_eq!(town.ask(0, &put), "ok");
    let has_module = |node: &Arc<Node>| node.metadata.get(Module::Udf, b"m.lua").is_some();
    town.until(|town| town.nodes.iter().all(has_module));
    let base = || RequestBuilder::new().namespace("test").set("s");
    for round in 1..=2 {
        let mut calls = BatchBuilder::new(BatchFlags::RESPOND_ALL);
        for number in 0..100u64 {
            let call = base().info2(Info2::WRITE).field(FieldType::UDF_FILENAME, b"m");
            let call = call.field(FieldType::UDF_FUNCTION, b"count");
            let call = call.field(FieldType::UDF_ARGUMENTS, &[0x90]);
            calls.row(number as u32, &digest(number), &call);
        }
        let rows = run_batch(&mut town, 0, calls);
        let expected: Vec<_> = (0..100).map(|row| (row, ResultCode::OK, Some(round))).collect();
        assert_eq!(rows, expected);
    }
    let values = (0..100).map(|number| value_of(&town.send(1, get(number)).1));
    assert_eq!(values.collect::<Vec<_>>(), [Some(2); 100]);
}

#[test]
fn rows_of_a_long_batch_are_carried_out_once() {
    let mut town = Town::of(3, |_, _| {});
    let base = || RequestBuilder::new().namespace("test").set("s").info2(Info2::WRITE);
    let one = 1u64.to_be_bytes();
    let mut adds = BatchBuilder::new(BatchFlags::RESPOND_ALL);
    for number in 0..700u64 {
        let add = base().op(OpCode::INCREMENT, ParticleType::INTEGER, b"a", &one);
        adds.row(number as u32, &digest(number), &add);
    }
    let rows = run_batch(&mut town, 0, adds);
    assert!(rows.len() == 700 && rows.iter().all(|(_, result, _)| *result == ResultCode::OK));
    let values: Vec<_> = (0..700).map(|number| value_of(&town.send(1, get(number)).1)).collect();
    assert_eq!(values, [Some(1); 700]);
}

#[test]
fn nodes_speak_the_highest_version_that_both_know() {
    let mut town = Town::of(2, |_, _| {});
    town.add_speaking(2, Protocols::ALL.up_to(Protocol::FIRST), |_, _| {});
    town.settle();
    town.spoken.clear();
    for number in 0..60 {
        assert_eq!(town.send(number as usize % 3, put(number, number)).0, ResultCode::OK);
        assert_eq!(holders(&town, number).len(), 2);
    }
    for (from, to, version) in town.spoken.iter().copied() {
        let expected = if from == 2 || to == 2 { Protocol::FIRST } else { Protocol::CHECKED };
        assert_eq!(version, expected.0, "from {from} to {to}");
    }
    assert_eq!(town.spoken.len(), 6, "each spoke to each");
}

/// The link is given up, and the change sent again on another.
#[test]
fn a_damaged_change_is_not_taken_over() {
    let mut town = Town::of(2, |_, _| {});
    let of_kinds: [fn(&Frame<'_>) -> bool; 2] =
        [|frame| frame.kind == Kind::Write, |frame| frame.kind == Kind::Answer];
    for (number, is_meant) in of_kinds.into_iter().enumerate() {
        town.damages = Some(is_meant);
        // One of two keys is served by the other node; it is proxied then, and not repeated.
        let number =
            (0..).map(|key| 10 * number as u64 + key).find(|key| is_master(&town, 0, *key));
        let number = number.unwrap();
        assert_eq!(town.send(0, put(number, 5)).0, ResultCode::OK);
        assert!(town.damages.is_none(), "one was damaged");
        town.settle();
        for node in 0..2 {
            let (_, reply) = town.send(node, get(number));
            assert_eq!(value_of(&reply), Some(5));
        }
        assert_eq!(holders(&town, number).len(), 2);
    }
}

fn is_master(town: &Town, node: usize, number: u64) -> bool {
    town.nodes[node].cluster.table(0).look(digest(number).partition()).serves()
}

#[test]
fn rows_of_a_batch_go_where_their_records_are() {
    let mut town = Town::of(3, |_, _| {});
    let base = || RequestBuilder::new().namespace("test").set("s");
    let mut writes = BatchBuilder::new(BatchFlags::RESPOND_ALL);
    for number in 0..400u64 {
        let value = (number * 3).to_be_bytes();
        let write = base().info2(Info2::WRITE);
        let write = write.op(OpCode::WRITE, ParticleType::INTEGER, b"a", &value);
        writes.row(number as u32, &digest(number), &write);
    }
    let rows = run_batch(&mut town, 0, writes);
    assert_eq!(rows.len(), 400);
    assert!(rows.iter().all(|(_, result, _)| *result == ResultCode::OK));
    for node in 0..3 {
        let mut reads = BatchBuilder::new(BatchFlags::RESPOND_ALL);
        let read = base().info1(Info1::READ | Info1::GET_ALL);
        for number in 0..401u64 {
            reads.row(number as u32, &digest(number), &read);
        }
        let rows = run_batch(&mut town, node, reads);
        assert_eq!(rows.len(), 401);
        for (place, (index, result, value)) in rows.iter().enumerate() {
            assert_eq!(*index as usize, place, "rows keep their order");
            let is_there = place < 400;
            let expected = if is_there { ResultCode::OK } else { ResultCode::NOT_FOUND };
            assert_eq!((*result, *value), (expected, is_there.then_some(place as u64 * 3)));
        }
    }
    assert!((0..400).all(|number| holders(&town, number).len() == 2));
    assert!(sum(&town, NamespaceCounter::BatchSubProxyComplete) > 300);
}

#[test]
fn a_query_finds_each_record_once_and_says_what_is_elsewhere() {
    let mut town = Town::of(3, |_, config| config.namespaces[0].replication_factor = 1);
    for number in 0..90 {
        assert_eq!(town.send(0, put(number, number)).0, ResultCode::OK);
    }
    let (mut found, mut absent) = (BTreeSet::new(), 0);
    for node in 0..3 {
        let parts: Vec<u8> =
            PartitionId::all().flat_map(|of| (of.index() as u16).to_le_bytes()).collect();
        let query = RequestBuilder::new()
            .info1(Info1::READ)
            .info3(Info3::PARTITION_DONE)
            .namespace("test")
            .field(FieldType::PARTITION_IDS, &parts);
        let asked = town.begin(node, ProtoType::Message, &query.into_body());
        let out = town.finish(asked);
        let mut rest = &out[..];
        while let Some((header, behind)) = rest.split_first_chunk() {
            let size = ProtoHeader::parse(*header).unwrap().body_size_bytes;
            let (mut body, behind) = behind.split_at(size);
            while !body.is_empty() {
                let (reply, after) = Reply::parse(body).unwrap();
                match reply.field(FieldType::DIGEST) {
                    Some(digest) => assert!(found.insert(digest.to_vec()), "once"),
                    None if reply.header.info3.contains(Info3::PARTITION_DONE) => {
                        assert_eq!(reply.header.result, ResultCode::UNAVAILABLE);
                        absent += 1;
                    }
                    None => assert_eq!(reply.header.result, ResultCode::OK),
                }
                body = after;
            }
            rest = behind;
        }
    }
    assert_eq!(found.len(), 90);
    assert_eq!(absent, 2 * wire::PARTITIONS, "each is at one node");
}

/// A change waits for the disk, and a loop that did so would not be heard by other nodes.
#[test]
fn event_loops_do_not_wait_for_metadata() {
    let mut town = Town::of(3, |_, _| {});
    let principal = town.nodes[0].cluster.state().principal().unwrap();
    let number = town.nodes.iter().position(|node| node.cluster.me() == principal).unwrap();
    let command = b"sindex-create:ns=test;indexname=i;indexdata=a,numeric\n";
    let mut asked = town.begin(number, ProtoType::Info, command);
    town.advance(&mut asked);
    let has_index = |town: &Town| town.nodes[number].namespaces[0].sindexes.by_name(b"i").is_some();
    assert!(!has_index(&town));
    town.nodes[number].spread_metadata();
    assert!(has_index(&town));
    assert!(town.finish(asked).ends_with(b"\tok\n"));
}

#[test]
fn metadata_reach_all_nodes_whoever_is_asked() {
    let mut town = Town::of(3, |_, _| {});
    assert_eq!(town.ask(0, "sindex-create:ns=test;indexname=i;indexdata=a,numeric"), "ok");
    assert_eq!(town.ask(1, "udf-put:filename=a.lua;content=cmV0dXJuIDEK;content-len=12"), "ok");
    assert_eq!(town.send(0, put(1, 1)).0, ResultCode::OK);
    town.step();
    assert_eq!(town.ask(2, "truncate:namespace=test;set=s"), "ok");
    let count = "set-config:context=namespace;namespace=test;set=s;stop-writes-count=100";
    assert_eq!(town.ask(0, count), "ok");
    let index = "set-config:context=namespace;id=test;set=t;enable-index=true";
    assert_eq!(town.ask(1, index), "ok");
    let has_settings = |node: &Arc<Node>| {
        let config = node.config();
        let set = |name| config.namespace("test").and_then(|namespace| namespace.set(name));
        set("s").is_some_and(|set| set.stop_writes_count == 100)
            && set("t").is_some_and(|set| set.enable_index)
    };
    assert!(town.nodes.iter().all(has_settings), "before the answer");
    for node in 0..3 {
        assert!(town.ask(node, "sindex-list").contains("indexname=i"));
        assert!(town.ask(node, "udf-list").contains("filename=a.lua"));
        assert!(town.ask(node, "smd-show:module=truncate").starts_with("test|s="));
        assert_eq!(town.send(node, get(1)).0, ResultCode::NOT_FOUND);
    }
    // One that comes later hears of all of it.
    town.add(3, |_, _| {});
    town.settle();
    town.until(|town| town.nodes[3].namespaces[0].sindexes.by_name(b"i").is_some());
    assert!(town.ask(3, "udf-list").contains("filename=a.lua"));
    town.until(|town| has_settings(&town.nodes[3]));
    assert_eq!(town.ask(3, "sindex-delete:ns=test;indexname=i"), "ok");
    assert!((0..4).all(|node| !town.ask(node, "sindex-list").contains("indexname=i")));
}

#[test]
fn a_node_that_comes_gets_its_part_and_one_that_goes_is_replaced() {
    let mut town = Town::of(2, |_, _| {});
    for number in 0..200 {
        assert_eq!(town.send(0, put(number, number)).0, ResultCode::OK);
    }
    town.add(2, |_, _| {});
    town.settle();
    let share = (0..200).filter(|number| holders(&town, *number).contains(&2)).count();
    assert!((90..180).contains(&share), "{share}");
    assert!((0..200).all(|number| holders(&town, number).len() == 2), "nobody has it beside");
    town.kill(1);
    town.settle();
    for number in 0..200 {
        let (result, reply) = town.send(2, get(number));
        assert_eq!((result, value_of(&reply)), (ResultCode::OK, Some(number)));
        assert_eq!(holders(&town, number), [0, 2]);
    }
}

#[test]
fn clients_find_every_partition_and_every_peer() {
    let mut town = Town::of(3, |_, _| {});
    for node in 0..3 {
        let peers = town.ask(node, "peers-clear-std");
        let others = (0..3).filter(|other| *other != node);
        for other in others {
            assert!(
                peers.contains(&format!("[A{},,[10.0.0.{}]]", other + 1, other + 1)),
                "{peers}"
            );
        }
        assert!(!peers.contains(&format!("A{}", node + 1)), "{peers}");
        assert_eq!(town.ask(node, "cluster-stable:size=3").len(), 12);
        assert!(town.ask(node, "cluster-stable:size=2").starts_with("ERROR:7"));
    }
    assert_eq!(town.ask(0, "recluster:"), "ignored-by-non-principal");
    let generation = town.ask(0, "peers-generation");
    town.kill(2);
    town.settle();
    let delta = town.ask(0, &format!("peers-clear-std:generation={generation}"));
    assert!(delta.contains("[A3,,]") && !delta.contains("A2"), "{delta}");
    for column in 0..2 {
        let shown = |node: usize, of| town.nodes[node].cluster.table(0).look(of).shows_in(column);
        assert!(PartitionId::all().all(|of| shown(0, of) != shown(1, of)), "each once");
    }
}

#[test]
fn a_quiesced_node_gives_up_all_it_has_and_takes_it_back() {
    let mut town = Town::of(3, |_, _| {});
    for number in 0..100 {
        assert_eq!(town.send(0, put(number, number)).0, ResultCode::OK);
    }
    assert_eq!(town.ask(1, "quiesce:"), "ok");
    town.recluster();
    let table = |town: &Town| {
        let node = &town.nodes[1];
        PartitionId::all().filter(|of| node.cluster.table(0).look(*of).serves()).count()
    };
    assert_eq!(table(&town), 0, "others serve what it did");
    for number in 0..100 {
        let (result, reply) = town.send(1, add(number));
        assert_eq!(result, ResultCode::OK);
        assert_eq!(value_of(&reply), None);
    }
    assert_eq!(town.ask(1, "quiesce-undo:"), "ok");
    town.recluster();
    assert!(table(&town) > 1000);
    for number in 0..100 {
        let (_, reply) = town.send(0, get(number));
        assert_eq!(value_of(&reply), Some(number + 1));
    }
}

#[test]
fn a_node_that_stood_still_for_too_long_serves_nobody_before_it_is_back_in_a_view() {
    let mut town = Town::of(3, |_, _| {});
    for number in 0..100 {
        assert_eq!(town.send(0, put(number, number)).0, ResultCode::OK);
    }
    let frozen = 1;
    town.freeze(frozen);
    town.until(|town| town.nodes[0].cluster.state().members.len() == 2);
    town.settle();
    for number in 0..100 {
        assert_eq!(town.send(0, add(number)).0, ResultCode::OK);
    }
    town.thaw(frozen);
    for number in 0..100 {
        let asked = town.begin(frozen, ProtoType::Message, &get(number).into_body());
        let reply = asked.answer();
        let value = reply.and_then(|reply| value_of(&reply));
        assert_ne!(value, Some(number), "what it has is out of date");
    }
    town.settle();
    for number in 0..100 {
        let (result, reply) = town.send(frozen, get(number));
        assert_eq!((result, value_of(&reply)), (ResultCode::OK, Some(number + 1)));
    }
}
