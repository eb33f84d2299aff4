//! Carrying a call out, on a thread that may wait.

use std::sync::Arc;
use std::time::Duration;

use ::udf::{Call, Reply, Write};
use engine::copies;
use engine::udf::{Loaded, Refused, Written};
use engine::{Namespace, Stripe, Turn};
use record::RecordMeta;
use storage::{Fetch, Fetched, Pledges};
use wire::client::{Reply as Message, RequestBuilder};
use wire::reply::ReplyWriter;
use wire::{
    Digest, FieldType, Info2, Info3, OpCode, ParticleType, ProtoHeader, Request, ResultCode,
};

use super::record::LoadedRecord;
use crate::node::Node;

/// Longest name of a module or function in a request, in bytes.
const NAME_BYTES_MAX: usize = 127;

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Executed {
    pub result: ResultCode,
    /// What the function returned, or why it failed.
    returned: Option<Reply>,
    generation: u32,
    void_time: u32,
    /// What it did to its record.
    pub effect: Effect,
    /// What other nodes have to hear of.
    pub written: copies::Written,
}

/// What a function did to its record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    None,
    Written,
    Deleted,
}

impl Executed {
    pub(crate) fn refused(result: ResultCode) -> Self {
        Self {
            result,
            returned: None,
            generation: 0,
            void_time: 0,
            effect: Effect::None,
            written: copies::Written::Nothing,
        }
    }

    /// Takes over what the reply to the write says of the record, which was this before.
    fn note_effect(&mut self, reply: &[u8], before: &RecordMeta) {
        let body = reply.get(ProtoHeader::SIZE..).unwrap_or_default();
        let header = Message::parse(body).map(|(reply, _)| reply.header).unwrap_or_default();
        if header.generation == 0 {
            // As in the original, a deleted record is told of with the generation that it would have.
            self.effect = Effect::Deleted;
            self.generation = before.generation.next().0.into();
            self.void_time = 0;
        } else {
            self.effect = Effect::Written;
            self.generation = header.generation;
            self.void_time = header.record_ttl;
        }
    }

    /// Appends the answer.
    pub fn answer(&self, mut reply: ReplyWriter<'_>) {
        match &self.returned {
            Some(Reply::Success(value)) => {
                reply.op(OpCode::READ, value.kind, b"SUCCESS", &value.bytes);
            }
            Some(Reply::Failure(text)) => {
                reply.op(OpCode::READ, ParticleType::STRING, b"FAILURE", text);
            }
            Some(Reply::Code(_)) | None => {}
        }
        reply.finish(self.result, self.generation, self.void_time);
    }
}

/// A call at work.
struct Work<'w> {
    node: &'w Node,
    namespace: &'w Arc<Namespace>,
    request: &'w Request<'w>,
    digest: &'w Digest,
    deadline: Duration,
    pledges: &'w mut Pledges,
    scratch: Vec<u8>,
}

/// Calls the function that a request names for the record with this digest, until a time of the
/// monotonic clock at most. Waits for devices, but for what it leaves pledges for.
pub(crate) fn execute(
    node: &Node,
    namespace: &Arc<Namespace>,
    request: &Request<'_>,
    digest: &Digest,
    deadline: Duration,
    pledges: &mut Pledges,
) -> Executed {
    if node.config().service.disable_udf_execution {
        return Executed::refused(ResultCode::FORBIDDEN);
    }
    let scratch = Vec::new();
    let mut work = Work { node, namespace, request, digest, deadline, pledges, scratch };
    loop {
        match storage::blocking(|fetched| work.attempt(fetched)) {
            Some(executed) => return executed,
            // The record has changed meanwhile.
            None if node.host.monotonic() < deadline => {}
            None => return Executed::refused(ResultCode::TIMEOUT),
        }
    }
}

/// The same for the record that a request or a row of a batch is about, if it is its turn in time.
pub(crate) fn execute_for(
    node: &Node,
    namespace: &Arc<Namespace>,
    request: &Request<'_>,
    (now, deadline): (Duration, Duration),
    pledges: &mut Pledges,
) -> Executed {
    match request.valid_digest() {
        Some(digest) if now < deadline => {
            execute(node, namespace, request, &digest, deadline, pledges)
        }
        Some(_) => Executed::refused(ResultCode::TIMEOUT),
        None => Executed::refused(ResultCode::PARAMETER),
    }
}

