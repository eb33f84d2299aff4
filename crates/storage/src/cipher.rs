//! Encryption of records at rest.
//!
//! Each namespace has a data key of its own, made at random when its devices are made. It stands in the
//! devices' headers, encrypted with a wrapping key that is derived from a key file; so the file can be
//! exchanged without rewriting any record. Records are encrypted with AES in Galois counter mode: what does
//! not open was changed or belongs elsewhere. A nonce is used once: it consists of the number of times
//! that the devices were opened, and a counter.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use aws_lc_rs::{hkdf, rand};
use thiserror::Error;

/// Bytes of the tag behind what is encrypted.
const TAG_BYTES: usize = 16;
/// Least bytes of a key file: those of the longest key.
const KEY_FILE_BYTES_MIN: usize = 32;

/// With which cipher records are encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CipherKind {
    /// AES with a key of 128 bits.
    Aes128,
    /// AES with a key of 256 bits.
    Aes256,
}

impl CipherKind {
    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Aes128 => &AES_128_GCM,
            Self::Aes256 => &AES_256_GCM,
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::Aes128 => 1,
            Self::Aes256 => 2,
        }
    }

    fn of(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Aes128),
            2 => Some(Self::Aes256),
            _ => None,
        }
    }
}

/// What a key file holds; never shown.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The content of a key file.
    ///
    /// # Errors
    /// [`KeyError::Short`] if it has fewer than 32 bytes.
    pub fn new(content: Vec<u8>) -> Result<Self, KeyError> {
        if content.len() < KEY_FILE_BYTES_MIN { Err(KeyError::Short) } else { Ok(Self(content)) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// How records are to be encrypted.
#[derive(Clone, Debug)]
pub struct Encryption {
    /// With which cipher, when the devices are made.
    pub kind: CipherKind,
    /// Wraps the data key.
    pub key: Secret,
    /// Wrapped it until now, if that was another.
    pub old_key: Option<Secret>,
}

/// Why there is no data key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum KeyError {
    /// Too little in the file.
    #[error("a key file must hold at least 32 random bytes")]
    Short,
    /// Neither key opens the data key.
    #[error(
        "the key file is not the one that the devices were made with: give the right one, or the one \
         until now as encryption-old-key-file"
    )]
    Wrong,
    /// Records are encrypted, and there is no key file.
    #[error("its records are encrypted: give encryption-key-file")]
    Missing,
    /// The cipher cannot change while there are records.
    #[error("its records are encrypted with another cipher: set encryption to that one")]
    OtherKind,
    /// The library refused.
    #[error("the cryptographic library failed")]
    Library,
}

/// Encrypts and decrypts records.
pub struct Cipher {
    key: LessSafeKey,
    /// The front half of nonces.
    opens: u32,
    /// The back half of the next one.
    next: AtomicU64,
}

impl Cipher {
    /// A new data key for devices of this set, wrapped for their headers.
    ///
    /// # Errors
    /// [`KeyError::Library`].
    pub fn make_key(encryption: &Encryption, device_set: u64) -> Result<Vec<u8>, KeyError> {
        let algorithm = encryption.kind.algorithm();
        let mut data_key = vec![0; algorithm.key_len()];
        rand::fill(&mut data_key).map_err(|_| KeyError::Library)?;
        wrap(encryption.kind, &encryption.key, &data_key, device_set)
    }

    /// The cipher with the data key that stands wrapped in the headers, and that key wrapped with the
    /// present wrapping key if it was wrapped with the one before.
    ///
    /// # Errors
    /// A [`KeyError`].
    pub fn open(
        encryption: &Encryption,
        wrapped: &[u8],
        device_set: u64,
        opens: u64,
    ) -> Result<(Self, Option<Vec<u8>>), KeyError> {
        let (kind, data_key) = match unwrap(&encryption.key, wrapped, device_set) {
            Some(found) => found,
            None => {
                let old = encryption.old_key.as_ref().ok_or(KeyError::Wrong)?;
                unwrap(old, wrapped, device_set).ok_or(KeyError::Wrong)?
            }
        };
        if kind != encryption.kind {
            return Err(KeyError::OtherKind);
        }
        let is_current = unwrap(&encryption.key, wrapped, device_set).is_some();
        let rewrapped = (!is_current)
            .then(|| wrap(kind, &encryption.key, &data_key, device_set))
            .transpose()?;
        let cipher = Self::with(kind, &data_key, opens)?;
        Ok((cipher, rewrapped))
    }

