//! XML ► the elements of an MPD that are read here, as a tree with byte offsets (XML 1.0).
//!
//! Everything has to be well-formed, but only elements of the namespace of the root that [`KEPT`] names stay: events,
//! protection and extensions are passed over with all that is in them. Nothing is declared: a reference to an entity other
//! than the five of XML, or a character, is an error. Depth, count of elements and of attributes are bounded.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;
use quick_xml::events::attributes::Attributes;

/// What is read here.
const KEPT: [&str; 14] = [
    "Period",
    "AdaptationSet",
    "Representation",
    "BaseURL",
    "SegmentBase",
    "SegmentList",
    "SegmentTemplate",
    "Initialization",
    "SegmentTimeline",
    "S",
    "SegmentURL",
    "AudioChannelConfiguration",
    "EssentialProperty",
    "SupplementalProperty",
];

/// How deep elements may nest.
const MAX_DEPTH: usize = 64;
/// How many elements are kept: one for each segment that may be listed, and some.
const MAX_ELEMENTS: usize = 1 << 20;
/// How many elements other than segments an element may have in it.
const MAX_CHILDREN: usize = 4096;
/// How many attributes an element may have.
const MAX_ATTRIBUTES: usize = 64;

/// An element with what is kept of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// Name without a prefix.
    pub name: &'a str,
    /// Where its `<` stands, in bytes of the text.
    pub offset: u64,
    /// In document order.
    pub children: Vec<Element<'a>>,
    attributes: Vec<(&'a str, Cow<'a, str>)>,
    text: String,
}

/// Why a text cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Where.
    pub offset: u64,
    /// What is there.
    pub message: String,
    /// It may be well-formed, but is more than is read.
    pub is_too_large: bool,
}

impl<'a> Element<'a> {
    /// The value of an attribute, by its name with prefix.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| &**value)
    }

    /// Whether it declares a namespace, whatever the prefix; in any case, as older packagers write it.
    pub fn declares(&self, namespace: &str) -> bool {
        let is_declaration = |name: &str| name == "xmlns" || name.starts_with("xmlns:");
        self.attributes
            .iter()
            .any(|(name, uri)| is_declaration(name) && uri.trim().eq_ignore_ascii_case(namespace))
    }

    /// Its children of one name.
    pub fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element<'a>> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child of a name.
    pub fn one(&self, name: &str) -> Option<&Element<'a>> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Its text without the white space around it.
    pub fn text(&self) -> &str {
        self.text.trim()
    }
}

/// Reads a whole document; gives its root, whatever that is called.
///
/// # Errors
/// Where the text is not well-formed, or more than is read.
pub(super) fn parse(text: &str) -> Result<Element<'_>, Broken> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    // The reader counts from behind a byte order mark.
    let shift = (text.len() - body.len()) as u64;
    read(body, shift).map_err(|broken| Broken { offset: broken.offset.saturating_add(shift), ..broken })
}

/// Reads `text`, which stands `shift` bytes into the file.
fn read(text: &str, shift: u64) -> Result<Element<'_>, Broken> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut tree = Tree { text, shift, open: Vec::new(), passed_over: 0, elements: 0, root: None };
    loop {
        let start = reader.buffer_position();
        let event = reader
            .read_event()
            .map_err(|error| broken(reader.error_position().max(start), error.to_string()))?;
        let end = reader.buffer_position();
        match event {
            Event::Start(tag) => tree.open(start, end, tag.name().into_inner().len(), false)?,
            Event::Empty(tag) => {
                tree.open(start, end, tag.name().into_inner().len(), true)?;
                tree.close();
            }
            Event::End(_) => tree.close(),
            Event::Text(content) => tree.add_text(start, &content.xml10_content())?,
            Event::CData(content) => tree.add_text(start, &content.into_inner())?,
            Event::GeneralRef(name) => {
                let reference = format!("&{};", &*name);
                let resolved = unescape(&reference).map_err(|error| broken(start, error.to_string()))?;
                tree.add_text(start, &resolved)?;
            }
            Event::Eof => return tree.finish(end),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn broken(offset: u64, message: impl Into<String>) -> Broken {
    Broken { offset, message: message.into(), is_too_large: false }
}

fn too_large(offset: u64, message: String) -> Broken {
    Broken { offset, message, is_too_large: true }
}

/// The tree as far as it is read.
struct Tree<'a> {
    text: &'a str,
    /// Where that starts in the file.
    shift: u64,
    /// The kept elements that are not closed yet.
    open: Vec<(Element<'a>, Namespace<'a>)>,
    /// How many elements that are not kept are open inside of those.
    passed_over: usize,
    elements: usize,
    root: Option<Element<'a>>,
}

/// What tells that an element belongs to the MPD: its prefix, and what it or one around it declares for that.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Namespace<'a> {
    prefix: &'a str,
    uri: Option<Cow<'a, str>>,
}

