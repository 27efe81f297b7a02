//! Random bytes: for request ids and jitter, where nothing is a secret, and for passwords.

use std::time::Duration;

use zeroize::Zeroizing;

/// A version 4 UUID (RFC 9562 §5.4).
pub(super) fn request_id() -> String {
    let mut b: [u8; 16] = bytes();
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let hex: String = b.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The pause, shortened by up to a fifth, so that accounts that failed together do not retry together.
pub(super) fn jittered(pause: Duration) -> Duration {
    let [byte] = bytes();
    shortened(pause, byte)
}

fn shortened(pause: Duration, by: u8) -> Duration {
    pause - pause.mul_f64(f64::from(by) / 255.0 / 5.0)
}

/// A password for a file that is opened once: 128 bits of chance. `None` if there is no chance to be had.
pub(super) fn password() -> Option<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0_u8; 16]);
    aws_lc_rs::rand::fill(&mut *bytes).ok()?;
    Some(Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// A generator that fails gives zeros: ids that repeat and no jitter are better than no call.
fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_and_differ() {
        let id = request_id();
        assert_eq!(id.len(), 36);
        assert!(id.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            14 => b == b'4',
            19 => b"89ab".contains(&b),
            _ => b.is_ascii_hexdigit(),
        }));
        assert_ne!(id, request_id());
    }

    #[test]
    fn jitter_takes_a_fifth_at_most() {
        let pause = Duration::from_secs(10);
        assert_eq!(shortened(pause, 0), pause);
        assert_eq!(shortened(pause, 255), Duration::from_secs(8));
        assert!((8..=10).contains(&jittered(pause).as_secs()));
    }
}
