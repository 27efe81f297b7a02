//! Path patterns with named segments, and finding the one route of a table that a request means.

use std::collections::HashMap;

use hyper::Method;

use crate::request::Request;

/// What the `{names}` of a pattern stand for in this request.
#[derive(Debug, Default, Clone)]
pub(crate) struct Captures(HashMap<&'static str, String>);

impl Captures {
    /// The captured text; empty for a name that the pattern does not have.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Whether a call reads one thing, lists, or changes something. Faults that serve old state need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Get,
    List,
    Write,
}

/// What a request is, by method and path alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) access: Access,
}

impl Operation {
    pub(crate) const UNKNOWN: Self = Self { name: "unknown", access: Access::Get };
}

pub(crate) trait Route {
    fn method(&self) -> &Method;
    fn path(&self) -> &'static str;
}

pub(crate) enum Found<'a, R> {
    Route(&'a R, Captures),
    /// The path is known, for these methods only.
    OtherMethods(Vec<&'a str>),
    Nothing,
}

/// Literal segments compare without regard to case, as both ARM and Entra do.
pub(crate) fn find<'a, R: Route>(routes: impl Iterator<Item = &'a R>, request: &Request) -> Found<'a, R> {
    let mut others = Vec::new();
    for route in routes {
        let Some(captures) = captures(route.path(), request.segments()) else { continue };
        if route.method() == request.method {
            return Found::Route(route, captures);
        }
        others.push(route.method().as_str());
    }
    if others.is_empty() { Found::Nothing } else { Found::OtherMethods(others) }
}

/// Whether the literal segments of the pattern stand in the path as they are, for services that have it so.
pub(crate) fn is_to_the_letter(pattern: &str, request: &Request) -> bool {
    let parts = pattern.split('/').filter(|part| !part.is_empty());
    parts.zip(request.segments()).all(|(part, segment)| part.starts_with('{') || part == segment)
}

fn captures(pattern: &'static str, segments: &[String]) -> Option<Captures> {
    let mut captures = Captures::default();
    let mut parts = pattern.split('/').filter(|part| !part.is_empty());
    for segment in segments {
        let part = parts.next()?;
        match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(_) if segment.is_empty() => return None,
            Some(name) => {
                captures.0.insert(name, segment.clone());
            }
            None if part.eq_ignore_ascii_case(segment) => {}
            None => return None,
        }
    }
    parts.next().is_none().then_some(captures)
}

#[cfg(test)]
mod tests {
    use super::captures;

    #[test]
    fn patterns_match_whole_paths_without_regard_to_case() {
        let path = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        let found = captures("/subscriptions/{s}/IotHubs/{hub}", &path("Subscriptions/1/iothubs/H"))
            .expect("matches");
        assert_eq!((found.text("s"), found.text("hub"), found.has("x")), ("1", "H", false));
        assert!(captures("/a/{b}", &path("a")).is_none());
        assert!(captures("/a/{b}", &path("a/b/c")).is_none());
        assert!(captures("/a/{b}", &path("a/")).is_none());
    }
}
