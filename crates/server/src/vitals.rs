//! Readings of machine and process from `/proc`, and of the heap.

use std::fs;
use std::time::{Duration, Instant};

use node::Vitals;
use parking_lot::Mutex;

/// Takes readings; shares of CPU time are those since the reading before.
#[derive(Debug)]
pub struct Gauge {
    last: Mutex<(Sample, Vitals)>,
}

/// Readings closer together than this return the same.
const FRESH: Duration = Duration::from_millis(500);

/// Clock ticks a second in `/proc`: a constant of the kernel's interface.
const TICKS_PER_SECOND: u64 = 100;

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    system: SystemTicks,
    process: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct SystemTicks {
    user: u64,
    kernel: u64,
    total: u64,
}

impl Default for Gauge {
    fn default() -> Self {
        Self { last: Mutex::new((Sample::take(), Vitals::default())) }
    }
}

impl Gauge {
    /// The readings now.
    pub fn read(&self) -> Vitals {
        let mut last = self.last.lock();
        let (before, readings) = &mut *last;
        if before.at.elapsed() < FRESH && readings.heap_mapped_kbytes != 0 {
            return *readings;
        }
        let now = Sample::take();
        *readings = measure(before, &now);
        *before = now;
        *readings
    }
}

impl Sample {
    fn take() -> Self {
        let system = fs::read_to_string("/proc/stat").unwrap_or_default();
        let process = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self {
            at: Instant::now(),
            system: parse_system_ticks(&system),
            process: parse_process(&process).0,
        }
    }
}

fn measure(before: &Sample, now: &Sample) -> Vitals {
    let share = |part: u64, whole: u64| (part * 100).checked_div(whole).unwrap_or(0) as u32;
    let total = now.system.total.saturating_sub(before.system.total);
    let elapsed = (now.at - before.at).as_millis() as u64 * TICKS_PER_SECOND / 1000;
    let memory = Memory::read();
    let process = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let heap = Heap::read();
    Vitals {
        system_user_cpu_pct: share(now.system.user.saturating_sub(before.system.user), total),
        system_kernel_cpu_pct: share(now.system.kernel.saturating_sub(before.system.kernel), total),
        system_free_memory_kbytes: memory.available_kbytes,
        system_free_memory_pct: share(memory.available_kbytes, memory.total_kbytes),
        system_thp_memory_kbytes: memory.huge_pages_kbytes,
        process_cpu_pct: share(now.process.saturating_sub(before.process), elapsed),
        threads: parse_process(&process).1,
        heap_allocated_kbytes: heap.allocated / 1024,
        heap_active_kbytes: heap.active / 1024,
        heap_mapped_kbytes: heap.mapped / 1024,
    }
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal.
fn parse_system_ticks(text: &str) -> SystemTicks {
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
    match ticks[..] {
        [user, nice, system, _, _, irq, softirq, _] => SystemTicks {
            user: user + nice,
            kernel: system + irq + softirq,
            total: ticks.iter().sum(),
        },
        _ => SystemTicks::default(),
    }
}

/// CPU ticks and threads of `/proc/self/stat`; its second word may hold blanks, in parentheses.
fn parse_process(text: &str) -> (u64, u32) {
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let words: Vec<&str> = after_name.split_whitespace().collect();
    let number = |place: usize| words.get(place).and_then(|word| word.parse::<u64>().ok());
    (number(11).unwrap_or(0) + number(12).unwrap_or(0), number(17).unwrap_or(0) as u32)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Memory {
    total_kbytes: u64,
    available_kbytes: u64,
    huge_pages_kbytes: u64,
}

impl Memory {
    fn read() -> Self {
        Self::parse(&fs::read_to_string("/proc/meminfo").unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let mut memory = Self::default();
        for line in text.lines() {
            let Some((name, rest)) = line.split_once(':') else { continue };
            let value = || rest.split_whitespace().next().and_then(|word| word.parse().ok());
            match name {
                "MemTotal" => memory.total_kbytes = value().unwrap_or(0),
                "MemAvailable" => memory.available_kbytes = value().unwrap_or(0),
                "AnonHugePages" => memory.huge_pages_kbytes = value().unwrap_or(0),
                _ => {}
            }
        }
        memory
    }
}

/// Bytes of the heap, as the allocator knows them.
#[derive(Clone, Copy, Debug, Default)]
struct Heap {
    allocated: u64,
    active: u64,
    mapped: u64,
}

impl Heap {
    fn read() -> Self {
        use tikv_jemalloc_ctl::{epoch, stats};
        // Zeroes when another allocator serves the process, as in tests.
        let read = |value: Result<usize, _>| value.map_or(0, |bytes: usize| bytes as u64);
        let _ = epoch::advance();
        Self {
            allocated: read(stats::allocated::read()),
            active: read(stats::active::read()),
            mapped: read(stats::mapped::read()),
        }
    }
}

/// Used share of the machine's memory, in percent, rounded up.
pub fn memory_used_pct() -> u32 {
    let memory = Memory::read();
    let used = memory.total_kbytes.saturating_sub(memory.available_kbytes) * 100;
    match memory.total_kbytes {
        0 => 0,
        total => used.div_ceil(total) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_understood() {
        let ticks = parse_system_ticks("cpu  10 1 5 100 3 1 1 0 0 0\ncpu0 1 1 1 1 1 1 1 1\n");
        assert_eq!(ticks, SystemTicks { user: 11, kernel: 7, total: 121 });
        let stat = "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20 0 9 0 123";
        assert_eq!(parse_process(stat), (42, 9));
        let memory = Memory::parse("MemTotal: 100 kB\nMemFree: 9 kB\nMemAvailable:  40 kB\n");
        assert_eq!((memory.total_kbytes, memory.available_kbytes), (100, 40));
    }

    #[test]
    fn this_machine_can_be_read() {
        let vitals = Gauge::default().read();
        assert!(vitals.threads >= 1 && vitals.system_free_memory_kbytes > 0);
        assert!(vitals.system_free_memory_pct <= 100);
        assert!(memory_used_pct() <= 100);
    }

    #[test]
    fn garbage_reads_as_nothing() {
        assert_eq!(parse_system_ticks("x"), SystemTicks::default());
        assert_eq!(parse_process("()"), (0, 0));
        assert_eq!(Memory::parse("MemTotal"), Memory::default());
    }
}
