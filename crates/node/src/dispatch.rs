//! Data commands: from a message's body to the namespace and the operation that it means.

use std::time::Duration;

use engine::{Namespace, Turn};
use wire::{FieldType, Info1, Info2, Info4, Request, ResultCode, compress, reply};

use crate::counters::ServiceCounter;
use crate::node::Node;
use crate::outcome::{self, Command};

impl Node {
    /// Answers the body of a message by appending to `out`. `woken` is when its wake-up began.
    ///
    /// The order of the checks is that of the protocol reference, dispatch order.
    pub(crate) fn dispatch(
        &self,
        body: &[u8],
        woken: Duration,
        turn: &mut Turn<'_>,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        let Ok(request) = Request::parse(body) else {
            self.counters.raise(turn.stripe, ServiceCounter::DemarshalError);
            return reply::header_only(out, ResultCode::PARAMETER, 0, 0);
        };
        if request.is_batch() {
            // Batches come with a later step; their clients wait for a last message.
            return reply::last(out, ResultCode::UNSUPPORTED_FEATURE);
        }
        let Some(namespace) = request.namespace.and_then(|name| self.namespace(name)) else {
            self.counters.raise(turn.stripe, ServiceCounter::EarlyTsvcClientError);
            return reply::header_only(out, ResultCode::NAMESPACE, 0, 0);
        };
        let begun = namespace.latencies.any_benchmark().then(|| self.host.monotonic());
        let in_micros = self.histograms_in_micros();
        let mut executed = None;
        match execute(namespace, &request, turn, out) {
            Ok((command, result)) => {
                outcome::count(namespace, &request, command, result, turn.stripe);
                let done = self.host.monotonic();
                let took = done.saturating_sub(woken);
                outcome::time(namespace, command, took, in_micros, turn.stripe);
                executed = Some((command, done));
            }
            Err(result) => {
                outcome::count_early(namespace, result, turn.stripe);
                reply::header_only(out, result, 0, 0);
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

/// Runs the command that a request means; `Err` is a request refused before it got that far.
fn execute(
    namespace: &Namespace,
    request: &Request<'_>,
    turn: &mut Turn<'_>,
    out: &mut Vec<u8>,
) -> Result<(Command, ResultCode), ResultCode> {
    let header = &request.header;
    if request.digest.is_none() {
        // Queries come with a later step.
        return Err(ResultCode::UNSUPPORTED_FEATURE);
    }
    let digest = request.valid_digest().ok_or(ResultCode::PARAMETER)?;
    if header.info2.contains(Info2::WRITE) {
        if header.info2.contains(Info2::DELETE) {
            return Ok((Command::Delete, namespace.delete(request, &digest, turn, out)));
        }
        if request.present.contains(FieldType::UDF_FILENAME) {
            return Err(ResultCode::UNSUPPORTED_FEATURE);
        }
        if header.info4.intersects(Info4::MRT_ROLL_FORWARD | Info4::MRT_ROLL_BACK) {
            return Err(ResultCode::ENTERPRISE_ONLY);
        }
        return Ok((Command::Write, namespace.write(request, &digest, turn, out)));
    }
    if !header.info1.contains(Info1::READ) {
        return Err(ResultCode::PARAMETER);
    }
    if header.info4.contains(Info4::MRT_VERIFY_READ) {
        return Err(ResultCode::ENTERPRISE_ONLY);
    }
    Ok((Command::Read, namespace.read(request, &digest, turn, out)))
}
