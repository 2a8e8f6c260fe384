//! RMS and layer norms and their slopes.

use super::*;

fn rms(x: &[f64], w: &[f64], epsilon: f64) -> Vec<f64> {
    x.chunks(w.len())
        .flat_map(|x| {
            let mean = x.iter().map(|v| v * v).sum::<f64>() / w.len() as f64;
            x.iter().zip(w).map(move |(x, w)| x / (mean + epsilon).sqrt() * w).collect::<Vec<_>>()
        })
        .collect()
}

fn layer(x: &[f64], w: &[f64], b: &[f64], epsilon: f64) -> Vec<f64> {
    x.chunks(w.len())
        .flat_map(|x| {
            let mean = x.iter().sum::<f64>() / w.len() as f64;
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / w.len() as f64;
            let scaled = x.iter().map(move |x| (x - mean) / (variance + epsilon).sqrt());
            scaled.zip(w).zip(b).map(|((x, w), b)| x * w + b).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn norms_and_their_slopes() {
    for (rows, cols) in [(1, 1), (3, 5), (4, 32), (7, 67)] {
        let (x, dy) = ((noise(1, rows, cols) * 3.0).unwrap(), noise(2, rows, cols));
        let (weight, bias) = (vector(3, cols), vector(4, cols));
        let (w, b) = (wide(&weight), wide(&bias));
        let norm = RmsNorm { weight: weight.clone(), epsilon: 1e-6 };
        close("rms", &norm.forward(&x).unwrap(), &rms(&wide(&x), &w, 1e-6), 1e-6);
        let mut grad = zeros(&weight);
        let dx = norm.backward(&x, &dy, Some(&mut grad)).unwrap();
        close("rms dx", &dx, &slope(&x, &dy, |x| rms(x, &w, 1e-6)), 1e-5);
        close("rms dw", &grad, &slope(&weight, &dy, |w| rms(&wide(&x), w, 1e-6)), 1e-5);

        let epsilon = 1e-2;
        let norm = LayerNorm { weight: weight.clone(), bias: bias.clone(), epsilon: 1e-2 };
        close("layer", &norm.forward(&x).unwrap(), &layer(&wide(&x), &w, &b, epsilon), 1e-6);
        let (mut grad_w, mut grad_b) = (zeros(&weight), zeros(&bias));
        let dx = norm.backward(&x, &dy, Some(&mut grad_w), Some(&mut grad_b)).unwrap();
        close("layer dx", &dx, &slope(&x, &dy, |x| layer(x, &w, &b, epsilon)), 1e-5);
        close("layer dw", &grad_w, &slope(&weight, &dy, |w| layer(&wide(&x), w, &b, epsilon)), 1e-5);
        close("layer db", &grad_b, &slope(&bias, &dy, |b| layer(&wide(&x), &w, b, epsilon)), 1e-5);
        assert_eq!(values(&norm.backward(&x, &dy, None, None).unwrap()), values(&dx));
    }
}
