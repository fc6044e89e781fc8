//! Ids as PagerDuty makes them, growing and unique.

use pagerduty_dora::domain::timestamp::Timestamp;

const BASE36: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Digits of a ULID.
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Bits of an id that count within a world. The bits above them are the world's seed.
const COUNTER_BITS: u32 = 23;
/// Bits of a seed, so that seed and counter fit into 13 digits.
pub(super) const SEED_BITS: u32 = 44;

/// Source of the ids of a world. Worlds with different seeds share no id.
#[derive(Debug)]
pub(super) struct Ids {
    seed: u64,
    last: u64,
    latest_millis: u64,
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        assert!(seed < 1 << SEED_BITS, "the seed of a world has at most {SEED_BITS} bits: {seed}");
        Self { seed, last: 0, latest_millis: 0 }
    }

    fn next(&mut self) -> u128 {
        self.last += 1;
        assert!(self.last < 1 << COUNTER_BITS, "the world has no ids left");
        (u128::from(self.seed) << COUNTER_BITS) | u128::from(self.last)
    }

    /// Id of an incident: `Q` and 13 characters.
    pub(super) fn incident(&mut self) -> String {
        format!("Q{}", digits(BASE36, self.next(), 13))
    }

    /// Id of an event at this time: a ULID. It is greater than each earlier one, whatever their times.
    pub(super) fn event(&mut self, at: Timestamp) -> String {
        let millis = u64::try_from(at.as_nanos() / 1_000_000).unwrap();
        self.latest_millis = self.latest_millis.max(millis);
        let time = digits(CROCKFORD, self.latest_millis.into(), 10);
        format!("{time}{}", digits(CROCKFORD, self.next(), 16))
    }

    /// Id of an entry of the log: `R` and 25 characters.
    pub(super) fn log_entry(&mut self) -> String {
        format!("R{}", digits(BASE36, self.next(), 25))
    }

    /// Id of everything else: `P` and 13 characters.
    pub(super) fn other(&mut self) -> String {
        format!("P{}", digits(BASE36, self.next(), 13))
    }
}

/// Id of a service, team, priority or field. It follows from the name, so that all worlds agree on it.
pub(super) fn id_of(kind: &str, name: &str) -> String {
    // FNV-1a.
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = kind.bytes().chain([0]).chain(name.bytes()).fold(0xcbf2_9ce4_8422_2325, mix);
    format!("P{}", digits(BASE36, (hash % 36_u64.pow(6)).into(), 6))
}

/// The last `count` digits of a number.
fn digits(alphabet: &[u8], mut number: u128, count: usize) -> String {
    let base = alphabet.len() as u128;
    let mut digits = vec![' '; count];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(alphabet[usize::try_from(number % base).unwrap()]);
        number /= base;
    }
    digits.into_iter().collect()
}
