//! Reading a server's replies out of the byte stream.

use wire::client::Reply;
use wire::{Info3, ProtoHeader, ProtoType, ResultCode};

/// The peer sent what cannot be a reply; the connection is of no more use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadReply;

/// The body of the message frame at the front of `input`, and the bytes that the frame takes; `None`
/// while it is incomplete.
pub fn first_frame(input: &[u8]) -> Result<Option<(&[u8], usize)>, BadReply> {
    let Some((header, rest)) = input.split_first_chunk() else { return Ok(None) };
    let header = ProtoHeader::parse(*header).map_err(|_| BadReply)?;
    if header.kind != ProtoType::Message {
        return Err(BadReply);
    }
    let body = rest.get(..header.body_size_bytes);
    Ok(body.map(|body| (body, ProtoHeader::SIZE + body.len())))
}

/// What a reply to a single-record request says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Single {
    /// How it ended.
    pub code: ResultCode,
    /// The record's generation.
    pub generation: u32,
}

/// Reads the reply to a single-record request.
pub fn read_single(body: &[u8]) -> Result<Single, BadReply> {
    match Reply::parse(body) {
        Ok((reply, [])) => {
            Ok(Single { code: reply.header.result, generation: reply.header.generation })
        }
        _ => Err(BadReply),
    }
}

/// Reads one frame of a batch's reply: the final result if the batch ends with it.
pub fn read_batch(mut body: &[u8]) -> Result<Option<ResultCode>, BadReply> {
    while !body.is_empty() {
        let (reply, rest) = Reply::parse(body).map_err(|_| BadReply)?;
        if reply.header.info3.contains(Info3::LAST) {
            return if rest.is_empty() { Ok(Some(reply.header.result)) } else { Err(BadReply) };
        }
        body = rest;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use wire::reply;

    use super::*;

    fn reply_frame() -> Vec<u8> {
        let mut out = Vec::new();
        reply::header_only(&mut out, ResultCode::NOT_FOUND, 7, 0);
        out
    }

    #[test]
    fn frames_are_split_off_once_whole() {
        let frame = reply_frame();
        let mut input = frame.clone();
        input.extend_from_slice(&frame[..10]);
        for size in 0..frame.len() {
            assert_eq!(first_frame(&input[..size]), Ok(None));
        }
        let (body, size) = first_frame(&input).unwrap().unwrap();
        assert_eq!((body, size), (&frame[ProtoHeader::SIZE..], frame.len()));
        let single = read_single(body).unwrap();
        assert_eq!(single, Single { code: ResultCode::NOT_FOUND, generation: 7 });
    }

    #[test]
    fn an_info_frame_is_no_reply() {
        assert_eq!(first_frame(&wire::info::request_frame(&["status"])), Err(BadReply));
    }

    #[test]
    fn a_batch_ends_with_its_last_message() {
        let mut frame = reply_frame();
        assert_eq!(read_batch(&frame[ProtoHeader::SIZE..]), Ok(None));
        let two_rows = frame[ProtoHeader::SIZE..].repeat(2);
        assert_eq!(read_batch(&two_rows), Ok(None));
        frame.clear();
        reply::last(&mut frame, ResultCode::TIMEOUT);
        assert_eq!(read_batch(&frame[ProtoHeader::SIZE..]), Ok(Some(ResultCode::TIMEOUT)));
        assert_eq!(read_batch(&frame[ProtoHeader::SIZE + 1..]), Err(BadReply));
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..20_000 {
            let mut bytes = vec![0; random.usize(..80)];
            random.fill(&mut bytes);
            // Half of them look like a message at first.
            if random.bool() {
                for (byte, head) in bytes.iter_mut().zip([2, 3, 0, 0, 0, 0, 0, 30, 22, 0, 0]) {
                    *byte = head;
                }
            }
            if let Ok(Some((body, size))) = first_frame(&bytes) {
                assert!(size <= bytes.len());
                // Nothing to compare: that they return at all is the point.
                let _ = (read_single(body), read_batch(body));
            }
        }
    }
}
