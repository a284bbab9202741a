//! `SegmentTemplate`, `SegmentList`, `SegmentBase` or `BaseURL` alone ► init segment and media segments of a representation (ISO/IEC
//! 23009-1 5.3.9). What a level does not say, the one around it does.

use super::index::{self, Broken};
use super::presentation::Walk;
use super::sequence::{self, Scale, Step};
use super::template::{MAX_REFERENCE, Substitution, Template};
use super::value::{self, NANOS};
use super::xml::Element;
use super::{MPD_ATTRIBUTE, MPD_INDEX, MPD_SIZE, MPD_TEMPLATE, MPD_TIMELINE};
use crate::verify::files::OpenError;
use crate::verify::listing::{ListedDuration, ListedSegment, Resource, Time};

/// Where a representation stands.
pub(super) struct Place<'e, 'a> {
    /// `Representation`, `AdaptationSet`, `Period`.
    pub levels: &'e [&'e Element<'a>; 3],
    /// `Representation@id`.
    pub id: &'e str,
    /// `Representation@bandwidth`.
    pub bandwidth: u64,
    /// Duration of the period in nanoseconds.
    pub period: Option<i128>,
    /// Its segments are ISO base media files.
    pub is_base_media: bool,
}

/// What a representation names.
#[derive(Debug, Default)]
pub(super) struct Media {
    /// The init segment.
    pub init: Option<Resource>,
    /// In order.
    pub segments: Vec<ListedSegment>,
    /// `@presentationTimeOffset`.
    pub presentation_time_offset: Option<Time>,
    /// The segments are subsegments of one file.
    pub has_index: bool,
    /// It may well have no segments: they are elsewhere, to come, or named in a way that is not followed.
    pub is_excused: bool,
}

/// What a representation of the base `base` names.
pub(super) fn read(walk: &mut Walk<'_>, place: &Place<'_, '_>, base: &str) -> Media {
    let kinds = ["SegmentTemplate", "SegmentList", "SegmentBase"];
    let kind = place.levels.iter().find_map(|level| kinds.iter().find(|kind| level.one(kind).is_some()));
    let addressing: Vec<_> = kind
        .map(|kind| place.levels.iter().filter_map(|level| level.one(kind)).collect())
        .unwrap_or_default();
    let lowest = addressing.first().copied().unwrap_or(place.levels[0]);
    let mut reading = Reading { walk, place, base, addressing, lowest, scale: EMPTY };
    let mut media = reading.media(kind.copied());
    if !place.is_base_media || media.init.is_none() {
        reading.look_at(&media);
    }
    if !place.is_base_media {
        media.init = None;
    }
    media
}

const EMPTY: Scale = Scale { timescale: 1, offset: 0, start_number: 1, end_number: None, period: None };

/// One representation while it is read.
struct Reading<'r, 'w, 'e, 'a> {
    walk: &'r mut Walk<'w>,
    place: &'r Place<'e, 'a>,
    base: &'r str,
    /// The elements of one kind, that of the representation first.
    addressing: Vec<&'e Element<'a>>,
    /// The first of those, or the representation.
    lowest: &'e Element<'a>,
    scale: Scale,
}

impl<'e, 'a> Reading<'_, '_, 'e, 'a> {
    fn media(&mut self, kind: Option<&str>) -> Media {
        // Every level is looked through for what is told of it.
        let children: usize = self.addressing.iter().map(|element| element.children.len()).sum();
        if !self.walk.report.take_segments(self.lowest, children as u64) {
            return Media::default();
        }
        let offset = self.read_scale();
        let mut media = match kind {
            Some("SegmentTemplate") => self.template(),
            Some("SegmentList") => self.list(),
            _ => self.file(),
        };
        media.presentation_time_offset = offset;
        media
    }

    /// The element of the lowest level that has an attribute.
    fn with(&self, name: &str) -> Option<&'e Element<'a>> {
        self.addressing.iter().copied().find(|element| element.get(name).is_some())
    }

    /// The child of the lowest level that has one.
    fn child(&self, name: &str) -> Option<&'e Element<'a>> {
        self.addressing.iter().copied().find_map(|element| element.one(name))
    }

