//! How long links take for what they do with frames, for a worker that wants to know.
//!
//! One call sends or receives bytes of many frames, and a frame may take many calls. A frame that is sent is
//! looked after from when it is handed over until its last byte is written.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::peer_frame::LENGTH_SIZE;

/// A step that a link took with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStep {
    /// The frame waited in the link, from when it was handed over until the call began that wrote its first
    /// byte.
    Queued,
    /// A call wrote some of it: from when that began, or from the end of the call before that did so.
    Written,
    /// A call read some of it, but not its end: from when that began, or from the end of the call before that
    /// did so.
    ReadInPart,
}

/// How long a step took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkTiming {
    /// How the frame begins, by which the worker knows what it is.
    pub start: [u8; 2],
    /// What was done.
    pub step: LinkStep,
    /// How long that took.
    pub took: Duration,
}

/// How the frame at the beginning of `bytes` begins, behind its length; `None` if that is not there.
pub(super) fn start_of(bytes: &[u8]) -> Option<[u8; 2]> {
    bytes.get(LENGTH_SIZE..)?.first_chunk().copied()
}

/// When a call began, and when it was over.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallTime {
    pub began: Instant,
    pub ended: Instant,
}

/// The frames that a link is to send.
#[derive(Debug, Default)]
pub(super) struct SendTimes {
    /// Those that are timed, in order.
    frames: VecDeque<Outgoing>,
    /// Bytes that were written on the link so far, from which places in it are counted.
    written: u64,
}

#[derive(Debug)]
struct Outgoing {
    start: [u8; 2],
    /// Where it begins and ends.
    from: u64,
    to: u64,
    /// When the last step was over.
    since: Instant,
    is_begun: bool,
}

impl SendTimes {
    /// A frame is handed over. With its length it takes up these bytes, behind `ahead` others that are not
    /// written yet.
    pub fn queued(&mut self, ahead: usize, bytes: &[u8], now: Instant) {
        if let Some(start) = start_of(bytes) {
            let from = self.written + ahead as u64;
            let to = from + bytes.len() as u64;
            self.frames.push_back(Outgoing { start, from, to, since: now, is_begun: false });
        }
    }

    /// So many bytes were written. What that says of the frames goes to `timings`, if the call is timed;
    /// otherwise no frame is any more.
    pub fn written(&mut self, count: usize, call: Option<CallTime>, timings: &mut Vec<LinkTiming>) {
        if count == 0 {
            // There was no call, or the socket took nothing: the next one tells of the wait.
            return;
        }
        self.written += count as u64;
        let Some(call) = call else { return self.frames.clear() };
        while let Some(frame) = self.frames.front_mut().filter(|frame| frame.from < self.written) {
            frame.tell(call, timings);
            if frame.to > self.written {
                break;
            }
            self.frames.pop_front();
        }
    }

    /// What was to be sent is lost.
    pub fn forget(&mut self) {
        self.frames.clear();
    }
}

impl Outgoing {
    /// A call wrote some of it.
    fn tell(&mut self, call: CallTime, timings: &mut Vec<LinkTiming>) {
        let start = self.start;
        if !std::mem::replace(&mut self.is_begun, true) {
            let took = call.began.saturating_duration_since(self.since);
            timings.push(LinkTiming { start, step: LinkStep::Queued, took });
            self.since = call.began;
        }
        let took = call.ended.saturating_duration_since(self.since);
        timings.push(LinkTiming { start, step: LinkStep::Written, took });
        self.since = call.ended;
    }
}

/// The frame of which a link has received a part.
#[derive(Debug, Default)]
pub(super) struct ReceiveTime {
    /// When the last call was over that read some of it, and how many bytes there were then.
    last: Option<(Instant, usize)>,
}

