//! `MPD`, `Period`, `AdaptationSet`, `Representation` ► tracks and switching sets (ISO/IEC 23009-1 5.3.1 to 5.3.5).

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{self, Described};
use super::media::{self, Media, Place};
use super::report::{Reporter, not_a};
use super::template::MAX_REFERENCE;
use super::value::{self, NANOS};
use super::xml::Element;
use super::{
    MPD_ATTRIBUTE, MPD_DURATION, MPD_EMPTY, MPD_ID, MPD_NAMESPACE, MPD_REQUIRED, MPD_SIZE, MPD_TYPE,
};
use crate::verify::Files;
use crate::verify::files::FILE_ELSEWHERE;
use crate::verify::findings::Findings;
use crate::verify::listing::{ListedTrack, Listing, Time};
use crate::verify::uri::{Target, resolve};

/// How many representations of one MPD are read.
const MAX_REPRESENTATIONS: usize = 10_000;

/// Durations of an MPD are written to a tenth of a second by some; in nanoseconds.
const ROUNDING: i128 = NANOS as i128 / 5;

/// Why the segments of a representation are not read.
pub(super) const NO_MP4: &str = "DASH segments that are no fragmented MP4, or have no init segment";

const NAMESPACE: &str = "urn:mpeg:dash:schema:mpd:2011";

/// What a reference is resolved against: a path of the package, or nothing that is known.
pub(super) type Base = Option<String>;

/// An MPD as far as it is read.
pub(super) struct Walk<'f> {
    /// The package.
    pub files: &'f dyn Files,
    /// Of the MPD.
    pub path: &'f str,
    /// What is found.
    pub report: Reporter<'f>,
    /// `MPD@type` is `dynamic`.
    pub is_dynamic: bool,
    elsewhere_is_told: bool,
    listing: Listing,
}

/// Reads the MPD of the root `mpd`.
pub(super) fn read(files: &dyn Files, path: &str, mpd: &Element<'_>, findings: &mut Findings) -> Listing {
    let is_dynamic = mpd.get("type").map(str::trim) == Some("dynamic");
    let report = Reporter::new(path, findings);
    let listing = Listing { file: path.to_owned(), ..Listing::default() };
    let mut walk = Walk { files, path, report, is_dynamic, elsewhere_is_told: false, listing };
    walk.presentation(mpd);
    walk.listing
}

