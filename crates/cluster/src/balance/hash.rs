//! The hashes that spread nodes over partitions.

/// FNV-1a with 64 bits.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// Jenkins' one-at-a-time hash, widened to 64 bits.
pub(super) fn one_at_a_time(bytes: &[u8]) -> u64 {
    let mixed = bytes.iter().fold(0_u64, |hash, byte| {
        let hash = hash.wrapping_add(u64::from(*byte));
        let hash = hash.wrapping_add(hash << 10);
        hash ^ hash >> 6
    });
    let hash = mixed.wrapping_add(mixed << 3);
    let hash = hash ^ hash >> 11;
    hash.wrapping_add(hash << 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published test vectors of FNV-1a; of the other hash, values computed apart from this code.
    #[test]
    fn known_values() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(one_at_a_time(b""), 0);
        assert_eq!(one_at_a_time(b"a"), 0x0000_0006_ca2e_9442);
        assert_eq!(one_at_a_time(b"foobar"), 0x7598_28f3_e901_312d);
    }
}
