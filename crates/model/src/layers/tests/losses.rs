//! Losses and log-probabilities over the vocabulary.

use super::*;

fn exact(hidden: &[f64], head: &[f64], width: usize, targets: &[LossRow]) -> f64 {
    targets
        .iter()
        .map(|target| {
            let x = &hidden[target.row * width..][..width];
            let logits: Vec<f64> =
                head.chunks(width).map(|w| x.iter().zip(w).map(|(x, w)| x * w).sum()).collect();
            let total: f64 = logits.iter().map(|v: &f64| v.exp()).sum();
            f64::from(target.weight) * (total.ln() - logits[target.target as usize])
        })
        .sum()
}

#[test]
fn loss_and_its_slopes() {
    let (n, width, vocabulary) = (9, 7, 40);
    let (hidden, w) = (noise(1, n, width), (noise(2, vocabulary, width) * 2.0).unwrap());
    let head = Linear::new(Weight::F32(values(&w).into()), None, vocabulary, width).unwrap();
    // More targets than a chunk holds, rows repeated and some left out.
    let targets: Vec<LossRow> = (0..300)
        .map(|i| LossRow { row: i % 7, target: (i * 13 % 40) as u32, weight: 0.01 + i as f32 * 1e-4 })
        .collect();
    let mut grad = zeros(&w);
    let Scores { logs, dhidden, .. } =
        cross_entropy(&hidden, &head, &targets, None, Some(&mut grad)).unwrap();
    let terms = logs.iter().zip(&targets).map(|(log, t)| -f64::from(*log) * f64::from(t.weight));
    let loss: f64 = terms.sum();
    assert!((loss - exact(&wide(&hidden), &wide(&w), width, &targets)).abs() < 1e-5, "{loss}");
    let one = Tensor::ones((1,), candle_core::DType::F32, &Device::Cpu).unwrap();
    close("dhidden", &dhidden, &slope(&hidden, &one, |h| vec![exact(h, &wide(&w), width, &targets)]), 1e-5);
    close("dhead", &grad, &slope(&w, &one, |w| vec![exact(&wide(&hidden), w, width, &targets)]), 1e-5);
    assert_eq!(log_probabilities(&hidden, &head, &targets).unwrap(), logs);
}

#[test]
fn embeddings_gather_and_scatter() {
    let table = noise(1, 6, 4);
    let bf16: Vec<half::bf16> = values(&table).into_iter().map(half::bf16::from_f32).collect();
    for (weight, tolerance) in [(Weight::F32(values(&table).into()), 0.0), (Weight::Bf16(bf16.into()), 4e-3)]
    {
        let embedding = Embedding::new(weight, 6, 4).unwrap();
        let rows = embedding.forward(&[5, 0, 5]).unwrap();
        close("rows", &rows, &wide(&gather_rows(&table, &[5, 0, 5]).unwrap()), tolerance);
        let mut grad = zeros(&table);
        embedding.backward(&[5, 0, 5], &noise(2, 3, 4), &mut grad).unwrap();
        let mut expected = zeros(&table);
        add_rows(&mut expected, &[5, 0, 5], &noise(2, 3, 4)).unwrap();
        assert_eq!(values(&grad), values(&expected));
    }
}