impl Walk<'_> {
    fn presentation(&mut self, mpd: &Element<'_>) {
        self.check_root(mpd);
        let total = self.duration(mpd, "mediaPresentationDuration");
        let time = |nanos| Time::new(nanos, NANOS);
        self.listing.duration = total.map(time);
        self.listing.min_buffer_time = self.duration(mpd, "minBufferTime").map(time);
        for name in ["maxSegmentDuration", "maxSubsegmentDuration", "timeShiftBufferDepth"] {
            self.duration(mpd, name);
        }
        let periods: Vec<_> = mpd.all("Period").collect();
        if periods.is_empty() {
            self.report.add(&MPD_EMPTY, mpd, "there is no Period".to_owned());
            return;
        }
        let durations = self.period_times(&periods, total);
        self.check_ids(&periods);
        let base = self.base(&Some(self.path.to_owned()), mpd);
        for (index, (period, (start, duration))) in periods.iter().zip(durations).enumerate() {
            self.period(period, &base, index, duration);
            let is_new = |track: &&mut ListedTrack| track.period == index;
            for track in self.listing.tracks.iter_mut().rev().take_while(is_new) {
                track.period_start = start.map(time);
                track.period_duration = duration.filter(|_| periods.len() > 1).map(time);
            }
        }
        let is_remote = |element: &Element<'_>| element.get("xlink:href").is_some();
        let any_remote =
            periods.iter().any(|period| is_remote(period) || period.all("AdaptationSet").any(is_remote));
        if self.listing.tracks.is_empty() && !any_remote && !self.is_dynamic {
            self.report.add(&MPD_EMPTY, mpd, "there is no Representation".to_owned());
        }
    }

    fn check_root(&mut self, mpd: &Element<'_>) {
        let mut names = vec!["profiles", "minBufferTime"];
        match mpd.get("type").map(str::trim) {
            None | Some("static") => {}
            Some("dynamic") => {
                names.push("availabilityStartTime");
                let message = "MPD@type is dynamic: what it names is checked as it is now".to_owned();
                self.report.add(&MPD_TYPE, mpd, message);
            }
            Some(other) => {
                self.report.add(&MPD_ATTRIBUTE, mpd, not_a(mpd, "type", other, "static or dynamic"));
            }
        }
        for name in names.into_iter().filter(|name| mpd.get(name).is_none()) {
            self.report.add(&MPD_REQUIRED, mpd, format!("MPD has no @{name}"));
        }
        if !mpd.declares(NAMESPACE) {
            self.report.add(&MPD_NAMESPACE, mpd, format!("MPD does not declare the namespace {NAMESPACE}"));
        }
    }

    /// An `xs:duration` in nanoseconds.
    fn duration(&mut self, element: &Element<'_>, name: &str) -> Option<i128> {
        let text = element.get(name)?;
        let duration = value::duration(text);
        if duration.is_none() {
            self.report.add(&MPD_DURATION, element, not_a(element, name, text, "a duration like PT9.5S"));
        }
        duration
    }

    /// When each period starts, and how long it is: told, else up to the next one or to the end. In nanoseconds.
    fn period_times(
        &mut self,
        periods: &[&Element<'_>],
        total: Option<i128>,
    ) -> Vec<(Option<i128>, Option<i128>)> {
        let told: Vec<_> = periods
            .iter()
            .map(|period| (self.duration(period, "start"), self.duration(period, "duration")))
            .collect();
        let mut start = if self.is_dynamic { None } else { Some(0) };
        let mut times = Vec::new();
        for (index, (period, &(told_start, told_duration))) in periods.iter().zip(&told).enumerate() {
            start = told_start.or(start);
            let end = match told.get(index + 1) {
                Some((next, _)) => *next,
                None => total,
            };
            let rest = end.zip(start).map(|(end, start)| end - start);
            let duration = told_duration.or(rest);
            let is_remote = period.get("xlink:href").is_some();
            let is_malformed = ["start", "duration"]
                .iter()
                .any(|name| period.get(name).is_some_and(|text| value::duration(text).is_none()));
            if let Some(before) = rest.filter(|&rest| rest < 0 && !is_remote) {
                let message =
                    format!("Period starts {} s behind the end of it", -before as f64 / NANOS as f64);
                self.report.add(&MPD_DURATION, period, message);
            } else if duration.is_none() && !self.is_dynamic && !is_remote && !is_malformed {
                let message = "a static MPD does not tell how long the Period is: by MPD@mediaPresentationDuration, \
                               Period@duration or @start of the next one";
                self.report.add(&MPD_DURATION, period, message.to_owned());
            }
            let is_last = index + 1 == periods.len();
            let apart = told_duration.zip(rest).map(|(told, rest)| (told - rest).abs());
            if is_last && !is_remote && !self.is_dynamic && apart.is_some_and(|apart| apart > ROUNDING) {
                let message = format!(
                    "the last Period is to last {} s, and mediaPresentationDuration ends {} s behind its start",
                    told_duration.unwrap_or(0) as f64 / NANOS as f64,
                    rest.unwrap_or(0) as f64 / NANOS as f64
                );
                self.report.add(&MPD_DURATION, period, message);
            }
            times.push((start, duration.filter(|&duration| duration >= 0)));
            start = start.zip(duration).map(|(start, duration)| start + duration);
        }
        times
    }

    /// `@id` of periods, and of the adaptation sets of each.
    fn check_ids(&mut self, periods: &[&Element<'_>]) {
        let mut check = |of: &mut dyn Iterator<Item = &Element<'_>>, within: &str| {
            let mut ids = BTreeSet::new();
            for element in of {
                let Some(id) = element.get("id") else { continue };
                if !ids.insert(id.to_owned()) {
                    let message = format!("a second {} with the id '{id:.60}' in one {within}", element.name);
                    self.report.add(&MPD_ID, element, message);
                }
            }
        };
        check(&mut periods.iter().copied(), "MPD");
        for period in periods {
            check(&mut period.all("AdaptationSet"), "Period");
        }
    }

    fn period(&mut self, period: &Element<'_>, base: &Base, index: usize, duration: Option<i128>) {
        let base = self.base(base, period);
        let mut ids = BTreeMap::new();
        for set in period.all("AdaptationSet") {
            let base = self.base(&base, set);
            let mut switched = Vec::new();
            for representation in set.all("Representation") {
                if self.listing.tracks.len() >= MAX_REPRESENTATIONS {
                    let message = format!("more than {MAX_REPRESENTATIONS} representations are not read");
                    self.report.add(&MPD_SIZE, representation, message);
                    return;
                }
                let described = Described { set, representation };
                let base = self.base(&base, representation);
                let track = self.track(&[representation, set, period], described, base, duration, index);
                if described.is_switched() {
                    switched.push(self.listing.tracks.len());
                }
                if let Some(id) = representation.get("id") {
                    self.check_representation_id(&mut ids, id, &track, representation);
                }
                self.listing.tracks.push(track);
            }
            if switched.len() > 1 {
                self.listing.switching_sets.push(switched);
            }
        }
    }

    /// Two representations of a period may have one id if they are the same: the same segments.
    fn check_representation_id(
        &mut self,
        ids: &mut BTreeMap<String, usize>,
        id: &str,
        track: &ListedTrack,
        at: &Element<'_>,
    ) {
        let Some(&first) = ids.get(id) else {
            ids.insert(id.to_owned(), self.listing.tracks.len());
            return;
        };
        let first = &self.listing.tracks[first];
        let resource = |track: &ListedTrack| track.segments.first().map(|segment| segment.resource.clone());
        if first.init != track.init || resource(first) != resource(track) || track.segments.is_empty() {
            let message = format!("a second Representation with the id '{id:.60}' in one Period");
            self.report.add(&MPD_ID, at, message);
        }
    }

    /// A representation; `levels` are itself, its set and its period.
    fn track(
        &mut self,
        levels: &[&Element<'_>; 3],
        described: Described<'_, '_>,
        base: Base,
        period: Option<i128>,
        period_index: usize,
    ) -> ListedTrack {
        let element = described.representation;
        let id = element.get("id").unwrap_or_default();
        let found = self.report.found;
        let place = Place {
            levels,
            id,
            bandwidth: element.get("bandwidth").and_then(|text| value::unsigned(text, u64::MAX)).unwrap_or(0),
            period,
            is_base_media: described.is_base_media(),
        };
        let mut media = match base {
            Some(base) => media::read(self, &place, &base),
            None => Media { is_excused: true, ..Media::default() },
        };
        if media.segments.is_empty() && !media.is_excused && self.report.found == found {
            self.report.add(&MPD_EMPTY, element, format!("Representation '{id:.60}' has no segments"));
        }
        if let Some(first) = media.segments.first_mut() {
            first.discontinuity = period_index > 0;
        }
        if media.init.is_none() && !media.segments.is_empty() && !self.listing.not_checked.contains(&NO_MP4) {
            self.listing.not_checked.push(NO_MP4);
        }
        let claims = claims::read(&mut self.report, described, media.has_index);
        let mut name = format!("Representation {id:.200}");
        if period_index > 0 {
            name.push_str(&format!(" of period {}", period_index + 1));
        }
        ListedTrack {
            name,
            file: self.path.to_owned(),
            offset: Some(element.offset),
            init: media.init,
            segments: media.segments,
            claims,
            target_duration: None,
            presentation_time_offset: media.presentation_time_offset,
            period: period_index,
            period_start: None,
            period_duration: None,
            is_live: self.is_dynamic,
        }
    }

    /// What references in `element` are relative to: one of its `BaseURL` in the package, if there are any.
    fn base(&mut self, outer: &Base, element: &Element<'_>) -> Base {
        let Some(outer) = outer else { return None };
        let Some(first) = element.one("BaseURL") else { return Some(outer.clone()) };
        let inside =
            element.all("BaseURL").find_map(|base| match self.target(outer, base.text(), base.offset)? {
                Target::File(path) => Some(path),
                Target::Elsewhere => None,
            });
        if inside.is_none() {
            self.tell_elsewhere(first.offset, first.text());
        }
        inside
    }

    /// What a reference names in the package; `None` for nothing there.
    pub fn file(&mut self, base: &str, reference: &str, offset: u64) -> Option<String> {
        match self.target(base, reference, offset)? {
            Target::File(path) => Some(path),
            Target::Elsewhere => {
                self.tell_elsewhere(offset, reference);
                None
            }
        }
    }

    fn target(&mut self, base: &str, reference: &str, offset: u64) -> Option<Target> {
        if reference.len() > MAX_REFERENCE {
            let message =
                format!("a reference of {} bytes: more than {MAX_REFERENCE} are not read", reference.len());
            self.report.add_at(&MPD_SIZE, offset, message);
            return None;
        }
        self.report.take_bytes(offset, base.len() + reference.len()).then(|| resolve(base, reference))
    }

    /// Once for the whole MPD.
    fn tell_elsewhere(&mut self, offset: u64, reference: &str) {
        if !self.elsewhere_is_told {
            self.elsewhere_is_told = true;
            let message = format!("'{reference:.200}' is not in the package, and is not checked");
            self.report.add_at(&FILE_ELSEWHERE, offset, message);
        }
    }
}
