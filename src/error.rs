//! The one error of the library: which rule was broken, by which value, where, and what to do about it.
//!
//! A low layer makes an [`Error`] from an [`ErrorKind`] with the byte offset it knows; the layers above add the
//! offset of the unit it was reading ([`Error::shift`]) and the file ([`Error::in_file`]) as it rises. Printed, it is
//! one line: `a.h264 @ 0x1f40: seq_parameter_set_id is 33, must be 0..=31 (H.264 7.4.2.1.1); what to do`.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// `Result` with fragmint's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Text of a rule or remedy: fixed, or made for one value.
pub type Text = Cow<'static, str>;

/// What went wrong, and where.
#[derive(Debug)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    path: Option<PathBuf>,
    packet: Option<u64>,
    offset: Option<u64>,
}

/// One broken rule with the value that broke it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A syntax element needs more data than there is.
    #[error("{element} runs past the end of its data ({clause}); the input is cut off or damaged")]
    Truncated {
        /// The syntax element's name in the standard.
        element: &'static str,
        /// Standard and clause.
        clause: &'static str,
    },
    /// A syntax element has a value that the standard does not allow.
    #[error(
        "{element} is {value}, must be {allowed} ({clause}); the stream is damaged there or breaks the standard"
    )]
    OutOfRange {
        /// The syntax element's name in the standard.
        element: &'static str,
        /// The value read.
        value: i64,
        /// The values allowed, for example `0..=31`.
        allowed: &'static str,
        /// Standard and clause.
        clause: &'static str,
    },
    /// The input breaks a rule that is not about the range of one value.
    #[error("{what} ({clause}); {remedy}")]
    Malformed {
        /// What was found.
        what: Text,
        /// Standard and clause.
        clause: &'static str,
        /// What a person can do.
        remedy: Text,
    },
    /// The input is valid, but fragmint cannot represent it.
    #[error("{what}: not supported; {remedy}")]
    Unsupported {
        /// What was found.
        what: Text,
        /// What a person can do.
        remedy: Text,
    },
    /// The stream starts in the middle: with a picture that decoding cannot start at.
    #[error(
        "the stream does not start with {first}{}; cut it to start at one, or drop what comes before the first one \
         (--drop-leading, drop_leading)",
        .pictures.map_or_else(String::new, |pictures| format!(": {pictures} pictures come before the first"))
    )]
    LeadingPictures {
        /// What decoding can start with, and the clause.
        first: &'static str,
        /// How many, where the stream was read on to the first of these.
        pictures: Option<u64>,
    },
    /// A parameter set differs from the one with the same id, where a track can hold one alone (`avc1`); or a sequence
    /// header of AV1 or the format of VP9 frames, which have no id, differ from the first.
    #[error("{}", changed_set(.kind, *.id, *.first))]
    ParameterSetChanged {
        /// Which kind of set.
        kind: &'static str,
        /// Its id, by which slices or other sets refer to it.
        id: u8,
        /// Byte offset of the set that came first.
        first: u64,
        /// Byte offset of the one that differs.
        second: u64,
    },
    /// A parameter set under a new id, where the sample entry that holds them alone is written without it.
    #[error(
        "{kind} {id} is new, and the init segment is written without it; give it when the track is started, keep parameter sets in \
         band (avc3, hev1), or start a new period (on_change)"
    )]
    ParameterSetNew {
        /// Which kind of set.
        kind: &'static str,
        /// Its id.
        id: u8,
        /// Byte offset of the set.
        at: u64,
    },
    /// What a packet changes begins a new period, and samples of the one before are pending.
    #[error(
        "{what} at {second:#x}, from what holds since {first:#x}: a new period starts with this packet; cut what is pending (cut), \
         then push it again"
    )]
    CutFirst {
        /// What changes.
        what: String,
        /// Byte offset of what held before.
        first: u64,
        /// Byte offset of what differs from it.
        second: u64,
    },
    /// Pictures have another format than those before them, which the sample entry describes: their size, shape, chroma or colour.
    #[error(
        "{what} within the stream, from the format of the picture at {first:#x} on; one track has one format: start a new period \
         here (--on-change new-period, on_change), or cut the stream and package the parts separately"
    )]
    PictureFormatChanged {
        /// What of it changes, from what to what.
        what: Text,
        /// Byte offset of the first picture of the first format.
        first: u64,
        /// Byte offset of the first picture of the second.
        second: u64,
    },
    /// The caller's words contradict the input or each other.
    #[error("{what}; {remedy}")]
    Conflict {
        /// Which words, against what.
        what: Text,
        /// What a person can do.
        remedy: Text,
    },
    /// The settings of a request contradict each other or the kind of input they stand at, whatever else the inputs hold.
    #[error("{what}; {remedy}")]
    Usage {
        /// Which settings, against what.
        what: Text,
        /// What a person can do.
        remedy: Text,
    },
    /// A number does not fit the field that has to hold it.
    #[error("{what} is {value}, the limit is {limit} ({clause}); {remedy}")]
    TooLarge {
        /// What has the value.
        what: Text,
        /// The value.
        value: u64,
        /// The largest value possible.
        limit: u64,
        /// Standard and clause.
        clause: &'static str,
        /// What a person can do.
        remedy: Text,
    },
    /// The renditions of a switching set do not share the instants or the length that they must share.
    #[error("{what}; {remedy}")]
    NotAligned {
        /// Rendition, frame, time, and the nearest instants in common.
        what: Text,
        /// What a person can do.
        remedy: Text,
    },
    /// The file changed while it was read.
    #[error("the file changed while it was read: {what}; run again when nothing writes to it")]
    Changed {
        /// Expected and found.
        what: Text,
    },
    /// Somebody asked for the work to end.
    #[error(
        "the run was interrupted; go on with it by --resume (Existing::Resume), or replace what is there by --force"
    )]
    Interrupted,
    /// The operating system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried: "open the input", "create the directory" …
        action: Text,
        /// The system's answer.
        source: std::io::Error,
    },
}

