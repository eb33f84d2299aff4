//! The comparer against the recordings themselves: a reply equals itself, and nothing else.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;

use super::compare::{Rules, difference};
use super::exceptions::{is_refusal, later_capability};
use super::message::HEADER_SIZE;
use super::replay::{Clock, Replay};
use super::reply::{FRAME_HEADER_SIZE, Kind, Reply};
use super::transcript::{Norm, Step, Transcript};

fn transcript(file: &str) -> Transcript {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/golden");
    Transcript::load(&folder.join(file)).unwrap()
}

/// A server that answers the requests of a transcript with the recorded replies.
struct Player {
    address: String,
    thread: JoinHandle<()>,
}

impl Player {
    /// `edit` may change a reply before it is sent; it gets the number of the step in the file.
    fn start(
        file: &'static str,
        mut edit: impl FnMut(usize, &mut Vec<u8>) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = std::thread::spawn(move || {
            let transcript = transcript(file);
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            for setup in &transcript.setup {
                receive(&mut stream, &setup.request);
                stream.write_all(&EMPTY_REPLY).unwrap();
            }
            let mut number = 0;
            for case in &transcript.cases {
                for before in &case.before {
                    receive(&mut stream, before);
                    stream.write_all(&EMPTY_REPLY).unwrap();
                }
                for step in &case.steps {
                    receive(&mut stream, &step.request);
                    let Reply::Frames(frames) = &step.recorded else { panic!("not recorded here") };
                    let mut reply = frames.concat();
                    edit(number, &mut reply);
                    stream.write_all(&reply).unwrap();
                    number += 1;
                }
            }
        });
        Self { address, thread }
    }
}

/// A message frame of 22 zero bytes.
const EMPTY_REPLY: [u8; FRAME_HEADER_SIZE + HEADER_SIZE] = {
    let mut frame = [0; FRAME_HEADER_SIZE + HEADER_SIZE];
    (frame[0], frame[1], frame[7], frame[8]) = (2, 3, HEADER_SIZE as u8, HEADER_SIZE as u8);
    frame
};

fn receive(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, expected);
}

#[test]
fn a_recording_equals_itself() {
    for file in ["record.jsonl.gz", "info.jsonl.gz"] {
        let player = Player::start(file, |_, _| {});
        let report =
            Replay::new(&player.address, Clock::AsRecorded).run(&transcript(file)).unwrap();
        player.thread.join().unwrap();
        assert_eq!(report.steps_different(), 0, "{report}");
        assert_eq!(report.steps_excepted(), 0, "{report}");
        assert!(report.equal > 1000, "{report}");
    }
}

#[test]
fn a_changed_reply_is_found_and_shown() {
    const RESULT: usize = FRAME_HEADER_SIZE + 5;
    let player = Player::start("record.jsonl.gz", |number, reply| {
        if number % 1000 == 0 {
            reply[RESULT] ^= 0x40;
        }
    });
    let transcript = transcript("record.jsonl.gz");
    let report = Replay::new(&player.address, Clock::AsRecorded).run(&transcript).unwrap();
    player.thread.join().unwrap();
    assert_eq!(report.steps_different(), report.steps().div_ceil(1000));
    assert!(report.to_string().contains("result-code"), "{report}");
}

#[test]
fn a_refused_capability_is_excepted_with_what_follows() {
    const INFO3: usize = FRAME_HEADER_SIZE + 3;
    const RESULT: usize = FRAME_HEADER_SIZE + 5;
    const LAST: u8 = 1;
    let recording = transcript("batch.jsonl.gz");
    let steps = recording.cases.iter().flat_map(|case| &case.steps);
    let needs: Vec<bool> = steps.map(|step| later_capability(step.request()).is_some()).collect();
    let expected = needs.iter().filter(|needs| **needs).count();
    let player = Player::start("batch.jsonl.gz", move |number, reply| {
        if needs[number] {
            reply.clone_from(&EMPTY_REPLY.to_vec());
            (reply[INFO3], reply[RESULT]) = (LAST, 16);
        }
    });
    let report = Replay::new(&player.address, Clock::AsRecorded).run(&recording).unwrap();
    player.thread.join().unwrap();
    assert_eq!(report.steps_different(), 0, "{report}");
    assert_eq!(report.steps_excepted(), expected, "{report}");
    assert!(expected > 0, "some batches delete durably, which the recorded edition did not");
}

