//! What happens to what all nodes are asked to do with the records that they serve: aggregations, and jobs in the
//! background.

use std::time::Duration;

use super::{Event, World};
use crate::client::aggregation::Aggregation;
use crate::client::job::{Job, Part};
use crate::client::query::Wanted;
use crate::client::{CallId, Outcome, Purpose, Verdict, info_frame};

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_millis(2500);

impl World {
    pub(super) fn begin_aggregation_of(&mut self, client: usize) {
        let numbers = self.clients.history.deeds.len() as i64;
        let wanted = Wanted::random(numbers, &mut self.random);
        self.begin_aggregation(Some(client), wanted);
    }

    /// Has all nodes count the records that they serve.
    pub(super) fn begin_aggregation(&mut self, client: Option<usize>, wanted: Wanted) {
        let machines: Vec<_> = self.running().collect();
        if machines.is_empty() {
            return client.into_iter().for_each(|client| self.rest(client));
        }
        let mut aggregation = Aggregation::new(client, wanted, self.now);
        aggregation.was_settled = self.is_at_rest();
        let body = aggregation.body();
        let place = self.clients.aggregations.len();
        self.clients.aggregations.push(aggregation);
        for machine in machines {
            let purpose = Purpose::Aggregation(place);
            let call = self.send_call(purpose, machine, body.clone(), PATIENCE);
            self.clients.aggregations[place].asks(call);
        }
    }

    /// Whether nothing moves between nodes. Once that is so, it stays so while nodes stay and are of one view.
    fn is_at_rest(&mut self) -> bool {
        self.is_at_rest = self.is_at_rest || self.unsettled().is_none();
        self.is_at_rest
    }

    pub(super) fn aggregation_answered(
        &mut self,
        place: usize,
        call: CallId,
        frames: Option<&[u8]>,
    ) {
        let now = self.now;
        let aggregation = &mut self.clients.aggregations[place];
        if !aggregation.answered(call, frames) {
            return;
        }
        aggregation.end(now);
        let Aggregation { client, wanted, begun, count, outcome, .. } = *aggregation;
        self.tally.aggregations += u64::from(client.is_some() && outcome == Outcome::Done);
        let begun = begun.as_secs_f64();
        let text = format_args!(
            "aggregation {place} of {wanted:?} since {begun:.6}: {outcome:?}, {count} records"
        );
        self.trace.line(now, text);
        if let Some(client) = client {
            self.rest(client);
        }
    }

    pub(super) fn begin_job_of(&mut self, client: usize) {
        let machines: Vec<_> = self.running().collect();
        if machines.is_empty() {
            return self.rest(client);
        }
        let place = self.clients.jobs.len();
        let mut job = Job::random(client, place, self.now, &mut self.random);
        job.was_settled = self.is_at_rest();
        job.parts = machines.iter().map(|machine| (*machine, Part::Asked)).collect();
        let body = job.body();
        self.clients.jobs.push(job);
        for machine in machines {
            self.send_call(Purpose::Job(place), machine, body.clone(), PATIENCE);
        }
    }

    pub(super) fn job_begun(&mut self, place: usize, machine: usize, verdict: &Verdict) {
        self.clients.jobs[place].begun_at(machine, verdict);
        self.go_on_with_job(place);
    }

    pub(super) fn job_told(&mut self, place: usize, machine: usize, answer: Option<&str>) {
        self.clients.jobs[place].told(machine, answer);
        self.go_on_with_job(place);
    }

    fn go_on_with_job(&mut self, place: usize) {
        let job = &mut self.clients.jobs[place];
        if !job.has_heard_all() {
            return;
        }
        let Some(outcome) = job.end(self.now) else {
            let pause = Duration::from_millis(self.random.u64(5..300));
            return self.after(pause, Event::AskAboutJob(place));
        };
        (job.outcome, job.ended) = (outcome, self.now);
        self.tally.jobs += u64::from(outcome == Outcome::Done);
        let (client, begun) = (job.client, job.begun.as_secs_f64());
        let text = format_args!(
            "job {place} by {:?} since {begun:.6}: {outcome:?}, {:?}",
            job.means, job.parts
        );
        self.trace.line(self.now, text);
        self.rest(client);
    }

    pub(super) fn ask_about_job(&mut self, place: usize) {
        let job = &mut self.clients.jobs[place];
        let (machines, question) = (job.runs_at(), job.question());
        for machine in machines {
            self.clients.jobs[place].parts.insert(machine, Part::Asked);
            let body = info_frame(&question);
            self.send_call(Purpose::JobStatus(place), machine, body, PATIENCE);
        }
    }
}
