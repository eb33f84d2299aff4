//! The frames of the gossip as bytes: what `foca` leaves to its user. Their form belongs to the version of the
//! protocol.

use std::net::SocketAddr;

use bytes::{Buf, BufMut};
use foca::{Header, Member, Message, State};

use super::gossip::Identity;
use super::message::{address_bytes, address_of};
use crate::NodeId;

/// The longest frame: room for every member of the largest cluster.
pub(super) const FRAME_BYTES_MAX: usize = 48 * 1024;

/// The first byte of the frame by which a node learns that it is taken for dead.
const TURN_UNDEAD: u8 = 10;

/// Whether a frame says to its receiver that it is taken for dead.
pub(super) fn is_turn_undead(frame: &[u8]) -> bool {
    frame.first() == Some(&TURN_UNDEAD)
}

/// What is wrong with a frame.
#[derive(Debug)]
pub(super) enum FrameError {
    /// It is none.
    Malformed,
    /// There is no room for it.
    Full,
}

impl std::fmt::Display for FrameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a frame of the gossip",
            Self::Full => "no room in the frame",
        })
    }
}

impl std::error::Error for FrameError {}

/// Writes and reads frames.
///
/// - header: kind of message u8, number of the probe u8, the message's third party if it has one, sender, its
///   incarnation in the gossip u16, receiver;
/// - member: identity, incarnation in the gossip u16, state u8;
/// - identity: node id u64, incarnation u64, renewals u32, length of the address u8, address.
pub(super) struct FrameCodec;

impl foca::Codec<Identity> for FrameCodec {
    type Error = FrameError;

    fn encode_header(
        &mut self,
        header: &Header<Identity>,
        buf: impl BufMut,
    ) -> Result<(), FrameError> {
        let (kind, probe, third) = parts(&header.message);
        let mut bytes = vec![kind, probe];
        if let Some(third) = third {
            put_identity(third, &mut bytes);
        }
        put_identity(&header.src, &mut bytes);
        bytes.put_u16(header.src_incarnation);
        put_identity(&header.dst, &mut bytes);
        put(&bytes, buf)
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Identity>, FrameError> {
        let kind = buf.try_get_u8().map_err(|_| FrameError::Malformed)?;
        let probe = buf.try_get_u8().map_err(|_| FrameError::Malformed)?;
        let message = message_of(kind, probe, &mut buf)?;
        let src = identity_of(&mut buf)?;
        let src_incarnation = buf.try_get_u16().map_err(|_| FrameError::Malformed)?;
        Ok(Header { src, src_incarnation, dst: identity_of(&mut buf)?, message })
    }

    fn encode_member(
        &mut self,
        member: &Member<Identity>,
        buf: impl BufMut,
    ) -> Result<(), FrameError> {
        let mut bytes = Vec::with_capacity(32);
        put_identity(member.id(), &mut bytes);
        bytes.put_u16(member.incarnation());
        bytes.put_u8(match member.state() {
            State::Alive => 0,
            State::Suspect => 1,
            State::Down => 2,
        });
        put(&bytes, buf)
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<Member<Identity>, FrameError> {
        let identity = identity_of(&mut buf)?;
        let incarnation = buf.try_get_u16().map_err(|_| FrameError::Malformed)?;
        let state = match buf.try_get_u8().map_err(|_| FrameError::Malformed)? {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Down,
            _ => return Err(FrameError::Malformed),
        };
        Ok(Member::new(identity, incarnation, state))
    }
}

/// Kind, number of the probe, third party.
fn parts(message: &Message<Identity>) -> (u8, u8, Option<&Identity>) {
    match message {
        Message::Ping(probe) => (0, *probe, None),
        Message::Ack(probe) => (1, *probe, None),
        Message::PingReq { target, probe_number } => (2, *probe_number, Some(target)),
        Message::IndirectPing { origin, probe_number } => (3, *probe_number, Some(origin)),
        Message::IndirectAck { target, probe_number } => (4, *probe_number, Some(target)),
        Message::ForwardedAck { origin, probe_number } => (5, *probe_number, Some(origin)),
        Message::Announce => (6, 0, None),
        Message::Feed => (7, 0, None),
        Message::Gossip => (8, 0, None),
        Message::Broadcast => (9, 0, None),
        Message::TurnUndead => (TURN_UNDEAD, 0, None),
    }
}

fn message_of(
    kind: u8,
    probe_number: u8,
    buf: &mut impl Buf,
) -> Result<Message<Identity>, FrameError> {
    Ok(match kind {
        0 => Message::Ping(probe_number),
        1 => Message::Ack(probe_number),
        2 => Message::PingReq { target: identity_of(buf)?, probe_number },
        3 => Message::IndirectPing { origin: identity_of(buf)?, probe_number },
        4 => Message::IndirectAck { target: identity_of(buf)?, probe_number },
        5 => Message::ForwardedAck { origin: identity_of(buf)?, probe_number },
        6 => Message::Announce,
        7 => Message::Feed,
        8 => Message::Gossip,
        9 => Message::Broadcast,
        TURN_UNDEAD => Message::TurnUndead,
        _ => return Err(FrameError::Malformed),
    })
}

fn put(bytes: &[u8], mut buf: impl BufMut) -> Result<(), FrameError> {
    if buf.remaining_mut() < bytes.len() {
        return Err(FrameError::Full);
    }
    buf.put_slice(bytes);
    Ok(())
}

fn put_identity(identity: &Identity, bytes: &mut Vec<u8>) {
    bytes.put_u64(identity.node.0);
    bytes.put_u64(identity.incarnation);
    bytes.put_u32(identity.renewals);
    let address = address_bytes(&identity.address);
    bytes.put_u8(address.len() as u8);
    bytes.put_slice(&address);
}

fn identity_of(buf: &mut impl Buf) -> Result<Identity, FrameError> {
    let mut read = || -> Option<Identity> {
        let node = NodeId(buf.try_get_u64().ok()?);
        let incarnation = buf.try_get_u64().ok()?;
        let renewals = buf.try_get_u32().ok()?;
        let address = address(buf)?;
        (node.0 != 0).then_some(Identity { node, incarnation, renewals, address })
    };
    read().ok_or(FrameError::Malformed)
}

fn address(buf: &mut impl Buf) -> Option<SocketAddr> {
    let length = usize::from(buf.try_get_u8().ok()?);
    let mut bytes = [0; 18];
    let bytes = bytes.get_mut(..length)?;
    buf.try_copy_to_slice(bytes).ok()?;
    address_of(bytes)
}
