//! A lease on an input: while it is held nobody else has the file open for writing, so its mapping may be loaded from.
//!
//! Linux's file leases (fcntl(2), `F_SETLEASE`): a read lease is given only while nobody has the file open for writing. Whoever
//! then opens it for writing, or truncates it by its name, waits until the lease is left; after 45 s
//! (`/proc/sys/fs/lease-break-time`) the kernel takes it away. So it is held for the milliseconds that a window is looked at,
//! and not taken again while somebody waits. What is left dies of SIGBUS: a process that is stopped, or waits for a disk, for those
//! 45 s right then, while another truncates its input; one whose input is truncated right then by an open for reading alone
//! (`O_RDONLY | O_TRUNC`), of which Linux asks no lease (seen on 6.18); and one whose input's medium fails right then.
//!
//! A lease is given to the owner of the file and to whoever has `CAP_LEASE`, and is taken on file systems alone whose files change
//! on this machine only. Without one an input is read instead.

use std::fs::File;
use std::io::IoSliceMut;
use std::ops::Deref;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::sync::{Mutex, MutexGuard};

use rustix::fs::OFlags;
use rustix::io::{Errno, ReadWriteFlags};

use super::map::{self, LeaseRequest};
use super::way::FileSystem;

/// The right to take the lease of one open file, which its threads share.
#[derive(Debug)]
pub(super) struct Lease {
    /// Opened for this alone.
    file: File,
    /// Holders of the lease, which is one for all handles of the open file.
    holders: Mutex<usize>,
}

impl Lease {
    /// `None` where there are no leases, or where what they promise is not known.
    pub(super) fn of(file: &File) -> Option<Self> {
        let is_local = match FileSystem::of(file) {
            FileSystem::Ext4 | FileSystem::Xfs | FileSystem::Btrfs | FileSystem::Tmpfs => true,
            // The file of another file system, which may change below; or one that may change on another machine.
            FileSystem::Overlay | FileSystem::Other => false,
        };
        if !is_local {
            return None;
        }
        // Opened once more, since a lease is one for all who share an open file: standard input is shared with other processes, and
        // a handle with whoever cloned it, each of whom could leave the lease, or take the signal from it, while others hold it.
        let own = format!("/proc/self/fd/{}", file.as_raw_fd());
        let own =
            File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(own).ok()?;
        let (own_is, is) = (own.metadata().ok()?, file.metadata().ok()?);
        let is_same = (own_is.dev(), own_is.ino()) == (is.dev(), is.ino());
        is_same.then(|| Self { file: own, holders: Mutex::new(0) })
    }

    /// Holds the lease, if it is to be had: not while somebody has the file open for writing, or waits to.
    pub(super) fn hold(&self) -> Option<Held<'_>> {
        let mut holders = self.holders();
        if *holders == 0 {
            // That somebody waits is told by a signal. It would end the process if it were not one that is ignored unless
            // somebody wants it; leaving the lease forgets which it is to be.
            map::lease(&self.file, LeaseRequest::Signal(libc::SIGURG)).ok()?;
            map::lease(&self.file, LeaseRequest::Take).ok()?;
        } else if map::lease(&self.file, LeaseRequest::Ask) != Ok(libc::F_RDLCK) {
            return None;
        }
        *holders += 1;
        Some(Held { lease: self })
    }

    fn holders(&self) -> MutexGuard<'_, usize> {
        // The count is right at any time, whoever panicked.
        self.holders.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A lease that is held.
#[derive(Debug)]
pub(super) struct Held<'a> {
    lease: &'a Lease,
}

impl Held<'_> {
    /// Bytes that the file has, and keeps; 0 where it does not say.
    pub(super) fn file_len(&self) -> u64 {
        self.lease.file.metadata().map_or(0, |metadata| metadata.size())
    }

    /// Whether whoever wants the byte in front of `end` would have to wait for a disk.
    pub(super) fn would_wait(&self, end: u64) -> bool {
        let mut last = [0];
        let mut last = [IoSliceMut::new(&mut last)];
        let at = end.saturating_sub(1);
        // A file system that cannot say is taken to have them.
        rustix::io::preadv2(&self.lease.file, &mut last, at, ReadWriteFlags::NOWAIT) == Err(Errno::AGAIN)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut holders = self.lease.holders();
        *holders -= 1;
        if *holders == 0 {
            // Refused only where the kernel took it away.
            let _ = map::lease(&self.lease.file, LeaseRequest::Leave);
        }
    }
}

/// Bytes of a source that neither change nor vanish as long as they are lent. Not to be kept: whoever wants to write to their
/// file waits meanwhile.
#[derive(Debug)]
pub struct Lent<'a> {
    bytes: &'a [u8],
    /// `None` for bytes in memory.
    _held: Option<Held<'a>>,
}

impl<'a> Lent<'a> {
    /// Bytes of a mapping, as long as the lease is held.
    pub(super) fn by_lease(bytes: &'a [u8], held: Held<'a>) -> Self {
        Self { bytes, _held: Some(held) }
    }
}

impl<'a> From<&'a [u8]> for Lent<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, _held: None }
    }
}