    /// The cipher by which records of a device can be read, whatever the cipher is called.
    ///
    /// # Errors
    /// [`KeyError::Wrong`] if the key does not open the data key.
    pub fn to_read(key: &Secret, wrapped: &[u8], device_set: u64) -> Result<Self, KeyError> {
        let (kind, data_key) = unwrap(key, wrapped, device_set).ok_or(KeyError::Wrong)?;
        Self::with(kind, &data_key, 0)
    }

    fn with(kind: CipherKind, data_key: &[u8], opens: u64) -> Result<Self, KeyError> {
        let key = UnboundKey::new(kind.algorithm(), data_key).map_err(|_| KeyError::Library)?;
        Ok(Self { key: LessSafeKey::new(key), opens: opens as u32, next: AtomicU64::new(0) })
    }

    /// Encrypts what stands in `out` from `from` on, and puts the nonce in front and the tag behind.
    /// `bound` must be the same when it is decrypted.
    pub fn seal(&self, out: &mut Vec<u8>, from: usize, bound: &[u8]) {
        let mut nonce = [0; NONCE_LEN];
        nonce[..4].copy_from_slice(&self.opens.to_le_bytes());
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        nonce[4..].copy_from_slice(&number.to_le_bytes());
        out.splice(from..from, nonce);
        let content = &mut out[from + NONCE_LEN..];
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(bound), content)
            .expect("records are far below the most that a nonce may be used for");
        out.extend_from_slice(tag.as_ref());
    }

    /// Appends to `out` what [`Self::seal`] was given; `None` if that is not what `sealed` is.
    pub fn unseal(&self, sealed: &[u8], bound: &[u8], out: &mut Vec<u8>) -> Option<()> {
        open_with(&self.key, sealed, bound, out)
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

/// Decrypts what stands behind a nonce, and appends it to `out`.
fn open_with(key: &LessSafeKey, sealed: &[u8], bound: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (nonce, content) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let from = out.len();
    out.extend_from_slice(content);
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = key.open_in_place(nonce, Aad::from(bound), &mut out[from..]);
    let size_bytes = opened.ok()?.len();
    out.truncate(from + size_bytes);
    Some(())
}

/// The key that wraps data keys, derived from what a key file holds.
fn wrapping_key(secret: &Secret) -> Option<LessSafeKey> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"bolide key file");
    let derived = salt.extract(&secret.0);
    let bytes = derived.expand(&[b"wrapping key"], &AES_256_GCM).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(bytes)))
}

/// A data key as it stands in a header: the cipher it is for, a nonce, itself encrypted, a tag.
fn wrap(
    kind: CipherKind,
    secret: &Secret,
    data_key: &[u8],
    device_set: u64,
) -> Result<Vec<u8>, KeyError> {
    let key = wrapping_key(secret).ok_or(KeyError::Library)?;
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce).map_err(|_| KeyError::Library)?;
    let mut wrapped = vec![kind.number()];
    wrapped.extend_from_slice(&nonce);
    let mut content = data_key.to_vec();
    let bound = bound_to(kind, device_set);
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(bound),
        &mut content,
    )
    .map_err(|_| KeyError::Library)?;
    wrapped.append(&mut content);
    Ok(wrapped)
}

