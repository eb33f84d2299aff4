//! Frames by which a partition's records move from one node to another.
//!
//! The giver says what it has, sprig by sprig; the receiver says where it has something else. Of those
//! sprigs the giver lists records, or sends them at once where the receiver has none. What the receiver wants of a list is
//! sent. At the end the giver says so. Every step is confirmed, and sent again if it is not.

use ::record::{Generation, LastUpdateTime};
use wire::{Digest, PartitionId};

use super::record::{Reader, put_name};

/// Sprigs of a partition: records by the high half of the digest's second byte.
pub const SPRIGS: usize = 16;

/// A step of a migration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step<'a> {
    /// The view.
    pub cluster_key: u64,
    /// Name of the namespace.
    pub namespace: &'a [u8],
    /// The partition.
    pub partition: PartitionId,
    /// What of it.
    pub what: What<'a>,
}

/// See [`Step`]. Numbers count the parts of a migration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What<'a> {
    /// The giver begins: this is a hash over each sprig of what it has.
    Begin([u64; SPRIGS]),
    /// The receiver is ready. In these sprigs it has something else, in these nothing: sets of numbers.
    Ready {
        /// Those in which it has something else, or nothing where the giver has something.
        differ: u16,
        /// Those in which it has nothing.
        empty: u16,
    },
    /// The receiver has enough to do, or is not in that view yet: ask again later.
    Busy,
    /// Records that the giver has: a list of [`Known`].
    List(u32, &'a [u8]),
    /// Which of them the receiver wants: a bit for each, the lowest first.
    Want(u32, &'a [u8]),
    /// Records: a list of digests with [`super::Transfer`]s, each after its size.
    Records(u32, &'a [u8]),
    /// The same, compressed by LZ4 in its block format, with its size in front.
    Packed(u32, &'a [u8]),
    /// They are stored.
    Stored(u32),
    /// The giver has nothing more.
    End,
    /// The receiver has everything.
    Ended,
    /// Everything has moved, says the first of the row: whoever is no replica gives up what it has.
    AllDone,
    /// It did.
    GaveUp,
}

/// What is known of a record without its body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// Which.
    pub digest: Digest,
    /// When it was last written.
    pub last_update_time: LastUpdateTime,
    /// How often.
    pub generation: Generation,
}

/// Size of a [`Known`] in a list, in bytes.
pub const KNOWN_BYTES: usize = Digest::SIZE + 8 + 2;

impl Known {
    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.digest.0);
        out.extend_from_slice(&self.last_update_time.0.to_le_bytes());
        out.extend_from_slice(&self.generation.0.to_le_bytes());
    }

    /// Reads those of a list.
    pub fn list(bytes: &[u8]) -> impl Iterator<Item = Self> {
        bytes.as_chunks::<KNOWN_BYTES>().0.iter().filter_map(|known| {
            let mut reader = Reader(known);
            let (digest, time) = (reader.digest()?, reader.u64()?);
            let generation = Generation(reader.array().map(u16::from_le_bytes)?);
            Some(Self { digest, last_update_time: LastUpdateTime(time), generation })
        })
    }
}

/// Appends a record to the list of [`What::Records`]; `transfer` is one that was encoded.
pub fn put_record(out: &mut Vec<u8>, digest: &Digest, transfer: &[u8]) {
    out.extend_from_slice(&digest.0);
    out.extend_from_slice(&(transfer.len() as u32).to_le_bytes());
    out.extend_from_slice(transfer);
}

/// Reads those of a list: digests with encoded transfers.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = (Digest, &[u8])> {
    let mut reader = Reader(bytes);
    std::iter::from_fn(move || {
        let digest = reader.digest()?;
        let size = reader.array().map(u32::from_le_bytes)?;
        Some((digest, reader.take(size as usize)?))
    })
}

const BEGIN: u8 = 1;
const READY: u8 = 2;
const BUSY: u8 = 3;
const LIST: u8 = 4;
const WANT: u8 = 5;
const RECORDS: u8 = 6;
const STORED: u8 = 7;
const END: u8 = 8;
const ENDED: u8 = 9;
const ALL_DONE: u8 = 10;
const GAVE_UP: u8 = 11;
const PACKED: u8 = 12;

