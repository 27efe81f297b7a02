//! The api-versions and what each makes of the PUT body. Source: the sheet, section 2; the previews' shapes are
//! those of the vendor's own Python client.

/// Where the certificate stands in the body of PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `{"certificate": …}`
    Flat,
    /// `{"properties": {"certificate": …}}`; `isVerified` is read-only.
    Properties,
    /// The same, and `isVerified` is obeyed.
    PropertiesWithVerified,
}

pub(super) const NAMES: &[&str] = &[
    "2017-07-01",
    "2018-01-22",
    "2018-04-01",
    "2019-03-22",
    "2019-07-01-preview",
    "2019-11-04",
    "2020-03-01",
    "2021-03-03-preview",
    "2021-03-31",
    "2021-07-01",
    "2021-07-02",
    "2022-04-30-preview",
    "2022-11-15-preview",
    "2023-06-30",
    "2023-06-30-preview",
];

impl Shape {
    /// Versions are dates, so they compare as texts.
    pub(super) fn of(version: &str) -> Self {
        if version <= "2020-03-01" {
            Self::Flat
        } else if version <= "2021-03-31" {
            Self::Properties
        } else {
            Self::PropertiesWithVerified
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_shape() {
        let (flat, rest) = NAMES.split_at(7);
        let (properties, verified) = rest.split_at(2);
        assert!(flat.iter().all(|name| Shape::of(name) == Shape::Flat));
        assert!(properties.iter().all(|name| Shape::of(name) == Shape::Properties));
        assert!(verified.iter().all(|name| Shape::of(name) == Shape::PropertiesWithVerified));
        assert!(NAMES.is_sorted());
    }
}
