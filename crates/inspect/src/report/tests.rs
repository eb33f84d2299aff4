//! The report as an operator reads it.

use super::*;
use crate::testing::{Own, spec};

fn rendered(own: &Own, blocks: Blocks) -> String {
    render(&Survey::of(&[own.open("/data/a.dat")], 1000).unwrap(), blocks)
}

fn sample() -> Own {
    let mut own = Own::new(0, 1);
    own.seal(1, 10, &[spec(1, 5), spec(2, 5)]);
    own.fill(2, 11, &[spec(1, 6)]);
    own
}

#[test]
fn a_sound_device_reads_like_this() {
    let expected = "\
/data/a.dat: Bolide, namespace test, device 1 of 1
  device id        123456789abcdef0, set 0000000000000063
  size             256 KiB: 15 blocks of 16 KiB
  header           both copies sound, version 8
  state            opened 3 times, closed in order
  blocks           1 sealed, 1 open, 13 blank
  versions         3 versions, 240 B: 3 of records
  newest           2 live, 160 B

1 device in all
  newest           2 live, 160 B
  set              s: 2 records, 160 B
  verdict          sound: every checksum holds, and the devices are a whole set
";
    assert_eq!(rendered(&sample(), Blocks::Counted), expected);
}

#[test]
fn blocks_have_a_line_each() {
    let text = rendered(&sample(), Blocks::Listed);
    let lines: Vec<Vec<_>> = text
        .lines()
        .filter(|line| line.contains("sealed  ") || line.contains("open  "))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["1", "10", "sealed", "2", "1", "160", "B", "80", "B", "50"]);
    assert_eq!(lines[1], ["2", "11", "open", "1", "1", "80", "B", "80", "B", "100"]);
}

#[test]
fn damage_is_listed_up_to_a_bound() {
    let mut own = sample();
    own.bytes[16 * 1024 + 70] ^= 1;
    let text = rendered(&own, Blocks::Counted);
    let line = "  DAMAGE           block 1, byte 16448, 80 B: no sound record begins here\n";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("1 damaged place found"), "{text}");
    let mut out = String::new();
    let one = Damage { block: None, offset_bytes: 0, size_bytes: 1, what: "x".into() };
    append_damage(&mut out, &vec![one; DAMAGE_LISTED + 3]);
    assert!(out.contains("3 more"));
}
