//! One number of a run, as its loss, as a picture: every step as a dot, a smoothed line over them, phases set apart. Only that; the
//! numbers are in metrics.jsonl.

use firsthand_train::metrics::Record;

use crate::canvas::{Canvas, Rgb};

const HEIGHT: usize = 600;
const WIDTH: usize = 1000;
/// Left, right, top and bottom of the frame that holds the curve.
const FRAME: [usize; 4] = [80, 980, 50, 550];
const PAPER: Rgb = [255; 3];
const INK: Rgb = [40; 3];
const GRID: Rgb = [226; 3];
const DOT: Rgb = [170, 196, 230];
const LINE: Rgb = [24, 90, 170];
const EDGE: Rgb = [200, 120, 60];
/// Steps over which the line is smoothed, as a share of all.
const SMOOTHING: f64 = 0.02;

/// Draws one number of every step. A range of more than one power of ten is drawn on a logarithmic scale.
pub(crate) fn curve(records: &[Record], title: &str, of: &dyn Fn(&Record) -> Option<f64>) -> Canvas {
    let mut canvas = Canvas::filled(HEIGHT, WIDTH, PAPER);
    let points: Vec<(u64, f64)> = records.iter().filter_map(|r| Some((r.step, of(r)?))).collect();
    canvas.write(title, [16, FRAME[0]], 3, INK);
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        canvas.write("NO STEP HAD A FINITE NUMBER", [HEIGHT / 2, FRAME[0] + 20], 3, INK);
        return canvas;
    };
    let scale = Scale::new(&points, (first.0, last.0));
    grid(&mut canvas, &scale);
    phases(&mut canvas, &scale, records);
    for &(step, loss) in &points {
        let [row, column] = scale.place(step, loss);
        canvas.fill([row, column], [2, 2], DOT);
    }
    line(&mut canvas, &scale, &points);
    canvas
}

/// From step and loss to pixels.
struct Scale {
    steps: (u64, u64),
    low: f64,
    high: f64,
    is_logarithmic: bool,
}

impl Scale {
    fn new(points: &[(u64, f64)], steps: (u64, u64)) -> Scale {
        let mut losses: Vec<f64> = points.iter().map(|point| point.1).collect();
        losses.sort_by(f64::total_cmp);
        let at = |share: f64| losses[((losses.len() - 1) as f64 * share) as usize];
        // A few wild steps must not flatten the rest.
        let (low, high) = (at(0.0), at(0.995).max(at(0.5) * 1.1));
        let is_logarithmic = low > 0.0 && high / low > 10.0;
        let room = 0.05 * (high - low).max(1e-9);
        match is_logarithmic {
            true => Scale { steps, low: low / 1.1, high: high * 1.1, is_logarithmic },
            false => Scale { steps, low: low - room, high: high + room, is_logarithmic },
        }
    }

    fn height(&self, loss: f64) -> f64 {
        let share = match self.is_logarithmic {
            true => (loss.max(1e-12) / self.low).ln() / (self.high / self.low).ln(),
            false => (loss - self.low) / (self.high - self.low),
        };
        share.clamp(0.0, 1.0)
    }

    fn column(&self, step: u64) -> usize {
        let (first, last) = self.steps;
        let share = (step - first) as f64 / (last - first).max(1) as f64;
        FRAME[0] + (share * (FRAME[1] - FRAME[0]) as f64) as usize
    }

    fn place(&self, step: u64, loss: f64) -> [usize; 2] {
        let row = FRAME[3] as f64 - self.height(loss) * (FRAME[3] - FRAME[2]) as f64;
        [row as usize, self.column(step)]
    }
}

/// Five lines across with their losses, and the first and last step below.
fn grid(canvas: &mut Canvas, scale: &Scale) {
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let loss = match scale.is_logarithmic {
            true => scale.low * (scale.high / scale.low).powf(share),
            false => scale.low + share * (scale.high - scale.low),
        };
        let [row, _] = scale.place(scale.steps.0, loss);
        canvas.fill([row, FRAME[0]], [1, FRAME[1] - FRAME[0]], GRID);
        canvas.write(&format!("{loss:.3}"), [row.saturating_sub(5), 10], 2, INK);
    }
    let (first, last) = (scale.steps.0.to_string(), format!("STEP {}", scale.steps.1));
    canvas.write(&first, [FRAME[3] + 14, FRAME[0]], 2, INK);
    let [_, width] = Canvas::extent(&last, 2);
    canvas.write(&last, [FRAME[3] + 14, FRAME[1].saturating_sub(width)], 2, INK);
    canvas.fill([FRAME[3], FRAME[0]], [1, FRAME[1] - FRAME[0]], INK);
    canvas.fill([FRAME[2], FRAME[0]], [FRAME[3] - FRAME[2], 1], INK);
}

/// A line where a phase begins, with its name.
fn phases(canvas: &mut Canvas, scale: &Scale, records: &[Record]) {
    let mut known: Option<&str> = None;
    for record in records {
        if known == Some(&record.phase) || !(scale.steps.0..=scale.steps.1).contains(&record.step) {
            continue;
        }
        let column = scale.column(record.step);
        if known.is_some() {
            canvas.fill([FRAME[2], column], [FRAME[3] - FRAME[2], 1], EDGE);
        }
        canvas.write(&record.phase, [FRAME[2] - 14, column + 4], 2, EDGE);
        known = Some(&record.phase);
    }
}

/// The smoothed loss, two pixels thick.
fn line(canvas: &mut Canvas, scale: &Scale, points: &[(u64, f64)]) {
    let share = 1.0 / (SMOOTHING * points.len() as f64).max(1.0);
    let (mut smooth, mut before): (f64, Option<[usize; 2]>) = (points[0].1, None);
    for &(step, loss) in points {
        smooth += share * (loss - smooth);
        let here = scale.place(step, smooth);
        if let Some(from) = before {
            stroke(canvas, from, here);
        }
        before = Some(here);
    }
}

/// A straight line without gaps: in each column from its row to that of the next column.
fn stroke(canvas: &mut Canvas, from: [usize; 2], to: [usize; 2]) {
    let columns = to[1].saturating_sub(from[1]).max(1);
    let row = |i: usize| from[0] as f64 + (to[0] as f64 - from[0] as f64) * i as f64 / columns as f64;
    for i in 0..columns {
        let (here, next) = (row(i) as usize, row(i + 1) as usize);
        let (top, bottom) = (here.min(next), here.max(next));
        canvas.fill([top, from[1] + i], [bottom - top + 2, 2], LINE);
    }
}
