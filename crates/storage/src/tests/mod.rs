//! One suite for all engines, and what only engines with devices can show.

mod conformance;
mod crash;
mod refusals;
mod rot;
mod space;
mod world;
