//! Bit and sketch operations: every result code, every answer, every stored byte that was read back.

use value::operation::Answer;
use value::{bits, from_wire, hll, scalar};
use wire::{ParticleType, ResultCode};

use super::{Bins, bytes, particle};

type Particle = (ParticleType, Vec<u8>);

#[test]
fn bit_operations_answer_what_the_original_answered() {
    replay_all(include_str!("../../testdata/bits.txt"), 400);
}

#[test]
fn sketch_operations_answer_what_the_original_answered() {
    replay_all(include_str!("../../testdata/hll.txt"), 200);
}

fn replay_all(script: &str, blocks_min: usize) {
    let blocks = script.split("\n\n").filter(|block| !block.starts_with('#'));
    let mut replayed = 0;
    let failures: Vec<String> =
        blocks.inspect(|_| replayed += 1).filter_map(|block| replay(block).err()).collect();
    assert!(failures.is_empty(), "{} of {replayed}:\n{}", failures.len(), failures.join("\n"));
    assert!(replayed >= blocks_min, "the script is cut short: {replayed} blocks");
}

/// Replays the requests for one record.
fn replay(block: &str) -> Result<(), String> {
    let mut bins = Bins::new();
    for request in block.split("request\n").filter(|request| !request.is_empty()) {
        let lines: Vec<Vec<&str>> = request.lines().map(|line| line.split(' ').collect()).collect();
        let mut changed = bins.clone();
        let mut result = ResultCode::OK;
        let mut answers = Vec::new();
        let mut expected_answers = Vec::new();
        let mut expected_result = None;
        for line in &lines {
            match line[..] {
                ["result", code] => {
                    expected_result = Some(ResultCode(code.parse().expect("codes are numbers")))
                }
                ["answer", bin, particle_type, value] => {
                    expected_answers.push((bin.to_owned(), particle(particle_type, value)));
                }
                // The first operation that fails ends the request.
                _ if result != ResultCode::OK => {}
                _ => match apply(&mut changed, line) {
                    Ok(answer) => answers.extend(answer),
                    Err(code) => result = code,
                },
            }
        }
        if result == ResultCode::OK {
            bins = changed;
        } else {
            answers.clear();
        }
        if Some(result) != expected_result {
            return Err(format!("{result:?} instead of {expected_result:?}, for\n{request}"));
        }
        if answers != expected_answers {
            return Err(format!("answers\n{answers:02x?}, for\n{request}"));
        }
    }
    Ok(())
}

/// Runs one operation; returns the bin and what is answered of it.
fn apply(bins: &mut Bins, line: &[&str]) -> Result<Option<(String, Particle)>, ResultCode> {
    let (operation, bin, arguments) = match *line {
        [operation, bin, ref arguments @ ..] => (operation, bin, arguments),
        _ => panic!("line not understood: {line:?}"),
    };
    let stored = bins.get(bin).cloned();
    let existing = stored.as_ref().map(|(particle_type, value)| (*particle_type, &value[..]));
    let named = |(particle_type, value): Answer<'_>| {
        Some((bin.to_owned(), (particle_type, value.to_vec())))
    };
    if let [particle_type, value] = arguments {
        let (operand_type, operand) = particle(particle_type, value);
        let (new_type, new) = match operation {
            "write" => (operand_type, from_wire(operand_type, &operand)?),
            "append" => scalar::append(existing, operand_type, &operand)?,
            "prepend" => scalar::prepend(existing, operand_type, &operand)?,
            _ => panic!("unknown operation {operation}"),
        };
        let new = new.to_vec();
        bins.insert(bin.to_owned(), (new_type, new));
        return Ok(None);
    }
    let operand = arguments.first().map(|operand| bytes(operand)).unwrap_or_default();
    let modified = match (operation, existing) {
        ("read", _) => return Ok(stored.map(|stored| (bin.to_owned(), stored))),
        ("bits-read" | "hll-read", None) => return Ok(None),
        ("bits-read", Some(value)) => return bits::read(value, &operand).map(named),
        ("hll-read", Some(value)) => return hll::read(value, &operand).map(named),
        ("bits-modify", _) => bits::modify(existing, &operand)?,
        ("hll-modify", _) => hll::modify(existing, &operand)?,
        _ => panic!("unknown operation {operation}"),
    };
    if let Some(new) = modified.bin {
        bins.insert(bin.to_owned(), new);
    }
    Ok(modified.answer.map(|answer| (bin.to_owned(), answer)))
}
