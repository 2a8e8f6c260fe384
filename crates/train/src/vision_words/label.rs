//! What each merged patch of a pair of frames shows, in words: shares of a few groups, read from the id plane and
//! the truth of the frames. Knows no model.

use firsthand_world::questions::{AREAS, DEPTHS, area_rank, depth_rank};
use firsthand_world::{
    Colour, FixtureKind, Frame, FrameTruth, Kind, ObjectKind, SIGNS, Seen, Side, ThingId, World, wrap,
};

/// Side of a merged patch, pixels.
pub(super) const CELL: usize = 28;

/// A group of words of which a patch has one, or shares of several.
pub struct Group {
    /// For metrics.
    pub name: &'static str,
    /// Its share in the loss.
    pub weight: f32,
}

/// The groups, in the order of [`words`].
pub const GROUPS: [Group; 12] = [
    Group { name: "kind", weight: 2.0 },
    Group { name: "colour", weight: 1.0 },
    Group { name: "column", weight: 0.3 },
    Group { name: "row", weight: 0.3 },
    Group { name: "depth", weight: 0.4 },
    Group { name: "motion", weight: 0.4 },
    Group { name: "centre", weight: 0.5 },
    Group { name: "held", weight: 0.3 },
    Group { name: "state", weight: 0.3 },
    Group { name: "area", weight: 0.4 },
    Group { name: "front", weight: 0.4 },
    Group { name: "sign", weight: 0.4 },
];
const KIND: usize = 0;
const COLOUR: usize = 1;
const COLUMN: usize = 2;
const ROW: usize = 3;
const DEPTH: usize = 4;
const MOTION: usize = 5;
const CENTRE: usize = 6;
const HELD: usize = 7;
const STATE: usize = 8;
const AREA: usize = 9;
const FRONT: usize = 10;
const SIGN: usize = 11;

const COLUMNS: [&str; 16] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];
const ROWS: [&str; 12] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];
/// Pixels that a hand must show to have a middle.
const LEAST_HAND: u32 = 150;
const MOTIONS: [&str; 6] = ["left", "right", "up", "down", "forward", "still"];
const STATES: [&str; 4] = ["on", "off", "open", "closed"];
/// Where a front points in the picture; of a hand, which one it is.
const FRONTS: [&str; 4] = ["toward", "away", "leftward", "rightward"];

/// What one merged patch should point at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    /// Weight of the patch in each group.
    pub weight: [f32; GROUPS.len()],
    /// Words of each group, by index in the group, with shares that sum to one.
    pub shares: [Vec<(usize, f32)>; GROUPS.len()],
}

/// The words of every group.
pub fn words() -> Vec<Vec<String>> {
    let mut kinds: Vec<String> = vec!["wall".into(), "person".into(), "hand".into()];
    let names =
        ObjectKind::ALL.iter().map(|kind| kind.name()).chain(FixtureKind::ALL.iter().map(|kind| kind.name()));
    for name in names {
        for word in nouns(name) {
            if !kinds.iter().any(|kind| kind == word) {
                kinds.push(word.to_owned());
            }
        }
    }
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    vec![
        kinds,
        owned(&Colour::ALL.map(Colour::name)),
        owned(&COLUMNS[..8]),
        owned(&ROWS[..6]),
        DEPTHS.iter().map(|depth| depth.0.to_owned()).collect(),
        owned(&MOTIONS),
        owned(&["here", "none"]),
        owned(&["held", "free"]),
        owned(&STATES),
        owned(&AREAS.map(|area| area.0)),
        owned(&FRONTS),
        SIGNS.iter().map(char::to_string).collect(),
    ]
}

/// The words of a name that mean something: "roll of tape" is a roll and a tape.
fn nouns(name: &str) -> impl Iterator<Item = &str> {
    name.split(' ').filter(|word| *word != "of")
}

/// How much a pixel of a thing counts: small things must not drown in walls.
fn interest(kind: Kind) -> f32 {
    match kind {
        Kind::Object(_) => 6.0,
        Kind::Hand(_) | Kind::Arm(_) => 4.0,
        Kind::Person => 3.0,
        Kind::Fixture(_) => 1.0,
        _ => 0.2,
    }
}

/// Labels of one world's pairs.
pub(super) struct Labeller<'a> {
    world: &'a World,
    kinds: Vec<String>,
}

