//! A span: something that takes time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::trace::{Attribute, EndedSpan, LINKS_MAX, SpanName, TraceContext};
use crate::ports::{Clock, IdGenerator, SpanExporter};

/// The parts of the world that spans need.
pub(super) struct World {
    pub(super) exporter: Arc<dyn SpanExporter>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdGenerator>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// A span that goes on. It ends when it is dropped. Where traces are off there is nothing in it.
#[derive(Debug, Default)]
pub struct Span(Option<Box<Live>>);

#[derive(Debug)]
struct Live {
    world: Arc<World>,
    uptime: Duration,
    span: EndedSpan,
}

impl Span {
    pub(super) fn begin(world: &Arc<World>, name: SpanName, context: TraceContext, parent: Option<[u8; 8]>) -> Self {
        Self(Some(Box::new(Live {
            uptime: world.clock.uptime(),
            world: world.clone(),
            span: EndedSpan {
                context,
                parent,
                links: Vec::new(),
                name,
                began_at: world.clock.wall(),
                took: Duration::ZERO,
                attributes: Vec::new(),
                error: None,
            },
        })))
    }

    /// Begins a span that is a part of that one.
    pub(super) fn within(world: &Arc<World>, name: SpanName, parent: &TraceContext) -> Self {
        let context = TraceContext {
            span_id: never_zero(&world.ids.secret_bytes()),
            ..*parent
        };
        Self::begin(world, name, context, Some(parent.span_id))
    }

    /// Its place, for those who go on from it.
    pub fn context(&self) -> Option<TraceContext> {
        self.0.as_ref().map(|live| live.span.context)
    }

    /// Begins a span that is a part of this one.
    #[must_use]
    pub fn child(&self, name: SpanName) -> Self {
        match &self.0 {
            Some(live) => Self::within(&live.world, name, &live.span.context),
            None => Self::default(),
        }
    }

    /// Says something of it.
    pub fn say(&mut self, attribute: Attribute) {
        if let Some(live) = &mut self.0 {
            live.span.attributes.push(attribute);
        }
    }

    /// It ends in an error of this class, and is exported whatever the sampling.
    pub fn fail(&mut self, class: &'static str) {
        if let Some(live) = &mut self.0 {
            live.span.error = Some(class);
        }
    }

    /// Goes on from these as well. If one of them is exported, so is this; that is decided before it has parts.
    pub fn link(&mut self, contexts: impl IntoIterator<Item = TraceContext>) {
        let Some(live) = &mut self.0 else { return };
        for context in contexts {
            live.span.context.is_sampled |= context.is_sampled;
            if live.span.links.len() < LINKS_MAX && !live.span.links.contains(&context) {
                live.span.links.push(context);
            }
        }
    }

    /// Ends it without a trace of it.
    pub fn discard(&mut self) {
        self.0 = None;
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(live) = self.0.take() else { return };
        let Live {
            world,
            uptime,
            mut span,
        } = *live;
        if span.context.is_sampled || span.error.is_some() {
            span.took = world.clock.uptime().saturating_sub(uptime);
            world.exporter.export(&span);
        }
    }
}

/// The first of these bytes as an id, which must not be zero.
pub(super) fn never_zero<const BYTES: usize>(random: &[u8]) -> [u8; BYTES] {
    let mut id: [u8; BYTES] = random[..BYTES].try_into().expect("32 random bytes are enough");
    id[BYTES - 1] |= u8::from(id == [0; BYTES]);
    id
}
