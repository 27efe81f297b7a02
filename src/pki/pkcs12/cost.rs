//! What opening a PKCS#12 file would cost, read from its structure before anything is derived.

use der::Tag;
use der::asn1::ObjectIdentifier;

use super::Pkcs12Fault;
use crate::pki::asn1::{Values, constructed};

/// The iterations of all derivations together: a second or so.
const MAX_ITERATIONS: u64 = 600_000;
/// Key and certificates take three; Java writes one for each.
const MAX_BAGS: usize = 32;
/// How deep the values of a file lie.
const MAX_DEPTH: usize = 32;

const SCRYPT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11591.4.11");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
/// pkcs-12PbeIds: the password-based schemes of RFC 7292 appendix C.
const PBE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1");
/// bagtypes: the kinds of bags of RFC 7292 §4.2.
const BAGS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1");

/// Why a file is not opened, whatever its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooCostly {
    /// The iterations.
    #[error("its key derivations take more than 600000 iterations together; export it again with fewer")]
    Iterations,
    /// The bags.
    #[error("it has more than 32 parts")]
    Bags,
    /// Memory-hard derivation.
    #[error("its key is derived by scrypt, which is not read; export it with PBKDF2")]
    Scrypt,
    /// Values inside values.
    #[error("its parts lie too deep in each other")]
    Depth,
}

#[derive(Default)]
struct Sum {
    iterations: u64,
    bags: usize,
}

/// Adds up all that the file says of derivations. What is encrypted holds bags, but no derivations that are not seen
/// before: those of keys inside are counted when the file has them in the open, as all software writes them.
pub(super) fn check(file: &[u8]) -> Result<(), Pkcs12Fault> {
    let mut pfx = Values::of(Tag::Sequence, file).ok_or(Pkcs12Fault::Malformed)?;
    pfx.take(Tag::Integer).ok_or(Pkcs12Fault::Malformed)?;
    let mut sum = Sum::default();
    sum.value(pfx.next().ok_or(Pkcs12Fault::Malformed)?, 0)?;
    if let Some(mac) = pfx.take_if(Tag::Sequence) {
        let mut mac = Values::within(mac).ok_or(Pkcs12Fault::Malformed)?;
        sum.value(mac.next().ok_or(Pkcs12Fault::Malformed)?, 0)?; // PBMAC1 has its derivation here
        mac.take(Tag::OctetString).ok_or(Pkcs12Fault::Malformed)?; // the salt
        sum.add(mac.take_if(Tag::Integer).unwrap_or(&[1]))?;
    }
    if pfx.is_finished() { Ok(()) } else { Err(Pkcs12Fault::Malformed) }
}

impl Sum {
    fn add(&mut self, count: &[u8]) -> Result<(), TooCostly> {
        let small = count.len() <= 8 && count.first().is_none_or(|it| *it < 0x80);
        let count = count.iter().fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
        self.iterations = self.iterations.saturating_add(count);
        if small && self.iterations <= MAX_ITERATIONS { Ok(()) } else { Err(TooCostly::Iterations) }
    }

    /// A value and all values in it. An OCTET STRING may hold values too.
    fn value(&mut self, value: &[u8], depth: usize) -> Result<(), TooCostly> {
        if depth > MAX_DEPTH {
            return Err(TooCostly::Depth);
        }
        let of = |tag| Values::of(tag, value);
        if let Some(inside) = of(Tag::Sequence) {
            self.sequence(inside, depth)
        } else if let Some(inside) = [Tag::Set, constructed(0), Tag::OctetString].into_iter().find_map(of) {
            self.all(inside, depth)
        } else {
            Ok(())
        }
    }

    fn all(&mut self, mut values: Values<'_>, depth: usize) -> Result<(), TooCostly> {
        while let Some(value) = values.next() {
            self.value(value, depth + 1)?;
        }
        Ok(())
    }

    /// A scheme begins with its name and has its parameters behind it.
    fn sequence(&mut self, mut values: Values<'_>, depth: usize) -> Result<(), TooCostly> {
        let Some(name) = values.take_if(Tag::ObjectIdentifier) else { return self.all(values, depth) };
        if name == SCRYPT.as_bytes() {
            return Err(TooCostly::Scrypt);
        }
        if name.starts_with(BAGS.as_bytes()) || name == ENCRYPTED_DATA.as_bytes() {
            self.bags += 1;
            if self.bags > MAX_BAGS {
                return Err(TooCostly::Bags);
            }
        }
        if name.starts_with(PBE.as_bytes()) && !name.starts_with(BAGS.as_bytes()) || name == PBKDF2.as_bytes()
        {
            return self.derivation(values);
        }
        self.all(values, depth)
    }

    /// Parameters: a salt, then the iterations.
    fn derivation(&mut self, mut values: Values<'_>) -> Result<(), TooCostly> {
        let count = || {
            let mut parameters = Values::within(values.take(Tag::Sequence)?)?;
            parameters.next()?;
            parameters.take(Tag::Integer)
        };
        let mut count = count;
        self.add(count().unwrap_or(&[]))
    }
}
