//! The YAML tree of a configuration file: positions, texts and structure, without types.
//!
//! The tree is built from the parser's events. The parser's typed interface would turn `NO` into a boolean and stop at
//! the first mistake.

use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, Span as ParserSpan};

use super::curly_quotes::between_curly_quotes;
use super::syntax_error::syntax_error;
use super::{Diagnostic, Span};

/// How deep lists and mappings may be nested.
const MAX_DEPTH: usize = 32;

/// One value of the file.
#[derive(Debug)]
pub struct Node {
    pub span: Span,
    /// The key of this value. In a list and at the top level, the value itself.
    pub label: Span,
    pub value: Value,
}

/// What a [`Node`] holds.
#[derive(Debug)]
pub enum Value {
    /// No value.
    Empty,
    /// Text after unescaping. `plain`: it was not quoted.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// Entries in the order of the file, including repeated keys.
    Mapping(Vec<(Node, Node)>),
    /// A reference to another part of the file. [`Tree::unsupported`] has its position.
    Alias,
}

/// A file of valid YAML.
#[derive(Debug)]
pub struct Tree {
    /// `None`: the file has no content.
    pub root: Option<Node>,
    pub comments: Vec<Span>,
    /// Anchors, aliases and tags, which `proxy.yaml` does not support.
    pub unsupported: Vec<Span>,
    /// Texts in curly quotation marks, whose values are those between the marks.
    pub curly_quotes: Vec<Span>,
}

/// A list or mapping whose end the parser has not reached.
struct Open {
    span: Span,
    is_mapping: bool,
    children: Vec<Node>,
}

impl Node {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    fn new(span: Span, value: Value) -> Self {
        Self { span, label: span, value }
    }
}

/// Parses YAML with one document and at most [`MAX_DEPTH`] levels.
pub fn parse(text: &str) -> Result<Tree, Diagnostic> {
    let mut options = Options::default();
    options.emit_anchor_events = true;
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    // A sample file is mostly comments. The caller limits the size of the file.
    options.max_buffered_comment_events = usize::MAX;

    let mut tree = Tree { root: None, comments: Vec::new(), unsupported: Vec::new(), curly_quotes: Vec::new() };
    let mut open: Vec<Open> = Vec::new();
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, location) =
            event.map_err(|error| syntax_error(error.kind(), error.marker().byte_offset(), text))?;
        let span = span_of(&location);
        tree.unsupported.extend(location.tag_span().as_ref().map(span_of));
        let node = match &event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    let help = "keep everything in one document: remove this `---`";
                    let at = Span { end: span.start, ..span };
                    return Err(Diagnostic::error(Some(at), "a second document begins here", help));
                }
                continue;
            }
            Event::Comment(..) => {
                tree.comments.push(span);
                continue;
            }
            Event::Anchor(..) => {
                tree.unsupported.push(span);
                continue;
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                tree.unsupported.push(span);
                Node::new(span, Value::Alias)
            }
            Event::Scalar(text, style, ..) => {
                let quoted = between_curly_quotes(text).filter(|_| *style == ScalarStyle::Plain);
                tree.curly_quotes.extend(quoted.map(|_| span));
                Node::new(span, scalar(quoted.unwrap_or(text), *style, span))
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let is_mapping = matches!(event, Event::MappingStart(..));
                open.push(Open { span, is_mapping, children: Vec::new() });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(collection) => collection.close(span.end),
                None => continue,
            },
            // The ends of stream and document carry no content.
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.children.push(node),
            None => tree.root = Some(node).filter(|node| !matches!(node.value, Value::Empty)),
        }
    }
    Ok(tree)
}

impl Open {
    fn close(self, end: usize) -> Node {
        let span = Span { start: self.span.start, end: end.max(self.span.end) };
        if !self.is_mapping {
            return Node::new(span, Value::List(self.children));
        }
        let mut entries = Vec::with_capacity(self.children.len() / 2);
        let mut children = self.children.into_iter();
        while let (Some(key), Some(mut value)) = (children.next(), children.next()) {
            value.label = key.span;
            entries.push((key, value));
        }
        Node::new(span, Value::Mapping(entries))
    }
}

fn scalar(text: &str, style: ScalarStyle, span: Span) -> Value {
    let plain = style == ScalarStyle::Plain;
    if plain && (span.start == span.end || text == "~") {
        return Value::Empty;
    }
    Value::Scalar { text: text.to_owned(), plain }
}

fn span_of(location: &ParserSpan) -> Span {
    let range = location.byte_range().unwrap_or_default();
    Span { start: range.start, end: range.end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_at(text: &str) -> Option<String> {
        let root = parse(text).unwrap().root?;
        let Value::Mapping(entries) = root.value else { panic!("no mapping") };
        entries.first()?.1.text().map(str::to_owned)
    }

    #[test]
    fn scalars_keep_their_text() {
        for text in ["NO", "2024", "0x10", "1e3", "off", "null", ".inf", "1_000", "007", "Yes"] {
            assert_eq!(text_at(&format!("company: {text}")).as_deref(), Some(text));
        }
        assert_eq!(text_at("a: \"x\\ty\"").as_deref(), Some("x\ty"));
        assert_eq!(text_at("a: 'it''s'").as_deref(), Some("it's"));
        assert_eq!(text_at("a:"), None);
        assert_eq!(text_at("a: \"\"").as_deref(), Some(""));
    }

    #[test]
    fn an_empty_file_has_no_root() {
        for text in ["", "# only this\n", "---\n", "\u{feff}\r\n"] {
            assert!(parse(text).unwrap().root.is_none(), "{text:?}");
        }
    }

    #[test]
    fn anchors_aliases_and_tags_are_set_apart() {
        let tree = parse("a: &x !t b\nc: *x\nd: *unknown\n").unwrap();
        assert_eq!(tree.unsupported.len(), 4, "{tree:?}");
    }

    #[test]
    fn nesting_is_bounded() {
        for bomb in ["[".repeat(100_000), "- ".repeat(100_000), "{a: ".repeat(100_000)] {
            assert!(parse(&bomb).is_err());
        }
    }
}
