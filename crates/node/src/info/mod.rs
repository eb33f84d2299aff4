//! Info commands: text in, text out.

use std::net::SocketAddr;

use wire::info::{Command, append_answer, commands};

use crate::node::Node;

/// The release of the original whose protocol and features this product has; clients choose commands
/// by it.
pub const BUILD: &str = "8.0.0.7";

/// Answers the body of an info request: a line for each command, in order.
pub fn answer(node: &Node, body: &[u8], from: SocketAddr, out: &mut Vec<u8>) {
    for command in commands(body) {
        let mut value = Vec::new();
        answer_command(node, &command, from, &mut value);
        append_answer(out, command.line, &value);
    }
}

/// Answers one line with its value alone.
pub fn answer_value(node: &Node, line: &[u8], from: SocketAddr, out: &mut Vec<u8>) {
    answer_command(node, &Command::parse(line), from, out);
}

fn answer_command(node: &Node, command: &Command<'_>, _from: SocketAddr, out: &mut Vec<u8>) {
    match command.name {
        b"status" => out.extend_from_slice(b"ok"),
        b"namespaces" => {
            let names: Vec<&str> = node.namespaces.iter().map(|ns| &*ns.name).collect();
            out.extend_from_slice(names.join(";").as_bytes());
        }
        _ => out.extend_from_slice(b"ERROR:4:unrecognized command"),
    }
}
