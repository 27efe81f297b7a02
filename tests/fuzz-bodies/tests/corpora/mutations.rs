//! Changes to an input: of its bytes, and where it is JSON, of its members too, since few changes of bytes leave JSON.

use serde_json::{Value, json};

/// An endless row of mutations, the same for the same input and seed.
pub(crate) struct Mutations<'a> {
    input: &'a [u8],
    json: Option<Value>,
    state: u64,
}

impl<'a> Mutations<'a> {
    pub(crate) fn of(input: &'a [u8], seed: &str) -> Self {
        // FNV-1a.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let state = seed.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
        let json = serde_json::from_slice(input).ok().filter(|it: &Value| it.is_object());
        Self { input, json, state }
    }

    pub(crate) fn next(&mut self) -> Vec<u8> {
        match self.json.clone() {
            Some(mut value) if self.below(4) > 0 => {
                for _ in 0..=self.below(2) {
                    self.change_member(&mut value);
                }
                value.to_string().into_bytes()
            }
            _ => {
                let mut bytes = self.input.to_vec();
                for _ in 0..=self.below(3) {
                    self.change_bytes(&mut bytes);
                }
                bytes
            }
        }
    }

    fn change_bytes(&mut self, bytes: &mut Vec<u8>) {
        const ODD: [&[u8]; 12] = [
            b"\0",
            b"\r\n",
            b"\xff\xfe",
            b"\xef\xbb\xbf",
            b"%2e%2e",
            b"../",
            b"\\",
            b"\x1b[2J",
            "\u{202e}".as_bytes(),
            "\u{ff0e}".as_bytes(),
            b"-----BEGIN ",
            b"\x30\x84\xff\xff\xff\xff",
        ];
        let length = bytes.len();
        let at = self.below(length + 1);
        let to = (at + 1 + self.below(32)).min(length);
        match self.below(6) {
            0 | 1 if at < length => bytes[at] ^= 1 << self.below(8),
            2 if at < length => bytes[at] = self.byte(),
            3 => drop(bytes.drain(at..to)),
            4 => {
                let chunk = bytes[at..to].to_vec();
                let place = self.below(length + 1);
                bytes.splice(place..place, chunk);
            }
            _ => {
                let odd = ODD[self.below(ODD.len())];
                bytes.splice(at..at, odd.iter().copied());
            }
        }
    }

    /// Takes a member away, doubles it under another name, or gives it an odd value.
    fn change_member(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) if !members.is_empty() && self.below(8) > 0 => {
                let names: Vec<_> = members.keys().cloned().collect();
                let name = &names[self.below(names.len())];
                match self.below(10) {
                    0 => drop(members.remove(name)),
                    1 => {
                        let other = &names[self.below(names.len())];
                        members.insert(other.clone(), members[name].clone());
                    }
                    2 => drop(members.insert(format!("{name}\0"), Value::Null)),
                    _ => self.change_member(&mut members[name]),
                }
            }
            Value::Array(items) if !items.is_empty() && self.below(4) > 0 => {
                let at = self.below(items.len());
                self.change_member(&mut items[at]);
            }
            Value::String(text) if self.below(2) > 0 => {
                let mut bytes = std::mem::take(text).into_bytes();
                self.change_bytes(&mut bytes);
                *text = String::from_utf8_lossy(&bytes).into_owned();
            }
            other => *other = self.odd_value(),
        }
    }

    fn odd_value(&mut self) -> Value {
        match self.below(14) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(-1),
            3 => json!(u64::MAX),
            4 => json!(1e308),
            5 => json!(""),
            6 => json!("true"),
            7 => json!("412001"),
            8 => json!("a".repeat(300)),
            9 => json!("..\u{202e}\u{ff0e}%2e%2e\r\n\0\u{1b}[2J"),
            10 => json!([]),
            11 => json!({}),
            12 => json!([[[{ "code": "Deep", "innererror": { "code": 5 } }]]]),
            _ => json!("0123456789ABCDEF0123456789ABCDEF01234567"),
        }
    }

    fn byte(&mut self) -> u8 {
        self.draw().to_be_bytes()[0]
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).expect("a usize has at most 64 bits");
        usize::try_from(self.draw() % limit).expect("it is below a usize")
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
