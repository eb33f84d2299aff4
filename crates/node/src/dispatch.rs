//! Data commands: from a message's body to the namespace and the operation that it means.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::{Namespace, Turn};
use storage::Fetch;
use wire::reply::ReplyWriter;
use wire::{Digest, FieldType, Info1, Info2, Info4, Request, ResultCode, reply};

use crate::counters::ServiceCounter;
use crate::node::Node;
use crate::outcome::Command;
use crate::waits::Waits;
use crate::worker::Answer;

impl Node {
    /// Answers the body of a message by appending to `out`, or begins to. `from` is who sent it, `woken`
    /// when its wake-up began.
    pub(crate) fn dispatch(
        self: &Arc<Self>,
        body: &[u8],
        from: SocketAddr,
        woken: Duration,
        turn: &mut Turn<'_>,
        waits: &mut Waits,
        out: &mut Vec<u8>,
    ) -> Answer {
        let Ok(request) = Request::parse(body) else {
            self.counters.raise(turn.stripe, ServiceCounter::DemarshalError);
            reply::header_only(out, ResultCode::PARAMETER, 0, 0);
            return Answer::POINT;
        };
        if request.is_batch() {
            return self.batch(&request, body, woken, turn, waits, out);
        }
        if request.digest.is_none() {
            return self.query((&request, body), from, woken, turn, waits, out);
        }
        self.answer_single(&request, body, woken, turn, waits, out)
    }
}

/// How a request ended; there is no command if it was refused before that was known.
pub(crate) type Executed = (Option<Command>, ResultCode);

/// Runs the command that a request about one record means, and completes the reply.
///
/// # Errors
/// What has to be read first. The caller drops what was written of the reply.
pub(crate) fn execute(
    namespace: &Namespace,
    request: &Request<'_>,
    turn: &mut Turn<'_>,
    reply: ReplyWriter<'_>,
) -> Result<Executed, Fetch> {
    let (command, digest) = match command_of(request) {
        Ok(found) => found,
        Err(result) => {
            reply.finish(result, 0, 0);
            return Ok((None, result));
        }
    };
    let result = match command {
        Command::Read => namespace.read(request, &digest, turn, reply),
        Command::Write => namespace.write(request, &digest, turn, reply),
        Command::Delete => namespace.delete(request, &digest, turn, reply),
    }?;
    Ok((Some(command), result))
}

/// What a request means, and the record that it is about.
fn command_of(request: &Request<'_>) -> Result<(Command, Digest), ResultCode> {
    let header = &request.header;
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
