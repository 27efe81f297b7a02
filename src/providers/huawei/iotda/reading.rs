//! How an instance is read: certificate by certificate, or all of them by their listing. Never writes.

use super::super::{Call, Failure, Operation};
use super::content::Content;
use super::next::CaCertificate;
use super::records::Intended;
use super::{Iotda, wire};
use crate::api::reason::Reason;
use crate::engine::Freshness;
use crate::engine::error::CloudError;
use crate::providers::failure::Fault;

/// The largest page that the service gives.
const PAGE: usize = 50;

/// More pages than an instance can fill: it has room for 100 certificates.
const MAX_PAGES: usize = 20;

impl Iotda {
    /// All certificates of the resource space, newest first.
    pub(super) async fn list(&self) -> Result<Listed, Failure> {
        let (limit, mut all, mut counts) = (PAGE.to_string(), Vec::new(), Vec::new());
        let mut marker: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut call = Call::new(Operation::List, &["certificates"]).query("limit", &limit);
            if let Some(app_id) = &self.app_id {
                call = call.query("app_id", app_id);
            }
            if let Some(marker) = &marker {
                call = call.query("marker", marker);
            }
            let listing: wire::Listing = self.place.read(&call).await?;
            let unreadable = || self.place.failed(Operation::List, Fault::Unreadable);
            let wire::Page { certificates, count, following } = listing.parsed().ok_or_else(unreadable)?;
            let on_page = certificates.len();
            all.extend(certificates);
            counts.push(count);
            // The last page may have a marker as well.
            let is_last = on_page == 0 || on_page < PAGE && count == u64::try_from(all.len()).ok();
            match following {
                Some(next) if !is_last && marker.as_ref().is_none_or(|before| next < *before) => {
                    marker = Some(next);
                }
                _ => {
                    let length = u64::try_from(all.len()).ok();
                    return Ok(Listed { is_whole: counts.iter().all(|it| *it == length), all });
                }
            }
        }
        Err(self.place.failed(Operation::List, Fault::Unreadable))
    }
}

/// What an instance listed.
#[derive(Debug)]
pub struct Listed {
    pub(super) all: Vec<wire::Description>,
    /// Whether each page counted just as many as all pages showed: what came or went between two of them is not hidden.
    is_whole: bool,
}

/// One look at an instance. What has to be listed is listed once.
pub(super) struct Reading<'a> {
    iotda: &'a Iotda,
    freshness: Freshness<'a, Listed>,
    listing: Option<Listed>,
    /// Whether the single read turned out not to be had.
    by_listing: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn of(iotda: &'a Iotda, freshness: Freshness<'a, Listed>) -> Self {
        Self { iotda, freshness, listing: None, by_listing: matches!(freshness, Freshness::Listed(_)) }
    }

    async fn listing(&mut self) -> Result<&Listed, CloudError> {
        if let Freshness::Listed(listed) = self.freshness {
            return Ok(listed);
        }
        let listed = match self.listing.take() {
            Some(listed) => listed,
            None => self.iotda.list().await?,
        };
        Ok(self.listing.insert(listed))
    }

    pub(super) async fn ids(&mut self) -> Result<Vec<String>, CloudError> {
        Ok(self.listing().await?.all.iter().map(|it| it.certificate_id.clone()).collect())
    }

    /// The certificate of that id, or that there is none. The single read is newer than the rest of the API and has a
    /// permission of its own: where it is not to be had, the listing tells.
    pub(super) async fn one(&mut self, id: &str) -> Result<Option<CaCertificate>, CloudError> {
        if self.by_listing {
            return self.listed(id).await;
        }
        let place = &self.iotda.place;
        let segments = ["certificates", id];
        let unreadable = || CloudError::from(place.failed(Operation::Read, Fault::Unreadable));
        match place.read::<wire::Description>(&Call::new(Operation::Read, &segments)).await {
            Ok(it) if it.certificate_id == id => it.parsed().map(Some).ok_or_else(unreadable),
            Ok(_) => Err(unreadable()),
            Err(failure) if failure.is_absence() => Ok(None),
            Err(failure) if is_without_single_read(&failure) => {
                self.by_listing = true;
                self.listed(id).await
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn listed(&mut self, id: &str) -> Result<Option<CaCertificate>, CloudError> {
        let unreadable = self.iotda.place.failed(Operation::List, Fault::Unreadable);
        let listing = self.listing().await?;
        match listing.all.iter().find(|it| it.certificate_id == id).cloned() {
            Some(it) => it.parsed().map(Some).ok_or_else(|| unreadable.into()),
            None if listing.is_whole => Ok(None),
            None => Err(in_part()),
        }
    }

    /// Those that are not known and hold one of these contents. Read is what may be it by the listing, and all that came
    /// since an upload was recorded: the service may show its name and dates otherwise than we do.
    pub(super) async fn others(
        &mut self,
        contents: &[&Content],
        intended: Option<&Intended>,
        known: impl Fn(&str) -> bool,
    ) -> Result<Vec<CaCertificate>, CloudError> {
        let listed = self.listing().await?.all.iter();
        let is_new = |id: &str| intended.is_some_and(|intent| intent.may_have_given(id));
        let may_be = |it: &&wire::Description| {
            it.face().is_none_or(|face| contents.iter().any(|content| content.may_be(&face)))
                || is_new(&it.certificate_id)
        };
        let candidates = listed.filter(may_be).filter(|it| !known(&it.certificate_id));
        let mut candidates: Vec<_> =
            candidates.map(|it| (it.certificate_id.clone(), it.face().is_some())).collect();
        // A listing may be behind.
        let made = intended.and_then(Intended::given).filter(|id| !known(id));
        if let Some(id) = made.filter(|id| candidates.iter().all(|it| it.0 != *id)) {
            candidates.push((id.to_owned(), true));
        }
        let mut found = Vec::new();
        for (id, is_told) in candidates {
            match self.one(&id).await {
                // By the listing alone it cannot be told from others: somebody else's holds nobody up.
                Err(_) if self.by_listing && !is_told => {}
                read => found.extend(read?),
            }
        }
        found.retain(|it| contents.iter().any(|content| content.is(&it.shown)));
        Ok(found)
    }
}

/// What such a listing lacks is not proven to be gone.
fn in_part() -> CloudError {
    let message = "IoTDA's listing does not show as many certificates as it counts, so that none is known to be gone; it \
                   is listed again";
    CloudError::new(Reason::ConcurrentWrite, message)
}

/// The gateway knows no such call, or the account lacks the one permission.
fn is_without_single_read(failure: &Failure) -> bool {
    failure.has_code("APIGW.0101") || failure.has_code("IOTDA.000022")
}
