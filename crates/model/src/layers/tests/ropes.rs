//! Rotary positions in sections and axes.

use super::*;

#[test]
fn sections_and_axes_turn_the_right_pairs() {
    let positions = [[3, 5, 9], [0, 0, 0], [7, 7, 7]];
    let rope = Rope::multimodal(&positions, [2, 1, 1], 8, 100.0);
    let x = noise(1, 3, 16);
    let mut turned = zeros(&x);
    add_rows(&mut turned, &[0, 1, 2], &x).unwrap();
    rope.apply(&mut turned).unwrap();
    let axes = [0, 0, 1, 2];
    let (from, to) = (x.to_vec2::<f32>().unwrap(), turned.to_vec2::<f32>().unwrap());
    for (i, position) in positions.iter().enumerate() {
        for head in 0..2 {
            for j in 0..4 {
                let angle = f64::from(position[axes[j]]) * 100f64.powf(-(j as f64) / 4.0);
                let (a, b) = (f64::from(from[i][head * 8 + j]), f64::from(from[i][head * 8 + j + 4]));
                let low = a * angle.cos() - b * angle.sin();
                let high = b * angle.cos() + a * angle.sin();
                assert!((f64::from(to[i][head * 8 + j]) - low).abs() < 1e-6);
                assert!((f64::from(to[i][head * 8 + j + 4]) - high).abs() < 1e-6);
            }
        }
    }
    rope.apply_inverse(&mut turned).unwrap();
    close("inverse", &turned, &wide(&x), 1e-6);
}

#[test]
fn text_positions_make_one_rope() {
    let x = noise(1, 4, 24);
    let turned = |rope: Rope| {
        let mut copy = add(&x, &zeros(&x)).unwrap();
        rope.apply(&mut copy).unwrap();
        values(&copy)
    };
    let one = turned(Rope::sequence(&[0, 1, 5, 40], 24, 1e6));
    let three = turned(Rope::multimodal(&[[0; 3], [1; 3], [5; 3], [40; 3]], [4, 4, 4], 24, 1e6));
    assert_eq!(one, three);
}

#[test]
fn vision_gives_each_axis_half_of_the_pairs() {
    let rope = Rope::vision(&[[2, 3]], 8, 10_000.0);
    let x = vec![1f32, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let mut x = Tensor::from_vec(x, (1, 8), &Device::Cpu).unwrap();
    rope.apply(&mut x).unwrap();
    let angles = [2.0, 2.0 / 100.0, 3.0, 3.0 / 100.0f64];
    let expected: Vec<f64> = angles.iter().map(|a| a.cos()).chain(angles.iter().map(|a| a.sin())).collect();
    close("vision", &x, &expected, 1e-6);
}

#[test]
fn a_part_of_a_fused_projection_turns_alone() {
    let fused = noise(1, 2, 12);
    let before = values(&fused);
    Rope::sequence(&[1, 2], 4, 10.0).apply(&mut fused.narrow(1, 4, 4).unwrap()).unwrap();
    let after = values(&fused);
    for (i, (before, after)) in before.iter().zip(&after).enumerate() {
        assert_eq!(before == after, !(4..8).contains(&(i % 12)), "{i}");
    }
}
