//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Version of this product; the protocol's is what info commands answer as `build`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A distributed database that speaks the Aerospike protocol.
///
/// Without a file it serves the namespaces `test` and `bar` in memory on loopback, port 3000.
#[derive(Clone, Debug, Parser)]
#[command(name = "bolide", version = VERSION, about)]
pub struct Arguments {
    /// The configuration: `aerospike.conf`, or the same settings as YAML (`.yaml`, `.yml`).
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// Read the configuration, say what is wrong with it, and exit.
    #[arg(long)]
    pub check_config: bool,

    /// Stay in the foreground. Always so: a service manager detaches better.
    #[arg(long)]
    pub foreground: bool,

    /// The same for systemd; settings `user`, `group` and `pidfile` are ignored.
    #[arg(long)]
    pub fgdaemon: bool,

    /// Log everything until the configured log sinks are open.
    #[arg(long)]
    pub early_verbose: bool,

    /// Do not use indexes that an earlier run left in memory.
    #[arg(long)]
    pub cold_start: bool,

    /// Number of this server among several on the machine.
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u8).range(0..=15))]
    pub instance: u8,

    /// Speak no later version of the protocol between nodes than this one. Nodes find out by themselves what they
    /// have in common; this is for trying an upgrade.
    #[arg(long, value_name = "VERSION", hide = true)]
    pub peer_protocol_max: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_originals_command_line_is_understood() {
        let arguments = Arguments::try_parse_from([
            "bolide",
            "--config-file",
            "/etc/aerospike/aerospike.conf",
            "--foreground",
            "--cold-start",
            "--instance",
            "3",
        ])
        .unwrap();
        assert_eq!(arguments.instance, 3);
        assert!(arguments.foreground && arguments.cold_start && !arguments.check_config);
    }

    #[test]
    fn bad_options_are_refused() {
        for bad in [["bolide", "--instance=16"], ["bolide", "--confg"], ["bolide", "file"]] {
            assert!(Arguments::try_parse_from(bad).is_err(), "{bad:?}");
        }
    }
}
