//! Patch order against an independent index formula, padding, levels and keys.

use proptest::prelude::*;

use super::*;

fn vision(patch: usize, temporal_patch: usize, merge: usize) -> VisionConfig {
    VisionConfig { patch, temporal_patch, merge, image_token: 1, video_token: 2, tokens_per_second: None }
}

fn open(vision: &VisionConfig, files: &[(&str, &str)]) -> Result<Patcher> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs_err::write(dir.path().join(name), text).unwrap();
    }
    Patcher::open(dir.path(), vision)
}

fn pictures(count: usize, height: usize, width: usize) -> Vec<Picture> {
    let byte = |n: usize| (n.wrapping_mul(2_654_435_761) >> 7) as u8;
    (0..count)
        .map(|p| Picture::new(height, width, (0..height * width * 3).map(|i| byte(i + 977 * p)).collect()))
        .collect()
}

/// (channel, level, bits) as `rescale_and_normalize` of transformers 5.23 gives with its default constants.
#[rustfmt::skip]
const LEVEL_BITS: [(usize, usize, u32); 18] = [
    (0, 0, 0xbfe568dc), (0, 1, 0xbfe38a80), (0, 77, 0xbf2b0e17), (0, 128, 0x3d9c560e), (0, 254, 0x3ff536e6), (0, 255, 0x3ff71542),
    (1, 0, 0xbfe044b7), (1, 1, 0xbfde58f1), (1, 77, 0xbf18b428), (1, 128, 0x3e2cf360), (1, 254, 0x4003d501), (1, 255, 0x4004cae4),
    (2, 0, 0xbfbd77d8), (2, 1, 0xbfbba5e2), (2, 77, 0xbec542ba), (2, 128, 0x3eae0dc1), (2, 254, 0x40086d66), (2, 255, 0x40095661),
];

