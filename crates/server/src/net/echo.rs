//! A service that sends every frame back: the ceiling of the machine for this loop.

use super::{Frame, Peer, Service, Verdict, Worker};

/// Answers every frame with itself, and every line of the text port with itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Service for Echo {
    type Worker = Self;

    fn worker(&self, _index: usize) -> Self {
        Self
    }
}

impl Worker for Echo {
    fn on_frame(&mut self, _peer: &Peer, frame: Frame<'_>, out: &mut Vec<u8>) -> Verdict<Self> {
        out.extend_from_slice(frame.as_bytes());
        Verdict::Continue
    }

    fn on_line(&mut self, _peer: &Peer, line: &[u8], out: &mut Vec<u8>) -> Verdict<Self> {
        out.extend_from_slice(line);
        out.push(b'\n');
        Verdict::Continue
    }
}
