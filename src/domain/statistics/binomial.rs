//! The limits of chance for a count of a number of trials: exact tails of the binomial distribution.
//!
//! Between whole numbers the tail is that of the incomplete beta function, which equals the binomial one at whole
//! numbers. So the limits are smooth curves, and a count is above its limit exactly if the probability of this count or a
//! higher one is below the tail.

/// Probability of a count above the upper 95 % limit, and of one below the lower limit.
pub const TAIL_95: f64 = 0.025;
/// The same for the 99.8 % limits.
pub const TAIL_998: f64 = 0.001;
/// Halvings of the interval in which a limit is searched.
const HALVINGS: usize = 50;
/// Most levels of the continued fraction. A million trials need some hundreds.
const MOST_LEVELS: u32 = 20_000;

/// Probability of `count` or more of `n`, each with probability `p`. `count` and `n` need not be whole.
pub fn at_least(count: f64, n: f64, p: f64) -> f64 {
    if count <= 0.0 {
        1.0
    } else if count >= n + 1.0 {
        0.0
    } else {
        incomplete_beta(count, n - count + 1.0, p)
    }
}

/// Probability of `count` or fewer of `n`.
pub fn at_most(count: f64, n: f64, p: f64) -> f64 {
    at_least(n - count, n, 1.0 - p)
}

/// The count whose probability, or that of a higher count, is `tail`. It may be above `n`, and then nothing is too
/// many.
pub fn upper_limit(n: f64, p: f64, tail: f64) -> f64 {
    let (mut below, mut above) = (0.0, n + 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(below, above);
        if at_least(middle, n, p) > tail {
            below = middle;
        } else {
            above = middle;
        }
    }
    below
}

/// The count whose probability, or that of a lower count, is `tail`. It may be below 0.
pub fn lower_limit(n: f64, p: f64, tail: f64) -> f64 {
    n - upper_limit(n, 1.0 - p, tail)
}

/// The regularized incomplete beta function, for `a` and `b` above zero and `x` from 0 to 1.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    // The fraction converges fast on this side of the mean. The other side is its complement.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    (front.exp() * fraction(a, b, x) / a).clamp(0.0, 1.0)
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by the method of Lentz: the quotients of
/// neighbouring numerators and denominators are kept instead of these, which would overflow.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let not_zero = |number: f64| if number.abs() < 1e-300 { 1e-300 } else { number };
    let mut numerators = 1.0;
    let mut denominators = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut result = denominators;
    for level in 1..=MOST_LEVELS {
        let m = f64::from(level);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = result;
        for term in [even, odd] {
            denominators = 1.0 / not_zero(1.0 + term * denominators);
            numerators = not_zero(1.0 + term / numerators);
            result *= numerators * denominators;
        }
        if (result - before).abs() <= result.abs() * 1e-13 {
            break;
        }
    }
    result
}

/// Logarithm of the gamma function, for `x` above zero: Stirling's series (DLMF 5.11.1), from where it is exact on.
fn ln_gamma(x: f64) -> f64 {
    const START_OF_SERIES: f64 = 12.0;
    let (mut x, mut shift) = (x, 0.0);
    while x < START_OF_SERIES {
        shift -= x.ln();
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series =
        (1.0 / 12.0 - y * (1.0 / 360.0 - y * (1.0 / 1_260.0 - y * (1.0 / 1_680.0 - y / 1_188.0)))) / x;
    shift + (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of the probabilities of `count` to `n`.
    fn summed(count: u32, n: u32, p: f64) -> f64 {
        let choose = |k: u32| (1..=k).map(|i| f64::from(n - k + i) / f64::from(i)).product::<f64>();
        (count..=n).map(|k| choose(k) * p.powf(f64::from(k)) * (1.0 - p).powf(f64::from(n - k))).sum()
    }

    #[test]
    fn tails_are_the_sums_of_probabilities() {
        for n in [1, 2, 5, 17, 60, 200] {
            for p in [0.004, 0.1, 0.37, 0.5, 0.93] {
                for count in 0..=n {
                    let (found, wanted) = (at_least(f64::from(count), f64::from(n), p), summed(count, n, p));
                    assert!(
                        (found - wanted).abs() < 1e-11,
                        "{count} of {n} at {p}: {found} instead of {wanted}"
                    );
                    let below = at_most(f64::from(count), f64::from(n), p);
                    let wanted = 1.0 - if count == n { 0.0 } else { summed(count + 1, n, p) };
                    assert!(
                        (below - wanted).abs() < 1e-11,
                        "{count} of {n} at {p}: {below} instead of {wanted}"
                    );
                }
            }
        }
    }

    #[test]
    fn limits_have_their_tails() {
        for n in [5.0, 40.0, 3_000.0, 1e6] {
            for tail in [TAIL_95, TAIL_998] {
                let (low, high) = (lower_limit(n, 0.1, tail), upper_limit(n, 0.1, tail));
                assert!((at_least(high, n, 0.1) - tail).abs() < 1e-6, "{n}: {high}");
                assert!(low < n * 0.1 && n * 0.1 < high, "{n}: {low} {high}");
                assert!(low < 0.0 || (at_most(low, n, 0.1) - tail).abs() < 1e-6, "{n}: {low}");
            }
        }
    }

    #[test]
    fn nothing_is_too_many_where_even_all_are_likely() {
        assert!(upper_limit(2.0, 0.5, TAIL_95) > 2.0);
        assert!(lower_limit(5.0, 0.1, TAIL_95) < 0.0);
    }
}
