//! Writes whose answer has to wait.
//!
//! With `commit-to-device` a write is answered when it is on its device. Without, the answer waits
//! only while more is being written than the device takes, or than defragmentation makes room for, so
//! that clients slow down before they are refused. Either way a write leaves a [`Pledge`];
//! [`crate::Records::settled`] says whether it is kept.

/// Something that a device still has to do before a write is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pledge {
    /// Which device of the namespace.
    pub(crate) volume: u16,
    /// The number of the write on that device.
    pub(crate) number: u64,
    /// Whether it took space: where that is scarce, it waits for more.
    pub(crate) takes_space: bool,
}

/// The pledges of a request, one for each device that it wrote to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pledges(Vec<Pledge>);

/// How far pledges are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    /// They are kept.
    Kept,
    /// Not yet; whoever subscribed is told when to ask again.
    Waiting,
    /// A device failed: whether the writes last is unknown.
    Failed,
}

impl Pledges {
    /// Adds one. Devices keep pledges in order, so the last of each counts.
    pub fn add(&mut self, pledge: Pledge) {
        match self.0.iter_mut().find(|other| other.volume == pledge.volume) {
            Some(other) => {
                other.number = other.number.max(pledge.number);
                other.takes_space |= pledge.takes_space;
            }
            None => self.0.push(pledge),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes all of them out.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Pledge> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pledge_of_a_device_counts() {
        let mut pledges = Pledges::default();
        for (volume, number) in [(0, 5), (1, 3), (0, 9), (0, 7)] {
            pledges.add(Pledge { volume, number, takes_space: number == 3 });
        }
        let kept: Vec<_> = pledges.iter().map(|pledge| (pledge.volume, pledge.number)).collect();
        assert_eq!(kept, [(0, 9), (1, 3)]);
        assert!(!pledges.take().is_empty() && pledges.is_empty());
    }
}
