//! Free blocks while they are few: who may take them, who has to wait, and which blocks are emptied to
//! gain more.
//!
//! A device that has dead bytes somewhere takes writes. As fewer blocks are free, fuller ones are
//! emptied; then answers to writes wait until as much was gained as they took, so that clients go no
//! faster than defragmentation does. Only where nothing can be gained is a write refused as one that
//! finds no space.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering, fence};

use super::{Front, State, Stream, Urgency, Volume};
use crate::records::Refusal;

/// Blocks that only moving records and deletes may take, so that there is always a way to gain space
/// (storage reference, defragmentation). While there is space to be gained, other writes take from them
/// as well: of few blocks, eight are most of what is not in use.
pub(crate) const RESERVED_BLOCKS: usize = 8;

/// Blocks that other writes always leave alone: one for moves, one for deletes, and one for the time in
/// which what was moved is being written.
const LAST_BLOCKS: usize = 3;

/// The block that deletes leave to moves, which give back more than they take.
const MOVES_BLOCKS: usize = 1;

/// Free blocks at which writers begin to wait for what is gained.
const PACED_BLOCKS: usize = LAST_BLOCKS + 2;

/// Free blocks, and those that are about to be, at which every block is emptied that gains anything: so
/// many, or on devices of more blocks this share. By default writes stop at 5 %.
const URGENT_BLOCKS: usize = LAST_BLOCKS + 3;
const URGENT_PCT: usize = 7;

/// Share of free blocks, or of those beside the reserve, below which blocks are emptied that
/// `defrag-lwm-pct` would leave alone.
const SHORT_PCT: usize = 10;
const SHORT_AVAIL_PCT: usize = 7;

/// How full such a block may be: seven are written for one that is gained.
const WORTH_PCT: u64 = 85;

/// How full it may be if nothing else helps: twenty are written for one that is gained.
const URGENT_WORTH_PCT: u64 = 95;

/// Bytes that are gained between two times that waiting writers hear of it.
const NEWS_BYTES: i64 = 32 << 10;

/// What is known of space that can be gained beside that of blocks that are being emptied already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Prospect {
    /// Nobody has looked.
    Unknown,
    /// This block was worth emptying.
    Block(u32),
    /// No block is.
    None,
}

/// How fast writers may be.
#[derive(Debug, Default)]
pub(super) struct Pace {
    speed: AtomicU8,
    /// What was gained, less what writers took since they had to slow down, in bytes.
    credit_bytes: AtomicI64,
    /// What was gained and nobody heard of.
    news_bytes: AtomicI64,
    /// Whether [`Prospect::None`] holds.
    is_spent: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Speed {
    /// As fast as they like.
    Free = 0,
    /// As fast as space is gained.
    Paced = 1,
    /// Not at all: a block has to be free first.
    Halted = 2,
}

impl Pace {
    /// Whether writers have to slow down.
    pub fn is_slow(&self) -> bool {
        self.speed.load(Ordering::Acquire) != Speed::Free as u8
    }
}

impl Volume {
    /// Whether answers to writes wait until more space is gained.
    pub fn holds_writers(&self) -> bool {
        let speed = self.pace.speed.load(Ordering::Acquire);
        let in_debt = || self.pace.credit_bytes.load(Ordering::Acquire) < 0;
        let holds = speed == Speed::Halted as u8 || speed == Speed::Paced as u8 && in_debt();
        holds && !self.has_failed()
    }

    /// Takes a block to be filled, if this may have one.
    pub(super) fn take_free(
        &self,
        front: &mut Front,
        stream: Stream,
        urgency: Urgency,
    ) -> Result<u32, Refusal> {
        if stream == Stream::Writes
            && let Some(block) = front.spare.take()
        {
            return Ok(block);
        }
        let free = front.free.len();
        let kept = match (stream, urgency) {
            (Stream::Moves, _) => 0,
            (Stream::Writes, Urgency::GainsSpace) => MOVES_BLOCKS,
            (Stream::Writes, Urgency::Ordinary) => {
                let may_take_more = free <= RESERVED_BLOCKS && self.can_gain(front);
                if may_take_more { LAST_BLOCKS } else { RESERVED_BLOCKS }
            }
        };
        if free > kept
            && let Some(block) = front.free.pop_first()
        {
            return Ok(block);
        }
        self.to_move.notify_one();
        Err(if self.can_gain(front) { Refusal::Overload } else { Refusal::Full })
    }

    /// Notes what a writer took while blocks are few.
    pub(super) fn charge(&self, front: &mut Front, bytes: usize) {
        if front.free.len() <= PACED_BLOCKS {
            self.set_pace(front);
            self.pace.credit_bytes.fetch_sub(bytes as i64, Ordering::AcqRel);
        }
    }

