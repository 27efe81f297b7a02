//! IoT Hub's certificates, and of the hubs themselves what clients ask on the way. Source: the sheet
//! `azure-iot-hub`, the vendor's OpenAPI files of 2018-04-01 and 2023-06-30, and two recordings of the live
//! service.

mod certificates;
mod errors;
pub(crate) mod hub;
mod hubs;
mod proof;
mod versions;
mod wire;

use hyper::Method;

use super::{Needs, Provider, Route};
use crate::routes::Access;

pub(super) const PROVIDER: Provider = Provider {
    namespace: "Microsoft.Devices",
    types: &["IotHubs", "IotHubs/certificates"],
    versions: versions::NAMES,
    routes: ROUTES,
};

const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/subscriptions/{subscription}/providers/Microsoft.Devices/IotHubs",
        operation: "iotHubs.listBySubscription",
        access: Access::List,
        needs: Needs::Action("Microsoft.Devices/iotHubs/Read"),
        handle: hubs::list,
    },
    Route {
        method: Method::GET,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Devices/IotHubs",
        operation: "iotHubs.listByResourceGroup",
        access: Access::List,
        needs: Needs::Action("Microsoft.Devices/iotHubs/Read"),
        handle: hubs::list,
    },
    Route {
        method: Method::GET,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Devices/IotHubs/{hub}",
        operation: "iotHubs.get",
        access: Access::Get,
        needs: Needs::Action("Microsoft.Devices/iotHubs/Read"),
        handle: hubs::get,
    },
    Route {
        method: Method::GET,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Devices/IotHubs/{hub}/certificates",
        operation: "iotHubCertificates.list",
        access: Access::List,
        needs: Needs::Action("Microsoft.Devices/iotHubs/certificates/Read"),
        handle: certificates::list,
    },
    Route {
        method: Method::GET,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Devices/IotHubs/{hub}/certificates/{certificate}",
        operation: "iotHubCertificates.get",
        access: Access::Get,
        needs: Needs::Action("Microsoft.Devices/iotHubs/certificates/Read"),
        handle: certificates::get,
    },
    Route {
        method: Method::PUT,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Devices/IotHubs/{hub}/certificates/{certificate}",
        operation: "iotHubCertificates.createOrUpdate",
        access: Access::Write,
        needs: Needs::Action("Microsoft.Devices/iotHubs/certificates/Write"),
        handle: certificates::create_or_update,
    },
    Route {
        method: Method::DELETE,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Devices/IotHubs/{hub}/certificates/{certificate}",
        operation: "iotHubCertificates.delete",
        access: Access::Write,
        needs: Needs::Action("Microsoft.Devices/iotHubs/certificates/Delete"),
        handle: certificates::delete,
    },
    Route {
        method: Method::POST,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Devices/IotHubs/{hub}/certificates/{certificate}/generateVerificationCode",
        operation: "iotHubCertificates.generateVerificationCode",
        access: Access::Write,
        needs: Needs::Action("Microsoft.Devices/iotHubs/certificates/generateVerificationCode/Action"),
        handle: certificates::generate_verification_code,
    },
    Route {
        method: Method::POST,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Devices/IotHubs/{hub}/certificates/{certificate}/verify",
        operation: "iotHubCertificates.verify",
        access: Access::Write,
        needs: Needs::Action("Microsoft.Devices/iotHubs/certificates/verify/Action"),
        handle: certificates::verify,
    },
];
