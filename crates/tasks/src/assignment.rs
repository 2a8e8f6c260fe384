//! The cheapest one-to-one pairing of two sets (the assignment problem), by shortest augmenting paths with
//! potentials: Jonker and Volgenant 1987, in Crouse's form for rectangular costs (2016). Rows are added one at a time
//! and ties go to a column that is still free, so that pairings of equal cost come out as scipy's do.
//! Cubic in the smaller side; costs are finite numbers.

/// The column of each row in a cheapest pairing, from `cost[row * columns + column]`. All of the smaller side are
/// paired. A row that only reaches costs that are no number stays alone.
pub(crate) fn assign(cost: &[f64], rows: usize, columns: usize) -> Vec<Option<usize>> {
    assert_eq!(cost.len(), rows * columns, "the cost matrix has one number per row and column");
    if rows <= columns {
        return Pairing::new(cost, rows, columns).solve().column_of;
    }
    let turned: Vec<f64> =
        (0..columns).flat_map(|column| (0..rows).map(move |row| cost[row * columns + column])).collect();
    Pairing::new(&turned, columns, rows).solve().row_of
}

/// Rows paired so far, and the potentials that prove them cheapest. At most as many rows as columns.
struct Pairing<'a> {
    cost: &'a [f64],
    columns: usize,
    column_of: Vec<Option<usize>>,
    row_of: Vec<Option<usize>>,
    row_price: Vec<f64>,
    column_price: Vec<f64>,
}

/// What a search from one row found.
struct Search {
    /// The free column at the end of the shortest path.
    end: usize,
    /// Its length.
    length: f64,
    /// Length of the shortest path to each column.
    reached: Vec<f64>,
    /// The row before each column on that path.
    before: Vec<usize>,
    /// Columns whose path is final.
    settled: Vec<usize>,
}

impl<'a> Pairing<'a> {
    fn new(cost: &'a [f64], rows: usize, columns: usize) -> Pairing<'a> {
        Pairing {
            cost,
            columns,
            column_of: vec![None; rows],
            row_of: vec![None; columns],
            row_price: vec![0.0; rows],
            column_price: vec![0.0; columns],
        }
    }

    fn solve(mut self) -> Pairing<'a> {
        for row in 0..self.column_of.len() {
            if let Some(search) = self.search(row) {
                self.reprice(row, &search);
                self.lengthen(row, &search);
            }
        }
        self
    }

    /// Dijkstra over reduced costs, from a row to the nearest free column.
    fn search(&self, start: usize) -> Option<Search> {
        let mut reached = vec![f64::INFINITY; self.columns];
        let mut before = vec![usize::MAX; self.columns];
        let mut settled = Vec::new();
        let mut open: Vec<usize> = (0..self.columns).rev().collect();
        let (mut row, mut length) = (start, 0.0);
        loop {
            let costs = &self.cost[row * self.columns..][..self.columns];
            let mut nearest: Option<(usize, f64)> = None;
            for (at, &column) in open.iter().enumerate() {
                let through = length + costs[column] - self.row_price[row] - self.column_price[column];
                if through < reached[column] {
                    reached[column] = through;
                    before[column] = row;
                }
                let lowest = nearest.map_or(f64::INFINITY, |(_, lowest)| lowest);
                let free = self.row_of[column].is_none();
                if reached[column] < lowest || (free && reached[column] == lowest && lowest.is_finite()) {
                    nearest = Some((at, reached[column]));
                }
            }
            let (at, lowest) = nearest?;
            let column = open.swap_remove(at);
            length = lowest;
            settled.push(column);
            match self.row_of[column] {
                None => return Some(Search { end: column, length, reached, before, settled }),
                Some(next) => row = next,
            }
        }
    }

    /// Keeps every reduced cost at or above zero, and those of pairs at zero.
    fn reprice(&mut self, start: usize, search: &Search) {
        self.row_price[start] += search.length;
        for &column in &search.settled {
            let slack = search.length - search.reached[column];
            if let Some(row) = self.row_of[column] {
                self.row_price[row] += slack;
            }
            self.column_price[column] -= slack;
        }
    }

    /// Shifts the pairs along the path so that its first row and last column are paired too.
    fn lengthen(&mut self, start: usize, search: &Search) {
        let mut column = search.end;
        loop {
            let row = search.before[column];
            self.row_of[column] = Some(row);
            let freed = self.column_of[row].replace(column);
            match freed {
                Some(next) if row != start => column = next,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(cost: &[f64], columns: usize, pairs: &[Option<usize>]) -> f64 {
        pairs
            .iter()
            .enumerate()
            .filter_map(|(row, pair)| pair.map(|column| cost[row * columns + column]))
            .sum()
    }

    /// Every pairing tried.
    fn cheapest(cost: &[f64], rows: usize, columns: usize, row: usize, taken: u32, skips: usize) -> f64 {
        if row == rows {
            return 0.0;
        }
        let alone =
            if skips > 0 { cheapest(cost, rows, columns, row + 1, taken, skips - 1) } else { f64::INFINITY };
        (0..columns).filter(|column| taken >> column & 1 == 0).fold(alone, |best, column| {
            let rest = cheapest(cost, rows, columns, row + 1, taken | 1 << column, skips);
            best.min(cost[row * columns + column] + rest)
        })
    }

    #[test]
    fn pairs_small_tables() {
        let check = |cost: &[f64], rows: usize, columns: usize, expect: &[Option<usize>]| {
            assert_eq!(assign(cost, rows, columns), expect, "{rows}x{columns} {cost:?}");
        };
        check(&[], 0, 0, &[]);
        check(&[], 0, 3, &[]);
        check(&[], 2, 0, &[None, None]);
        check(&[4.0, 1.0, 3.0, 2.0, 0.0, 5.0, 3.0, 2.0, 2.0], 3, 3, &[Some(1), Some(0), Some(2)]);
        check(&[1.0, 2.0, 0.0, 3.0], 1, 4, &[Some(2)]);
        check(&[1.0, 2.0, 0.0, 3.0], 4, 1, &[None, None, Some(0), None]);
        check(&[0.0; 6], 3, 2, &[Some(0), Some(1), None]);
        check(&[f64::NAN, 1.0, f64::NAN, f64::INFINITY], 2, 2, &[Some(1), None]);
    }

    proptest! {
        #[test]
        fn nothing_is_cheaper(
            rows in 0..6usize, columns in 0..6usize, seed in prop::collection::vec(-1000..1000i32, 25), coarse in any::<bool>(),
        ) {
            // Coarse costs tie often.
            let cost: Vec<f64> = (0..rows * columns)
                .map(|at| if coarse { f64::from(seed[at] % 3) } else { f64::from(seed[at]) / 7.0 })
                .collect();
            let pairs = assign(&cost, rows, columns);
            let mut used: Vec<usize> = pairs.iter().flatten().copied().collect();
            prop_assert_eq!(used.len(), rows.min(columns));
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), rows.min(columns));
            let best = cheapest(&cost, rows, columns, 0, 0, rows.saturating_sub(columns));
            prop_assert!((total(&cost, columns, &pairs) - best).abs() < 1e-9);
        }

        #[test]
        fn no_cost_panics(
            rows in 0..5usize, columns in 0..5usize,
            cost in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-f64::INFINITY), any::<f64>()], 16),
        ) {
            assign(&cost[..rows * columns], rows, columns);
        }
    }
}
