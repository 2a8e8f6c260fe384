//! Several inputs as one run of rows: who attends to whom, where each input's rows went, where vision features
//! go. Inputs that begin alike may share those rows. Knows no tensors and no weights.

use std::ops::Range;

use firsthand_base::{Digest, ModelInput, Position};

use crate::layers::Segment;

/// A shorter common beginning is not worth a segment of its own.
const LEAST_SHARED: usize = 16;

/// Consecutive inputs packed together, whose first `shared` rows are the same and are computed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) inputs: Range<usize>,
    pub(crate) shared: usize,
}

/// Rows of several inputs, one after another.
#[derive(Default)]
pub(crate) struct Pack {
    pub(crate) ids: Vec<u32>,
    pub(crate) positions: Vec<Position>,
    pub(crate) segments: Vec<Segment>,
    /// Where each input's rows are.
    pub(crate) places: Vec<Place>,
    /// Rows of the pack that a vision item's features fill.
    pub(crate) slots: Vec<(Digest, Range<usize>)>,
}

/// The rows of one input.
pub(crate) struct Place {
    /// Its beginning, which others may have in common with it.
    first: Range<usize>,
    rest: Range<usize>,
}

impl Place {
    /// The row of the pack that holds row `row` of the input; `None` past its end.
    pub(crate) fn row(&self, row: usize) -> Option<usize> {
        let (first, rest) = (self.first.clone(), self.rest.clone());
        first.chain(rest).nth(row)
    }
}

impl Group {
    /// Every input by itself.
    pub(crate) fn alone(inputs: usize) -> Vec<Group> {
        (0..inputs).map(|i| Group { inputs: i..i + 1, shared: 0 }).collect()
    }

    /// Groups of neighbours that save the most rows.
    pub(crate) fn sharing(inputs: &[&ModelInput]) -> Vec<Group> {
        let common: Vec<usize> = inputs.windows(2).map(|pair| common_rows(pair[0], pair[1])).collect();
        // best[end]: most rows saved among the first `end` inputs, and the start of the last group.
        let mut best = vec![(0, 0)];
        for end in 1..=inputs.len() {
            let mut found = (best[end - 1].0, end - 1);
            let mut shared = usize::MAX;
            for start in (0..end - 1).rev() {
                shared = shared.min(common[start]);
                if shared < LEAST_SHARED {
                    break;
                }
                found = found.max((best[start].0 + (end - start - 1) * shared, start));
            }
            best.push(found);
        }
        let (mut groups, mut end) = (Vec::new(), inputs.len());
        while end > 0 {
            let start = best[end].1;
            let shared = common[start..end - 1].iter().copied().min().unwrap_or(0);
            groups.push(Group { inputs: start..end, shared });
            end = start;
        }
        groups.reverse();
        groups
    }

    /// Rows of the group in a pack.
    pub(crate) fn rows(&self, inputs: &[&ModelInput]) -> usize {
        let own = |input: &&ModelInput| input.ids.len() - self.shared;
        self.shared + inputs[self.inputs.clone()].iter().map(own).sum::<usize>()
    }
}

impl Pack {
    /// Packs groups of `inputs`, in order.
    pub(crate) fn new(inputs: &[&ModelInput], groups: &[Group]) -> Pack {
        let mut pack = Pack::default();
        for Group { inputs: members, shared } in groups {
            let (members, shared) = (&inputs[members.clone()], *shared);
            let first = pack.push(members[0], 0..shared);
            let before = (!first.is_empty()).then(|| {
                pack.segments.push(first.clone().into());
                pack.segments.len() - 1
            });
            for input in members {
                let rest = pack.push(input, shared..input.ids.len());
                if !rest.is_empty() {
                    pack.segments.push(Segment { rows: rest.clone(), after: before });
                }
                pack.places.push(Place { first: first.clone(), rest });
            }
        }
        pack
    }

    /// Appends some rows of an input, with the vision items that start in them.
    fn push(&mut self, input: &ModelInput, rows: Range<usize>) -> Range<usize> {
        let start = self.ids.len();
        self.ids.extend_from_slice(&input.ids[rows.clone()]);
        self.positions.extend_from_slice(&input.positions[rows.clone()]);
        for item in input.vision.iter().filter(|item| rows.contains(&item.span.start)) {
            let at = |row: usize| start + row - rows.start;
            self.slots.push((item.key, at(item.span.start)..at(item.span.end)));
        }
        start..self.ids.len()
    }
}