impl<'a> Step<'a> {
    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.cluster_key.to_le_bytes());
        put_name(out, self.namespace);
        out.extend_from_slice(&(self.partition.index() as u16).to_le_bytes());
        let mut numbered = |kind: u8, number: u32, bytes: &[u8]| {
            out.push(kind);
            out.extend_from_slice(&number.to_le_bytes());
            out.extend_from_slice(bytes);
        };
        match self.what {
            What::Begin(sprigs) => {
                out.push(BEGIN);
                out.extend(sprigs.iter().flat_map(|hash| hash.to_le_bytes()));
            }
            What::Ready { differ, empty } => {
                out.push(READY);
                out.extend_from_slice(&differ.to_le_bytes());
                out.extend_from_slice(&empty.to_le_bytes());
            }
            What::Busy => out.push(BUSY),
            What::List(number, bytes) => numbered(LIST, number, bytes),
            What::Want(number, bytes) => numbered(WANT, number, bytes),
            What::Records(number, bytes) => numbered(RECORDS, number, bytes),
            What::Packed(number, bytes) => numbered(PACKED, number, bytes),
            What::Stored(number) => numbered(STORED, number, &[]),
            What::End => out.push(END),
            What::Ended => out.push(ENDED),
            What::AllDone => out.push(ALL_DONE),
            What::GaveUp => out.push(GAVE_UP),
        }
    }

    /// Reads one.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (cluster_key, namespace) = (reader.u64()?, reader.name()?);
        let partition = PartitionId::new(reader.array().map(u16::from_le_bytes)?)?;
        let [kind] = reader.array()?;
        let what = match kind {
            BEGIN => {
                let mut sprigs = [0; SPRIGS];
                for sprig in &mut sprigs {
                    *sprig = reader.u64()?;
                }
                What::Begin(sprigs)
            }
            READY => {
                let mut set = || reader.array().map(u16::from_le_bytes);
                What::Ready { differ: set()?, empty: set()? }
            }
            BUSY => What::Busy,
            LIST | WANT | RECORDS | PACKED | STORED => {
                let number = reader.array().map(u32::from_le_bytes)?;
                let rest = reader.rest();
                match kind {
                    LIST => What::List(number, rest),
                    WANT => What::Want(number, rest),
                    RECORDS => What::Records(number, rest),
                    PACKED => What::Packed(number, rest),
                    _ => What::Stored(number),
                }
            }
            END => What::End,
            ENDED => What::Ended,
            ALL_DONE => What::AllDone,
            GAVE_UP => What::GaveUp,
            _ => return None,
        };
        Some(Self { cluster_key, namespace, partition, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_as_they_are_written() {
        let known = Known {
            digest: Digest([7; 20]),
            last_update_time: LastUpdateTime(99),
            generation: Generation(3),
        };
        let (mut list, mut many) = (Vec::new(), Vec::new());
        known.encode(&mut list);
        known.encode(&mut list);
        assert_eq!(Known::list(&list).collect::<Vec<_>>(), [known, known]);
        put_record(&mut many, &known.digest, b"first");
        put_record(&mut many, &known.digest, b"");
        let read: Vec<_> = records(&many).collect();
        assert_eq!(read, [(known.digest, &b"first"[..]), (known.digest, &b""[..])]);
        for what in [
            What::Begin(std::array::from_fn(|sprig| sprig as u64)),
            What::Ready { differ: 0xFFFF, empty: 3 },
            What::Busy,
            What::List(7, &list),
            What::Want(7, &[1]),
            What::Records(8, &many),
            What::Packed(8, &many),
            What::Stored(8),
            What::End,
            What::Ended,
            What::AllDone,
            What::GaveUp,
        ] {
            let partition = PartitionId::new(4095).unwrap();
            let step = Step { cluster_key: 0xabc, namespace: b"test", partition, what };
            let mut bytes = Vec::new();
            step.encode(&mut bytes);
            assert_eq!(Step::decode(&bytes), Some(step));
            for end in 0..16 {
                assert_eq!(
                    Step::decode(&bytes[..end.min(bytes.len() - 1)]).filter(|_| end < 15),
                    None
                );
            }
        }
    }
}
