//! Student's distribution and the sign test, through the regularised incomplete beta function. Only what statistics
//! of this room need; 12 digits or so.

/// `P(|T| >= |t|)` with so many degrees of freedom.
pub(crate) fn two_sided(t: f64, freedom: f64) -> f64 {
    if t.is_infinite() { 0.0 } else { beta(freedom / 2.0, 0.5, freedom / (freedom + t * t)) }
}

/// The `t` that is exceeded on either side in 5% of cases.
pub(crate) fn quantile(freedom: f64) -> f64 {
    // 12.71 for one degree of freedom is the largest.
    let (mut low, mut high) = (1.9, 13.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if two_sided(middle, freedom) > 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// How often a fair coin is at least this uneven: `one` heads, `other` tails, two-sided.
pub(crate) fn sign_test(one: usize, other: usize) -> f64 {
    if one == other {
        return 1.0;
    }
    let (few, many) = (one.min(other) as f64, one.max(other) as f64);
    // P(X <= few) of a binomial with one half.
    (2.0 * beta(many, few + 1.0, 0.5)).min(1.0)
}

/// The regularised incomplete beta function by its continued fraction (Lentz's method), on the side where that
/// converges.
fn beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let sound = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / sound(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..10_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = value;
        for term in [even, odd] {
            d = 1.0 / sound(1.0 + term * d);
            c = sound(1.0 + term / c);
            value *= c * d;
        }
        if (value - before).abs() <= 1e-15 * value.abs() {
            break;
        }
    }
    value
}

/// Logarithm of the gamma function for positive numbers: Stirling's series above 10, reached by recurrence.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < 10.0 {
        below += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = 1.0 / 12.0
        - inverse * (1.0 / 360.0 - inverse * (1.0 / 1260.0 - inverse * (1.0 / 1680.0 - inverse / 1188.0)));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series / x - below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_tables() {
        let check = |freedom: f64, expect: f64| {
            let got = quantile(freedom);
            assert!((got - expect).abs() < 5e-4, "{freedom}: {got}");
        };
        check(1.0, 12.7062);
        check(2.0, 4.3027);
        check(10.0, 2.2281);
        check(30.0, 2.0423);
        check(1e6, 1.95996);
    }

    #[test]
    fn tails_are_the_tables() {
        let check = |got: f64, expect: f64| assert!((got - expect).abs() < 1e-9, "{got} {expect}");
        // One degree of freedom is Cauchy: 1 - 2/pi atan(t).
        check(two_sided(1.0, 1.0), 0.5);
        check(two_sided(3.0, 1.0), 1.0 - 2.0 / std::f64::consts::PI * 3.0f64.atan());
        // Two degrees: 1 - t / sqrt(2 + t^2).
        check(two_sided(2.0, 2.0), 1.0 - 2.0 / 6.0f64.sqrt());
        check(two_sided(f64::INFINITY, 5.0), 0.0);
    }

    #[test]
    fn coins() {
        let check = |one, other, expect: f64| {
            let (got, turned) = (sign_test(one, other), sign_test(other, one));
            assert!((got - expect).abs() < 1e-9 && got == turned, "{one} {other}: {got} {turned}");
        };
        check(0, 0, 1.0);
        check(1, 0, 1.0);
        check(5, 0, 2.0 / 32.0);
        check(8, 2, 2.0 * 56.0 / 1024.0);
        check(3, 2, 1.0);
    }
}