impl ReceiveTime {
    /// A call has read so many bytes, and `held` is left of those and of what was there before: the beginning of
    /// a frame. `None` if there is none, or too little of it to know what it is.
    pub fn read(&mut self, count: usize, held: &[u8], call: CallTime) -> Option<LinkTiming> {
        // It is the same frame as before if none was completed.
        let before = self.last.take().filter(|(_, size)| size + count == held.len());
        let start = start_of(held)?;
        self.last = Some((call.ended, held.len()));
        let since = before.map_or(call.began, |(ended, _)| ended);
        let took = call.ended.saturating_duration_since(since);
        Some(LinkTiming { start, step: LinkStep::ReadInPart, took })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A call that began so many seconds after the start and took one.
    fn call(start: Instant, at: u32) -> CallTime {
        CallTime { began: start + at * SECOND, ended: start + (at + 1) * SECOND }
    }

    /// The bytes of a frame that begins so.
    fn frame(start: [u8; 2], size: u32) -> Vec<u8> {
        let mut bytes = size.to_le_bytes().to_vec();
        bytes.extend(start);
        bytes.resize(LENGTH_SIZE + size as usize, 0);
        bytes
    }

    fn timing(start: [u8; 2], step: LinkStep, seconds: u32) -> LinkTiming {
        LinkTiming { start, step, took: seconds * SECOND }
    }

    #[test]
    fn every_frame_of_a_call_is_told_of() {
        use LinkStep::{Queued, Written};
        let start = Instant::now();
        let (mut times, mut timings) = (SendTimes::default(), Vec::new());
        times.queued(0, &frame(*b"a1", 16), start);
        times.queued(20, &frame(*b"b2", 6), start + SECOND);
        times.queued(30, &frame(*b"c3", 6), start + SECOND);
        times.written(15, Some(call(start, 4)), &mut timings);
        assert_eq!(timings, [timing(*b"a1", Queued, 4), timing(*b"a1", Written, 1)]);
        timings.clear();
        times.written(0, Some(call(start, 6)), &mut timings);
        assert!(timings.is_empty(), "the socket took nothing");
        times.written(15, Some(call(start, 9)), &mut timings);
        let expected =
            [timing(*b"a1", Written, 5), timing(*b"b2", Queued, 8), timing(*b"b2", Written, 1)];
        assert_eq!(timings, expected, "the third has no byte in it");
        timings.clear();
        times.written(10, Some(call(start, 10)), &mut timings);
        assert_eq!(timings, [timing(*b"c3", Queued, 9), timing(*b"c3", Written, 1)]);
        assert!(times.frames.is_empty());
    }

    #[test]
    fn frames_that_nobody_timed_are_passed_over() {
        let start = Instant::now();
        let (mut times, mut timings) = (SendTimes::default(), Vec::new());
        times.written(100, None, &mut timings);
        times.queued(7, &frame(*b"a1", 6), start);
        times.written(7, Some(call(start, 1)), &mut timings);
        assert!(timings.is_empty(), "those were the bytes before");
        times.written(1, None, &mut timings);
        times.written(9, Some(call(start, 2)), &mut timings);
        assert!(timings.is_empty(), "nobody wanted to know meanwhile");
        times.queued(0, &frame(*b"a1", 1), start);
        assert!(times.frames.is_empty(), "too short to know what it is");
        times.queued(0, &frame(*b"a1", 6), start);
        times.forget();
        times.written(10, Some(call(start, 3)), &mut timings);
        assert!(timings.is_empty());
    }

    #[test]
    fn a_frame_that_comes_in_parts_is_told_of_until_it_is_whole() {
        let start = Instant::now();
        let mut time = ReceiveTime::default();
        let bytes = frame(*b"a1", 100);
        assert_eq!(time.read(5, &bytes[..5], call(start, 0)), None, "what may it be?");
        let part = |seconds| Some(timing(*b"a1", LinkStep::ReadInPart, seconds));
        assert_eq!(time.read(15, &bytes[..20], call(start, 1)), part(1));
        assert_eq!(time.read(20, &bytes[..40], call(start, 7)), part(6), "with the wait");
        assert_eq!(time.read(64, &[], call(start, 8)), None);
        // Another one, whose beginning came with the end of the last.
        assert_eq!(time.read(90, &bytes[..30], call(start, 9)), part(1));
    }
}
