//! The two ways to fill a segment file, and which of them a file system's record asks for.

use std::fmt;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

/// How payload gets from the input into a segment file. Both give the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Read into a mapping of the output, at its final place.
    Mapped,
    /// Written by `pwritev` out of a mapping of the input.
    Gather,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mapped => "mapped",
            Self::Gather => "gather",
        })
    }
}

/// A kind of file system, as far as it matters for filling files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileSystem {
    /// ext2, ext3, ext4: one number for the three.
    Ext4,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
    /// tmpfs.
    Tmpfs,
    /// overlayfs.
    Overlay,
    /// Any other, or one that did not say.
    Other,
}

impl FileSystem {
    /// The kind that holds an open file or directory.
    pub fn of(file: impl AsFd) -> Self {
        // The magic numbers of linux/magic.h.
        match rustix::fs::fstatfs(file).map(|answer| i128::from(answer.f_type)) {
            Ok(0xef53) => Self::Ext4,
            Ok(0x5846_5342) => Self::Xfs,
            Ok(0x9123_683e) => Self::Btrfs,
            Ok(0x0102_1994) => Self::Tmpfs,
            Ok(0x794c_7630) => Self::Overlay,
            _ => Self::Other,
        }
    }

    /// The kind that would hold an output directory, which need not exist yet: that of its nearest parent that does.
    pub fn for_output(directory: &Path) -> Self {
        let Ok(absolute) = std::path::absolute(directory) else { return Self::Other };
        absolute.ancestors().find_map(|path| File::open(path).ok()).map_or(Self::Other, Self::of)
    }

    /// The way that `--io auto` takes: mapped where the record shows at most 1.10 × the wall time of gather.
    ///
    /// `perf/record/epyc-2core/2026-11-23-limits`, mapped / gather with one thread and with two: xfs 0.81 and 0.91; ext4 1.29 and 1.08;
    /// tmpfs 1.56 and 1.70. The others cannot be mapped safely.
    pub fn auto_way(self) -> Way {
        match self {
            Self::Xfs => Way::Mapped,
            Self::Ext4 | Self::Btrfs | Self::Tmpfs | Self::Overlay | Self::Other => Way::Gather,
        }
    }

    /// Whether writes cost less into space that was allocated at once. Ext4 otherwise reserves it block by block; on xfs and tmpfs,
    /// whose reservations are of ranges, allocation is only more to do.
    pub(super) fn gains_by_allocation(self) -> bool {
        matches!(self, Self::Ext4)
    }

    /// Whether a store into allocated space may still find none: then a mapping is no way to write.
    ///
    /// Btrfs copies a page elsewhere when it is written again after write-back, which needs space that `fallocate` did not
    /// set aside; overlayfs does not say whether there is btrfs below it, and what others do is not known.
    pub(super) fn can_fault_when_full(self) -> bool {
        match self {
            Self::Ext4 | Self::Xfs | Self::Tmpfs => false,
            Self::Btrfs | Self::Overlay | Self::Other => true,
        }
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Tmpfs => "tmpfs",
            Self::Overlay => "overlayfs",
            Self::Other => "an unmeasured file system",
        })
    }
}
