//! Writes: every result code and every stored byte.

use value::{from_wire, scalar};
use wire::{ParticleType, ResultCode};

use super::{Bins, particle};

#[test]
fn stores_what_the_original_stored() {
    let script = include_str!("../../testdata/writes.txt");
    let blocks = script.split("\n\n").filter(|block| !block.starts_with('#'));
    let mut replayed = 0;
    let failures: Vec<String> = blocks
        .inspect(|_| replayed += 1)
        .filter_map(|block| replay(block).err().map(|why| format!("{why}, in:\n{block}\n")))
        .collect();
    assert!(failures.is_empty(), "{} of {replayed}:\n{}", failures.len(), failures.join("\n"));
    assert!(replayed > 1000, "the script is cut short: {replayed} blocks");
}

fn replay(block: &str) -> Result<(), String> {
    let mut bins = Bins::new();
    let mut result = ResultCode::OK;
    for line in block.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["has", bin, particle_type, value] => {
                bins.insert(bin.to_owned(), particle(particle_type, value));
            }
            ["result", code] => {
                let expected = ResultCode(code.parse().expect("codes are numbers"));
                if result != expected {
                    return Err(format!("{result:?} instead of {expected:?}"));
                }
            }
            ["then", bin, particle_type, value] => {
                let expected = particle(particle_type, value);
                let stored = bins.get(bin);
                if stored != Some(&expected) {
                    return Err(format!("bin {bin}: {stored:02x?} instead of {expected:02x?}"));
                }
            }
            ["gone", bin] => {
                if let Some(stored) = bins.get(bin) {
                    return Err(format!("bin {bin}: {stored:02x?}"));
                }
            }
            // The first operation that fails ends the request.
            _ if result != ResultCode::OK => {}
            ["delete", bin] => {
                bins.remove(bin);
            }
            [operation, bin, particle_type, value] => {
                let (operand_type, operand) = particle(particle_type, value);
                result = apply(&mut bins, operation, bin, operand_type, &operand)
                    .err()
                    .unwrap_or(ResultCode::OK);
            }
            _ => return Err(format!("line not understood: {line}")),
        }
    }
    Ok(())
}

fn apply(
    bins: &mut Bins,
    operation: &str,
    bin: &str,
    operand_type: ParticleType,
    operand: &[u8],
) -> Result<(), ResultCode> {
    let existing = bins.get(bin).map(|(particle_type, value)| (*particle_type, &value[..]));
    let (particle_type, stored) = match operation {
        "write" => (operand_type, from_wire(operand_type, operand)?),
        "incr" => scalar::increment(existing, operand_type, operand)?,
        "append" => scalar::append(existing, operand_type, operand)?,
        "prepend" => scalar::prepend(existing, operand_type, operand)?,
        _ => panic!("unknown operation {operation}"),
    };
    let stored = stored.to_vec();
    bins.insert(bin.to_owned(), (particle_type, stored));
    Ok(())
}