impl<'a> Labeller<'a> {
    pub(super) fn new(world: &'a World) -> Labeller<'a> {
        Labeller { world, kinds: words().swap_remove(KIND) }
    }

    /// One label per merged patch of the pair, in reading order.
    pub(super) fn labels(&self, pair: &[(Frame, FrameTruth); 2]) -> Vec<Label> {
        let (width, height) = (pair[0].0.width, pair[0].0.height);
        let motion = motion(&pair[0].1, &pair[1].1);
        let mut labels = Vec::with_capacity(width / CELL * (height / CELL));
        for row in 0..height / CELL {
            for column in 0..width / CELL {
                let mut label = self.cell(pair, column, row);
                label.set(COLUMN, 1.0, column);
                label.set(ROW, 1.0, row);
                label.set(MOTION, 1.0, motion);
                labels.push(label);
            }
        }
        for label in &mut labels {
            label.set(CENTRE, 1.0, 1);
        }
        self.mark_centres(&pair[1].1, [width, height], &mut labels);
        labels
    }

    /// The patch in the middle of a thing speaks for that thing alone, however much of others it shows: one look
    /// then finds a thing's place and all that is true of it. Where middles meet, the smaller thing speaks.
    fn mark_centres(&self, truth: &FrameTruth, size: [usize; 2], labels: &mut [Label]) {
        let middle = |bounds: [u32; 4]| {
            let [x1, y1, x2, y2] = bounds.map(|side| side as usize);
            (y1 + y2) / 2 / CELL * (size[0] / CELL) + (x1 + x2) / 2 / CELL
        };
        let mut things: Vec<&Seen> =
            truth.things.iter().filter(|seen| seen.pixels >= least(self.kind(seen.id))).collect();
        things.sort_by_key(|seen| (self.is_object(seen.id), std::cmp::Reverse(seen.pixels)));
        for seen in things {
            let label = &mut labels[middle(seen.bounds)];
            label.clear(&[KIND, COLOUR, HELD, STATE, FRONT, SIGN]);
            self.name(label, &[(seen.id, 1.0)], 1.0);
            let weight = if self.is_object(seen.id) { 4.0 } else { 1.5 };
            label.weight[KIND] = weight;
            label.weight[COLOUR] = if label.shares[COLOUR].is_empty() { 0.0 } else { weight };
            self.describe(label, seen.id, seen.depth, truth);
            label.set(CENTRE, weight, 0);
            label.set(AREA, 1.0, area_rank(seen.bounds, size));
            if let Some(sign) = seen.sign.and_then(|sign| SIGNS.iter().position(|&other| other == sign)) {
                label.set(SIGN, 1.0, sign);
            }
            if let Some(front) = self.front(seen, truth) {
                label.set(FRONT, 1.0, front);
            }
        }
        for hand in &truth.hands {
            if let Some(bounds) = hand.bounds.filter(|_| hand.pixels >= LEAST_HAND) {
                let label = &mut labels[middle(bounds)];
                // What is held speaks first, and the hand with it.
                if label.shares[CENTRE][0].0 == 1 {
                    label.clear(&[KIND, COLOUR, HELD, STATE]);
                    self.add_kind(label, "hand", 1.0);
                    label.weight[KIND] = 1.5;
                    label.set(CENTRE, 1.5, 0);
                    label.set(AREA, 1.0, area_rank(bounds, size));
                }
                label.set(FRONT, 1.0, 2 + usize::from(hand.side == Side::Right));
            }
        }
    }

    fn is_object(&self, id: ThingId) -> bool {
        matches!(self.kind(id), Kind::Object(_))
    }

    /// Where the front of a thing points in the picture, if it has one and points clearly.
    fn front(&self, seen: &Seen, truth: &FrameTruth) -> Option<usize> {
        if !self.kind(seen.id).has_front() {
            return None;
        }
        match truth.facing(seen) {
            o if o.abs() < 40.0 => Some(0),
            o if o.abs() > 140.0 => Some(1),
            o if (50.0..130.0).contains(&o) => Some(3),
            o if (-130.0..-50.0).contains(&o) => Some(2),
            _ => None,
        }
    }

    fn kind(&self, id: ThingId) -> Kind {
        self.world.thing(id).map_or(Kind::Building, |thing| thing.kind)
    }

    /// What is in a cell of both frames, and what is true of the thing that fills most of it.
    fn cell(&self, pair: &[(Frame, FrameTruth); 2], column: usize, row: usize) -> Label {
        let mut mass: Vec<(ThingId, f32)> = Vec::new();
        let mut depth = 0.0;
        for (frame, _) in pair {
            for y in row * CELL..(row + 1) * CELL {
                let line = y * frame.width + column * CELL;
                for (&id, &metres) in frame.ids[line..line + CELL].iter().zip(&frame.depth[line..line + CELL])
                {
                    depth += metres / (2 * CELL * CELL) as f32;
                    match mass.iter_mut().find(|(known, _)| known.0 == id) {
                        Some((_, count)) => *count += 1.0,
                        None => mass.push((ThingId(id), 1.0)),
                    }
                }
            }
        }
        mass.iter_mut().for_each(|(id, count)| *count *= interest(self.kind(*id)));
        let total: f32 = mass.iter().map(|(_, count)| count).sum();
        let mut label = Label::default();
        self.name(&mut label, &mass, total);
        let (first, _) = mass.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).expect("a cell has pixels");
        self.describe(&mut label, first, depth, &pair[1].1);
        label
    }

