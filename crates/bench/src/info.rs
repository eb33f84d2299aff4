//! Asking a server in the info protocol: is it up, how much memory do its records take.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use wire::{ProtoHeader, ProtoType};

/// Longest wait for a connection, a write or a read.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Longest answer accepted, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// The server's answer to one command.
///
/// # Errors
/// If the server cannot be reached in two seconds, or its answer is none.
pub fn ask(server: SocketAddr, command: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(&wire::info::request_frame(&[command]))?;
    let mut header = [0; ProtoHeader::SIZE];
    stream.read_exact(&mut header)?;
    let header = ProtoHeader::parse(header)
        .map_err(|error| anyhow::anyhow!("the answer is no frame: {error:?}"))?;
    ensure!(header.kind == ProtoType::Info, "the answer is no info frame");
    ensure!(header.body_size_bytes <= ANSWER_BYTES_MAX, "the answer is too long");
    let mut body = vec![0; header.body_size_bytes];
    stream.read_exact(&mut body)?;
    let (_, value) = wire::info::answers(&body).next().context("the answer is empty")?;
    Ok(String::from_utf8_lossy(value).into_owned())
}

/// Waits until the server says that it is up.
///
/// # Errors
/// If it does not within `patience`.
pub fn wait_until_up(server: SocketAddr, patience: Duration) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        match ask(server, "status") {
            Ok(status) if status == "ok" => return Ok(()),
            answer if start.elapsed() >= patience => {
                let last = answer.unwrap_or_else(|error| error.to_string());
                bail!("{server} is not up after {} s: {last}", patience.as_secs());
            }
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The statistics of a namespace that are whole numbers.
///
/// # Errors
/// If the server does not answer, or not with statistics.
pub fn namespace_statistics(
    server: SocketAddr,
    namespace: &str,
) -> anyhow::Result<HashMap<String, u64>> {
    let text = ask(server, &format!("namespace/{namespace}"))?;
    let numbers: HashMap<String, u64> = text
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect();
    ensure!(!numbers.is_empty(), "no statistics of namespace {namespace}: {text}");
    Ok(numbers)
}
