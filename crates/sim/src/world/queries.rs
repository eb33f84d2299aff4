//! What happens to queries.

use std::time::Duration;

use super::{Event, World};
use crate::client::query::{Query, Wanted};
use crate::client::{CallId, Outcome, Purpose, SET, SETS};

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_millis(2500);
/// How long the map takes to come before an audit.
const MAP_TIME: Duration = Duration::from_millis(500);

impl World {
    pub(super) fn begin_query_of(&mut self, client: usize) {
        let numbers = self.clients.history.deeds.len() as i64;
        let query = Query::random(client, numbers, self.now, &mut self.random);
        let place = self.clients.queries.len();
        self.clients.queries.push(query);
        self.query_round(place);
    }

    /// Has everything be queried: all records, and all numbers, of all sets, at once and of one in pages. Has all
    /// records be counted.
    pub(super) fn begin_audit_queries(&mut self) {
        for set in SETS {
            self.begin_aggregation(None, Wanted { set, range: None });
            for range in [None, Some((i64::MIN, i64::MAX))] {
                let wanted = Wanted { set, range };
                // The other sets are small.
                let pages = if set == SET { &[0, 3][..] } else { &[0] };
                for &page in pages {
                    let query = Query::new(None, wanted, page, self.now + MAP_TIME);
                    let place = self.clients.queries.len();
                    self.clients.queries.push(query);
                    self.after(MAP_TIME, Event::QueryRound(place));
                }
            }
        }
    }

    /// Asks for what is left of a query.
    pub(super) fn query_round(&mut self, place: usize) {
        let map = &self.clients.map;
        let query = &mut self.clients.queries[place];
        let asks = query.next_round(self.now, |partition| map.find(partition, 0));
        if query.outcome != Outcome::Open {
            return self.end_query(place);
        }
        if asks.is_empty() {
            // Nobody is known to have anything.
            return self.after(MAP_TIME, Event::QueryRound(place));
        }
        for (machine, parts) in asks {
            let body = self.clients.queries[place].body(&parts);
            let call = self.send_call(Purpose::Query(place), machine, body, PATIENCE);
            self.clients.queries[place].asks(call, parts);
        }
    }

    pub(super) fn query_answered(&mut self, place: usize, call: CallId, frames: Option<&[u8]>) {
        let query = &mut self.clients.queries[place];
        if !query.answered(call, frames, &self.clients.keys) {
            return;
        }
        if query.is_complete() {
            query.outcome = Outcome::Done;
            return self.end_query(place);
        }
        let pause = Duration::from_micros(self.random.u64(..200_000));
        self.after(pause, Event::QueryRound(place));
    }

    fn end_query(&mut self, place: usize) {
        let query = &mut self.clients.queries[place];
        query.ended = self.now;
        let (client, now) = (query.client, self.now);
        let rows = query.rows.len();
        self.trace.line(
            now,
            format_args!(
                "query {place} of {:?} since {:.6}: {:?}, {rows} rows",
                query.wanted,
                query.begun.as_secs_f64(),
                query.outcome
            ),
        );
        if let Some(client) = client {
            self.rest(client);
        }
    }
}