#[test]
fn every_kind_of_damage_is_a_difference() {
    let transcript = transcript("record.jsonl.gz");
    let rules = |step: &Step| Rules { norm: step.norm, elapsed_s: 0..=0 };
    let steps = transcript.cases.iter().flat_map(|case| &case.steps);
    for step in steps.step_by(7) {
        let Reply::Frames(frames) = &step.recorded else { continue };
        for position in FRAME_HEADER_SIZE..frames[0].len() {
            let mut frames = frames.clone();
            frames[0][position] ^= 0x10;
            let got = Reply::Frames(frames);
            let found = difference(step.kind, &rules(step), &step.recorded, &got);
            assert!(found.is_some(), "byte {position} of {:02x?}", step.recorded);
        }
    }
}

#[test]
fn void_times_are_compared_relative_to_the_recording() {
    let reply = |void_time: u32| {
        let mut frame = EMPTY_REPLY;
        frame[FRAME_HEADER_SIZE + 10..][..4].copy_from_slice(&void_time.to_be_bytes());
        Reply::Frames(vec![frame.to_vec()])
    };
    let found = |recorded, got, elapsed_s| {
        let rules = Rules { norm: Norm::Exact, elapsed_s };
        difference(Kind::Record, &rules, &reply(recorded), &reply(got))
    };
    let differ = Some("void-time".to_owned());
    assert_eq!(found(1000, 1498, 500..=500), None);
    assert_eq!(found(1000, 1497, 500..=500), differ);
    assert_eq!(found(1000, 1502, 500..=500), None);
    assert_eq!(found(1000, 1503, 500..=500), differ);
    assert_eq!(found(0, 0, 500..=500), None);
    assert_eq!(found(0, 500, 500..=500), differ);
    assert_eq!(found(1000, 0, 500..=500), differ);
}

#[test]
fn rows_made_over_some_time_are_compared_each_on_its_own() {
    let row = |digest: u8, void_time: u32| {
        let field = [&[0, 0, 0, 21, 4], &[digest; 20][..]].concat();
        let mut frame = [&EMPTY_REPLY[..], &field].concat();
        frame[7] += field.len() as u8;
        frame[FRAME_HEADER_SIZE + 10..][..4].copy_from_slice(&void_time.to_be_bytes());
        frame[FRAME_HEADER_SIZE + 19] = 1;
        frame
    };
    let reply =
        |void_times: [u32; 2]| Reply::Frames(vec![row(1, void_times[0]), row(2, void_times[1])]);
    let found = |got, elapsed_s| {
        let rules = Rules { norm: Norm::Exact, elapsed_s };
        difference(Kind::Query, &rules, &reply([1000, 1000]), &reply(got))
    };
    assert_eq!(found([1500, 1510], 500..=510), None);
    assert_eq!(found([1500, 1510], 500..=507).as_deref(), Some("row-void-time"));
    assert_eq!(found([1497, 1510], 500..=510).as_deref(), Some("row-void-time"));
}

#[test]
fn a_closed_connection_is_compared_too() {
    let frame = Reply::Frames(vec![EMPTY_REPLY.to_vec()]);
    let found = |a: &Reply, b: &Reply| {
        difference(Kind::Record, &Rules { norm: Norm::Exact, elapsed_s: 0..=0 }, a, b)
    };
    assert_eq!(found(&Reply::Closed, &Reply::Closed), None);
    assert!(found(&Reply::Closed, &frame).is_some());
    assert!(found(&frame, &Reply::Closed).is_some());
    assert!(found(&frame, &Reply::Silence).is_some());
}

#[test]
fn a_refusal_is_told_from_an_error() {
    let info =
        |text: &str| Reply::Frames(vec![[&[2, 1, 0, 0, 0, 0, 0, 9], text.as_bytes()].concat()]);
    assert!(is_refusal(Kind::Info, &info("sindex-list\tERROR:25:later\n")));
    assert!(!is_refusal(Kind::Info, &info("sindex-list\tERROR:4:bad\n")));
}