impl Deref for Lent<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::io::ReadAt as _;
    use crate::io::input::Input;
    use crate::io::windows::{ScanOptions, scan_nal_units};

    /// A file of 3 MiB and some, on a file system with leases.
    fn file() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), (0..3_200_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>()).unwrap();
        let kind = FileSystem::of(file.as_file());
        assert!(
            Lease::of(file.as_file()).is_some(),
            "set TMPDIR to a directory on ext4, xfs, btrfs or tmpfs: {kind}"
        );
        // Without the handle that can write, or there is no lease.
        let (_, path) = file.into_parts();
        tempfile::NamedTempFile::from_parts(File::open(&path).unwrap(), path)
    }

    fn open_to_write(file: &tempfile::NamedTempFile) -> std::io::Result<File> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        File::options().write(true).custom_flags(flags).open(file.path())
    }

    #[test]
    fn bytes_are_lent_while_nobody_can_write_and_nobody_can_write_while_they_are_lent() {
        let file = file();
        let input = Input::open(file.path()).unwrap();
        for (offset, len) in
            [(0, 1), (0, 3_200_000), (1 << 20, 1 << 20), (3_199_999, 1), (3_000_000, 200_000)]
        {
            let lent = input.lend(offset, len).unwrap();
            let again = input.lend(0, 1).unwrap();
            assert!(lent.iter().zip(offset..offset + len).all(|(byte, n)| u64::from(*byte) == n % 251));
            assert_eq!(lent.len() as u64, len);
            drop(again);
            let refused = open_to_write(&file).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::WouldBlock);
            drop(lent);
            let writer = open_to_write(&file).unwrap();
            assert!(input.lend(offset, len).is_none(), "somebody may write");
            drop(writer);
        }
    }

    #[test]
    fn what_is_not_in_the_file_is_not_lent() {
        let file = file();
        let input = Input::open(file.path()).unwrap();
        for (offset, len) in [(3_200_000, 1), (3_199_999, 2), (u64::MAX, 1), (1, u64::MAX)] {
            assert!(input.lend(offset, len).is_none(), "{offset} {len}");
        }
        assert!(input.lend(0, 3_200_000).is_some());
        open_to_write(&file).unwrap().set_len(3_199_999).unwrap();
        assert!(input.lend(0, 1).is_none(), "a file that was cut off");
        assert!(input.read_at(3_199_990, &mut [0; 10]).is_err());
    }

    #[test]
    fn what_has_to_come_from_the_disk_is_read_and_not_lent() {
        let file = file();
        if FileSystem::of(file.as_file()) == FileSystem::Tmpfs {
            println!("NOT CHECKED: files of tmpfs are always in memory");
            return;
        }
        let warm = Input::open(file.path()).unwrap();
        assert!(warm.lend(0, 1 << 20).is_some());
        file.as_file().sync_all().unwrap();
        rustix::fs::fadvise(file.as_file(), 2 << 20, None, rustix::fs::Advice::DontNeed).unwrap();
        assert!(warm.lend(0, 1 << 20).is_some(), "present");
        assert!(warm.lend(2 << 20, 1 << 20).is_none());
        warm.read_at(2 << 20, &mut [0; 1 << 20]).unwrap();
        assert!(warm.lend(2 << 20, 1 << 20).is_none(), "the rest is read too, in order");
        assert!(warm.lend(0, 1 << 20).is_some(), "present still");
        assert!(Input::open(file.path()).unwrap().lend(2 << 20, 1 << 20).is_some());
    }

    #[test]
    fn nothing_more_is_lent_while_somebody_waits_to_write_and_he_waits_for_the_last_alone() {
        let file = file();
        let input = Input::open(file.path()).unwrap();
        let clone = input.try_clone().unwrap();
        let (first, second) = (input.lend(0, 10).unwrap(), clone.lend(0, 10).unwrap());
        let (tell, told) = mpsc::channel();
        let path = file.path().to_owned();
        let writer = std::thread::spawn(move || {
            let opened = File::options().write(true).open(path).map(drop);
            tell.send(()).unwrap();
            opened
        });
        while input.lend(0, 10).is_some() {
            std::thread::yield_now();
        }
        assert!(clone.lend(0, 10).is_none());
        drop(first);
        assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "the clone's lease is the same");
        drop(second);
        writer.join().unwrap().unwrap();
        assert!(input.lend(0, 10).is_some());
    }

    #[test]
    fn two_inputs_of_one_open_file_do_not_leave_the_lease_of_each_other() {
        let file = file();
        let opened = || Input::from_file(file.as_file().try_clone().unwrap(), file.path()).unwrap();
        let (one, other) = (opened(), opened());
        let (lent, left) = (one.lend(0, 10).unwrap(), other.lend(0, 10).unwrap());
        drop(left);
        assert!(open_to_write(&file).is_err(), "it is lent still");
        drop(lent);
        open_to_write(&file).unwrap();
    }

    #[test]
    fn nobody_waits_for_what_progress_does() {
        let file = file();
        open_to_write(&file).unwrap().write_all(&[0, 0, 1, 0x65]).unwrap();
        let input = Input::open(file.path()).unwrap();
        let progress = |_| drop(open_to_write(&file).unwrap());
        let options = ScanOptions { progress: Some(&progress), ..Default::default() };
        // One thread, so that nothing else is lent meanwhile.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| scan_nal_units(&input, &options, |_| Ok(()))).unwrap();
    }
}