fn unwrap(secret: &Secret, wrapped: &[u8], device_set: u64) -> Option<(CipherKind, Vec<u8>)> {
    let (&number, sealed) = wrapped.split_first()?;
    let kind = CipherKind::of(number)?;
    let mut data_key = Vec::new();
    open_with(&wrapping_key(secret)?, sealed, &bound_to(kind, device_set), &mut data_key)?;
    Some((kind, data_key))
}

fn bound_to(kind: CipherKind, device_set: u64) -> [u8; 9] {
    let mut bound = [kind.number(); 9];
    bound[1..].copy_from_slice(&device_set.to_le_bytes());
    bound
}

const _: () = assert!(TAG_BYTES == 16 && NONCE_LEN == 12);

#[cfg(test)]
mod tests {
    use super::*;

    fn encryption(kind: CipherKind, byte: u8) -> Encryption {
        Encryption { kind, key: Secret::new(vec![byte; 32]).unwrap(), old_key: None }
    }

    #[test]
    fn what_is_sealed_opens_and_nothing_else_does() {
        for kind in [CipherKind::Aes128, CipherKind::Aes256] {
            let encryption = encryption(kind, 1);
            let wrapped = Cipher::make_key(&encryption, 5).unwrap();
            let (cipher, rewrapped) = Cipher::open(&encryption, &wrapped, 5, 1).unwrap();
            assert_eq!(rewrapped, None);
            let mut out = b"header".to_vec();
            out.extend_from_slice(b"a body");
            cipher.seal(&mut out, 6, b"digest");
            assert_eq!(&out[..6], b"header");
            assert!(!out.windows(6).any(|part| part == b"a body"));
            let mut opened = Vec::new();
            cipher.unseal(&out[6..], b"digest", &mut opened).unwrap();
            assert_eq!(opened, b"a body");
            assert_eq!(cipher.unseal(&out[6..], b"digesu", &mut Vec::new()), None);
            for at in 6..out.len() {
                let mut bent = out.clone();
                bent[at] ^= 1;
                assert_eq!(cipher.unseal(&bent[6..], b"digest", &mut Vec::new()), None);
            }
            assert_eq!(cipher.unseal(b"short", b"digest", &mut Vec::new()), None);
        }
    }

    #[test]
    fn no_nonce_is_used_twice() {
        let encryption = encryption(CipherKind::Aes256, 1);
        let wrapped = Cipher::make_key(&encryption, 5).unwrap();
        let mut seen = std::collections::HashSet::new();
        for opens in 1..4 {
            let (cipher, _) = Cipher::open(&encryption, &wrapped, 5, opens).unwrap();
            for _ in 0..100 {
                let mut out = Vec::new();
                cipher.seal(&mut out, 0, b"");
                assert!(seen.insert(out[..NONCE_LEN].to_vec()));
            }
        }
    }

    #[test]
    fn the_wrapping_key_can_be_exchanged() {
        let old = encryption(CipherKind::Aes256, 1);
        let wrapped = Cipher::make_key(&old, 5).unwrap();
        let new = encryption(CipherKind::Aes256, 2);
        assert_eq!(Cipher::open(&new, &wrapped, 5, 1).err(), Some(KeyError::Wrong));
        let with_old = Encryption { old_key: Some(old.key.clone()), ..new.clone() };
        let (cipher, rewrapped) = Cipher::open(&with_old, &wrapped, 5, 1).unwrap();
        let (same, none) = Cipher::open(&new, &rewrapped.unwrap(), 5, 2).unwrap();
        assert_eq!(none, None);
        let mut out = Vec::new();
        cipher.seal(&mut out, 0, b"");
        assert_eq!(same.unseal(&out, b"", &mut Vec::new()), Some(()));
        assert_eq!(Cipher::open(&old, &wrapped, 6, 1).err(), Some(KeyError::Wrong));
        let other = Encryption { kind: CipherKind::Aes128, ..old };
        assert_eq!(Cipher::open(&other, &wrapped, 5, 1).err(), Some(KeyError::OtherKind));
        assert!(matches!(Secret::new(vec![0; 31]), Err(KeyError::Short)));
    }
}
