use proptest::prelude::*;

use super::*;

fn endpoint() -> Endpoint {
    Endpoint::parse("https://management.azure.com").unwrap()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let hex: String = rest.by_ref().take(2).map(char::from).collect();
            bytes.push(u8::from_str_radix(&hex, 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Sent as planned, or refused: what a segment becomes in the final URL.
fn segment_in_url(text: &str) -> Result<(), Refusal> {
    let plan = Call::new(Method::Delete, &endpoint(), ["certificates", text, "verify"]).plan()?;
    let sent: Vec<&str> = plan.url.path_segments().unwrap().collect();
    assert_eq!((sent.len(), sent[0], sent[2]), (3, "certificates", "verify"), "{text:?}");
    assert_eq!(decoded(sent[1]), text);
    assert_eq!(plan.url.host_str(), Some("management.azure.com"));
    assert_eq!((plan.url.query(), plan.url.fragment()), (None, None));
    Ok(())
}

/// Strings that some URL library, proxy or server reads as more than a name.
fn attacks() -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        ".",
        "..",
        "%2e%2e",
        "%2E%2E",
        ".%2e",
        "%2e",
        "..%2f",
        "..%2F..",
        "%2f",
        "%5c",
        "..%5c",
        "..\\",
        "\\",
        "../apis/victim",
        "a/../b",
        "/",
        "//",
        "a/b",
        "a//b",
        "/a",
        "a/",
        ";",
        "..;",
        "..;/",
        "a;x=1",
        "?",
        "a?b=c",
        "#",
        "a#b",
        "a?api-version=1",
        "%00",
        "a%00b",
        "a\0b",
        "\0",
        "a\r\nHost: evil.example",
        "\r\n",
        "\n",
        "\r",
        "\t",
        "a\tb",
        "a\u{b}b",
        "a\u{7f}",
        " ",
        "a b",
        " a",
        "a ",
        "%20",
        "%",
        "%%",
        "%zz",
        "%25",
        "%252e%252e",
        "@",
        "user@evil.example",
        "//evil.example",
        "https://evil.example",
        "\u{ff0e}\u{ff0e}",
        "\u{2024}\u{2024}",
        "\u{3002}",
        "\u{202e}txt",
        "\u{feff}",
        "\u{200b}",
        "a\u{301}",
        "\u{ff0f}",
        "\u{2215}",
        "\u{fffd}",
        "ü",
        "…",
        "$",
        "&",
        "'",
        "(",
        ")",
        "*",
        "+",
        ",",
        "!",
        ":",
        "=",
        "[",
        "]",
        "{",
        "}",
        "|",
        "^",
        "`",
        "\"",
        "<",
        ">",
        "~",
        "-",
        "_",
        "...",
        "....",
        "a..b",
        "..a",
        "a..",
        ".a",
        "a.",
        "-a",
        "(rg)",
        "a,b",
        "a:b",
        "a@b",
        "c:",
        "C|",
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend([64, 65, 260, 300, 301, 4096].map(|length| "a".repeat(length)));
    all
}

#[test]
fn a_name_is_sent_as_one_segment_or_refused() {
    for text in attacks() {
        let refused = segment_in_url(&text).is_err();
        let dangerous = text.is_empty()
            || text == "."
            || text == ".."
            || text.len() > 300
            || !text.bytes().all(|b| b.is_ascii_graphic())
            || text.contains(['/', '\\', '%', '?', '#', ';']);
        assert_eq!(refused, dangerous, "{text:?}");
    }
}

#[test]
fn no_value_leaves_its_place() {
    for text in attacks() {
        let clean = text.bytes().all(|b| (b' '..=b'~').contains(&b));
        match Call::new(Method::Get, &endpoint(), ["a"]).query("api-version", &*text).plan() {
            Ok(plan) => {
                assert!(clean, "{text:?}");
                let query = plan.url.query().unwrap();
                assert_eq!(decoded(query.strip_prefix("api-version=").unwrap()), text);
                assert!(!query["api-version=".len()..].contains(['&', '=', '#', '?', '/']));
            }
            Err(why) => assert!(!clean && why == Refusal::Query, "{text:?}"),
        }
        for call in [
            Call::new(Method::Get, &endpoint(), ["a"]).if_match(&text),
            Call::new(Method::Get, &endpoint(), ["a"]).header("x-ms-client-request-id", &*text),
            Call::new(Method::Get, &endpoint(), ["a"]).bearer(&text),
        ] {
            let outcome = call.plan().map(drop);
            assert!(
                outcome.is_ok() == clean && outcome.is_err_and(|why| why == Refusal::Header) != clean || {
                    text.is_empty() || text.trim_matches(' ') != text
                },
                "{text:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_one_segment_or_refused(text in ".{0,40}") {
        let _ = segment_in_url(&text);
    }

    #[test]
    fn any_ascii_is_one_segment_or_refused(text in "[ -~]{0,12}") {
        let _ = segment_in_url(&text);
    }

    #[test]
    fn any_text_of_dots_and_separators_is_one_segment_or_refused(text in r"[.%2eEfF5c/\\;a]{0,10}") {
        let _ = segment_in_url(&text);
    }
}

#[test]
fn headers_of_the_client_itself_cannot_be_set() {
    for name in
        ["Host", "content-length", "Transfer-Encoding", "connection", "accept-encoding", "bad name", ""]
    {
        let plan = Call::new(Method::Get, &endpoint(), ["a"]).header(name, "x").plan();
        assert_eq!(plan.map(drop), Err(Refusal::Header), "{name:?}");
    }
    let twice = Call::new(Method::Get, &endpoint(), ["a"]).if_match("1").if_match("2").plan();
    assert_eq!(twice.map(drop), Err(Refusal::Header));
}

#[test]
fn a_read_has_no_body() {
    for method in [Method::Get, Method::Delete] {
        let plan = Call::new(method, &endpoint(), ["a"]).body(Body::json(&1)).plan();
        assert_eq!(plan.map(drop), Err(Refusal::Body));
    }
    let unwritable = std::collections::BTreeMap::from([((1, 2), 3)]);
    let plan = Call::new(Method::Put, &endpoint(), ["a"]).body(Body::json(&unwritable)).plan();
    assert_eq!(plan.map(drop), Err(Refusal::Body));
}

#[test]
fn another_url_is_not_the_planned_one() {
    let plan = Call::new(Method::Get, &endpoint(), ["a", "b"]).query("v", "1").plan().unwrap();
    assert!(plan.describes(&"https://management.azure.com/a/b?v=1".parse().unwrap()));
    assert!(plan.describes(&"https://management.azure.com:443/a/b?v=1".parse().unwrap()));
    for other in [
        "http://management.azure.com/a/b?v=1",
        "https://management.azure.com:444/a/b?v=1",
        "https://management.azure.com.evil.example/a/b?v=1",
        "https://user@management.azure.com/a/b?v=1",
        "https://:pw@management.azure.com/a/b?v=1",
        "https://management.azure.com/a/b/?v=1",
        "https://management.azure.com/a/c/../x?v=1",
        "https://management.azure.com/A/b?v=1",
        "https://management.azure.com/a/b",
        "https://management.azure.com/a/b?v=1&v=2",
        "https://management.azure.com/a/b?v=1#f",
    ] {
        assert!(!plan.describes(&other.parse().unwrap()), "{other}");
    }
}

#[test]
fn secrets_are_not_in_debug_texts() {
    let call = Call::new(Method::Put, &endpoint(), ["a"])
        .bearer("canary-token")
        .secret_header("x-auth-token", Zeroizing::new("canary-header".to_owned()))
        .query("q", "canary-query")
        .body(Body::json(&"canary-body"));
    assert!(!format!("{call:?} {:?}", Body::json(&"canary-body")).contains("canary"));
    let headers = call.plan().unwrap().headers;
    assert!(!format!("{headers:?}").contains("canary"));
}
