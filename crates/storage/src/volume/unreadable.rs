//! Blocks that could not be read when their records were to be moved.
//!
//! A device that fails for a moment must not lose the room in them, and one that has gone bad in a place must not
//! keep whoever moves records busy. So they are tried again, each time after a longer pause. Pauses are counted in
//! turns of whoever moves records: it looks for a block at least twice a second.

/// Turns before the first other try.
const TURNS_MIN: u64 = 8;

/// Most turns between two tries.
const TURNS_MAX: u64 = 1 << 12;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    turn: u64,
    blocks: Vec<Pause>,
}

#[derive(Debug)]
struct Pause {
    block: u32,
    /// How long it is, in turns.
    turns: u64,
    /// The turn in which it ends; `None` while the block is tried again.
    until: Option<u64>,
}

impl Unreadable {
    /// A block could not be read.
    pub fn note(&mut self, block: u32) {
        let turn = self.turn;
        match self.blocks.iter_mut().find(|pause| pause.block == block) {
            Some(pause) => {
                pause.turns = (pause.turns * 2).min(TURNS_MAX);
                pause.until = Some(turn + pause.turns);
            }
            None => {
                let until = Some(turn + TURNS_MIN);
                self.blocks.push(Pause { block, turns: TURNS_MIN, until });
            }
        }
    }

    /// A block could be read, or is empty.
    pub fn forget(&mut self, block: u32) {
        self.blocks.retain(|pause| pause.block != block);
    }

    /// A turn is over: the blocks that are to be tried again.
    pub fn take_due(&mut self) -> Vec<u32> {
        self.turn += 1;
        let turn = self.turn;
        let is_due = |pause: &&mut Pause| pause.until.is_some_and(|until| until <= turn);
        let due = self.blocks.iter_mut().filter(is_due);
        due.map(|pause| {
            pause.until = None;
            pause.block
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_a_block_can_be_read() {
        let mut unreadable = Unreadable::default();
        let turns_until_due =
            |unreadable: &mut Unreadable| (1..).find(|_| unreadable.take_due() == [7]).unwrap();
        let pauses = [(); 12].map(|()| {
            unreadable.note(7);
            turns_until_due(&mut unreadable)
        });
        assert_eq!(pauses[..4], [8, 16, 32, 64]);
        assert_eq!(pauses[9..], [4096; 3]);
        unreadable.forget(7);
        assert!((0..TURNS_MAX).all(|_| unreadable.take_due().is_empty()));
        unreadable.note(7);
        assert_eq!(turns_until_due(&mut unreadable), 8);
    }
}
