//! The exact interval of a Poisson mean (Garwood, Biometrika 28, 1936).
//!
//! The bounds are quantiles of chi-squared distributions: `chi2(0.025; 2x) / 2` and `chi2(0.975; 2x + 2) / 2`. With whole
//! counts these are the means at which a Poisson tail is exactly 2.5 %, and such a tail is a sum of positive terms.

use super::constants::{TAIL, Z, real};
use super::estimate::Estimate;

/// From this shape on the expansion is as exact as a double.
const MIN_SHAPE_OF_EXPANSION: f64 = 10_000.0;

/// Newton's method needs three steps for nearly every count, and seven at most.
const MAX_NEWTON_STEPS: usize = 20;

/// The largest count whose factorial a double holds exactly, with room to spare.
const MAX_EXACT_FACTORIAL: f64 = 20.0;

/// The mean of a Poisson distribution from one observed count, with its exact interval. The lower bound of 0 is 0.
///
/// The relative error of both bounds is below 1e-12 for every count.
pub fn poisson_mean(count: usize) -> Estimate {
    let x = real(count);
    Estimate::new(x, lower_bound(x), upper_bound(x))
}

/// The mean `m` with `P(X >= x) = 0.025`.
fn lower_bound(x: f64) -> f64 {
    if x < 1.0 {
        return 0.0;
    }
    if x >= MIN_SHAPE_OF_EXPANSION {
        return expansion(x, -Z);
    }
    newton(first_guess(x, -Z), |m| {
        let sum = upper_sum(x, m);
        // The derivative of the logarithm of the tail by m is x / (m · sum).
        -log_tail_ratio(x, m, sum) * sum * m / x
    })
}

/// The mean `m` with `P(X <= x) = 0.025`.
fn upper_bound(x: f64) -> f64 {
    let shape = x + 1.0;
    if shape >= MIN_SHAPE_OF_EXPANSION {
        return expansion(shape, Z);
    }
    newton(first_guess(shape, Z), |m| {
        let sum = lower_sum(x, m);
        // The derivative of the logarithm of the tail by m is -1 / sum.
        log_tail_ratio(x, m, sum) * sum
    })
}

/// Newton's method on the logarithm of the tail, which is concave in the mean. There are 10,000 starts for each bound.
/// The tests try each of them: no step leaves the positive numbers.
fn newton(start: f64, step_at: impl Fn(f64) -> f64) -> f64 {
    let mut mean = start;
    for _ in 0..MAX_NEWTON_STEPS {
        let step = step_at(mean);
        mean += step;
        if step.abs() <= 8.0 * f64::EPSILON * mean {
            break;
        }
    }
    mean
}

/// Logarithm of a tail of `sum · P(X = x)` over its target.
fn log_tail_ratio(x: f64, mean: f64, sum: f64) -> f64 {
    log_probability(x, mean) + (sum / TAIL).ln()
}

/// `P(X <= x) / P(X = x)`: 1 + x/m + x(x-1)/m² + …
fn lower_sum(x: f64, mean: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, x);
    while k > 0.0 && term > f64::EPSILON / 16.0 * sum {
        term *= k / mean;
        sum += term;
        k -= 1.0;
    }
    sum
}

/// `P(X >= x) / P(X = x)`: 1 + m/(x+1) + m²/((x+1)(x+2)) + …
fn upper_sum(x: f64, mean: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, x);
    while term > f64::EPSILON / 16.0 * sum {
        k += 1.0;
        term *= mean / k;
        sum += term;
    }
    sum
}

/// Logarithm of `P(X = x)`.
fn log_probability(x: f64, mean: f64) -> f64 {
    if x <= MAX_EXACT_FACTORIAL {
        return x * mean.ln() - mean - log_factorial(x);
    }
    // x·ln(m) - m - ln(x!) would be a small difference of large numbers. The saddle-point form is not
    // (Loader, Fast and Accurate Computation of Binomial Probabilities, 2000).
    let excess = (mean - x) / x;
    let deviance = x * (excess - excess.ln_1p());
    -deviance - (std::f64::consts::TAU * x).ln() / 2.0 - stirling_error(x)
}

/// `ln(x!)` for at most [`MAX_EXACT_FACTORIAL`].
fn log_factorial(x: f64) -> f64 {
    let (mut product, mut factor) = (1.0, 2.0);
    while factor <= x {
        product *= factor;
        factor += 1.0;
    }
    f64::ln(product)
}

/// `ln(x!)` minus Stirling's formula, for x above [`MAX_EXACT_FACTORIAL`].
fn stirling_error(x: f64) -> f64 {
    let x2 = x * x;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * x2)) / x2) / x2) / x
}

/// Wilson and Hilferty's approximation of a gamma quantile (1931).
fn first_guess(shape: f64, z: f64) -> f64 {
    shape * (1.0 - 1.0 / (9.0 * shape) + z / (3.0 * shape.sqrt())).powi(3)
}

/// Cornish and Fisher's expansion of a gamma quantile (Goldberg and Levine 1946). The first term left out is below
/// 1e-15 of the result at a shape of 10,000.
fn expansion(shape: f64, z: f64) -> f64 {
    let root = shape.sqrt();
    let z2 = z * z;
    let terms = [
        z,
        (z2 - 1.0) / 3.0,
        z * (z2 - 7.0) / 36.0,
        (16.0 - 7.0 * z2 - 3.0 * z2 * z2) / 810.0,
        z * (9.0 * z2 * z2 + 256.0 * z2 - 433.0) / 38_880.0,
        (12.0 * z2 * z2 * z2 - 243.0 * z2 * z2 - 923.0 * z2 + 1_472.0) / 204_120.0,
    ];
    // The terms stand before root, 1, 1/root, 1/root², 1/root³, 1/root⁴.
    let correction = terms.iter().rev().fold(0.0, |sum, term| sum / root + term);
    shape + root * correction
}
