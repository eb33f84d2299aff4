//! What a connection or a link keeps between its turns: bytes received and not handled, bytes to be sent
//! that the socket did not take.

/// Bytes received and not yet handled. Without any it holds no memory.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// Those before are handled.
    from: usize,
}

impl Held {
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.from..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn append(&mut self, fresh: &[u8]) {
        if self.from > 0 {
            self.bytes.drain(..self.from);
            self.from = 0;
        }
        self.bytes.extend_from_slice(fresh);
    }

    /// What is left when the first `count` bytes are handled.
    pub(super) fn without_first(mut self, count: usize) -> Self {
        self.from += count;
        if self.from < self.bytes.len() { self } else { Self::default() }
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Bytes to be sent.
#[derive(Default)]
pub(super) struct Owed {
    bytes: Vec<u8>,
    /// Those before are sent.
    from: usize,
}

impl Owed {
    /// The bytes of `bytes` from `from` on.
    pub(super) fn rest_of(bytes: Vec<u8>, from: usize) -> Self {
        Self { bytes, from }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.from..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes are to be sent.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.from)
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Where to append more. What stands there already is to stay as it is.
    #[inline]
    pub(super) fn end(&mut self) -> &mut Vec<u8> {
        // Not before half of it is sent, so that every byte is moved once at most.
        if self.from > 0 && self.from >= self.len() {
            self.bytes.drain(..self.from);
            self.from = 0;
        }
        &mut self.bytes
    }

    /// Forgets the first `count` bytes, which are sent. When none are left, a buffer of up to
    /// `retained_max` bytes is kept for the next.
    #[inline]
    pub(super) fn sent(&mut self, count: usize, retained_max: usize) {
        self.from += count;
        if self.from < self.bytes.len() {
            return;
        }
        self.from = 0;
        if self.bytes.capacity() > retained_max {
            self.bytes = Vec::new();
        } else {
            self.bytes.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_bytes() {
        let mut held = Held::default();
        assert!(held.is_empty());
        held.append(b"abc");
        held.append(b"def");
        let mut held = held.without_first(2);
        assert_eq!(held.bytes(), b"cdef");
        held.append(b"g");
        assert_eq!(held.bytes(), b"cdefg");
        let held = held.without_first(5);
        assert!(held.is_empty());
        assert_eq!(held.capacity(), 0, "nothing held takes no memory");
    }

    #[test]
    fn owed_bytes() {
        let mut owed = Owed::rest_of(b"abcdefgh".to_vec(), 2);
        assert_eq!((owed.bytes(), owed.len()), (&b"cdefgh"[..], 6));
        owed.sent(1, 0);
        owed.end().extend(b"i");
        assert_eq!(owed.bytes(), b"defghi");
        owed.sent(3, 0);
        owed.end().extend(b"j");
        assert_eq!(owed.bytes(), b"ghij");
        owed.sent(4, 1024);
        assert!(owed.is_empty() && owed.capacity() > 0, "kept for the next");
        owed.end().extend(b"k");
        owed.sent(1, 0);
        assert_eq!(owed.capacity(), 0);
    }
}