fn changed_set(kind: &str, id: u8, first: u64) -> String {
    match kind {
        "sequence header" => format!(
            "the sequence header differs from the one at {first:#x}; an av01 sample entry holds one: package the parts of \
             the stream separately"
        ),
        "color configuration" => format!(
            "the profile, bit depth, subsampling or colour of the frame differs from that at {first:#x}; a vp09 sample entry holds \
             one: package the parts of the stream separately"
        ),
        _ => format!(
            "{kind} {id} differs from the one with the same id at {first:#x}; an avc1 sample entry holds one set for each \
             id: keep the sets in band (avc3; --parameter-sets in-band), start a new period (--on-change new-period, on_change), or \
             package the parts of the stream separately"
        ),
    }
}

impl Error {
    /// An error with neither place nor file.
    pub fn new(kind: ErrorKind) -> Self {
        Self { inner: Box::new(Inner { kind, path: None, packet: None, offset: None }) }
    }

    /// A syntax element that runs past its data.
    pub fn truncated(element: &'static str, clause: &'static str) -> Self {
        Self::new(ErrorKind::Truncated { element, clause })
    }

    /// A syntax element with a forbidden value.
    pub fn out_of_range(
        element: &'static str,
        value: impl TryInto<i64>,
        allowed: &'static str,
        clause: &'static str,
    ) -> Self {
        let value = value.try_into().unwrap_or(i64::MAX);
        Self::new(ErrorKind::OutOfRange { element, value, allowed, clause })
    }

    /// A rule broken by the input.
    pub fn malformed(what: impl Into<Text>, clause: &'static str, remedy: impl Into<Text>) -> Self {
        Self::new(ErrorKind::Malformed { what: what.into(), clause, remedy: remedy.into() })
    }

