//! Starts the real server process in a folder of its own, and stops it again.

mod binary;
mod folder;
mod launch;
mod process;
mod server;

pub use binary::{binary, example, inspect_binary};
pub use folder::Folder;
pub use launch::{GOLDEN_CONFIGURATION, Launch, Outcome, Release, golden_configuration_on_files};
pub use process::{Readings, Signal, raise_open_files_max};
pub use server::Server;
