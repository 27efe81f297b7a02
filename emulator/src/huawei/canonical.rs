//! The canonical request, made from what was received: the one text that both signing schemes sign. Source: the sheet,
//! section 10, and the vendor's guide "API Request Signing".

use openssl::sha::sha256;

use crate::encoding::{hex_lower, percent_decoded, percent_encoded};
use crate::request::Request;

const CONTENT_HASH: &str = "x-sdk-content-sha256";

/// `None` if a signed header is missing, or path or query cannot be decoded. The names are in lower case and sorted.
pub(super) fn canonical_request(request: &Request, signed: &[String]) -> Option<String> {
    let headers = signed.iter().map(|name| Some(format!("{name}:{}\n", header(request, name)?)));
    let headers: String = headers.collect::<Option<_>>()?;
    let (method, uri) = (request.method.as_str().to_ascii_uppercase(), uri(&request.raw_path)?);
    let query = query(request.raw_query.as_deref().unwrap_or_default())?;
    Some(format!("{method}\n{uri}\n{query}\n{headers}\n{}\n{}", signed.join(";"), payload(request)))
}

/// As received, trimmed at both ends; several of one name stand in one line.
fn header(request: &Request, name: &str) -> Option<String> {
    let values: Vec<_> = request
        .headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        .collect();
    if values.is_empty() {
        // Without a network the host stands in the URL alone.
        return (name == "host").then(|| request.authority.clone());
    }
    Some(values.join(","))
}

/// Decoded as a whole before it is split: the official signer takes `%2F` for a separator.
fn uri(raw: &str) -> Option<String> {
    let decoded = percent_decoded(raw, false)?;
    let mut uri = decoded.split('/').map(percent_encoded).collect::<Vec<_>>().join("/");
    if !uri.ends_with('/') {
        uri.push('/');
    }
    Some(uri)
}

/// Sorted before they are encoded. A `+` is a plus: no client of the vendor sends it for a space.
fn query(raw: &str) -> Option<String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((percent_decoded(name, false)?, percent_decoded(value, false)?))
    };
    let mut pairs: Vec<_> =
        raw.split('&').filter(|text| !text.is_empty()).map(pair).collect::<Option<_>>()?;
    pairs.sort();
    let encoded =
        pairs.iter().map(|(name, value)| format!("{}={}", percent_encoded(name), percent_encoded(value)));
    Some(encoded.collect::<Vec<_>>().join("&"))
}

/// The hash of the bytes that came. With a body, a client may say another text instead, such as `UNSIGNED-PAYLOAD`.
fn payload(request: &Request) -> String {
    match request.header(CONTENT_HASH) {
        Some(said) if !request.body.is_empty() => said.to_owned(),
        _ => hex_lower(&sha256(&request.body)),
    }
}
