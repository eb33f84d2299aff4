//! Where a worker hands over the frames that are to go to other nodes.

use std::time::Instant;

use super::link::{Full, Remote, Route};
use super::links::Links;

/// Takes frames for other nodes, see [`Worker::send_peers`](super::Worker::send_peers). They leave when the
/// worker is done.
pub struct Post<'a> {
    links: &'a mut Links,
    now: Instant,
}

impl<'a> Post<'a> {
    pub(super) fn new(links: &'a mut Links, now: Instant) -> Self {
        Self { links, now }
    }

    /// Appends the frame that `frame` writes, of any size up to
    /// [`PEER_FRAME_SIZE_MAX`](super::PEER_FRAME_SIZE_MAX), to what a link is to send; a route gets
    /// its link if it has none. `frame` appends only, since other frames stand before. Frames of one link
    /// arrive in the order in which they were handed over, if they arrive.
    ///
    /// A frame for a link that another node opened, and that is gone, goes nowhere: whoever asked does
    /// not wait for it any more.
    ///
    /// # Errors
    /// [`Full`] when more than [`Limits::link_unsent_bytes_max`](super::Limits::link_unsent_bytes_max)
    /// is unsent already, or more than 1 MiB while the link is not connected. The worker is asked again
    /// ([`Worker::send_peers`](super::Worker::send_peers)) when there is room, or told that the link is lost.
    #[inline]
    pub fn send(&mut self, to: Remote, frame: impl FnOnce(&mut Vec<u8>)) -> Result<(), Full> {
        match self.links.link_to(to, self.now) {
            Some(key) => self.links.append(key, self.now, frame),
            None => Ok(()),
        }
    }

    /// Has the link of a route connected, though there is nothing to send yet. When that fails, the worker
    /// is told that the link is lost, and may ask again.
    pub fn open(&mut self, route: Route) {
        if let Some(key) = self.links.link_to(Remote::Route(route), self.now)
            && let Some(link) = self.links.get_mut(key)
            && !link.is_open()
        {
            link.want();
            self.links.post(key);
        }
    }
}