impl<'a> Tree<'a> {
    /// The tag from `start` to `end` opens an element; its name has `name_len` bytes.
    fn open(&mut self, start: u64, end: u64, name_len: usize, is_empty: bool) -> Result<(), Broken> {
        if self.open.len() + self.passed_over >= MAX_DEPTH {
            return Err(too_large(start, format!("more than {MAX_DEPTH} elements inside each other")));
        }
        let close = if is_empty { 2 } else { 1 };
        let tag = usize::try_from(start)
            .ok()
            .zip(usize::try_from(end).ok())
            .and_then(|(start, end)| self.text.get(start.checked_add(1)?..end.checked_sub(close)?))
            .ok_or_else(|| broken(start, "a tag without an end"))?;
        let attributes = attributes(tag, name_len, start)?;
        let (prefix, name) = tag[..name_len].split_once(':').unwrap_or(("", &tag[..name_len]));
        if name.is_empty() {
            return Err(broken(start, "an element without a name"));
        }
        let declares = |(key, _): &&(&str, Cow<'_, str>)| match key.strip_prefix("xmlns") {
            Some("") => prefix.is_empty(),
            Some(declared) => !prefix.is_empty() && declared.strip_prefix(':') == Some(prefix),
            None => false,
        };
        let declared = attributes.iter().find(declares).map(|(_, uri)| uri.clone());
        let own = match self.open.last() {
            Some((_, parent)) => {
                let uri = declared.or_else(|| parent.uri.clone());
                let own = Namespace { prefix, uri };
                if self.passed_over > 0 || own != *parent || !KEPT.contains(&name) {
                    self.passed_over += 1;
                    return Ok(());
                }
                own
            }
            None if self.root.is_some() => return Err(broken(start, "a second root element")),
            None => Namespace { prefix, uri: declared },
        };
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(too_large(start, format!("more than {MAX_ELEMENTS} elements are not read")));
        }
        if let Some((parent, _)) = self.open.last()
            && parent.children.len() >= MAX_CHILDREN
            && !["S", "SegmentURL"].contains(&name)
        {
            return Err(too_large(start, format!("more than {MAX_CHILDREN} elements in {}", parent.name)));
        }
        let element = Element {
            name,
            offset: start + self.shift,
            children: Vec::new(),
            attributes,
            text: String::new(),
        };
        self.open.push((element, own));
        Ok(())
    }

    /// The innermost element ends; the reader has checked that it is the one.
    fn close(&mut self) {
        if self.passed_over > 0 {
            self.passed_over -= 1;
            return;
        }
        let Some((element, _)) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some((parent, _)) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn add_text(&mut self, offset: u64, text: &str) -> Result<(), Broken> {
        match self.open.last_mut() {
            Some((element, _)) if self.passed_over == 0 && element.name == "BaseURL" => {
                element.text.push_str(text);
            }
            None if !text.trim().is_empty() => {
                return Err(broken(offset, "text outside of the root element"));
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self, end: u64) -> Result<Element<'a>, Broken> {
        if let Some((element, _)) = self.open.first() {
            return Err(broken(end, format!("the text ends within {}", element.name)));
        }
        self.root.ok_or_else(|| broken(end, "there is no element"))
    }
}

/// The attributes of a tag, each once.
fn attributes<'a>(tag: &'a str, name_len: usize, start: u64) -> Result<Vec<(&'a str, Cow<'a, str>)>, Broken> {
    let mut found: Vec<(&str, Cow<'_, str>)> = Vec::new();
    let mut attributes = Attributes::new(tag, name_len);
    // The check of the reader grows with the square of their number.
    for attribute in attributes.with_checks(false) {
        let attribute = attribute.map_err(|error| broken(start, error.to_string()))?;
        let name = attribute.key.into_inner();
        if found.iter().any(|(other, _)| *other == name) {
            return Err(broken(start, format!("attribute {name} stands twice")));
        }
        if found.len() >= MAX_ATTRIBUTES {
            return Err(too_large(start, format!("more than {MAX_ATTRIBUTES} attributes at one element")));
        }
        let value = match attribute.value {
            Cow::Borrowed(raw) => unescape(raw),
            Cow::Owned(raw) => unescape(&raw).map(|value| Cow::Owned(value.into_owned())),
        };
        found.push((name, value.map_err(|error| broken(start, error.to_string()))?));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_their_offsets_attributes_and_text() {
        let text = "<?xml version=\"1.0\"?>\n<!-- x --><MPD a='1' b=\"&lt;&#65;\">\n <Period><BaseURL> a&amp;b<![CDATA[<]]> \
                    </BaseURL></Period><Other><Period/></Other><Period/></MPD>\n";
        let root = parse(text).unwrap();
        assert_eq!(
            (root.name, root.get("a"), root.get("b"), root.get("c")),
            ("MPD", Some("1"), Some("<A"), None)
        );
        assert_eq!(&text[root.offset as usize..][..4], "<MPD");
        let periods: Vec<_> = root.all("Period").collect();
        assert_eq!((periods.len(), root.children.len()), (2, 2));
        assert_eq!(periods[0].one("BaseURL").unwrap().text(), "a&b<");
        assert_eq!(&text[periods[1].offset as usize..], "<Period/></MPD>\n");
    }

    #[test]
    fn prefixes_tell_what_belongs_to_the_mpd() {
        let root = parse(
            "<m:MPD xmlns:m='d' xmlns:o='e'><m:Period/><o:Period><m:Period/></o:Period><Period/></m:MPD>",
        )
        .unwrap();
        assert_eq!((root.name, root.children.len()), ("MPD", 1));
        let root = parse("<MPD xmlns='d'><Period xmlns='d'/><Period xmlns='e'/></MPD>").unwrap();
        assert_eq!(root.children.len(), 1);
    }

    #[test]
    fn a_byte_order_mark_is_counted_and_not_read() {
        let text = "\u{feff}<?xml version='1.0'?><MPD a='1'><Period/></MPD>";
        let root = parse(text).unwrap();
        assert_eq!((root.name, root.get("a")), ("MPD", Some("1")));
        for (element, start) in [(&root, "<MPD"), (root.one("Period").unwrap(), "<Period/>")] {
            assert!(text[element.offset as usize..].starts_with(start), "{element:?}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused_with_its_place() {
        let deep = "<MPD>".repeat(MAX_DEPTH + 1);
        let many: String = (0..=MAX_ATTRIBUTES).map(|index| format!(" a{index}=''")).collect();
        let many = format!("<MPD{many}/>");
        for (text, offset, said) in [
            ("", 0, "no element"),
            ("<MPD>", 5, "ends within MPD"),
            ("<MPD><Period></MPD>", 13, "expected"),
            ("</MPD>", 0, "close tag"),
            ("<MPD/><MPD/>", 6, "second root"),
            ("<MPD/> text", 6, "outside"),
            ("<MPD a='1' a='2'/>", 0, "twice"),
            ("<MPD a=1/>", 0, "enclosed"),
            ("<MPD a='&x;'/>", 0, "x"),
            ("<MPD><BaseURL>&x;</BaseURL></MPD>", 14, "x"),
            ("<MPD><!-- </MPD>", 5, "comment"),
            ("<MPD", 0, "tag"),
            ("< a='1'/>", 0, "without a name"),
            (deep.as_str(), 5 * MAX_DEPTH as u64, "inside each other"),
            (many.as_str(), 0, "attributes"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(said), "{text:.40}: {error:?}");
            assert_eq!(error.offset, offset, "{text:.40}: {error:?}");
        }
    }
}
