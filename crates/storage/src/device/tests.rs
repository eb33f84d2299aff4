//! The cases that every device has to stand, and those of single ones.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::aligned::{ALIGN_BYTES, AlignedBuf};
use crate::testing::Folder;

const SIZE_BYTES: u64 = 64 * ALIGN_BYTES as u64;

fn options() -> OpenOptions {
    OpenOptions { filesize_bytes: Some(SIZE_BYTES), ..OpenOptions::default() }
}

fn open(path: &std::path::Path, options: &OpenOptions) -> FileDevice {
    FileDevice::open(path, options).unwrap().device
}

fn filled(byte: u8, pages: usize) -> AlignedBuf {
    let mut bytes = AlignedBuf::zeroed(pages * ALIGN_BYTES);
    bytes.fill(byte);
    bytes
}

/// Every way to make a device in a folder, by name.
fn devices(folder: &Folder) -> Vec<(&'static str, PathBuf, Arc<dyn Device>)> {
    let mut devices: Vec<(&'static str, PathBuf, Arc<dyn Device>)> = Vec::new();
    for (name, direct, synchronous, page_cache_reads) in [
        ("buffered", false, false, false),
        ("direct", true, false, false),
        ("synchronous", true, true, false),
        ("page cache", true, false, true),
    ] {
        let path = folder.path(name);
        let options = OpenOptions { direct, synchronous, page_cache_reads, ..options() };
        let device = Arc::new(open(&path, &options));
        assert_eq!(device.is_synchronous(), synchronous);
        devices.push((name, path, device));
    }
    let path = folder.path("mapped");
    let device = Arc::new(MappedDevice::open(&path, Some(SIZE_BYTES)).unwrap());
    devices.push(("mapped", path, device));
    let path = folder.path("shadowed");
    let primary = Arc::new(open(&path, &options()));
    let shadow = Arc::new(open(&folder.path("shadow"), &options()));
    devices.push(("shadowed", path, Arc::new(Shadowed::new(primary, shadow).unwrap())));
    devices
}

#[test]
fn what_is_written_is_read() {
    let folder = Folder::new();
    for (name, path, device) in devices(&folder) {
        assert_eq!(device.size_bytes(), SIZE_BYTES, "{name}");
        assert_eq!(device.name(), path.display().to_string(), "{name}");
        let mut bytes = filled(1, 3);
        device.read_at(&mut bytes, 0).unwrap();
        assert!(bytes.iter().all(|&byte| byte == 0), "{name}");
        device.write_at(&filled(5, 3), 8 * ALIGN_BYTES as u64).unwrap();
        device.write_at(&filled(6, 1), SIZE_BYTES - ALIGN_BYTES as u64).unwrap();
        device.sync().unwrap();
        device.sync().unwrap();
        let mut bytes = AlignedBuf::zeroed(SIZE_BYTES as usize);
        device.read_at(&mut bytes, 0).unwrap();
        for (page, bytes) in bytes.chunks(ALIGN_BYTES).enumerate() {
            let expected = match page {
                8..11 => 5,
                63 => 6,
                _ => 0,
            };
            assert!(bytes.iter().all(|&byte| byte == expected), "{name}: page {page}");
        }
        drop(device);
        assert!(fs::read(&path).unwrap() == bytes[..], "{name}");
    }
}

#[test]
fn nothing_lies_outside() {
    let folder = Folder::new();
    for (name, _, device) in devices(&folder) {
        let page = ALIGN_BYTES as u64;
        for offset in [SIZE_BYTES, SIZE_BYTES - page, SIZE_BYTES + page, u64::MAX - page + 1] {
            device.read_at(&mut filled(0, 2), offset).expect_err(name);
            device.write_at(&filled(0, 2), offset).expect_err(name);
        }
        drop(device);
    }
}

#[test]
fn bytes_survive_their_device() {
    let folder = Folder::new();
    for (name, path, device) in devices(&folder) {
        device.write_at(&filled(9, 1), 0).unwrap();
        device.sync().unwrap();
        drop(device);
        let device = open(&path, &options());
        let mut bytes = filled(0, 1);
        device.read_at(&mut bytes, 0).unwrap();
        assert!(bytes.iter().all(|&byte| byte == 9), "{name}");
    }
}

#[test]
fn files_grow_but_are_never_cut() {
    let folder = Folder::new();
    let path = folder.path("file");
    let size = |size_bytes| OpenOptions { filesize_bytes: Some(size_bytes), ..options() };
    open(&path, &size(SIZE_BYTES)).write_at(&filled(3, 1), 0).unwrap();

    let grown = FileDevice::open(&path, &size(2 * SIZE_BYTES)).unwrap();
    assert_eq!(grown.notes, [""; 0]);
    assert_eq!(grown.device.size_bytes(), 2 * SIZE_BYTES);
    drop(grown);

    let part = FileDevice::open(&path, &size(SIZE_BYTES)).unwrap();
    assert_eq!(part.device.size_bytes(), SIZE_BYTES);
    let note = format!("{} has 524288 bytes, of which 262144 are used", path.display());
    assert_eq!(part.notes, [note]);
    drop(part);
    assert_eq!(fs::metadata(&path).unwrap().len(), 2 * SIZE_BYTES);

    let whole = open(&path, &OpenOptions { filesize_bytes: None, ..options() });
    assert_eq!(whole.size_bytes(), 2 * SIZE_BYTES);
    let mut bytes = filled(0, 1);
    whole.read_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes[0], 3);
}