    /// Kinds and colours by mass.
    fn name(&self, label: &mut Label, mass: &[(ThingId, f32)], total: f32) {
        let mut objects = 0.0;
        for &(id, mass) in mass {
            let kind = self.kind(id);
            let share = mass / total;
            match kind {
                Kind::Object(object) => self.add_kind(label, object.name(), share),
                Kind::Fixture(fixture) => self.add_kind(label, fixture.name(), share),
                Kind::Person => self.add_kind(label, "person", share),
                Kind::Hand(_) | Kind::Arm(_) => self.add_kind(label, "hand", share),
                _ => self.add_kind(label, "wall", share),
            }
            if matches!(kind, Kind::Object(_)) {
                objects += share;
            }
            let colour = self.world.thing(id).and_then(|thing| thing.colour);
            if let Some(colour) =
                colour.and_then(|colour| Colour::ALL.iter().position(|&other| other == colour))
            {
                label.add(COLOUR, colour, share);
                label.weight[COLOUR] += share;
            }
        }
        let coloured = label.weight[COLOUR];
        label.shares[COLOUR].iter_mut().for_each(|(_, share)| *share /= coloured);
        // Objects are what questions are about, and few patches show one.
        label.weight[KIND] = 0.3 + 1.7 * objects;
        label.weight[COLOUR] *= 0.3 + 1.7 * objects;
    }

    fn add_kind(&self, label: &mut Label, name: &str, share: f32) {
        let count = nouns(name).count() as f32;
        for word in nouns(name) {
            let column = self.kinds.iter().position(|kind| kind == word).expect("every name is listed");
            label.add(KIND, column, share / count);
        }
    }

    /// Depth, being held, and state of the thing that fills most of a cell.
    fn describe(&self, label: &mut Label, id: ThingId, depth: f32, truth: &FrameTruth) {
        let seen = truth.things.iter().find(|seen| seen.id == id);
        let metres = seen.map_or(depth, |seen| seen.depth);
        label.set(DEPTH, 1.0, depth_rank(metres));
        if matches!(self.kind(id), Kind::Object(_)) {
            let held = truth.hands.iter().any(|hand| hand.contact == Some(id));
            label.set(HELD, if held { 2.0 } else { 0.5 }, usize::from(!held));
        }
        let state = seen.and_then(|seen| Some(self.kind(id).states()?[usize::from(seen.on?)]));
        if let Some(state) = state.and_then(|state| STATES.iter().position(|&other| other == state)) {
            label.set(STATE, 1.0, state);
        }
    }
}

/// Pixels that a thing must show to have a middle.
fn least(kind: Kind) -> u32 {
    match kind {
        Kind::Object(_) => 80,
        Kind::Person => 200,
        Kind::Fixture(FixtureKind::Doorway) => u32::MAX,
        Kind::Fixture(_) => 400,
        _ => u32::MAX,
    }
}

impl Label {
    fn clear(&mut self, groups: &[usize]) {
        for &group in groups {
            self.weight[group] = 0.0;
            self.shares[group].clear();
        }
    }

    fn set(&mut self, group: usize, weight: f32, word: usize) {
        self.weight[group] = weight;
        self.shares[group] = vec![(word, 1.0)];
    }

    fn add(&mut self, group: usize, word: usize, share: f32) {
        match self.shares[group].iter_mut().find(|(known, _)| *known == word) {
            Some((_, sum)) => *sum += share,
            None => self.shares[group].push((word, share)),
        }
    }
}

/// How the camera moved between two frames, by index in [`MOTIONS`].
fn motion(from: &FrameTruth, to: &FrameTruth) -> usize {
    const TURN: f32 = 0.12;
    const STEP: f32 = 0.12;
    let (a, b) = (from.camera, to.camera);
    let yaw = wrap(b.yaw - a.yaw);
    let pitch = b.pitch - a.pitch;
    let moved = ((b.at.x - a.at.x).powi(2) + (b.at.y - a.at.y).powi(2)).sqrt();
    match () {
        () if yaw.abs() > TURN && yaw.abs() >= pitch.abs() => usize::from(yaw < 0.0),
        () if pitch.abs() > TURN => 2 + usize::from(pitch < 0.0),
        () if moved > STEP => 4,
        () => 5,
    }
}
