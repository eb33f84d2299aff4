//! Membership under a simulated network: views form, split, merge and stay.

mod chaos;
mod faults;
mod forming;
mod world;