    fn number(&mut self, name: &str, max: u64) -> Option<u64> {
        let element = self.with(name)?;
        self.walk.report.number(element, name, max)
    }

    /// Reads what times are counted in; gives `@presentationTimeOffset` where it is told.
    fn read_scale(&mut self) -> Option<Time> {
        let timescale = self.number("timescale", u64::from(u32::MAX));
        if timescale == Some(0) {
            self.walk.report.add(&MPD_ATTRIBUTE, self.lowest, "@timescale is 0".to_owned());
        }
        let timescale = timescale.unwrap_or(1).max(1);
        let offset = self.number("presentationTimeOffset", u64::MAX);
        self.scale = Scale {
            timescale,
            offset: offset.unwrap_or(0),
            start_number: self.number("startNumber", u64::MAX).unwrap_or(1),
            end_number: self.number("endNumber", u64::MAX),
            period: self.place.period,
        };
        offset.map(|offset| Time::new(i128::from(offset), timescale))
    }

    fn template(&mut self) -> Media {
        let init = self.template_init();
        let Some(element) = self.with("media") else {
            if self.is_file() {
                return self.file();
            }
            self.walk.report.add(&MPD_TEMPLATE, self.lowest, "SegmentTemplate has no @media".to_owned());
            return Media { init, ..Media::default() };
        };
        let text = element.get("media").unwrap_or_default();
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(message) => {
                self.walk.report.add(&MPD_TEMPLATE, element, format!("@media: {message:.300}"));
                return Media { init, ..Media::default() };
            }
        };
        if template.has_number() && template.has_time() {
            let message = "@media has both $Number$ and $Time$".to_owned();
            self.walk.report.add(&MPD_TEMPLATE, element, message);
        }
        if template.has_sub_number() {
            return Media { init, is_excused: true, ..Media::default() };
        }
        let (steps, nominal) = self.steps(None);
        if steps.len() > 1 && !template.has_number() && !template.has_time() {
            let message =
                format!("@media has neither $Number$ nor $Time$: {} segments of one name", steps.len());
            self.walk.report.add(&MPD_TEMPLATE, element, message);
            return Media { init, ..Media::default() };
        }
        let is_excused = steps.is_empty() && (self.walk.is_dynamic || self.scale.period.is_none());
        let mut segments = Vec::new();
        for step in &steps {
            let Some(reference) = self.expand(&template, element, step) else { break };
            let Some(path) = self.walk.file(self.base, &reference, element.offset) else {
                return Media { init, is_excused: true, ..Media::default() };
            };
            segments.push(listed(step, Resource { path, range: None }));
        }
        self.drop_doubtful(&mut segments, nominal);
        Media { init, segments, is_excused, ..Media::default() }
    }

    fn expand(&mut self, template: &Template<'_>, element: &Element<'_>, step: &Step) -> Option<String> {
        let Place { id, bandwidth, .. } = *self.place;
        let expanded = template.expand(&Substitution { id, bandwidth, number: step.number, time: step.time });
        if expanded.is_none() {
            let message = format!("a template makes names of more than {MAX_REFERENCE} characters");
            self.walk.report.add(&MPD_SIZE, element, message);
        }
        expanded
    }

    /// Players ask for as many segments as the duration of the period gives. That may be rounded, and segments may be longer than
    /// the nominal duration: a last one that would hardly be in the period need not be there.
    fn drop_doubtful(&self, segments: &mut Vec<ListedSegment>, nominal: Option<u64>) {
        let Some(duration) = nominal else { return };
        if !sequence::is_last_in_doubt(segments.len(), duration, &self.scale) {
            return;
        }
        let is_missing = segments
            .last()
            .is_some_and(|last| matches!(self.walk.files.open(&last.resource.path), Err(OpenError::Missing)));
        if is_missing {
            segments.pop();
        }
    }

    /// `SegmentTemplate@initialization`, else the element.
    fn template_init(&mut self) -> Option<Resource> {
        let Some(element) = self.with("initialization") else { return self.init_element() };
        let text = element.get("initialization").unwrap_or_default();
        let template = match Template::parse(text) {
            Ok(template) if !template.has_number() && !template.has_time() => template,
            Ok(_) => {
                let message = "@initialization has $Number$ or $Time$, it is one for all segments".to_owned();
                self.walk.report.add(&MPD_TEMPLATE, element, message);
                return None;
            }
            Err(message) => {
                self.walk.report.add(&MPD_TEMPLATE, element, format!("@initialization: {message:.300}"));
                return None;
            }
        };
        let time = Time::new(0, 1);
        let step = Step { number: 0, time: 0, start: time, duration: ListedDuration::Exact(time), offset: 0 };
        let reference = self.expand(&template, element, &step)?;
        Some(Resource { path: self.walk.file(self.base, &reference, element.offset)?, range: None })
    }

    /// `Initialization`.
    fn init_element(&mut self) -> Option<Resource> {
        let element = self.child("Initialization")?;
        let path = match element.get("sourceURL") {
            Some(reference) => self.walk.file(self.base, reference, element.offset)?,
            None if self.is_file() => self.base.to_owned(),
            None => return None,
        };
        let range = self.range(element, "range");
        (range.is_some() || element.get("sourceURL").is_some()).then_some(Resource { path, range })
    }

    fn range(&mut self, element: &Element<'_>, name: &str) -> Option<(u64, u64)> {
        let what = || "a range of bytes like 0-99".to_owned();
        self.walk.report.parsed(element, name, what, value::byte_range)
    }

    /// Whether the base names a file, not a directory or the MPD.
    fn is_file(&self) -> bool {
        !self.base.is_empty() && !self.base.ends_with('/') && self.base != self.walk.path
    }

    /// Numbers and times of the segments, `count` of them where that is known; and the nominal duration if there is one.
    fn steps(&mut self, count: Option<u64>) -> (Vec<Step>, Option<u64>) {
        let has_times = |element: &&Element<'_>| {
            element.get("duration").is_some() || element.one("SegmentTimeline").is_some()
        };
        let report = &mut self.walk.report;
        let Some(element) = self.addressing.iter().copied().find(has_times) else {
            return (self.one_step().into_iter().collect(), None);
        };
        if let Some(timeline) = element.one("SegmentTimeline") {
            if element.get("duration").is_some() {
                let message = format!("{} has both @duration and SegmentTimeline", element.name);
                report.add(&MPD_TEMPLATE, element, message);
            }
            return (sequence::timeline(report, timeline, &self.scale), None);
        }
        match report.number(element, "duration", u64::MAX) {
            Some(0) => report.add(&MPD_ATTRIBUTE, element, "@duration is 0".to_owned()),
            Some(duration) => {
                return (sequence::constant(report, element, duration, &self.scale, count), Some(duration));
            }
            None => {}
        }
        (Vec::new(), None)
    }

    /// The one segment of a period.
    fn one_step(&self) -> Option<Step> {
        let duration = ListedDuration::Nominal(Time::new(self.scale.period?, NANOS));
        let start = Time::new(i128::from(self.scale.offset), self.scale.timescale);
        let number = self.scale.start_number;
        Some(Step { number, time: self.scale.offset, start, duration, offset: self.lowest.offset })
    }

    fn list(&mut self) -> Media {
        let init = self.init_element();
        let from = self.addressing.iter().copied().find(|element| element.one("SegmentURL").is_some());
        let Some(from) = from else {
            let is_excused = self.walk.is_dynamic || self.with("xlink:href").is_some();
            return Media { init, is_excused, ..Media::default() };
        };
        let urls: Vec<_> = from.all("SegmentURL").collect();
        let (steps, _) = self.steps(Some(urls.len() as u64));
        if steps.len() != urls.len() && self.scale.period.is_some() {
            let message = format!("SegmentList has {} segments, and times of {}", urls.len(), steps.len());
            self.walk.report.add(&MPD_TIMELINE, from, message);
        }
        let mut segments = Vec::new();
        for (url, step) in urls.iter().zip(&steps) {
            let path = match url.get("media") {
                Some(reference) => self.walk.file(self.base, reference, url.offset),
                None if self.is_file() => {
                    self.walk.report.take_bytes(url.offset, self.base.len()).then(|| self.base.to_owned())
                }
                None => {
                    let message = "SegmentURL has no @media, and no BaseURL names a file".to_owned();
                    self.walk.report.add(&MPD_TEMPLATE, url, message);
                    None
                }
            };
            let Some(path) = path else {
                return Media { init, is_excused: true, ..Media::default() };
            };
            let range = self.range(url, "mediaRange");
            if range.is_some() || url.get("mediaRange").is_none() {
                let segment = listed(step, Resource { path, range });
                segments.push(ListedSegment { offset: url.offset, ..segment });
            }
        }
        let is_excused = self.walk.is_dynamic || self.scale.period.is_none();
        Media { init, segments, is_excused, ..Media::default() }
    }

    /// One file with an index, or without.
    fn file(&mut self) -> Media {
        if !self.is_file() {
            return Media { is_excused: self.walk.is_dynamic, ..Media::default() };
        }
        let mut init = self.init_element();
        let path = self.base.to_owned();
        let files = self.walk.files;
        let source = match files.open(&path) {
            Ok(source) => source,
            // The init segment in it is opened by others, who tell it.
            Err(_) if self.place.is_base_media && init.as_ref().is_some_and(|init| init.path == path) => {
                return Media { init, is_excused: true, ..Media::default() };
            }
            Err(_) => {
                self.walk.report.by_others(|findings| {
                    crate::verify::open(files, &path, findings);
                });
                return Media { init, ..Media::default() };
            }
        };
        if init.is_none() && self.place.is_base_media {
            init =
                index::init_end(&*source).map(|end| Resource { path: path.clone(), range: Some((0, end)) });
        }
        if let (Some(element), true) = (self.with("indexRange"), self.place.is_base_media) {
            let segments = match self.range(element, "indexRange") {
                Some(range) => self.indexed(&*source, element, range),
                None => Vec::new(),
            };
            return Media { init, segments, has_index: true, ..Media::default() };
        }
        let start = match &init {
            Some(Resource { path: of, range: Some((_, end)) }) if *of == path => *end,
            _ => 0,
        };
        let range = (start > 0).then_some((start, source.len()));
        let step = if start < source.len() { self.one_step() } else { None };
        let is_excused = self.scale.period.is_none();
        let segments = step.map(|step| listed(&step, Resource { path, range })).into_iter().collect();
        Media { init, segments, is_excused, ..Media::default() }
    }

    /// The subsegments that the index in bytes `range` of the base tells of.
    fn indexed(
        &mut self,
        source: &dyn crate::io::ReadAt,
        element: &Element<'_>,
        range: (u64, u64),
    ) -> Vec<ListedSegment> {
        let (report, path) = (&mut self.walk.report, self.base);
        let mut take = |count: u64| {
            let bytes = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(path.len());
            report.take_segments(element, count) && report.take_bytes(element.offset, bytes)
        };
        match index::read(source, range, &mut take) {
            Ok(found) => found
                .into_iter()
                .map(|one| ListedSegment {
                    resource: Resource { path: path.to_owned(), range: Some(one.range) },
                    duration: ListedDuration::Exact(Time::new(i128::from(one.duration), one.timescale)),
                    start: Some(Time::new(i128::from(one.start), one.timescale)),
                    offset: element.offset,
                    discontinuity: false,
                    init: None,
                })
                .collect(),
            Err(Broken::Missing(what)) => {
                let message =
                    format!("@indexRange is bytes {} to {} of {path}: {what}", range.0, range.1 - 1);
                report.add(&MPD_INDEX, element, message);
                Vec::new()
            }
            Err(Broken::Malformed(at, message)) => {
                report.add_in(path, &MPD_INDEX, Some(at), message);
                Vec::new()
            }
            Err(Broken::TooMany) => Vec::new(),
        }
    }

    /// Opens files of another format, and segments without an init segment, which nobody else does: they have to be there.
    fn look_at(&mut self, media: &Media) {
        let files = self.walk.files;
        for resource in media.init.iter().chain(media.segments.iter().map(|segment| &segment.resource)) {
            if files.open(&resource.path).is_err() {
                self.walk.report.by_others(|findings| {
                    crate::verify::open(files, &resource.path, findings);
                });
            }
        }
    }
}

fn listed(step: &Step, resource: Resource) -> ListedSegment {
    ListedSegment {
        resource,
        duration: step.duration,
        start: Some(step.start),
        offset: step.offset,
        discontinuity: false,
        init: None,
    }
}
