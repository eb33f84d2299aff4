//! Counters that cost one plain store to raise: each thread has a stripe of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

/// Which stripe of a [`Bank`] a thread raises: event loops have one each, all others share one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stripe(usize);

impl Stripe {
    /// For threads that are not event loops: their increments are atomic.
    pub const SHARED: Self = Self(0);

    /// The stripe of the event loop numbered `index`. No two threads may use the same one at a time.
    pub const fn of_loop(index: usize) -> Self {
        Self(index + 1)
    }

    /// Position of the stripe among those of a bank.
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// Names of a bank's counters, in the order of their numbers.
pub trait CounterName: Copy + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// Position in [`Self::ALL`].
    fn number(self) -> usize;

    /// Name in answers to info commands.
    fn name(self) -> &'static str;
}

/// A set of counters, one of each name for each stripe.
#[derive(Debug)]
pub struct Bank<C: CounterName> {
    stripes: Box<[CachePadded<Box<[AtomicU64]>>]>,
    names: std::marker::PhantomData<C>,
}

impl<C: CounterName> Bank<C> {
    /// Counters at zero, for this many event loops and one stripe for everybody else.
    pub fn new(loops: usize) -> Self {
        let stripe = || CachePadded::new(C::ALL.iter().map(|_| AtomicU64::new(0)).collect());
        Self { stripes: (0..=loops).map(|_| stripe()).collect(), names: std::marker::PhantomData }
    }

    /// Adds to a counter.
    pub fn add(&self, stripe: Stripe, counter: C, amount: u64) {
        if let Some(slot) = self.stripes.get(stripe.0).and_then(|s| s.get(counter.number())) {
            if stripe == Stripe::SHARED {
                slot.fetch_add(amount, Ordering::Relaxed);
            } else {
                // One writer: no need for an atomic addition.
                slot.store(slot.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
            }
        }
    }

    /// Adds one to a counter.
    pub fn raise(&self, stripe: Stripe, counter: C) {
        self.add(stripe, counter, 1);
    }

    /// A counter's value over all threads.
    pub fn sum(&self, counter: C) -> u64 {
        let values = self.stripes.iter().filter_map(|stripe| stripe.get(counter.number()));
        values.fold(0, |sum, value| sum.wrapping_add(value.load(Ordering::Relaxed)))
    }
}

/// Declares an enum of counters with their info names.
#[macro_export]
macro_rules! counter_names {
    ($(#[$type_doc:meta])* $type:ident { $($name:ident = $text:literal,)* }) => {
        $(#[$type_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $type {
            $(#[doc = concat!("`", $text, "`")] $name,)*
        }

        impl $crate::counters::CounterName for $type {
            const ALL: &'static [Self] = &[$(Self::$name,)*];

            fn number(self) -> usize {
                self as usize
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    counter_names! {
        /// Two counters.
        Two { First = "first", Second = "second", }
    }

    #[test]
    fn stripes_add_up() {
        let bank = Bank::<Two>::new(2);
        bank.raise(Stripe::of_loop(0), Two::First);
        bank.add(Stripe::of_loop(1), Two::First, 5);
        bank.add(Stripe::SHARED, Two::First, 10);
        bank.raise(Stripe::of_loop(9), Two::First);
        assert_eq!(bank.sum(Two::First), 16, "a stripe that does not exist counts nothing");
        assert_eq!(bank.sum(Two::Second), 0);
        assert_eq!(Two::Second.name(), "second");
    }

    #[test]
    fn shared_stripe_loses_nothing() {
        let bank = Bank::<Two>::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| bank.raise(Stripe::SHARED, Two::Second)));
            }
        });
        assert_eq!(bank.sum(Two::Second), 4000);
    }
}
