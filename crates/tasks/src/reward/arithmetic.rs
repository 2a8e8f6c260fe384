//! The value of a short expression: `+ - * / ^`, brackets, `sqrt`, `pi`, letters as unknowns, products without a sign.
//! No other functions, no powers that are not whole: what is not understood has no value.

/// Deeper than any answer; keeps the stack small.
const DEPTH: usize = 64;

/// The value at one of a few fixed points, which give each unknown a number of its own.
pub(super) fn value_at(text: &str, point: u32) -> Option<f64> {
    read(text, point, false).filter(|value| value.is_finite())
}

/// The value of an expression without unknowns, whatever its powers; one too large is infinite.
pub(super) fn value_with_roots(text: &str) -> Option<f64> {
    read(text, 0, true).filter(|value| !value.is_nan())
}

fn read(text: &str, point: u32, roots: bool) -> Option<f64> {
    let mut reader = Reader { rest: text, point, depth: 0, roots };
    let value = reader.sum()?;
    reader.blanks();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
    point: u32,
    depth: usize,
    /// Whether powers need not be whole.
    roots: bool,
}

impl Reader<'_> {
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
                value += self.product()?;
            } else if self.eat("-") {
                value -= self.product()?;
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self) -> Option<f64> {
        let mut value = self.signed()?;
        loop {
            if self.eat("/") || self.eat("÷") {
                value /= self.signed()?;
            } else if self.eat("*")
                || self.eat("×")
                || self.rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '(')
            {
                value *= self.signed()?;
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
        (self.roots || exponent.fract() == 0.0).then(|| base.powf(exponent))
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
