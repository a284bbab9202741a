//! What a run may leave, however it ended: whole files under their names, no manifest that names one that is missing, nothing
//! under a temporary name. The manifests are read by parsers of others.

use std::path::Path;

use super::tree::Tree;
use super::{JOURNAL, RECEIPT};

/// What is wrong with what any run left in `output`: nothing if there is no such directory. Files of `before` are somebody
/// else's.
pub fn problems(output: &Path, before: Option<&Tree>, reference: &Tree) -> Vec<String> {
    let Some(tree) = Tree::read(output) else { return Vec::new() };
    let mut problems = Vec::new();
    let of_others = |path: &str| before.is_some_and(|before| before.has(path));
    for (path, file) in tree.files().filter(|(path, _)| !of_others(path)) {
        match reference.file(path) {
            _ if is_temporary(path) => problems.push(format!("{path} is left")),
            _ if path == JOURNAL || path == RECEIPT => {}
            None => problems.push(format!("{path} is no file of the package")),
            Some(whole) if whole.bytes != file.bytes => {
                let (found, wanted) = (file.bytes.len(), whole.bytes.len());
                problems.push(format!("{path} is not whole: {found} bytes of {wanted}"));
            }
            Some(_) => {}
        }
    }
    problems.extend(missing_from_manifests(&tree));
    if tree.has(RECEIPT) && reference.files().any(|(path, _)| !tree.has(path)) && !of_others(RECEIPT) {
        problems.push(format!("{RECEIPT} is there without all files"));
    }
    let ours = |path: &String| !of_others(path) && path != JOURNAL;
    if !tree.has(RECEIPT) && !tree.has(JOURNAL) && tree.names().any(ours) {
        let left: Vec<_> = tree.names().filter(|path| ours(path)).collect();
        problems.push(format!("{left:?} are left and no journal names them"));
    }
    problems
}

/// What the manifests in a directory name and is not there. (That what is there is whole is asked of all files.)
pub fn missing_from_manifests(tree: &Tree) -> Vec<String> {
    let manifests = tree.files().filter(|(path, _)| is_manifest(path));
    let named = manifests
        .flat_map(|(name, file)| named_by(name, &file.bytes).into_iter().map(move |path| (name, path)));
    let missing = named.filter(|(_, path)| tree.file(path).is_none());
    missing.map(|(name, path)| format!("{name} names {path}, which is not there")).collect()
}

/// What is wrong with a directory that is to be as it was; `None` is none at all.
pub fn taken_back(output: &Path, before: Option<&Tree>, reference: &Tree) -> Vec<String> {
    let mut problems = problems(output, before, reference);
    let tree = Tree::read(output);
    if tree.as_ref() != before {
        let names = |tree: &Tree| tree.names().cloned().collect::<Vec<_>>();
        let [was, is] = [before, tree.as_ref()].map(|tree| tree.map(names));
        problems.push(format!("not as it was: {was:?}, now {is:?}"));
    }
    problems
}

/// What is wrong with a complete package.
pub fn complete(output: &Path, reference: &Tree) -> Vec<String> {
    match Tree::read(output) {
        Some(tree) => tree.differences(reference),
        None => vec!["there is no package".to_owned()],
    }
}

/// What is wrong with what a run left that ended by a signal or a kill: the journal, whole segments, no manifest.
pub fn kept(output: &Path, before: Option<&Tree>, reference: &Tree) -> Vec<String> {
    let mut problems = problems(output, before, reference);
    let Some(tree) = Tree::read(output) else { return problems };
    let ours = || tree.names().filter(|path| !before.is_some_and(|before| before.has(path)));
    problems.extend(ours().filter(|path| is_manifest(path)).map(|path| format!("{path} is left")));
    if ours().next().is_some() && !tree.has(JOURNAL) {
        problems.push("there is no journal to resume from".to_owned());
    }
    problems
}

pub fn is_manifest(path: &str) -> bool {
    path.ends_with(".m3u8") || path.ends_with(".mpd")
}

/// A file that is being made, where it has a name.
pub fn is_temporary(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with('.') || name.ends_with(".part") || name.ends_with(".tmp")
}

/// The paths that a manifest names, below the output directory.
fn named_by(manifest: &str, bytes: &[u8]) -> Vec<String> {
    let base = manifest.rsplit_once('/').map_or(String::new(), |(parent, _)| format!("{parent}/"));
    let text = std::str::from_utf8(bytes).expect("a manifest is UTF-8");
    let names = if manifest.ends_with(".mpd") { named_by_mpd(text) } else { named_by_playlist(bytes) };
    names.into_iter().map(|name| base.clone() + &name).collect()
}

fn named_by_playlist(bytes: &[u8]) -> Vec<String> {
    match m3u8_rs::parse_playlist_res(bytes).expect("it is a playlist") {
        m3u8_rs::Playlist::MasterPlaylist(master) => {
            let variants = master.variants.into_iter().map(|variant| variant.uri);
            variants.chain(master.alternatives.into_iter().filter_map(|choice| choice.uri)).collect()
        }
        m3u8_rs::Playlist::MediaPlaylist(media) => {
            let mut names = Vec::new();
            for segment in media.segments {
                names.extend(segment.map.map(|map| map.uri));
                names.push(segment.uri);
            }
            names
        }
    }
}

/// Of templates with `$Number%05d$` and a timeline.
fn named_by_mpd(text: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(text).expect("it is XML");
    let mut names = Vec::new();
    for template in document
        .descendants()
        .filter(|node| node.has_tag_name(("urn:mpeg:dash:schema:mpd:2011", "SegmentTemplate")))
    {
        let attribute = |name| template.attribute(name).expect("fragmint writes it");
        names.push(attribute("initialization").to_owned());
        let mut number: u64 = attribute("startNumber").parse().expect("it is a number");
        for run in template.descendants().filter(|node| node.tag_name().name() == "S") {
            let repeats: u64 = run.attribute("r").map_or(0, |r| r.parse().expect("it is a number"));
            for _ in 0..=repeats {
                names.push(attribute("media").replace("$Number%05d$", &format!("{number:05}")));
                number += 1;
            }
        }
    }
    assert!(!names.is_empty(), "an MPD of fragmint names segments: {text}");
    names
}