#[test]
fn a_device_has_one_user() {
    let folder = Folder::new();
    for (name, path, device) in devices(&folder) {
        let again = FileDevice::open(&path, &options());
        assert!(matches!(again, Err(OpenError::InUse { .. })), "{name}");
        let again = MappedDevice::open(&path, Some(SIZE_BYTES));
        assert!(matches!(again, Err(OpenError::InUse { .. })), "{name}");
        drop(device);
        FileDevice::open(&path, &options()).unwrap();
    }
}

#[test]
fn what_is_no_device_is_refused() {
    let folder = Folder::new();
    let refusal = |path: PathBuf, filesize_bytes| {
        let options = OpenOptions { filesize_bytes, ..options() };
        FileDevice::open(&path, &options).unwrap_err()
    };
    let missing = refusal(folder.path("missing"), None);
    assert!(matches!(missing, OpenError::Open { .. }), "{missing}");
    let missing = refusal(folder.path("no/folder"), Some(SIZE_BYTES));
    assert!(matches!(missing, OpenError::Open { .. }), "{missing}");
    let directory = refusal(folder.path(""), None);
    assert!(matches!(directory, OpenError::NotADevice { .. }), "{directory}");
    let terminal = refusal("/dev/zero".into(), None);
    assert!(matches!(terminal, OpenError::NotADevice { .. }), "{terminal}");
    for size_bytes in [0, 5_000] {
        let size = refusal(folder.path("size"), Some(size_bytes));
        assert!(matches!(size, OpenError::Size { .. }), "{size}");
    }
    let huge = refusal(folder.path("huge"), Some(1 << 62));
    assert!(matches!(huge, OpenError::Grow { .. }), "{huge}");
}

#[test]
fn reads_of_a_file_that_was_cut_fail() {
    let folder = Folder::new();
    let path = folder.path("file");
    let device = open(&path, &options());
    fs::File::options().write(true).open(&path).unwrap().set_len(ALIGN_BYTES as u64).unwrap();
    let error = device.read_at(&mut filled(0, 2), 0).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn reads_can_change_their_way() {
    let folder = Folder::new();
    let device = open(&folder.path("file"), &OpenOptions { direct: true, ..options() });
    for page_cache_reads in [true, false, true, false] {
        device.set_page_cache_reads(page_cache_reads);
        let flags = rustix::fs::fcntl_getfl(device.read_fd().unwrap()).unwrap();
        assert_eq!(flags.contains(rustix::fs::OFlags::DIRECT), !page_cache_reads);
        let byte = u8::from(page_cache_reads);
        device.write_at(&filled(byte, 1), 0).unwrap();
        let mut bytes = filled(7, 1);
        device.read_at(&mut bytes, 0).unwrap();
        assert_eq!(bytes[0], byte);
    }
}

#[test]
fn a_shadow_gets_every_write() {
    let folder = Folder::new();
    let small = Arc::new(open(&folder.path("primary"), &options()));
    let large = OpenOptions { filesize_bytes: Some(2 * SIZE_BYTES), ..options() };
    let large = Arc::new(open(&folder.path("shadow"), &large));
    assert!(Shadowed::new(large.clone(), small.clone()).is_none(), "the copy needs room");
    let device = Shadowed::new(small.clone(), large.clone()).unwrap();
    device.write_at(&filled(4, 2), 0).unwrap();
    device.sync().unwrap();
    for copy in [small, large] {
        let mut bytes = filled(0, 2);
        copy.read_at(&mut bytes, 0).unwrap();
        assert!(bytes.iter().all(|&byte| byte == 4));
    }
}

#[test]
fn both_devices_of_a_pair_must_write() {
    let folder = Folder::new();
    let good = || Arc::new(open(&folder.path(&fastrand::u64(..).to_string()), &options()));
    let bad = || Arc::new(Full);
    let pairs: [(Arc<dyn Device>, Arc<dyn Device>); 2] = [(good(), bad()), (bad(), good())];
    for (primary, shadow) in pairs {
        let device = Shadowed::new(primary, shadow).unwrap();
        device.write_at(&filled(4, 1), 0).unwrap_err();
        device.sync().unwrap_err();
    }
}

/// A device that takes nothing.
#[derive(Debug)]
struct Full;

impl Device for Full {
    fn name(&self) -> &str {
        "full"
    }

    fn size_bytes(&self) -> u64 {
        SIZE_BYTES
    }

    fn read_at(&self, _bytes: &mut [u8], _offset_bytes: u64) -> io::Result<()> {
        Ok(())
    }

    fn write_at(&self, _bytes: &[u8], _offset_bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[test]
#[ignore = "needs root and a free loop device"]
fn a_block_device_has_its_own_size() {
    let folder = Folder::new();
    let image = folder.path("image");
    fs::File::create(&image).unwrap().set_len(SIZE_BYTES + 512).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let path = PathBuf::from(run("losetup", &["--find", "--show", &image.display().to_string()]));
    let options = OpenOptions { direct: true, synchronous: true, ..options() };
    let opened = FileDevice::open(&path, &options).unwrap();
    assert_eq!(opened.device.size_bytes(), SIZE_BYTES);
    assert_eq!(opened.notes.len(), 1, "{:?}", opened.notes);
    let again = FileDevice::open(&path, &options);
    assert!(matches!(again, Err(OpenError::InUse { .. })));
    opened.device.write_at(&filled(7, 64), 0).unwrap();
    drop(opened);
    run("losetup", &["--detach", &path.display().to_string()]);
    assert!(fs::read(&image).unwrap()[..SIZE_BYTES as usize].iter().all(|&byte| byte == 7));
}
