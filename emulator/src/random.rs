//! Random values from OpenSSL's generator, in the forms that the services use.

/// `N` bytes from a secure source.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut buffer = [0; N];
    // Without randomness nothing here makes sense; OpenSSL fails only when the system has no source of it.
    openssl::rand::rand_bytes(&mut buffer).expect("the system has a source of randomness");
    buffer
}

pub(crate) fn guid() -> String {
    let mut raw = bytes::<16>();
    raw[6] = raw[6] & 0x0f | 0x40; // version 4, variant 1 (RFC 9562 §5.4)
    raw[8] = raw[8] & 0x3f | 0x80;
    let hex = crate::encoding::hex_lower(&raw);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
