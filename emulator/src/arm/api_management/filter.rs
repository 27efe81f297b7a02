//! `$filter` of a listing: comparisons and functions over four fields, joined by `and`. Source: Azure REST reference, API
//! Management, Certificate – List By Service, whose table says which field takes which operator.

use super::service::Stored;
use crate::clock;

/// What all of a listing's items fulfil.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter(Vec<Condition>);

#[derive(Debug, PartialEq, Eq)]
struct Condition {
    field: Field,
    test: Test,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Subject,
    Thumbprint,
    ExpirationDate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Ge,
    Le,
    Eq,
    Ne,
    Gt,
    Lt,
    Contains,
    StartsWith,
    EndsWith,
}

impl Filter {
    /// `None` if the text is no filter.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.split(" and ").map(|it| condition(it.trim())).collect::<Option<_>>().map(Self)
    }

    pub(super) fn takes(&self, it: &Stored) -> bool {
        self.0.iter().all(|condition| condition.holds(it))
    }
}

fn condition(text: &str) -> Option<Condition> {
    if let Some(call) = text.strip_suffix(')') {
        let (function, arguments) = call.split_once('(')?;
        let (first, second) = arguments.split_once(',')?;
        let (test, field, value) = match function {
            "substringof" => (Test::Contains, second, first),
            "contains" => (Test::Contains, first, second),
            "startswith" => (Test::StartsWith, first, second),
            "endswith" => (Test::EndsWith, first, second),
            _ => return None,
        };
        let field = field_named(field.trim()).filter(|it| *it != Field::ExpirationDate)?;
        return Some(Condition { field, test, value: quoted(value.trim())?.to_owned() });
    }
    let (field, rest) = text.split_once(' ')?;
    let (operator, value) = rest.trim().split_once(' ')?;
    let field = field_named(field)?;
    let value = match field {
        Field::ExpirationDate => {
            let date = quoted(value.trim()).unwrap_or(value.trim());
            clock::from_iso(date).map(clock::iso)?
        }
        Field::Name | Field::Subject | Field::Thumbprint => quoted(value.trim())?.to_owned(),
    };
    let test = match operator {
        "ge" => Test::Ge,
        "le" => Test::Le,
        "eq" => Test::Eq,
        "ne" => Test::Ne,
        "gt" => Test::Gt,
        "lt" => Test::Lt,
        _ => return None,
    };
    Some(Condition { field, test, value })
}

fn field_named(text: &str) -> Option<Field> {
    match text {
        "name" => Some(Field::Name),
        "subject" => Some(Field::Subject),
        "thumbprint" => Some(Field::Thumbprint),
        "expirationDate" => Some(Field::ExpirationDate),
        _ => None,
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.strip_suffix('\'')
}

impl Condition {
    fn holds(&self, it: &Stored) -> bool {
        let held = match self.field {
            Field::Name => it.name.clone(),
            Field::Subject => it.subject.clone(),
            Field::Thumbprint => it.thumbprint.clone(),
            Field::ExpirationDate => clock::iso(it.expiry), // of one length, so that texts compare as times do
        };
        match self.test {
            Test::Ge => held >= self.value,
            Test::Le => held <= self.value,
            Test::Eq => held == self.value,
            Test::Ne => held != self.value,
            Test::Gt => held > self.value,
            Test::Lt => held < self.value,
            Test::Contains => held.contains(&self.value),
            Test::StartsWith => held.starts_with(&self.value),
            Test::EndsWith => held.ends_with(&self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_what_fulfils_all_of_it() {
        let stored = Stored {
            name: "web-1".into(),
            etag: String::new(),
            thumbprint: "AB01".into(),
            subject: "CN=web".into(),
            expiry: 1_621_492_699, // 2021-05-20T06:38:19Z
            key_vault: None,
            in_use: false,
            writes: 0,
        };
        for (text, expected) in [
            ("name eq 'web-1'", Some(true)),
            ("name ne 'web-1'", Some(false)),
            ("substringof('eb', name)", Some(true)),
            ("contains(subject, 'api')", Some(false)),
            ("startswith(thumbprint, 'AB') and endswith(name, '-1')", Some(true)),
            ("expirationDate lt 2022-01-01T00:00:00Z", Some(true)),
            ("expirationDate gt '2022-01-01T00:00:00Z'", Some(false)),
            ("expirationDate lt soon", None),
            ("contains(expirationDate, '2022')", None),
            ("owner eq 'x'", None),
            ("name like 'x'", None),
            ("name eq web", None),
            ("", None),
        ] {
            assert_eq!(Filter::parse(text).map(|it| it.takes(&stored)), expected, "{text}");
        }
    }
}
