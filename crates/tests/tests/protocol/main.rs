//! The rules of the client protocol on malformed and unusual input, one by one, against the real
//! process: what is answered, and with what; what closes the connection; and that afterwards the
//! server is none the worse for it.
//!
//! The numbers are those of the protocol reference, and where the original's recorded replies
//! differ from it, those of the replies.

mod compression;
mod connections;
mod framing;
mod info;
mod info_port;
mod messages;
mod refusals;
mod security;
mod values;

use anyhow::{Context, Result, ensure};
use tests::harness::{GOLDEN_CONFIGURATION, Server};
use tests::raw::{Connection, Draft};

/// Result codes.
const OK: u8 = 0;
const NOT_FOUND: u8 = 2;
const PARAMETER: u8 = 4;
const RECORD_TOO_BIG: u8 = 13;
const UNSUPPORTED: u8 = 16;
const NAMESPACE: u8 = 20;
const BIN_NAME: u8 = 21;
const ENTERPRISE_ONLY: u8 = 25;
const SECURITY_NOT_CONFIGURED: u8 = 52;

/// First flags byte.
const READ: u8 = 0x01;
const GET_ALL: u8 = 0x02;
const BATCH: u8 = 0x08;
const COMPRESS_RESPONSE: u8 = 0x80;
/// Second flags byte.
const WRITE: u8 = 0x01;
/// Third flags byte.
const LAST: u8 = 0x01;

/// Field types.
const FIELD_NAMESPACE: u8 = 0;
const FIELD_SET: u8 = 1;
const FIELD_DIGEST: u8 = 4;

/// Operations.
const OP_READ: u8 = 1;
const OP_WRITE: u8 = 2;

/// Particle types.
const NULL: u8 = 0;
const INTEGER: u8 = 1;
const STRING: u8 = 3;

/// A fresh server, and connections to it.
struct Rig {
    server: Server,
}

impl Rig {
    fn start() -> Result<Self> {
        Ok(Self { server: Server::start(GOLDEN_CONFIGURATION)? })
    }

    /// With one line of the configuration changed.
    fn start_with(old: &str, new: &str) -> Result<Self> {
        ensure!(GOLDEN_CONFIGURATION.contains(old), "no {old:?} in the configuration");
        Ok(Self { server: Server::start(&GOLDEN_CONFIGURATION.replace(old, new))? })
    }

    fn connect(&self) -> Result<Connection> {
        Connection::open(self.server.port())
    }

    /// Sends requests that have a result code each; every one must leave the connection usable.
    fn check_results(&self, table: &[(&str, Draft, u8)]) -> Result<()> {
        let mut connection = self.connect()?;
        for (what, draft, expected) in table {
            let reply = connection.ask(&draft.frame()).with_context(|| (*what).to_owned())?;
            ensure!(reply.result == *expected, "{what}: {} instead of {expected}", reply.result);
            if *expected != OK {
                ensure!(reply.fields.is_empty() && reply.ops.is_empty(), "{what}: {reply:?}");
            }
            ensure!(reply.header_size == 22 && reply.info == [0; 4], "{what}: {reply:?}");
        }
        connection.expect_alive()?;
        self.check_unharmed()
    }

    /// A record can be written and read, and the log holds no panic.
    fn check_unharmed(&self) -> Result<()> {
        let mut connection = self.connect()?;
        let result = connection.result(&Draft::write_number("unharmed", 7).frame())?;
        ensure!(result == OK, "a write is answered {result}");
        let reply = connection.ask(&Draft::read("unharmed").frame())?;
        ensure!(reply.ops.len() == 1 && reply.ops[0].value == 7_i64.to_be_bytes(), "{reply:?}");
        let log = self.server.log();
        ensure!(!log.contains("panic"), "the server said:\n{log}");
        Ok(())
    }
}
