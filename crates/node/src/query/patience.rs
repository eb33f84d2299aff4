//! How long a client may take to accept rows.

use std::time::Duration;

use wire::{FieldType, Request, ResultCode};

use super::jobs::Ending;
use super::plan::number;
use crate::unfinished::SEND_TIMEOUT_MS_DEFAULT;

/// What a client that does not take its rows is given, and since when it has not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Patience {
    /// 0: as long as it likes.
    pub timeout_ms: u32,
    delayed_at: Option<Duration>,
}

impl Patience {
    /// That which a request asks for.
    ///
    /// # Errors
    /// `PARAMETER` if it asks in another form than the protocol's.
    pub fn of(request: &Request<'_>) -> Result<Self, ResultCode> {
        let timeout_ms = number(request, FieldType::SOCKET_TIMEOUT)?;
        Ok(Self { timeout_ms: timeout_ms.unwrap_or(SEND_TIMEOUT_MS_DEFAULT), delayed_at: None })
    }

    /// The client has not taken all of what it was given last.
    pub fn delayed(&mut self, now: Duration) {
        self.delayed_at = Some(now);
    }

    /// It has.
    pub fn taken(&mut self) {
        self.delayed_at = None;
    }

    /// How a query ends that is given up now.
    pub fn given_up(&self, now: Duration) -> Ending {
        let timeout = Duration::from_millis(self.timeout_ms.into());
        let is_late = self.delayed_at.is_some_and(|at| now.saturating_sub(at) >= timeout);
        if is_late && !timeout.is_zero() { Ending::TimedOut } else { Ending::Abandoned }
    }
}
