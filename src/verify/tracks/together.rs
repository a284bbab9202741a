//! Several manifests of one package against each other.

use std::collections::{BTreeMap, BTreeSet};

use super::MANIFESTS_DIFFER;
use crate::verify::findings::Findings;
use crate::verify::listing::{ListedTrack, Listing, Resource};

/// The segments of an init segment, by where they are.
type Segments<'a> = BTreeMap<&'a Resource, BTreeSet<&'a Resource>>;

/// Checks several manifests of one package against each other: each with the first that names the same init segment.
pub(in crate::verify) fn check_together(listings: &[Listing], findings: &mut Findings) {
    let mut known: BTreeMap<&Resource, (&str, BTreeSet<&Resource>)> = BTreeMap::new();
    for listing in listings {
        let mut own = Segments::new();
        // A list of what is there now, or of whole files by an index in them, may name another part.
        for track in listing.tracks.iter().filter(|track| !track.is_live && !is_one_file(track)) {
            // A segment that is not to be read has no path.
            for segment in track.segments.iter().filter(|segment| !segment.resource.path.is_empty()) {
                if let Some(init) = segment.init.as_ref().or(track.init.as_ref()) {
                    own.entry(init).or_default().insert(&segment.resource);
                }
            }
        }
        for (init, segments) in own {
            let Some((file, others)) = known.get(init) else {
                known.insert(init, (&listing.file, segments));
                continue;
            };
            let differing = segments.symmetric_difference(others).next();
            if let Some(segment) = differing {
                let (with, without) = if segments.contains(segment) {
                    (listing.file.as_str(), *file)
                } else {
                    (*file, listing.file.as_str())
                };
                let message = format!("{with} names {} for {}, {without} does not", segment.path, init.path);
                findings.add(&MANIFESTS_DIFFER, &listing.file, None, message);
            }
        }
    }
}

/// Its segments are parts of the file that its init segment is in.
fn is_one_file(track: &ListedTrack) -> bool {
    let path = track.init.as_ref().map(|init| &init.path);
    track.segments.iter().any(|segment| Some(&segment.resource.path) == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::tracks::testing::*;

    #[test]
    fn manifests_name_the_same_segments() {
        let listing = |file: &str| {
            let mut package = Package::of([video(), audio()]);
            package.listing.file = file.to_owned();
            package.listing()
        };
        let (hls, mut mpd) = (listing("master.m3u8"), listing("manifest.mpd"));
        let check = |mpd: &Listing| {
            let mut findings = Findings::default();
            check_together(&[hls.clone(), mpd.clone()], &mut findings);
            findings.into_vec()
        };
        assert!(check(&mpd).is_empty());
        mpd.tracks[0].segments.pop();
        let found = check(&mpd);
        assert_eq!(ids(&found), ["manifests-differ"]);
        assert_eq!(
            found[0].message,
            "master.m3u8 names video/6.m4s for video/init.mp4, manifest.mpd does not"
        );
        mpd.tracks[0].is_live = true;
        assert!(check(&mpd).is_empty());
    }
}
