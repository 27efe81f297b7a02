//! Eventual consistency: after a write, some reads are still answered from the state before it.

use hyper::Method;
use serde::{Deserialize, Serialize};

use crate::request::Request;
use crate::routes::{Access, Operation};
use crate::world::World;

/// Which reads see the old state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Which {
    #[default]
    Both,
    Get,
    List,
}

#[derive(Default)]
pub(crate) struct StaleViews(Vec<View>);

struct View {
    host: String,
    /// The written path, in lower case: a read of it, or of what it lies in, is affected; after a POST also of what
    /// lies in it, since that is how things come into a collection.
    path: Vec<String>,
    posted: bool,
    /// The part of the operation names before the dot: other kinds of objects are not affected.
    family: &'static str,
    which: Which,
    reads: u64,
    before: World,
}

impl StaleViews {
    pub(crate) fn add(
        &mut self,
        write: &Request,
        operation: Operation,
        which: Which,
        reads: u64,
        before: World,
    ) {
        self.0.push(View {
            host: write.host.clone(),
            path: lower(write),
            posted: write.method == Method::POST,
            family: family(operation),
            which,
            reads,
            before,
        });
    }

    /// The old state that this read has to be answered from, if any; counts it.
    pub(crate) fn take(&mut self, read: &Request, operation: Operation) -> Option<World> {
        let path = lower(read);
        let fits = |view: &View| {
            let kind = match operation.access {
                Access::Write => false,
                Access::Get => view.which != Which::List,
                Access::List => view.which != Which::Get,
            };
            let place = view.path.starts_with(&path) || view.posted && path.starts_with(&view.path);
            kind && place && view.host == read.host && view.family == family(operation)
        };
        let at = self.0.iter().position(fits)?;
        let view = &mut self.0[at];
        view.reads = view.reads.saturating_sub(1);
        if view.reads == 0 { Some(self.0.remove(at).before) } else { Some(view.before.clone()) }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

fn lower(request: &Request) -> Vec<String> {
    request.segments().iter().map(|segment| segment.to_ascii_lowercase()).collect()
}

fn family(operation: Operation) -> &'static str {
    operation.name.split('.').next().unwrap_or(operation.name)
}
