//! The server's binary.

use std::process::ExitCode;

use clap::Parser;
use server::cli::Arguments;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match server::start::run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bolide: {error:#}");
            ExitCode::FAILURE
        }
    }
}
