//! The frames that the rows of a batch are sent in.

use engine::Stripe;
use wire::compress::shrink_last_frame;
use wire::proto::{ProtoType, close_frame, open_frame};
use wire::reply::{ReplyWriter, RowCodes};

use crate::counters::ServiceCounter;
use crate::node::Node;

/// Size in bytes, header included, that a frame does not exceed unless a single row does.
pub(super) const FRAME_BYTES_MAX: usize = 128 * 1024;

/// Writes rows into frames at the end of an output.
pub(super) struct Frames<'o> {
    out: &'o mut Vec<u8>,
    node: &'o Node,
    stripe: Stripe,
    /// Whether the client takes compressed frames.
    compresses: bool,
    /// Where the first frame begins.
    from: usize,
    /// Where the open frame begins.
    open_at: Option<usize>,
    /// Where its last row begins.
    row_at: usize,
}

impl<'o> Frames<'o> {
    /// Begins with an open frame, if that is not empty: what [`Self::suspend`] gave.
    pub fn new(
        out: &'o mut Vec<u8>,
        node: &'o Node,
        stripe: Stripe,
        compresses: bool,
        open: &[u8],
    ) -> Self {
        let from = out.len();
        out.extend_from_slice(open);
        let (open_at, row_at) = ((!open.is_empty()).then_some(from), out.len());
        Self { out, node, stripe, compresses, from, open_at, row_at }
    }

    /// Takes the open frame out, to go on with it later; empty if there is none.
    pub fn suspend(&mut self) -> Vec<u8> {
        self.open_at.take().map_or_else(Vec::new, |open_at| self.out.split_off(open_at))
    }

    /// Bytes of all frames.
    pub fn bytes(&self) -> usize {
        self.out.len() - self.from
    }

    /// Begins a row, in a frame of its own if none is open.
    #[inline]
    pub fn begin_row(&mut self, index: u32, codes: RowCodes) -> ReplyWriter<'_> {
        if self.open_at.is_none() {
            self.open_at = Some(open_frame(self.out));
        }
        self.row_at = self.out.len();
        ReplyWriter::row(self.out, index, codes)
    }

    /// Sees to it that the row just written fits its frame: otherwise the frame is closed before it,
    /// and the row begins another. Says whether that was so.
    #[inline]
    pub fn fit_row(&mut self) -> bool {
        let begun_at = self.open_at.unwrap_or(self.row_at);
        let overflows = self.out.len() - begun_at > FRAME_BYTES_MAX;
        let has_others = self.row_at > begun_at + wire::ProtoHeader::SIZE;
        if overflows && has_others {
            self.move_row_to_next_frame();
        }
        overflows && has_others
    }

    #[cold]
    fn move_row_to_next_frame(&mut self) {
        let row = self.out.split_off(self.row_at);
        self.close();
        self.open_at = Some(open_frame(self.out));
        self.row_at = self.out.len();
        self.out.extend_from_slice(&row);
    }

    /// Takes back the row under way, and the frame if it has no other.
    pub fn take_row_back(&mut self) {
        match self.open_at {
            Some(open_at) if self.row_at > open_at + wire::ProtoHeader::SIZE => {
                self.out.truncate(self.row_at);
            }
            _ => self.discard(),
        }
    }

    /// Takes back the open frame with all its rows.
    pub fn discard(&mut self) {
        if let Some(open_at) = self.open_at.take() {
            self.out.truncate(open_at);
        }
    }

    /// Closes the open frame, if there is one.
    pub fn close(&mut self) {
        let Some(open_at) = self.open_at.take() else { return };
        close_frame(self.out, open_at, ProtoType::Message);
        let counters = &self.node.counters;
        counters.raise(self.stripe, ServiceCounter::BatchIndexCreatedBuffers);
        if self.out.len() - open_at > FRAME_BYTES_MAX {
            counters.raise(self.stripe, ServiceCounter::BatchIndexHugeBuffers);
        }
        if self.compresses {
            let (before, after) = shrink_last_frame(self.out, open_at);
            self.node.batch_compression.record(before, after);
        }
    }
}