impl Work<'_> {
    /// Runs the function once. `None` if what it wants does not fit the record any more.
    fn attempt(&mut self, fetched: &Fetched) -> Result<Option<Executed>, Fetch> {
        let now = self.node.record_time();
        let mut turn = Turn {
            now,
            stripe: Stripe::SHARED,
            scratch: &mut self.scratch,
            fetched,
            pledges: self.pledges,
            written: copies::Written::Nothing,
        };
        let Some(call) = call_of(self.request) else {
            return Ok(Some(Executed::refused(ResultCode::PARAMETER)));
        };
        let loaded = match self.namespace.load(self.request, self.digest, &turn)? {
            Ok(loaded) => loaded,
            Err(Refused { result, generation, void_time }) => {
                let refused = Executed::refused(result);
                return Ok(Some(Executed { generation, void_time, ..refused }));
            }
        };
        let namespace = Arc::clone(self.namespace);
        let record = LoadedRecord { loaded: loaded.clone(), namespace, now };
        let outcome = self.node.udf.apply(call, Box::new(record), self.deadline);
        let result = match &outcome.reply {
            Reply::Success(_) => ResultCode::OK,
            Reply::Failure(_) => ResultCode::UDF_EXECUTION,
            Reply::Code(code) => *code,
        };
        let meta = loaded.meta.unwrap_or_default();
        let mut executed = Executed {
            result,
            returned: Some(outcome.reply),
            generation: meta.generation.0.into(),
            void_time: meta.void_time.0,
            effect: Effect::None,
            written: copies::Written::Nothing,
        };
        let Some(write) = outcome.write else { return Ok(Some(executed)) };
        let message = message_of(self.request, &loaded, &write);
        // It was just built.
        let Ok(request) = Request::parse(&message) else {
            return Ok(Some(Executed::refused(ResultCode::UNKNOWN)));
        };
        let mut reply = Vec::new();
        let writer = ReplyWriter::new(&mut reply);
        let written =
            self.namespace.write_loaded(&request, &loaded, write.drops_key, &mut turn, writer)?;
        match written {
            Written::Changed => return Ok(None),
            Written::Done(result) if result != ResultCode::OK => {
                (executed.result, executed.returned) = (result, None);
            }
            Written::Done(_) => {
                executed.written = turn.written;
                executed.note_effect(&reply, &meta);
            }
        }
        Ok(Some(executed))
    }
}

/// The function that a request names, for its record. `None` also for flags that have no meaning for it, since a function
/// decides by itself whether it creates or replaces its record.
fn call_of<'r>(request: &Request<'r>) -> Option<Call<'r>> {
    let header = &request.header;
    let has_policy =
        header.info2.intersects(Info2::GENERATION | Info2::GENERATION_GT | Info2::CREATE_ONLY)
            || header
                .info3
                .intersects(Info3::UPDATE_ONLY | Info3::CREATE_OR_REPLACE | Info3::REPLACE_ONLY);
    if has_policy { None } else { named_call(request) }
}

/// The function that a request names, whatever for.
pub(crate) fn named_call<'r>(request: &Request<'r>) -> Option<Call<'r>> {
    let module = std::str::from_utf8(request.field(FieldType::UDF_FILENAME)?).ok()?;
    let function = request.field(FieldType::UDF_FUNCTION)?;
    let arguments = request.field(FieldType::UDF_ARGUMENTS)?;
    let is_short = module.len() <= NAME_BYTES_MAX && function.len() <= NAME_BYTES_MAX;
    is_short.then_some(Call { module, function, arguments })
}

/// The write that a function asks for, as a message.
fn message_of(request: &Request<'_>, loaded: &Loaded, write: &Write) -> Vec<u8> {
    let ttl = write.ttl_seconds.unwrap_or(request.header.record_ttl);
    let durable = request.header.info2 & Info2::DURABLE_DELETE;
    let mut message = RequestBuilder::new()
        .info2(Info2::WRITE | durable)
        .record_ttl(ttl)
        .field(FieldType::NAMESPACE, request.namespace.unwrap_or_default())
        .field(FieldType::SET, &loaded.set_name)
        .field(FieldType::DIGEST, &loaded.digest.0);
    if let Some(key) = request.key {
        message = message.field(FieldType::KEY, key);
    }
    if write.removes_all {
        message = message.op(OpCode::DELETE_ALL, ParticleType::NULL, b"", &[]);
    } else if write.bins.is_empty() {
        message = message.op(OpCode::TOUCH, ParticleType::NULL, b"", &[]);
    }
    for bin in &write.bins {
        let (kind, value) = match &bin.value {
            Some(value) => (value.kind, &value.bytes[..]),
            None => (ParticleType::NULL, &[][..]),
        };
        message = message.op(OpCode::WRITE, kind, &bin.name, value);
    }
    message.into_body()
}
