//! A connection that sends batches and counts the answers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use wire::client::Reply;
use wire::{ProtoHeader, ProtoType, ResultCode};

use super::Batch;
use super::tally::Tally;

/// Longest wait for a connection, a write or an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// First wait after a refusal; each further one is twice as long, up to [`BACKOFF_MAX`].
const BACKOFF: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// How often a batch is sent again to a server that has too much to do: for about two minutes.
const OVERLOADS_MAX: u32 = 64;
/// How often a connection is made anew for one batch.
const RECONNECTS_MAX: u32 = 5;
/// Longest answer to a write that is believed, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

pub struct Worker<'t> {
    address: SocketAddr,
    stream: TcpStream,
    tally: &'t Tally,
}

impl<'t> Worker<'t> {
    /// Connects.
    ///
    /// # Errors
    /// If the server does not answer in [`TIMEOUT`].
    pub fn connect(address: SocketAddr, tally: &'t Tally) -> io::Result<Self> {
        Ok(Self { address, stream: connect(address)?, tally })
    }

    /// Sends all batches there are.
    ///
    /// # Errors
    /// If the connection is lost and cannot be made anew.
    pub fn run(mut self, batches: &Receiver<Batch>) -> io::Result<()> {
        batches.iter().try_for_each(|batch| self.send(batch))
    }

    fn send(&mut self, mut batch: Batch) -> io::Result<()> {
        let mut overloads = 0;
        loop {
            let codes = self.exchange_patiently(&batch)?;
            let mut again = Vec::new();
            for (frame, code) in batch.into_iter().zip(codes) {
                if code == ResultCode::DEVICE_OVERLOAD && overloads < OVERLOADS_MAX {
                    again.push(frame);
                } else {
                    self.tally.answer(code);
                }
            }
            if again.is_empty() {
                return Ok(());
            }
            self.tally.retry(again.len());
            thread::sleep(backoff(overloads));
            overloads += 1;
            batch = again;
        }
    }

    /// Sends frames and reads an answer to each; over a new connection if this one breaks.
    fn exchange_patiently(&mut self, frames: &[Vec<u8>]) -> io::Result<Vec<ResultCode>> {
        let mut reconnects = 0;
        loop {
            let error = match exchange(&mut self.stream, frames) {
                Ok(codes) => return Ok(codes),
                // The answer was no answer; another try would not make it one.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
                Err(error) => error,
            };
            if reconnects == RECONNECTS_MAX {
                return Err(error);
            }
            thread::sleep(backoff(reconnects + 2));
            reconnects += 1;
            if let Ok(stream) = connect(self.address) {
                self.stream = stream;
            }
        }
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn backoff(tries: u32) -> Duration {
    BACKOFF.saturating_mul(1 << tries.min(10)).min(BACKOFF_MAX)
}

/// Answers come in the order of the requests.
fn exchange(stream: &mut TcpStream, frames: &[Vec<u8>]) -> io::Result<Vec<ResultCode>> {
    stream.write_all(&frames.concat())?;
    frames.iter().map(|_| answer(stream)).collect()
}

fn answer(stream: &mut TcpStream) -> io::Result<ResultCode> {
    let no_answer = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut header = [0; ProtoHeader::SIZE];
    stream.read_exact(&mut header)?;
    let header = ProtoHeader::parse(header).map_err(|error| no_answer(&error.to_string()))?;
    if header.kind != ProtoType::Message || header.body_size_bytes > ANSWER_BYTES_MAX {
        return Err(no_answer("the answer is not that to a write"));
    }
    let mut body = vec![0; header.body_size_bytes];
    stream.read_exact(&mut body)?;
    let (reply, _) = Reply::parse(&body).map_err(|_| no_answer("the answer is malformed"))?;
    Ok(reply.header.result)
}
