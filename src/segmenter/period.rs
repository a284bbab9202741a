//! A track whose sample entry no longer fits what comes: the next segment begins a new period, behind another init segment.
//!
//! The packet that changes is refused until what is pending is cut ([`ErrorKind::CutFirst`]); pushed again, it begins the period, and
//! the next cut writes `init-2.mp4`, `init-3.mp4` … in front of its segment.

use super::description::Description;
use super::packets::Packets;
use super::{Segmenter, Source};
use crate::error::{Error, ErrorKind, Result};
use crate::presentation::{Change, Media, OnChange, PackagedTrack, init_name};
use crate::scan::access_units;

/// The periods of a track behind which others began, and the one that begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Periods {
    /// What each says that has ended, with the index of its first segment.
    ended: Vec<(usize, Description)>,
    /// Index of the first segment of the one that is open.
    first: usize,
    /// What the open one says in the end, where the samples that are pending begin another.
    next: Option<Description>,
}

impl Periods {
    /// Whether what is pending begins another period.
    pub(super) fn is_starting(&self) -> bool {
        self.next.is_some()
    }

    /// Name of the init segment that is due.
    pub(super) fn init_name(&self) -> String {
        init_name(self.ended.len() + 1 + usize::from(self.next.is_some()))
    }

    /// The init segment is there: the period begins with the segment of this index.
    pub(super) fn start(&mut self, segment: usize) {
        if let Some(ended) = self.next.take() {
            self.ended.push((self.first, ended));
            self.first = segment;
        }
    }

    /// What is pending goes.
    pub(super) fn discard(&mut self) {
        self.next = None;
    }

    /// What the first period says; `last` is the one that is open.
    pub(super) fn first_of(&self, last: Description) -> Description {
        self.ended.first().map_or(last, |(_, first)| first.clone())
    }

    /// `track` with the periods behind the first, of which `last` is the one that is open.
    pub(super) fn apply(&self, track: PackagedTrack, last: &Description) -> Result<PackagedTrack> {
        let described = self.ended.iter().map(|(first, description)| (*first, description));
        let directory = track.init_path().parent().map(ToOwned::to_owned).unwrap_or_default();
        let changes =
            described.chain([(self.first, last)]).enumerate().skip(1).map(|(index, (first, said))| {
                let init = init_name(index + 1);
                Change {
                    first,
                    init_path: directory.join(&init),
                    init,
                    codec: said.codec.clone(),
                    media: Media::of(&said.entry),
                    sample_entry: Some(said.entry.clone()),
                }
            });
        let changes = changes.collect();
        track.with_changes(changes)
    }
}

impl Segmenter {
    /// Reads a packet into `parsed`; where it changes what the init segment says, and that is allowed, as the first of a period.
    pub(super) fn read_packet(&mut self, source: Source<'_>) -> Result<()> {
        if self.config.on_change == OnChange::Error {
            return self.read_into_parsed(source);
        }
        let before = self.packets.clone();
        let error = match self.read_into_parsed(source) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let Some(change) = access_units::Change::of(error.kind()) else { return Err(error) };
        let access_units::Change { what, first, second } = change.clone();
        let place = error.offset().unwrap_or(second);
        if !self.pending.is_empty() {
            return Err(Error::new(ErrorKind::CutFirst { what, first, second }).at(place));
        }
        self.packets = before;
        let ended = self.description.is_some().then(|| self.describe()).transpose()?;
        self.packets.start_period(change);
        self.read_into_parsed(source).map_err(|error| match access_units::Change::of(error.kind()) {
            // What stands in front of it in the packet belongs to the period before.
            Some(_) => Error::conflict(
                format!("{what} at {second:#x} within a packet, from what holds since {first:#x}"),
                "push the access units of it in packets of their own",
            )
            .at(place),
            None => error,
        })?;
        if self.periods.next.is_none() {
            self.periods.next = ended;
        }
        Ok(())
    }

    fn read_into_parsed(&mut self, source: Source<'_>) -> Result<()> {
        let packet = match source {
            Source::Pushed(packet) => packet,
            Source::Reserved(used) => super::reserved_packet(self.file.as_ref(), used)?,
        };
        self.packets.read(packet, &mut self.parsed)
    }

    /// Keeps the bytes of a reservation that has to wait for a cut.
    pub(super) fn keep_refused(&mut self, source: Source<'_>, error: &Error) {
        if let (Source::Reserved(used), ErrorKind::CutFirst { .. }) = (source, error.kind()) {
            let packet = super::reserved_packet(self.file.as_ref(), used);
            self.refused = packet.ok().map(<[u8]>::to_vec);
        }
    }

    /// The packet that [`Reservation::commit`](super::Reservation::commit) last refused with [`ErrorKind::CutFirst`], to be pushed
    /// behind the cut; `None` where it was taken already.
    pub fn take_refused(&mut self) -> Option<Vec<u8>> {
        self.refused.take()
    }
}

impl Packets {
    /// From now on a period may start with any packet of pictures in NAL units.
    pub(super) fn allow_periods(&mut self) {
        match self {
            Self::Avc(packets) => packets.allow_periods(),
            Self::Hevc(packets) => packets.allow_periods(),
            _ => {}
        }
    }

    /// What comes next begins a period.
    fn start_period(&mut self, change: access_units::Change) {
        match self {
            Self::Avc(packets) => packets.start_period(change),
            Self::Hevc(packets) => packets.start_period(change),
            _ => {}
        }
    }
}
