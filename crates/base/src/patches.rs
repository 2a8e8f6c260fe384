//! Patches of pictures as bytes: what a vision tower reads, in a quarter of the memory that its numbers take.

/// Channels of a picture: red, green, blue.
pub const CHANNELS: usize = 3;

/// What each of the 256 levels of each channel becomes.
pub type Levels = [[f32; 256]; CHANNELS];

/// The patches of one image or video: the levels of their pixels, and what each level stands for.
#[derive(Clone, Debug, Default)]
pub struct Patches {
    /// Row-major `[t*h*w, channels * temporal_patch * patch * patch]`.
    bytes: Vec<u8>,
    /// Values of one channel in a row: `temporal_patch * patch * patch`.
    plane: usize,
    levels: Option<Box<Levels>>,
}

impl Patches {
    /// Patches of rows of `CHANNELS * plane` bytes. Panics when the bytes are not whole rows.
    pub fn new(bytes: Vec<u8>, plane: usize, levels: Box<Levels>) -> Patches {
        assert!(bytes.len().is_multiple_of(CHANNELS * plane), "{} bytes in planes of {plane}", bytes.len());
        Patches { bytes, plane, levels: Some(levels) }
    }

    /// Patches that have these values, of which each channel has at most 256. Panics when it has more.
    pub fn of_values(values: &[f32], plane: usize) -> Patches {
        let mut levels = Box::new([[0f32; 256]; CHANNELS]);
        let mut used = [0usize; CHANNELS];
        let mut known: [std::collections::HashMap<u32, u8>; CHANNELS] = Default::default();
        let bytes = values.iter().enumerate().map(|(at, value)| {
            let channel = at / plane % CHANNELS;
            *known[channel].entry(value.to_bits()).or_insert_with(|| {
                let level = used[channel];
                levels[channel][level] = *value;
                used[channel] += 1;
                level as u8
            })
        });
        let bytes = bytes.collect();
        Patches::new(bytes, plane, levels)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none: their features are known elsewhere.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The normalised values, in order.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.bytes.len());
        self.for_each_row(&mut |row| values.extend_from_slice(row));
        values
    }

    /// Gives the normalised values to `see`, a patch at a time.
    pub fn for_each_row(&self, see: &mut dyn FnMut(&[f32])) {
        let Some(levels) = &self.levels else { return };
        let mut values = vec![0f32; CHANNELS * self.plane];
        for row in self.bytes.chunks_exact(CHANNELS * self.plane) {
            let planes = row.chunks_exact(self.plane).zip(values.chunks_exact_mut(self.plane));
            for ((bytes, values), levels) in planes.zip(levels.iter()) {
                for (value, &byte) in values.iter_mut().zip(bytes) {
                    *value = levels[usize::from(byte)];
                }
            }
            see(&values);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_bit_for_bit() {
        let values: Vec<f32> = (0..2 * 3 * 4).map(|i| (i % 7) as f32 / 3.0 - i as f32 * 1e-7).collect();
        let patches = Patches::of_values(&values, 4);
        assert_eq!(patches.to_vec(), values);
        assert_eq!((patches.len(), patches.is_empty()), (24, false));
        assert_eq!(Patches::default().to_vec(), Vec::<f32>::new());
        let mut levels = Box::new([[0.0; 256]; 3]);
        levels[1][9] = 2.5;
        assert_eq!(Patches::new(vec![9, 9, 9], 1, levels).to_vec(), [0.0, 2.5, 0.0]);
    }
}
