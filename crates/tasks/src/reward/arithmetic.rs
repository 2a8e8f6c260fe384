//! The value of a short expression: `+ - * / ^`, brackets, `sqrt`, `pi`, letters as unknowns, products without a sign.
//! No other functions, no powers that are not whole: what is not understood has no value.

/// Deeper than any answer; keeps the stack small.
const DEPTH: usize = 64;

/// The value at one of a few fixed points, which give each unknown a number of its own.
pub(super) fn value_at(text: &str, point: u32) -> Option<f64> {
    let mut reader = Reader { rest: text, point, depth: 0, roots: false, lost: false };
    reader.whole().filter(|value| value.is_finite())
}

/// The value of an expression without unknowns, whatever its powers, and whether a part of it was lost for its
/// smallness. One too large is infinite, and what cannot be told at all is no number, which equals nothing.
pub(super) fn value_with_roots(text: &str) -> Option<(f64, bool)> {
    let mut reader = Reader { rest: text, point: 0, depth: 0, roots: true, lost: false };
    let value = reader.whole()?;
    Some((value, reader.lost))
}

struct Reader<'a> {
    rest: &'a str,
    point: u32,
    depth: usize,
    /// Whether powers need not be whole.
    roots: bool,
    /// Whether something too small to count was left out.
    lost: bool,
}

impl Reader<'_> {
    fn whole(&mut self) -> Option<f64> {
        let value = self.sum()?;
        self.blanks();
        self.rest.is_empty().then_some(value)
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, mark: &str) -> bool {
        self.blanks();
        let found = self.rest.strip_prefix(mark);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn sum(&mut self) -> Option<f64> {
        let mut value = self.product()?;
        loop {
            if self.eat("+") {
                let more = self.product()?;
                value = self.added(value, more);
            } else if self.eat("-") {
                let less = self.product()?;
                value = self.added(value, -less);
            } else {
                return Some(value);
            }
        }
    }

    fn added(&mut self, a: f64, b: f64) -> f64 {
        let sum = a + b;
        self.lost |= a.is_finite() && b.is_finite() && (sum == a && b != 0.0 || sum == b && a != 0.0);
        sum
    }

    /// A product, quotient or power of `of`.
    fn scaled(&mut self, of: f64, value: f64) -> f64 {
        self.lost |= value == 0.0 && of != 0.0;
        value
    }

    fn product(&mut self) -> Option<f64> {
        let mut value = self.signed()?;
        loop {
            if self.eat("/") || self.eat("÷") {
                let by = self.signed()?;
                value = self.scaled(value, value / by);
            } else if self.eat("*")
                || self.eat("×")
                || self.rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '(')
            {
                let by = self.signed()?;
                value = if by == 0.0 { 0.0 * value } else { self.scaled(value, value * by) };
            } else {
                return Some(value);
            }
        }
    }

    fn signed(&mut self) -> Option<f64> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        let value = if self.eat("-") {
            -self.signed()?
        } else if self.eat("+") {
            self.signed()?
        } else {
            self.power()?
        };
        self.depth -= 1;
        Some(value)
    }

    fn power(&mut self) -> Option<f64> {
        let base = self.atom()?;
        if !self.eat("^") && !self.eat("**") {
            return Some(base);
        }
        let exponent = self.signed()?;
        (self.roots || exponent.fract() == 0.0).then(|| self.scaled(base, base.powf(exponent)))
    }

    fn atom(&mut self) -> Option<f64> {
        if self.eat("sqrt") {
            return self.brackets().map(f64::sqrt);
        }
        if self.eat("pi") {
            return Some(std::f64::consts::PI);
        }
        let first = self.rest.chars().next()?;
        if first == '(' {
            return self.brackets();
        }
        if first.is_ascii_alphabetic() {
            self.rest = &self.rest[1..];
            let place = f64::from(u32::from(first.to_ascii_lowercase()) - u32::from('a'));
            return Some(0.731 + place * 0.093 + f64::from(self.point) * (1.37 + place * 0.011));
        }
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        self.rest = rest;
        number.parse().ok()
    }

    fn brackets(&mut self) -> Option<f64> {
        if !self.eat("(") {
            return None;
        }
        let value = self.sum()?;
        self.eat(")").then_some(value)
    }
}