/// How many rows two inputs have in common at their start. A vision item is shared whole or not at all.
fn common_rows(one: &ModelInput, other: &ModelInput) -> usize {
    let rows = one.ids.iter().zip(&one.positions).zip(other.ids.iter().zip(&other.positions));
    let mut common = rows.take_while(|(a, b)| a == b).count();
    let items = one.vision.len().max(other.vision.len());
    for (a, b) in (0..items).map(|i| (one.vision.get(i), other.vision.get(i))) {
        let same = match (a, b) {
            (Some(a), Some(b)) => a.key == b.key && a.span == b.span && a.span.end <= common,
            _ => false,
        };
        if !same {
            let start = a.into_iter().chain(b).map(|item| item.span.start).min();
            common = common.min(start.unwrap_or(common));
            break;
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firsthand_base::{VisionItem, VisionKind};

    use super::*;

    /// An input of these ids, with an item of the given key over a span.
    fn input(ids: Vec<u32>, item: Option<(u8, Range<usize>)>) -> ModelInput {
        let positions = (0..ids.len() as i32).map(|i| [i; 3]).collect();
        let vision = item.map(|(key, span)| VisionItem {
            kind: VisionKind::Image,
            grid: [1, 2, 2 * span.len()],
            patches: Arc::default(),
            key: Digest([key; 32]),
            span,
        });
        ModelInput { ids, positions, vision: vision.into_iter().collect() }
    }

    fn ids(beginning: usize, end: &[u32]) -> Vec<u32> {
        (0..beginning as u32).chain(end.iter().copied()).collect()
    }

    #[test]
    fn items_are_shared_whole_or_not_at_all() {
        let check = |a: Option<(u8, Range<usize>)>, b: Option<(u8, Range<usize>)>, expected| {
            assert_eq!(common_rows(&input(ids(40, &[90, 1]), a), &input(ids(40, &[91]), b)), expected);
        };
        check(None, None, 40);
        check(Some((1, 10..20)), Some((1, 10..20)), 40);
        check(Some((1, 10..20)), Some((2, 10..20)), 10);
        check(Some((1, 10..20)), None, 10);
        check(Some((1, 38..41)), Some((1, 38..41)), 38);
        check(Some((1, 10..20)), Some((1, 9..19)), 9);
    }

    #[test]
    fn groups_save_the_most_rows() {
        let check = |beginnings: &[usize], expected: &[(Range<usize>, usize)]| {
            let inputs: Vec<_> =
                beginnings.iter().enumerate().map(|(i, &n)| input(ids(n, &[500 + i as u32]), None)).collect();
            let groups = Group::sharing(&inputs.iter().collect::<Vec<_>>());
            let found: Vec<_> = groups.into_iter().map(|group| (group.inputs, group.shared)).collect();
            assert_eq!(found, expected, "{beginnings:?}");
        };
        check(&[], &[]);
        check(&[30], &[(0..1, 0)]);
        check(&[30, 30, 30], &[(0..3, 30)]);
        // Too little to share; then a stranger that would cost the others their long beginning.
        check(&[15, 40], &[(0..1, 0), (1..2, 0)]);
        check(&[20, 100, 100, 100], &[(0..1, 0), (1..4, 100)]);
        check(&[100, 100, 20, 90, 90], &[(0..2, 100), (2..3, 0), (3..5, 90)]);
    }

    #[test]
    fn packed_rows_are_found_again() {
        let inputs = [
            input(ids(30, &[70, 71]), Some((1, 4..8))),
            input(ids(30, &[]), Some((1, 4..8))),
            input(ids(3, &[80]), Some((2, 1..3))),
        ];
        let inputs: Vec<_> = inputs.iter().collect();
        let pack = Pack::new(&inputs, &Group::sharing(&inputs));
        assert_eq!(pack.ids.len(), 30 + 2 + 4);
        for (input, place) in inputs.iter().zip(&pack.places) {
            for (row, id) in input.ids.iter().enumerate() {
                assert_eq!(pack.ids[place.row(row).unwrap()], *id);
            }
            assert_eq!(place.row(input.ids.len()), None);
        }
        let slots: Vec<_> = pack.slots.iter().map(|(key, rows)| (key.0[0], rows.clone())).collect();
        assert_eq!(slots, [(1, 4..8), (2, 33..35)]);
        assert_eq!(
            pack.segments,
            [(0..30).into(), Segment { rows: 30..32, after: Some(0) }, (32..36).into()]
        );
    }
}
