//! The plain-text port: a line in, a value out, nothing else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::Rig;

const PATIENCE: Duration = Duration::from_secs(20);
const UNKNOWN: &str = "ERROR:4:unrecognized command\n";

struct Text(BufReader<TcpStream>);

impl Text {
    fn open(rig: &Rig) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", rig.server.info_port()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.get_mut().write_all(bytes).context("sending")
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line)
    }

    fn ask(&mut self, bytes: &[u8]) -> Result<String> {
        self.send(bytes)?;
        self.line()
    }

    /// What comes until the server closes.
    fn rest(&mut self) -> Result<String> {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest)?;
        Ok(rest)
    }
}

#[test]
fn a_line_is_answered_by_a_value_alone() -> Result<()> {
    let rig = Rig::start()?;
    let mut text = Text::open(&rig)?;
    for (request, expected) in [
        ("status\n", "ok\n"),
        ("status\r", "ok\n"),
        ("status\r\n", "ok\n"),
        ("status\n\n\r\n", "ok\n"),
        ("status:a=b\n", "ok\n"),
        ("node\n", "A1\n"),
        ("namespaces\n", "test;bar\n"),
        ("nonsense\n", UNKNOWN),
        ("\n", UNKNOWN),
    ] {
        let answer = text.ask(request.as_bytes())?;
        ensure!(answer == expected, "{request:?}: {answer:?}");
    }
    rig.check_unharmed()
}

#[test]
fn lines_in_a_row_are_answered_in_order() -> Result<()> {
    let rig = Rig::start()?;
    let mut text = Text::open(&rig)?;
    text.send(&b"status\nnode\nnamespaces\n".repeat(100))?;
    for _ in 0..100 {
        for expected in ["ok\n", "A1\n", "test;bar\n"] {
            ensure!(text.line()? == expected);
        }
    }
    text.send(b"node\nunfinished")?;
    text.0.get_ref().shutdown(Shutdown::Write)?;
    ensure!(text.rest()? == "A1\n", "what no line break ends is dropped");
    Ok(())
}

#[test]
fn a_telnet_interrupt_closes() -> Result<()> {
    let rig = Rig::start()?;
    for (request, answer) in
        [(&b"\xff"[..], ""), (b"sta\xfftus\n", ""), (b"status\n\xff\xf4\xff\xfd\x06", "ok\n")]
    {
        let mut text = Text::open(&rig)?;
        text.send(request)?;
        let rest = text.rest()?;
        ensure!(rest == answer, "{request:?}: {rest:?}");
    }
    rig.check_unharmed()
}

#[test]
fn it_speaks_no_frames() -> Result<()> {
    let rig = Rig::start()?;
    let mut text = Text::open(&rig)?;
    // A framed request holds a newline too; what stands before it is an unknown command.
    let answer = text.ask(&tests::raw::frame(tests::raw::INFO, b"status\n"))?;
    ensure!(answer == UNKNOWN, "{answer:?}");
    ensure!(text.ask(b"status\n")? == "ok\n");
    rig.check_unharmed()
}

#[test]
fn a_line_without_end_does_not_grow_for_ever() -> Result<()> {
    let rig = Rig::start()?;
    let before = rig.server.readings().resident_kbytes()?;
    let mut text = Text::open(&rig)?;
    let piece = vec![b'a'; 1 << 20];
    for _ in 0..64 {
        // Once the server has closed, it takes nothing more.
        let _ = text.send(&piece);
    }
    let after = rig.server.readings().resident_kbytes()?;
    ensure!(after < before + 16 * 1024, "{before} KiB grew to {after} KiB");
    ensure!(text.rest().is_ok_and(|rest| rest.is_empty()), "closed without an answer");
    rig.check_unharmed()
}