/// The reference's reshape and permute, one index at a time.
fn slow(patcher: &Patcher, kind: VisionKind, pictures: &[Picture]) -> Vec<f32> {
    let (patch, merge) = (patcher.patch, patcher.merge);
    let (height, width) = (pictures[0].height, pictures[0].width);
    let levels = if kind == VisionKind::Image { &patcher.image } else { &patcher.video };
    let mut out = Vec::new();
    for t in 0..pictures.len().div_ceil(patcher.temporal) {
        for band in 0..height / patch / merge {
            for window in 0..width / patch / merge {
                for within in 0..merge * merge {
                    let top = (band * merge + within / merge) * patch;
                    let left = (window * merge + within % merge) * patch;
                    for channel in 0..3 {
                        for tau in 0..patcher.temporal {
                            let frame = &pictures[(t * patcher.temporal + tau).min(pictures.len() - 1)];
                            for y in 0..patch {
                                for x in 0..patch {
                                    let at = ((top + y) * width + left + x) * 3 + channel;
                                    out.push(levels[channel][usize::from(frame.rgb[at])]);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn patches_are_in_reference_order(
        (patch, temporal, merge) in (1usize..5, 1usize..4, 1usize..4),
        (count, rows, columns) in (1usize..6, 1usize..4, 1usize..4),
    ) {
        let patcher = open(&vision(patch, temporal, merge), &[("preprocessor_config.json", "{}")]).unwrap();
        let pictures = pictures(count, rows * patch * merge, columns * patch * merge);
        let cut = patcher.cut(VisionKind::Video, &pictures).unwrap();
        prop_assert_eq!(cut.grid, [count.div_ceil(temporal), rows * merge, columns * merge]);
        prop_assert_eq!(&cut.patches.to_vec(), &slow(&patcher, VisionKind::Video, &pictures));
    }
}

#[test]
fn levels_equal_the_reference() {
    let patcher = open(&vision(14, 2, 2), &[("preprocessor_config.json", "{}")]).unwrap();
    for (channel, level, bits) in LEVEL_BITS {
        let found = patcher.image[channel][level].to_bits();
        assert_eq!(found, bits, "channel {channel} level {level}: {}", f32::from_bits(found));
    }
}

#[test]
fn settings_are_read_from_every_place_and_obeyed() {
    let image = r#"{"image_mean":[0,0,0],"image_std":[1,1,1],"rescale_factor":0.5,"do_normalize":false}"#;
    let video = r#"{"do_rescale":false,"do_normalize":false}"#;
    let nested = format!(r#"{{"image_processor":{image},"video_processor":{video}}}"#);
    let (image_file, video_file) = ("preprocessor_config.json", "video_preprocessor_config.json");
    let check = |files: &[(&str, &str)], expected: (f32, f32)| {
        let patcher = open(&vision(2, 2, 1), files).unwrap();
        assert_eq!((patcher.image[0][200], patcher.video[0][200]), expected, "{files:?}");
    };
    check(&[(image_file, image)], (100.0, 100.0));
    check(&[(image_file, image), (video_file, video)], (100.0, 200.0));
    check(&[("processor_config.json", &nested)], (100.0, 200.0));
    check(&[("processor_config.json", &nested), (image_file, "{}")], (100.0, 200.0));
    let bad = [
        (r#"{"patch_size":16}"#, "patch_size: expected 14 as in config.json"),
        (r#"{"image_std":[0.1,0,0.1]}"#, "image_std: expected numbers other than 0"),
        (r#"{"image_mean":[0.1,0.2]}"#, "image_mean: expected three numbers, found a list of 2"),
        (r#"{"rescale_factor":0}"#, "rescale_factor: expected a number above 0"),
    ];
    for (text, expected) in bad {
        let error = open(&vision(14, 2, 2), &[(image_file, text)]).unwrap_err().to_string();
        assert!(error.contains("preprocessor_config.json") && error.contains(expected), "{error}");
    }
    let error = open(&vision(14, 2, 2), &[]).unwrap_err().to_string();
    assert!(error.contains("preprocessor_config.json: no such file; fetch it"), "{error}");
}

#[test]
fn keys_differ_exactly_where_patches_do() {
    let files = [
        ("preprocessor_config.json", "{}"),
        ("video_preprocessor_config.json", r#"{"image_std":[0.2,0.2,0.2]}"#),
    ];
    let patcher = open(&vision(2, 2, 1), &files[..1]).unwrap();
    let other = open(&vision(2, 2, 1), &files).unwrap();
    let base = pictures(3, 4, 8);
    let cut = |patcher: &Patcher, kind, pictures: &[Picture]| {
        let cut = patcher.cut(kind, pictures).unwrap();
        (cut.key, (cut.grid, cut.patches.to_vec()))
    };
    let reshaped: Vec<Picture> = base.iter().map(|p| Picture::new(8, 4, p.rgb.to_vec())).collect();
    let mut changed = base.clone();
    let mut bytes = changed[2].rgb.to_vec();
    bytes[95] ^= 1;
    changed[2] = Picture::new(4, 8, bytes);
    let padded = [&base[..], &base[2..]].concat();
    let all = [
        cut(&patcher, VisionKind::Video, &base),
        cut(&patcher, VisionKind::Video, &padded),
        cut(&patcher, VisionKind::Image, &base[..1]),
        cut(&patcher, VisionKind::Video, &[base[0].clone(), base[0].clone()]),
        cut(&patcher, VisionKind::Video, &reshaped),
        cut(&patcher, VisionKind::Video, &changed),
        cut(&other, VisionKind::Video, &base),
        cut(&other, VisionKind::Image, &base[..1]),
    ];
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate() {
            assert_eq!(a.0 == b.0, a.1 == b.1, "{i} {j}");
        }
    }
    assert_eq!(all[0].0, all[1].0);
    assert_eq!(all[2].0, all[3].0);
}

#[test]
fn pictures_that_do_not_fit_are_refused() {
    let patcher = open(&vision(2, 2, 2), &[("preprocessor_config.json", "{}")]).unwrap();
    let mixed = [pictures(1, 4, 8), pictures(1, 8, 4)].concat();
    for (bad, expected) in [
        (Vec::new(), "no pictures"),
        (pictures(1, 4, 6), "4x6; sides must be multiples of 4"),
        (pictures(1, 0, 0), "0x0"),
        (mixed, "4x8 and 8x4"),
    ] {
        let error = patcher.cut(VisionKind::Video, &bad).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
