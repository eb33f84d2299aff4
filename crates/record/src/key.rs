//! The user key: stored with the record when sent, compared ever after.

use wire::{ParticleType, ResultCode};

/// Checks a key that came with a write against the one stored, and says which the record has
/// afterwards.
///
/// # Errors
/// `KEY_MISMATCH` if both are there and differ, `UNSUPPORTED_FEATURE` for a key to be stored that is
/// empty or an integer of a size other than 8 bytes.
pub fn key_to_store<'a>(
    stored: Option<&'a [u8]>,
    sent: Option<&'a [u8]>,
) -> Result<Option<&'a [u8]>, ResultCode> {
    match (stored, sent) {
        (Some(_), _) => check_key(stored, sent).map(|()| stored),
        (None, Some(key)) if is_storable(key) => Ok(sent),
        (None, Some(_)) => Err(ResultCode::UNSUPPORTED_FEATURE),
        (None, None) => Ok(None),
    }
}

/// Checks a key that came with a read or delete against the one stored.
///
/// # Errors
/// `KEY_MISMATCH` if both are there and differ.
pub fn check_key(stored: Option<&[u8]>, sent: Option<&[u8]>) -> Result<(), ResultCode> {
    match (stored, sent) {
        (Some(stored), Some(sent)) if stored != sent => Err(ResultCode::KEY_MISMATCH),
        _ => Ok(()),
    }
}

fn is_storable(key: &[u8]) -> bool {
    match key.split_first() {
        None => false,
        Some((particle_type, value)) => {
            ParticleType(*particle_type) != ParticleType::INTEGER || value.len() == 8
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_key_wins() {
        let (a, b) = (Some(&b"\x03a"[..]), Some(&b"\x03b"[..]));
        assert_eq!(key_to_store(a, a), Ok(a));
        assert_eq!(key_to_store(a, None), Ok(a));
        assert_eq!(key_to_store(None, b), Ok(b));
        assert_eq!(key_to_store(a, b), Err(ResultCode::KEY_MISMATCH));
        assert_eq!(check_key(None, b), Ok(()));
    }

    #[test]
    fn bad_keys_are_not_stored() {
        let refused = Err(ResultCode::UNSUPPORTED_FEATURE);
        assert_eq!(key_to_store(None, Some(b"")), refused);
        assert_eq!(key_to_store(None, Some(b"\x01\0\0\0\x07")), refused);
        assert!(key_to_store(None, Some(b"\x01\0\0\0\0\0\0\0\x07")).is_ok());
    }
}
