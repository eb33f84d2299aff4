//! Writing cache lines back to persistent memory.

#![allow(unsafe_code)]

/// Whether this processor can be told to write lines back.
pub(super) const AVAILABLE: bool = cfg!(target_arch = "x86_64");

/// Sees to it that `bytes` are in the memory itself, not only in a cache. Does nothing where it is
/// not [`AVAILABLE`].
#[cfg(target_arch = "x86_64")]
pub(super) fn write_back(base: *const u8, size_bytes: usize) {
    use std::arch::asm;
    use std::arch::x86_64::{_mm_clflush, _mm_sfence};

    /// Size of a cache line in bytes on every such processor.
    const LINE_BYTES: usize = 64;

    let lead = base.addr() % LINE_BYTES;
    let first = base.wrapping_sub(lead);
    let keeps_lines = has_clwb();
    for at in (0..size_bytes + lead).step_by(LINE_BYTES) {
        let line = first.wrapping_add(at);
        if keeps_lines {
            // SAFETY: the processor has the instruction, which changes no memory and no register.
            unsafe { asm!("clwb [{}]", in(reg) line, options(nostack, preserves_flags)) };
        } else {
            // SAFETY: every processor of this kind has the instruction; it changes no memory.
            unsafe { _mm_clflush(line) };
        }
    }
    // SAFETY: every processor of this kind has it. What was written back is there when it is over.
    unsafe { _mm_sfence() };
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn write_back(_base: *const u8, _size_bytes: usize) {}

/// Whether lines can be written back without losing them from the cache.
#[cfg(target_arch = "x86_64")]
fn has_clwb() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    use std::sync::OnceLock;

    /// Leaf that lists extended features, and the feature's bit in its second register.
    const EXTENDED_FEATURES: u32 = 7;
    const CLWB: u32 = 1 << 24;

    static HAS_CLWB: OnceLock<bool> = OnceLock::new();
    *HAS_CLWB.get_or_init(|| {
        __cpuid(0).eax >= EXTENDED_FEATURES && __cpuid_count(EXTENDED_FEATURES, 0).ebx & CLWB != 0
    })
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_known_by_its_features() {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        assert_eq!(has_clwb(), cpuinfo.split_whitespace().any(|word| word == "clwb"));
    }

    #[test]
    fn bytes_written_back_stay_as_they_are() {
        let bytes: Vec<u8> = (0..10_000u32).map(|at| at as u8).collect();
        for (at, size) in [(0, 10_000), (1, 1), (63, 2), (64, 64), (100, 0)] {
            write_back(bytes[at..at + size].as_ptr(), size);
        }
        assert!(bytes.iter().enumerate().all(|(at, &byte)| byte == at as u8));
    }
}
