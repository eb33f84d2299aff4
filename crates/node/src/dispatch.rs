//! Data commands: from a message's body to the namespace and the operation that it means.

use std::sync::Arc;
use std::time::Duration;

use engine::{Namespace, Turn};
use wire::reply::ReplyWriter;
use wire::{Digest, FieldType, Info1, Info2, Info4, Request, ResultCode, compress, reply};

use crate::counters::ServiceCounter;
use crate::node::Node;
use crate::outcome::{self, Command, Origin};
use crate::worker::Answer;

impl Node {
    /// Answers the body of a message by appending to `out`. `woken` is when its wake-up began.
    pub(crate) fn dispatch(
        self: &Arc<Self>,
        body: &[u8],
        woken: Duration,
        turn: &mut Turn<'_>,
        out: &mut Vec<u8>,
    ) -> Answer {
        let Ok(request) = Request::parse(body) else {
            self.counters.raise(turn.stripe, ServiceCounter::DemarshalError);
            reply::header_only(out, ResultCode::PARAMETER, 0, 0);
            return Answer::POINT;
        };
        if request.is_batch() {
            return self.batch(&request, body, woken, turn, out);
        }
        self.answer_single(&request, woken, turn, out);
        Answer::POINT
    }

    /// Answers a request about one record.
    ///
    /// The order of the checks is that of the protocol reference, dispatch order.
    fn answer_single(
        &self,
        request: &Request<'_>,
        woken: Duration,
        turn: &mut Turn<'_>,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        let Some(namespace) = request.namespace.and_then(|name| self.namespace(name)) else {
            self.counters.raise(turn.stripe, ServiceCounter::EarlyTsvcClientError);
            return reply::header_only(out, ResultCode::NAMESPACE, 0, 0);
        };
        let begun = namespace.latencies.any_benchmark().then(|| self.host.monotonic());
        let in_micros = self.histograms_in_micros();
        let mut executed = None;
        match execute(namespace, request, turn, ReplyWriter::new(out)) {
            (Some(command), result) => {
                let origin = Origin::Client;
                outcome::count(namespace, origin, request, command, result, turn.stripe);
                let done = self.host.monotonic();
                let took = done.saturating_sub(woken);
                outcome::time(namespace, origin, command, took, in_micros, turn.stripe);
                executed = Some((command, done));
            }
            (None, result) => {
                outcome::count_early(namespace, Origin::Client, result, turn.stripe);
            }
        }
        if request.header.info1.contains(Info1::COMPRESS_RESPONSE) {
            let (before, after) = compress::shrink_last_frame(out, start);
            namespace.compression.record(before, after);
        }
        if let (Some(begun), Some((command, done))) = (begun, executed) {
            let moments = [woken, begun, done, self.host.monotonic()];
            outcome::benchmark(namespace, command, moments, in_micros, turn.stripe);
        }
    }
}

/// Runs the command that a request about one record means, and completes the reply. Returns how it
/// ended; there is no command if it was refused before that was known.
pub(crate) fn execute(
    namespace: &Namespace,
    request: &Request<'_>,
    turn: &mut Turn<'_>,
    reply: ReplyWriter<'_>,
) -> (Option<Command>, ResultCode) {
    let (command, digest) = match command_of(request) {
        Ok(found) => found,
        Err(result) => {
            reply.finish(result, 0, 0);
            return (None, result);
        }
    };
    let result = match command {
        Command::Read => namespace.read(request, &digest, turn, reply),
        Command::Write => namespace.write(request, &digest, turn, reply),
        Command::Delete => namespace.delete(request, &digest, turn, reply),
    };
    (Some(command), result)
}

/// What a request means, and the record that it is about.
fn command_of(request: &Request<'_>) -> Result<(Command, Digest), ResultCode> {
    let header = &request.header;
    if request.digest.is_none() {
        // Queries come with a later step.
        return Err(ResultCode::UNSUPPORTED_FEATURE);
    }
    let digest = request.valid_digest().ok_or(ResultCode::PARAMETER)?;
    if header.info2.contains(Info2::WRITE) {
        if header.info2.contains(Info2::DELETE) {
            return Ok((Command::Delete, digest));
        }
        if request.present.contains(FieldType::UDF_FILENAME) {
            return Err(ResultCode::UNSUPPORTED_FEATURE);
        }
        if header.info4.intersects(Info4::MRT_ROLL_FORWARD | Info4::MRT_ROLL_BACK) {
            return Err(ResultCode::ENTERPRISE_ONLY);
        }
        return Ok((Command::Write, digest));
    }
    if !header.info1.contains(Info1::READ) {
        return Err(ResultCode::PARAMETER);
    }
    if header.info4.contains(Info4::MRT_VERIFY_READ) {
        return Err(ResultCode::ENTERPRISE_ONLY);
    }
    Ok((Command::Read, digest))
}
