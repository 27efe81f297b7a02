//! Where an object stands in the API.

/// The parts of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    /// The API group; empty for the core.
    pub group: String,
    /// The plural of the kind.
    pub plural: String,
    /// The namespace; empty for a cluster-wide object, or for all.
    pub namespace: String,
    /// The name; empty for the collection.
    pub name: String,
    /// The subresource.
    pub sub: String,
}

impl Path {
    /// Of an object.
    pub fn new(group: &str, plural: &str, namespace: &str, name: &str) -> Self {
        let [group, plural, namespace, name] = [group, plural, namespace, name].map(str::to_owned);
        Self { group, plural, namespace, name, sub: String::new() }
    }

    /// Of a URL.
    pub fn of(path: &str) -> Option<Self> {
        let mut parts = path.trim_matches('/').split('/');
        let group = match parts.next()? {
            "api" => "",
            "apis" => parts.next()?,
            _ => return None,
        };
        parts.next()?; // the version
        let rest: Vec<_> = parts.collect();
        // A Namespace itself is told from what is in it by the length.
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() && rest != ["status"] => {
                (*namespace, rest)
            }
            rest => ("", rest),
        };
        let part = |index: usize| rest.get(index).copied().unwrap_or_default();
        if rest.is_empty() || rest.len() > 3 {
            return None;
        }
        Some(Self { sub: part(2).to_owned(), ..Self::new(group, part(0), namespace, part(1)) })
    }

    /// The object that a subresource belongs to.
    #[must_use]
    pub fn object(&self) -> Self {
        Self { sub: String::new(), ..self.clone() }
    }
}
