//! Sums, products and activations, element by element.

use super::*;

fn exact(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
        Activation::Gelu => {
            let (mut term, mut sum, mut k) = (x, x, 1.0);
            while f64::abs(term) > 1e-17 * f64::abs(sum) {
                term *= x * x / (2.0 * k + 1.0);
                sum += term;
                k += 1.0;
            }
            x * (0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt())
        }
    }
}

#[test]
fn activations_and_slopes() {
    for (name, rows, cols) in [("silu", 3, 7), ("quick_gelu", 1, 1), ("gelu", 130, 301)] {
        let kind = Activation::named(name).unwrap();
        let (x, dy) = ((noise(1, rows, cols) * 5.0).unwrap(), noise(2, rows, cols));
        let expected: Vec<f64> = wide(&x).into_iter().map(|x| exact(kind, x)).collect();
        close(name, &kind.forward(&x).unwrap(), &expected, 1e-6);
        let slopes: Vec<f64> = wide(&x)
            .into_iter()
            .zip(wide(&dy))
            .map(|(x, dy)| dy * (exact(kind, x + 1e-5) - exact(kind, x - 1e-5)) / 2e-5)
            .collect();
        close(name, &kind.backward(&x, &dy).unwrap(), &slopes, 2e-6);
    }
    assert_eq!(Activation::named("relu"), None);
}

#[test]
fn swiglu_and_its_slopes() {
    let (gate, up, dy) = ((noise(1, 71, 331) * 4.0).unwrap(), noise(2, 71, 331), noise(3, 71, 331));
    let silu = |x: f64| x / (1.0 + (-x).exp());
    let f = |i: usize, gate: f64| silu(gate) * f64::from(values(&up)[i]);
    let (g, d) = (wide(&gate), wide(&dy));
    let u = wide(&up);
    let expected: Vec<f64> = (0..g.len()).map(|i| silu(g[i]) * u[i]).collect();
    assert!((f(5, g[5]) - expected[5]).abs() < 1e-12);
    close("swiglu", &swiglu(&gate, &up).unwrap(), &expected, 1e-6);
    let (dgate, dup) = swiglu_backward(&gate, &up, &dy).unwrap();
    let slope = |i: usize| d[i] * u[i] * (silu(g[i] + 1e-5) - silu(g[i] - 1e-5)) / 2e-5;
    close("dgate", &dgate, &(0..g.len()).map(slope).collect::<Vec<_>>(), 2e-6);
    close("dup", &dup, &(0..g.len()).map(|i| d[i] * silu(g[i])).collect::<Vec<_>>(), 1e-6);
}

#[test]
fn rows_move_and_add() {
    let x = noise(1, 5, 3);
    let picked = gather_rows(&x, &[4, 0, 4]).unwrap();
    assert_eq!(values(&picked)[..3], values(&x)[12..]);
    let mut sum = zeros(&x);
    add_rows(&mut sum, &[4, 0, 4], &picked).unwrap();
    assert_eq!(values(&sum)[12], 2.0 * values(&x)[12]);
    place_rows(&mut sum, &[1, 2, 3], &picked).unwrap();
    assert_eq!(values(&sum)[3..6], values(&x)[12..]);
    assert_eq!(values(&add(&x, &x).unwrap()), values(&(&x * 2.0).unwrap()));
    let part = x.narrow(1, 1, 2).unwrap();
    assert_eq!(values(&gather_rows(&part, &[2]).unwrap()), values(&x)[7..9]);
}
