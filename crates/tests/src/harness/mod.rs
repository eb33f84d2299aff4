//! Starts the real server process in a folder of its own, and stops it again.

mod binary;
mod folder;
mod server;

pub use binary::binary;
pub use folder::Folder;
pub use server::{GOLDEN_CONFIGURATION, Server};