    /// Something valid that fragmint does not represent.
    pub fn unsupported(what: impl Into<Text>, remedy: impl Into<Text>) -> Self {
        Self::new(ErrorKind::Unsupported { what: what.into(), remedy: remedy.into() })
    }

    /// Settings against the input, or against each other.
    pub fn conflict(what: impl Into<Text>, remedy: impl Into<Text>) -> Self {
        Self::new(ErrorKind::Conflict { what: what.into(), remedy: remedy.into() })
    }

    /// Settings of a request that no input of the kind can satisfy.
    pub fn usage(what: impl Into<Text>, remedy: impl Into<Text>) -> Self {
        Self::new(ErrorKind::Usage { what: what.into(), remedy: remedy.into() })
    }

    /// Renditions that do not line up.
    pub fn not_aligned(what: impl Into<Text>, remedy: impl Into<Text>) -> Self {
        Self::new(ErrorKind::NotAligned { what: what.into(), remedy: remedy.into() })
    }

    /// A failed system call.
    pub fn io(action: impl Into<Text>, source: impl Into<std::io::Error>) -> Self {
        Self::new(ErrorKind::Io { action: action.into(), source: source.into() })
    }

    /// Says where in the input it happened, in bytes, if nothing below said so more exactly.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.inner.offset.get_or_insert(offset);
        self
    }

    /// Turns an offset inside a unit into one inside the file: adds `base`, or takes `base` where no offset is known.
    #[must_use]
    pub fn shift(mut self, base: u64) -> Self {
        self.inner.offset = Some(base.saturating_add(self.inner.offset.unwrap_or(0)));
        self
    }

    /// Says which file it is about, if nothing below said so.
    #[must_use]
    pub fn in_file(mut self, path: &Path) -> Self {
        self.inner.path.get_or_insert_with(|| path.to_path_buf());
        self
    }

    /// Says which packet of a track it is about, counted from 1.
    #[must_use]
    pub fn in_packet(mut self, number: u64) -> Self {
        self.inner.packet.get_or_insert(number);
        self
    }

    /// The broken rule.
    pub fn kind(&self) -> &ErrorKind {
        &self.inner.kind
    }

    /// The file it is about.
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// The packet of a track it is about, counted from 1.
    pub fn packet(&self) -> Option<u64> {
        self.inner.packet
    }

    /// Byte offset in that file, or in the stream of all packets.
    pub fn offset(&self) -> Option<u64> {
        self.inner.offset
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(number), None) = (self.inner.packet, &self.inner.path) {
            write!(f, "packet {number}{}", if self.inner.offset.is_some() { " " } else { ": " })?;
        }
        match (&self.inner.path, self.inner.offset) {
            (Some(path), Some(offset)) => write!(f, "{} @ {offset:#x}: ", path.display())?,
            (Some(path), None) => write!(f, "{}: ", path.display())?,
            (None, Some(offset)) => write!(f, "@ {offset:#x}: ")?,
            (None, None) => {}
        }
        self.inner.kind.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // `Io` prints its source itself; naming it again would double the line.
        None
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_path_offset_rule_in_one_line() {
        let error = Error::out_of_range("seq_parameter_set_id", 33, "0..=31", "H.264 7.4.2.1.1")
            .at(3)
            .shift(0x1f3d)
            .in_file(Path::new("a.h264"));
        assert_eq!(
            error.to_string(),
            "a.h264 @ 0x1f40: seq_parameter_set_id is 33, must be 0..=31 (H.264 7.4.2.1.1); the stream is damaged there \
             or breaks the standard"
        );
    }

    #[test]
    fn the_first_file_and_offset_win() {
        let error = Error::unsupported("x", "y").at(7).at(9).in_file(Path::new("a")).in_file(Path::new("b"));
        assert_eq!((error.offset(), error.path()), (Some(7), Some(Path::new("a"))));
    }
}
