//! Builds the value from the parser's events, within limits.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, ScalarStyle, Span};
use serde_json::{Map, Value};

use super::spans::{Offsets, SpanMap, child};
use super::{Document, scalar};
use crate::profile::fault::Fault;

/// The deepest nesting; a profile needs six.
const DEPTH: usize = 64;
/// The most nodes, aliases counted with all that they stand for.
const NODES: usize = 100_000;
/// The most bytes of text, aliases counted likewise.
const BYTES: usize = 16 << 20;
/// More faults than anybody reads.
const FAULTS: usize = 100;

pub struct Builder<'t> {
    text: &'t str,
    offsets: Offsets,
    stack: Vec<Frame>,
    root: Option<Value>,
    spans: SpanMap,
    faults: Vec<Fault>,
    anchors: HashMap<usize, (Value, Cost)>,
    cost: Cost,
    documents: usize,
    /// False once the rest of the text is not looked at.
    whole: bool,
}

/// A sequence or mapping that is being read.
struct Frame {
    content: Content,
    /// Nothing when the content is thrown away: the value of a duplicate key.
    pointer: Option<String>,
    range: Range<usize>,
    anchor: usize,
    before: Cost,
}

/// What reading has taken so far, or what a value takes.
#[derive(Clone, Copy, Default)]
struct Cost {
    nodes: usize,
    bytes: usize,
}

impl Cost {
    fn add(&mut self, more: Cost) {
        self.nodes = self.nodes.saturating_add(more.nodes);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }

    fn since(self, before: Cost) -> Cost {
        Cost { nodes: self.nodes - before.nodes, bytes: self.bytes - before.bytes }
    }

    fn too_much(self) -> bool {
        self.nodes > NODES || self.bytes > BYTES
    }
}

enum Content {
    List(Vec<Value>),
    Map(Map<String, Value>, Slot),
}

/// What a mapping expects next.
enum Slot {
    Key,
    ValueOf(String),
    /// The value of a key that cannot be used.
    Ignored,
}

impl<'t> Builder<'t> {
    pub fn new(text: &'t str, offsets: Offsets) -> Self {
        Builder {
            text,
            offsets,
            stack: Vec::new(),
            root: None,
            spans: SpanMap::default(),
            faults: Vec::new(),
            anchors: HashMap::new(),
            cost: Cost::default(),
            documents: 0,
            whole: true,
        }
    }

