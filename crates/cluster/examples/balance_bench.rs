//! Measures how long it takes to compute the rows of all partitions, in milliseconds: the order of the
//! hashes, once for a view, and the rows of a namespace without and with uniform balance. Medians.
//!
//! ```text
//! cargo run --release -p bolide-cluster --example balance_bench
//! ```

use std::time::Instant;

use cluster::balance::{HashOrder, Member, Rules, Succession};
use cluster::{NodeId, RackId};

const RUNS: usize = 15;

fn main() {
    println!(
        "{:>6} {:>6} {:>6} {:>8} {:>8} {:>8}",
        "nodes", "racks", "factor", "order", "plain", "uniform"
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
        println!(
            "{nodes:>6} {racks:>6} {replication_factor:>6} {order_ms:>8.2} {plain:>8.2} {uniform:>8.2}"
        );
    }
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
