//! Products with weights of every kind, and their slopes.

use super::*;

fn product(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Vec<f64> {
    let (x, w, columns) = (x.to_vec2::<f32>().unwrap(), w.to_vec2::<f32>().unwrap(), b.map(wide));
    let dot = |x: &[f32], w: &[f32]| x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    x.iter()
        .flat_map(|x| {
            w.iter()
                .enumerate()
                .map(|(j, w)| dot(x, w) + columns.as_ref().map_or(0.0, |b| b[j]))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn check(rows: usize, outputs: usize, inputs: usize) {
    let (x, dy, w) = (noise(1, rows, inputs), noise(2, rows, outputs), noise(3, outputs, inputs));
    let bias = vector(4, outputs);
    let bf16: Vec<half::bf16> = values(&w).into_iter().map(half::bf16::from_f32).collect();
    let quantised =
        candle_core::quantized::QTensor::quantize(&w, candle_core::quantized::GgmlDType::F32).unwrap();
    let weights = [
        (Weight::F32(values(&w).into()), 1e-5),
        (Weight::Bf16(bf16.into()), 2e-2),
        (Weight::Quantised(std::sync::Arc::new(quantised)), 1e-5),
    ];
    for (weight, tolerance) in weights {
        let linear = Linear::new(weight, Some(bias.clone()), outputs, inputs).unwrap();
        let scale = (inputs as f64).sqrt();
        close("y", &linear.forward(&x).unwrap(), &product(&x, &w, Some(&bias)), tolerance * scale);
        let dx = product(&dy, &w.t().unwrap().contiguous().unwrap(), None);
        close("dx", &linear.backward_input(&dy).unwrap(), &dx, tolerance * (outputs as f64).sqrt());
        let transposed = |t: &Tensor| t.t().unwrap().contiguous().unwrap();
        let mut grad = zeros(&w);
        linear.backward_weight(&x, &dy, &mut grad).unwrap();
        linear.backward_weight(&x, &dy, &mut grad).unwrap();
        let dw: Vec<f64> = product(&transposed(&dy), &transposed(&x), None).iter().map(|v| 2.0 * v).collect();
        close("dw", &grad, &dw, 1e-5 * (rows as f64).sqrt());
        let mut grad = zeros(&bias);
        linear.backward_bias(&dy, &mut grad).unwrap();
        let sums: Vec<f64> = (0..outputs).map(|j| wide(&dy).iter().skip(j).step_by(outputs).sum()).collect();
        close("db", &grad, &sums, 1e-5);
    }
}

#[test]
fn products_and_their_slopes() {
    for (rows, outputs, inputs) in [(1, 5, 32), (3, 300, 33), (65, 64, 96), (130, 17, 200)] {
        check(rows, outputs, inputs);
    }
}

#[test]
fn quantised_weights_multiply_on_the_left_and_on_the_right() {
    let w = noise(3, 64, 256);
    let quantised =
        candle_core::quantized::QTensor::quantize(&w, candle_core::quantized::GgmlDType::Q8_0).unwrap();
    let linear = Linear::new(Weight::Quantised(std::sync::Arc::new(quantised)), None, 64, 256).unwrap();
    let (x, dy) = (noise(1, 3, 256), noise(2, 3, 64));
    close("y", &linear.forward(&x).unwrap(), &product(&x, &w, None), 0.2);
    let dx = product(&dy, &w.t().unwrap().contiguous().unwrap(), None);
    close("dx", &linear.backward_input(&dy).unwrap(), &dx, 0.05);
}

#[test]
fn parts_of_wider_rows_are_read_in_place() {
    let (x, w) = (noise(1, 9, 50), noise(3, 20, 30));
    let linear = Linear::new(Weight::F32(values(&w).into()), None, 20, 30).unwrap();
    let part = x.narrow(1, 10, 30).unwrap();
    let copied = part.contiguous().unwrap();
    assert_eq!(values(&linear.forward(&part).unwrap()), values(&linear.forward(&copied).unwrap()));
}

#[test]
fn rows_that_share_memory_are_not_edited() {
    let mut repeated = noise(1, 1, 4).broadcast_as((3, 4)).unwrap();
    assert!(Rope::sequence(&[0, 1, 2], 4, 10.0).apply(&mut repeated).is_err());
}

#[test]
fn wrong_sizes_are_refused() {
    let weight = || Weight::F32(vec![0.0; 6].into());
    assert!(Linear::new(weight(), None, 2, 4).is_err());
    assert!(Linear::new(weight(), Some(vector(1, 3)), 2, 3).is_err());
    assert!(Embedding::new(weight(), 3, 3).is_err());
    let embedding = Embedding::new(weight(), 3, 2).unwrap();
    assert!(embedding.forward(&[2]).is_ok());
    let error = embedding.forward(&[3]).unwrap_err().to_string();
    assert!(error.contains("3"), "{error}");
}
