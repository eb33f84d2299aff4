//! The server's binary.

use std::process::ExitCode;

use clap::Parser;
use server::cli::Arguments;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Set-up of the allocator. Records lie all over memory, so huge pages save a fifth of the user time
/// of a request in missed address translations; memory that became free goes back by itself.
// SAFETY: the allocator reads this symbol once, as the address of text that ends with a zero byte.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static ALLOCATOR_OPTIONS: &[u8; 52] = b"thp:always,metadata_thp:auto,background_thread:true\0";

fn main() -> ExitCode {
    match server::start::run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bolide: {error:#}");
            ExitCode::FAILURE
        }
    }
}
