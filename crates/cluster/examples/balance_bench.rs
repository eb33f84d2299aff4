//! Measures how long a node needs to balance, in milliseconds: the order of the hashes, once for a view; and for each
//! namespace the rows of all partitions, without and with uniform balance, and what it is to do with each
//! partition, when all have what they are to have but one node, which is new. Medians.
//!
//! ```text
//! cargo run --release -p bolide-cluster --example balance_bench
//! ```

use std::collections::BTreeMap;
use std::time::Instant;

use cluster::balance::{HashOrder, Member, PartitionVersion, Rows, Rules, Succession, Versions};
use cluster::partition::Partition;
use cluster::{NodeId, RackId};
use wire::PartitionId;

const RUNS: usize = 15;

fn main() {
    println!(
        "{:>6} {:>6} {:>6} {:>8} {:>8} {:>8} {:>8}",
        "nodes", "racks", "factor", "order", "plain", "uniform", "parts"
    );
    for (nodes, racks, replication_factor) in
        [(3, 1, 2), (16, 1, 2), (16, 4, 3), (256, 1, 2), (256, 4, 3)]
    {
        let mut random = fastrand::Rng::with_seed(1);
        let members: Vec<_> = (0..nodes)
            .map(|number| Member {
                node: NodeId(random.u64(1..)),
                rack: RackId(number % racks),
                is_quiesced: false,
            })
            .collect();
        let view: Vec<_> = members.iter().map(|member| member.node).collect();
        let order_ms = median_ms(|| HashOrder::of(&view).is_some());
        let order = HashOrder::of(&view).expect("a view has an order");
        let of = |is_uniform| {
            let rules = Rules { replication_factor, active_rack: None, is_uniform };
            median_ms(|| Succession::of(&order, &members, &rules).is_some())
        };
        let (plain, uniform) = (of(false), of(true));
        let parts = parts_ms(&view, &members, replication_factor);
        println!(
            "{nodes:>6} {racks:>6} {replication_factor:>6} {order_ms:>8.2} {plain:>8.2} {uniform:>8.2} \
             {parts:>8.2}"
        );
    }
}

/// What the first node needs for its part in all partitions, once their rows are known.
fn parts_ms(view: &[NodeId], members: &[Member], replication_factor: usize) -> f64 {
    let rules = Rules { replication_factor, active_rack: None, is_uniform: true };
    let rows_of = |members: &[Member]| {
        let view: Vec<_> = members.iter().map(|member| member.node).collect();
        let order = HashOrder::of(&view).expect("a view has an order");
        Succession::of(&order, members, &rules).expect("a view has rows")
    };
    let before = rows_of(&members[..members.len() - 1]);
    let versions: BTreeMap<_, _> = view
        .iter()
        .map(|node| {
            let of = |partition| {
                let place = before.row(partition).position(|of| of == *node);
                match place.filter(|place| *place < replication_factor) {
                    Some(place) => PartitionVersion::complete(7, place == 0),
                    None => PartitionVersion::NONE,
                }
            };
            (*node, Versions::of(of))
        })
        .collect();
    let now = rows_of(members);
    let me = view[0];
    median_ms(|| {
        let rows = Rows::of(&now, |node| versions.get(&node)).expect("all have versions");
        let replicas = now.replication_factor();
        let parts = PartitionId::all().map(|partition| {
            let row = rows.row(partition);
            let own = Partition::of(me, &row.nodes, &row.versions, replicas, 8, |_| false);
            own.unwrap_or_else(|| Partition::elsewhere(me, &row.nodes, &row.versions, replicas, 8))
        });
        parts.filter(Partition::serves).count() > 0
    })
}

fn median_ms(act: impl Fn() -> bool) -> f64 {
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let begin = Instant::now();
            assert!(act(), "a view has rows");
            begin.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}
