//! What a node tells the others of itself.

use std::net::{IpAddr, SocketAddr};

use prost::Message as _;

/// See the module. Travels with heartbeats; fields that a release does not know are skipped.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Card {
    /// Where it listens for heartbeats and what goes with them.
    pub control: Vec<SocketAddr>,
    /// Where it listens for records.
    pub fabric: Vec<SocketAddr>,
    /// Where clients connect, each `address:port`.
    pub service: Vec<String>,
    /// The same for clients outside.
    pub alternate: Vec<String>,
    /// Its release as clients know it.
    pub build: String,
    /// What it can say to others.
    pub compatibility_id: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(string, repeated, tag = "1")]
    control: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    fabric: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    service: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    alternate: Vec<String>,
    #[prost(string, tag = "5")]
    build: String,
    #[prost(uint32, tag = "6")]
    compatibility_id: u32,
}

impl Card {
    /// Puts addresses with this IP first: there the node was reached. Others may lead nowhere.
    pub fn prefer(&mut self, ip: IpAddr) {
        for addresses in [&mut self.control, &mut self.fabric] {
            addresses.sort_by_key(|address| address.ip() != ip);
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let texts =
            |addresses: &[SocketAddr]| addresses.iter().map(SocketAddr::to_string).collect();
        Wire {
            control: texts(&self.control),
            fabric: texts(&self.fabric),
            service: self.service.clone(),
            alternate: self.alternate.clone(),
            build: self.build.clone(),
            compatibility_id: self.compatibility_id,
        }
        .encode_to_vec()
    }

    /// What cannot be read is left out.
    pub fn decode(bytes: &[u8]) -> Self {
        let wire = Wire::decode(bytes).unwrap_or_default();
        let addresses =
            |texts: Vec<String>| texts.iter().filter_map(|text| text.parse().ok()).collect();
        Self {
            control: addresses(wire.control),
            fabric: addresses(wire.fabric),
            service: wire.service,
            alternate: wire.alternate,
            build: wire.build,
            compatibility_id: wire.compatibility_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_are_read_as_they_are_written() {
        let card = Card {
            control: vec!["10.0.0.1:3002".parse().unwrap(), "[::1]:3002".parse().unwrap()],
            fabric: vec!["10.0.0.1:3001".parse().unwrap()],
            service: vec!["10.0.0.1:3000".into()],
            alternate: vec!["host:3000".into()],
            build: "8.0.0.7".into(),
            compatibility_id: 15,
        };
        assert_eq!(Card::decode(&card.encode()), card);
        let mut preferred = card.clone();
        preferred.prefer("::1".parse().unwrap());
        assert_eq!(preferred.control, [card.control[1], card.control[0]]);
        assert_eq!(preferred.fabric, card.fabric);
        assert_eq!(Card::decode(b"\xff\xff"), Card::default());
    }
}
