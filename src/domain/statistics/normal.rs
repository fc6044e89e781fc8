//! The tails of the normal distribution.

/// From here on the continued fraction is exact; below, the series is.
const START_OF_FRACTION: f64 = 3.0;

/// Levels of the continued fraction. At its start 60 are enough.
const FRACTION_DEPTH: u16 = 100;

/// Probability that a standard normal value is at least as far from zero as z. It is 1 for z = 0.
pub(super) fn two_sided_p(z: f64) -> f64 {
    let z = z.abs();
    let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if z >= START_OF_FRACTION {
        // Laplace: 1 / (z + 1/(z + 2/(z + 3/(z + …)))).
        let fraction = (1..=FRACTION_DEPTH).rev().fold(z, |below, level| z + f64::from(level) / below);
        return 2.0 * density / fraction;
    }
    // Between -z and z: 2 · density · (z + z³/3 + z⁵/(3·5) + …).
    let (mut sum, mut term, mut divisor) = (z, z, 1.0);
    while term > f64::EPSILON / 16.0 * sum {
        divisor += 2.0;
        term *= z * z / divisor;
        sum += term;
    }
    (1.0 - 2.0 * density * sum).clamp(0.0, 1.0)
}
