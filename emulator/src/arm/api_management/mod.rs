//! API Management's client certificates. Source: the sheet `azure-api-management`, the vendor's OpenAPI file of
//! 2024-05-01, and a recording of the live service (2019-01-01).

mod certificates;
mod contract;
mod filter;
pub(crate) mod service;
mod upload;
mod vault_reference;

use hyper::Method;

use super::{Needs, Provider, Route};
use crate::routes::Access;

/// Without vault references and their refresh.
const OLDEST: &str = "2019-01-01";

pub(super) const PROVIDER: Provider = Provider {
    namespace: "Microsoft.ApiManagement",
    types: &["service", "service/certificates"],
    versions: &[OLDEST, "2022-08-01", "2024-05-01"],
    routes: ROUTES,
};

const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ApiManagement/service/{service}/certificates",
        operation: "apiManagementCertificates.list",
        access: Access::List,
        needs: Needs::Action("Microsoft.ApiManagement/service/certificates/read"),
        handle: certificates::list,
    },
    Route {
        method: Method::GET,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ApiManagement/service/{service}/certificates/{certificate}",
        operation: "apiManagementCertificates.get",
        access: Access::Get,
        needs: Needs::Action("Microsoft.ApiManagement/service/certificates/read"),
        handle: certificates::get,
    },
    Route {
        method: Method::HEAD,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ApiManagement/service/{service}/certificates/{certificate}",
        operation: "apiManagementCertificates.head",
        access: Access::Get,
        needs: Needs::Action("Microsoft.ApiManagement/service/certificates/read"),
        handle: certificates::head,
    },
    Route {
        method: Method::PUT,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ApiManagement/service/{service}/certificates/{certificate}",
        operation: "apiManagementCertificates.createOrUpdate",
        access: Access::Write,
        needs: Needs::Action("Microsoft.ApiManagement/service/certificates/write"),
        handle: certificates::create_or_update,
    },
    Route {
        method: Method::DELETE,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ApiManagement/service/{service}/certificates/{certificate}",
        operation: "apiManagementCertificates.delete",
        access: Access::Write,
        needs: Needs::Action("Microsoft.ApiManagement/service/certificates/delete"),
        handle: certificates::delete,
    },
    Route {
        method: Method::POST,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.ApiManagement/service/{service}/certificates/{certificate}/refreshSecret",
        operation: "apiManagementCertificates.refreshSecret",
        access: Access::Write,
        needs: Needs::Action("Microsoft.ApiManagement/service/certificates/refreshSecret/action"),
        handle: certificates::refresh_secret,
    },
];