    /// Notes dead bytes that were left behind where records move away.
    pub fn gain(&self, bytes: usize) {
        if !self.pace.is_slow() {
            return;
        }
        // What writers do not take at once they do not save up.
        let credit_max = i64::from(self.geometry.block_bytes / 2);
        if self.pace.credit_bytes.load(Ordering::Acquire) < credit_max {
            self.pace.credit_bytes.fetch_add(bytes as i64, Ordering::AcqRel);
        }
        let news = self.pace.news_bytes.fetch_add(bytes as i64, Ordering::Relaxed);
        if news >= NEWS_BYTES && !self.holds_writers() {
            self.pace.news_bytes.store(0, Ordering::Relaxed);
            self.tell();
        }
    }

    /// Whether the rest of the block that writers fill, and that which they fill next, is less than what
    /// those may need who are not waiting yet. If there is one to spare they get it now, before moves do.
    fn runs_out(&self, front: &mut Front) -> bool {
        let half = self.geometry.block_bytes as usize / 2;
        let filling = &front.filling[Stream::Writes as usize];
        if front.spare.is_some() || filling.as_ref().is_some_and(|filling| filling.at <= half) {
            return false;
        }
        if front.free.len() > LAST_BLOCKS {
            front.spare = front.free.pop_first();
        }
        front.spare.is_none()
    }

    /// Decides how fast writers may be.
    pub(super) fn set_pace(&self, front: &mut Front) {
        let is_free = front.free.len() > PACED_BLOCKS || front.stopping || !self.can_gain(front);
        let speed = if is_free {
            Speed::Free
        } else if self.runs_out(front) {
            Speed::Halted
        } else {
            Speed::Paced
        };
        let before = self.pace.speed.swap(speed as u8, Ordering::AcqRel);
        if before == speed as u8 {
            return;
        }
        if before == Speed::Free as u8 {
            self.pace.credit_bytes.store(0, Ordering::Release);
            self.to_write.notify_one();
            self.to_move.notify_one();
        }
        self.tell();
    }

    /// Whether emptying blocks gains space, or has gained some that is not free yet.
    fn can_gain(&self, front: &mut Front) -> bool {
        if !front.emptied.is_empty() || !front.to_move.is_empty() || front.moving > 0 {
            return true;
        }
        match front.prospect {
            Prospect::None => return false,
            Prospect::Block(block) if self.is_worth(block, URGENT_WORTH_PCT) => return true,
            _ => {}
        }
        // Whoever releases a record that is not seen below sees this.
        self.pace.is_spent.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let found = self.sparsest(URGENT_WORTH_PCT);
        front.prospect = found.map_or(Prospect::None, Prospect::Block);
        self.pace.is_spent.store(found.is_none(), Ordering::SeqCst);
        found.is_some()
    }

    /// Whether this block is worth emptying and none was before.
    pub(super) fn is_awaited(&self, block: u32) -> bool {
        self.pace.is_spent.load(Ordering::SeqCst) && self.is_worth(block, URGENT_WORTH_PCT)
    }

    /// Remembers a block that has become worth emptying when none was.
    pub(super) fn note_prospect(&self, front: &mut Front, block: u32) {
        if self.is_awaited(block) {
            front.prospect = Prospect::Block(block);
            self.pace.is_spent.store(false, Ordering::SeqCst);
            self.to_move.notify_one();
        }
    }

    /// Whether writers wait for whoever moves records to gain space.
    pub(super) fn awaits_moves(&self, front: &mut Front) -> bool {
        self.pace.is_slow() && front.emptied.is_empty() && self.can_gain(front)
    }

    /// How full blocks are that are worth emptying, in percent of what was appended to them; `None` if
    /// there are free ones enough.
    pub(super) fn worth_pct(&self, front: &Front) -> Option<u64> {
        let coming = front.free.len() + front.emptied.len();
        let count = self.geometry.block_count as usize;
        let is_short = coming * 100 < count * SHORT_PCT
            || coming.saturating_sub(RESERVED_BLOCKS) * 100 < count * SHORT_AVAIL_PCT;
        let is_urgent = coming <= URGENT_BLOCKS || coming * 100 < count * URGENT_PCT;
        if is_urgent { Some(URGENT_WORTH_PCT) } else { is_short.then_some(WORTH_PCT) }
    }

    /// The full block with the least alive in it of those that are worth emptying.
    pub(super) fn sparsest(&self, worth_pct: u64) -> Option<u32> {
        let worth = self.geometry.blocks().filter(|&block| self.is_worth(block, worth_pct));
        worth.min_by_key(|&block| self.table.live_bytes(block))
    }

    /// Whether so much in a full block is dead that emptying it gains space. What was never appended to
    /// it, since the next record was too large, is not gained by moving what was.
    pub(super) fn is_worth(&self, block: u32, worth_pct: u64) -> bool {
        let (live, end) = (self.table.live_bytes(block), self.table.end_bytes(block));
        self.table.state(block) == State::Full
            && u64::from(live) * 100 <= u64::from(end) * worth_pct
    }
}