    /// Takes an event; false when there is no use in going on.
    pub fn accept(&mut self, event: Event<'_>, span: Span) -> bool {
        let range = self.range(span);
        match event {
            Event::DocumentStart(_) => return self.document(range),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), &range);
                self.scalar(&text, style, anchor, range);
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), &range);
                self.open(Content::List(Vec::new()), anchor, range);
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.is_some(), &range);
                self.open(Content::Map(Map::new(), Slot::Key), anchor, range);
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&range),
            Event::Alias(id) => self.alias(id, range),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        self.whole = self.whole && self.within_limits(span);
        self.whole
    }

    /// Notes that the text is no YAML from here on.
    pub fn broken(&mut self, fault: impl FnOnce(&Offsets) -> Fault) -> bool {
        let fault = fault(&self.offsets);
        self.faults.push(fault);
        self.whole = false;
        false
    }

    pub fn finish(mut self) -> (Option<Document>, Vec<Fault>) {
        if self.root.as_ref().is_none_or(Value::is_null) && self.faults.is_empty() {
            self.whole = false;
            let nothing = Fault::new("there is nothing in it").at(0..0, "empty");
            self.faults.push(nothing.help("the smallest profile is one line: `profile: my-device`"));
        }
        let value = self.root.filter(|_| self.whole);
        (value.map(|value| Document { value, spans: self.spans }), self.faults)
    }

    /// A directive would change what the text means, or would be left unread.
    pub fn refuse_directive(&mut self, range: Range<usize>) {
        let fault = Fault::new("a YAML directive").at(range, "this line");
        self.faults.push(fault.help("remove it: a profile is YAML 1.2 and needs none"));
    }

    fn document(&mut self, range: Range<usize>) -> bool {
        self.documents += 1;
        if self.documents > 1 {
            let fault = Fault::new("a second YAML document").at(range, "starts here");
            self.faults.push(fault.help("one file holds one document: remove the `---` and what follows"));
        }
        self.documents == 1
    }

    fn within_limits(&mut self, span: Span) -> bool {
        let range = self.range(span);
        if self.stack.len() > DEPTH {
            self.faults.push(Fault::new(format!("nested deeper than {DEPTH} levels")).at(range, "too deep"));
            return false;
        }
        if self.cost.too_much() {
            let what = format!("more than {NODES} values, or more than {} MiB of text", BYTES >> 20);
            let fault = Fault::new(what).at(range, "counted up to here");
            self.faults.push(fault.help("aliases (`*name`) count with everything that they stand for"));
            return false;
        }
        self.faults.len() < FAULTS
    }

    /// The byte range of an event, without the white space that block nodes take along.
    fn range(&self, span: Span) -> Range<usize> {
        let start = self.offsets.byte(span.start.index());
        let end = self.offsets.byte(span.end.index()).max(start);
        let length = self.text.get(start..end).map_or(0, |part| part.trim_end().len());
        start..start + length
    }

    fn refuse_tag(&mut self, tagged: bool, range: &Range<usize>) {
        if tagged {
            let fault = Fault::new("a YAML tag").at(range.clone(), "tagged");
            self.faults.push(fault.help("remove the `!…`; put text that looks like a number in quotes"));
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, range: Range<usize>) {
        let cost = Cost { nodes: 1, bytes: text.len() };
        self.cost.add(cost);
        let value = match style {
            ScalarStyle::Plain => scalar::plain(text),
            _ => Ok(Value::String(text.to_owned())),
        };
        let value = value.unwrap_or_else(|why| {
            let fault = Fault::new(why).at(range.clone(), "this one");
            self.faults.push(fault.help("put it in quotes if it is meant as text"));
            Value::Null
        });
        self.keep_anchor(anchor, &value, cost);
        if self.wants_key() {
            self.key(value, range);
        } else {
            self.put(value, range);
        }
    }

    fn wants_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { content: Content::Map(_, Slot::Key), .. }))
    }

    fn key(&mut self, key: Value, range: Range<usize>) {
        let Some(Frame { content: Content::Map(map, slot), pointer, .. }) = self.stack.last_mut() else { return };
        let Value::String(name) = key else {
            *slot = Slot::Ignored;
            let fault = Fault::new("a key that is not a string").at(range, "this key");
            self.faults.push(fault.help("put it in quotes if it is meant as text"));
            return;
        };
        let place = pointer.as_ref().map(|pointer| child(pointer, &name));
        if map.contains_key(&name) {
            *slot = Slot::Ignored;
            let mut fault = Fault::new(format!("duplicate key `{}`", name.escape_debug())).at(range, "given again");
            if let Some(first) = place.and_then(|place| self.spans.own_key(&place)) {
                fault = fault.at(first, "first given here");
            }
            self.faults.push(fault.help("keep one of them"));
            return;
        }
        if let Some(place) = place {
            self.spans.put_key(&place, range);
        }
        // The place is taken at once, so that a value in between does not hide a duplicate.
        map.insert(name.clone(), Value::Null);
        *slot = Slot::ValueOf(name);
    }

    /// Where the next value will stand; nothing if it is thrown away.
    fn place(&self) -> Option<String> {
        let Some(frame) = self.stack.last() else { return Some(String::new()) };
        let pointer = frame.pointer.as_ref()?;
        match &frame.content {
            Content::List(items) => Some(child(pointer, &items.len().to_string())),
            Content::Map(_, Slot::ValueOf(name)) => Some(child(pointer, name)),
            Content::Map(..) => None,
        }
    }

    fn put(&mut self, value: Value, range: Range<usize>) {
        if let Some(place) = self.place() {
            self.spans.put_value(&place, range.clone());
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(value);
            return;
        };
        frame.range.end = frame.range.end.max(range.end);
        match &mut frame.content {
            Content::List(items) => items.push(value),
            Content::Map(map, slot) => {
                if let Slot::ValueOf(name) = std::mem::replace(slot, Slot::Key) {
                    map.insert(name, value);
                }
            }
        }
    }

    fn open(&mut self, content: Content, anchor: usize, range: Range<usize>) {
        let pointer = if self.wants_key() { None } else { self.place() };
        let before = self.cost;
        self.cost.add(Cost { nodes: 1, bytes: 0 });
        self.stack.push(Frame { content, pointer, range, anchor, before });
    }

    fn close(&mut self, end: &Range<usize>) {
        let Some(mut frame) = self.stack.pop() else { return };
        // A flow collection ends with its bracket; a block one ends with its last child.
        if !end.is_empty() {
            frame.range.end = frame.range.end.max(end.end);
        }
        let value = match frame.content {
            Content::List(items) => Value::Array(items),
            Content::Map(map, _) => Value::Object(map),
        };
        self.keep_anchor(frame.anchor, &value, self.cost.since(frame.before));
        if self.wants_key() {
            self.key(value, frame.range);
        } else {
            self.put(value, frame.range);
        }
    }

    fn keep_anchor(&mut self, anchor: usize, value: &Value, cost: Cost) {
        // Cloning is bounded by the limits, since an anchored node's aliases are counted in its cost.
        if anchor != 0 && !self.cost.too_much() {
            self.anchors.insert(anchor, (value.clone(), cost));
            self.cost.add(cost);
        }
    }

    fn alias(&mut self, id: usize, range: Range<usize>) {
        let Some((value, cost)) = self.anchors.get(&id) else {
            // What it would be part of has no value, so nothing else can be said of it.
            let fault = Fault::new("an alias to something that holds it").at(range, "this alias");
            self.broken(|_| fault.help("write out what it stands for"));
            return;
        };
        self.cost.add(*cost);
        let value = if self.cost.too_much() { Value::Null } else { value.clone() };
        self.take(value, range);
    }

    fn take(&mut self, value: Value, range: Range<usize>) {
        if self.wants_key() {
            self.key(value, range);
        } else {
            self.put(value, range);
        }
    }
}
