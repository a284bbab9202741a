//! Elements ► the text of an XML 1.0 document, indented by two spaces, as quick-xml writes and escapes it.

use std::fmt::Display;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::error::{Error, Result};

/// One element with all that is in it: child elements, or text.
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Element>,
    text: Option<String>,
}

impl Element {
    /// An empty one.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new(), children: Vec::new(), text: None }
    }

    /// A descriptor (ISO/IEC 23009-1 5.8.2): a scheme, and a value of it.
    pub(super) fn descriptor(name: &'static str, scheme: &str, value: impl Display) -> Self {
        Self::new(name).with("schemeIdUri", scheme).with("value", value)
    }

    /// The same with one more attribute, behind those it has.
    pub(super) fn with(mut self, name: &'static str, value: impl Display) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// The same with an attribute whose value is known, else the same.
    pub(super) fn with_known(self, name: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same with more elements in it, behind those it has.
    pub(super) fn containing(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// The same with text in it.
    pub(super) fn saying(self, text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..self }
    }

    /// The document of this element.
    pub(super) fn document(&self) -> String {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        write(&mut writer, Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        self.write(&mut writer);
        let mut text = String::from_utf8(writer.into_inner()).expect("strings make UTF-8");
        text.push('\n');
        text
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) {
        let attributes = self.attributes.iter().map(|(name, value)| (*name, value.as_str()));
        let start = BytesStart::new(self.name).with_attributes(attributes);
        if self.children.is_empty() && self.text.is_none() {
            return write(writer, Event::Empty(start));
        }
        write(writer, Event::Start(start));
        if let Some(text) = &self.text {
            write(writer, Event::Text(BytesText::new(text)));
        }
        self.children.iter().for_each(|child| child.write(writer));
        write(writer, Event::End(BytesEnd::new(self.name)));
    }
}

fn write(writer: &mut Writer<Vec<u8>>, event: Event<'_>) {
    writer.write_event(event).expect("writing to a vector does not fail");
}

/// `value` where each of its characters is one of XML 1.0 (2.2, Char): anything but the control characters up to U+001F
/// other than tab, line feed and carriage return, and the noncharacters U+FFFE and U+FFFF. No escape stands for those.
pub(super) fn checked<'a>(what: &str, value: &'a str) -> Result<&'a str> {
    let is_char = |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    if value.chars().all(is_char) {
        return Ok(value);
    }
    Err(Error::conflict(
        format!("the {what} '{}' cannot stand in XML", value.escape_debug()),
        "leave out control characters",
    ))
}
