//! Which cells of a table of households are hidden, so that nobody learns what fewer than five of them did.
//!
//! A table has rows, columns, the sum of each, and the sum of all. What has fewer than five households is hidden, nothing
//! included, so that "few" and "none" look alike. Then more is hidden until no hidden cell follows from what is shown:
//!
//! 1. what a shown sum leaves for the hidden cells of its line is of five households or more;
//! 2. no hidden cell is a combination of shown cells and sums, whoever knows the sums of the rows from elsewhere;
//! 3. nor is one of one to four households for somebody who guesses right which cells are empty.
//!
//! Rows and columns are two nested families of sets, so their matrix is totally unimodular: it has the same rank with the
//! numbers 0 and 1 alone as with fractions, and (2) and (3) are answered exactly by bits.

use std::collections::BTreeSet;

/// What has fewer households is hidden.
pub const HOUSEHOLDS_MIN: usize = 5;

/// A household, by a number that never leaves the hub.
pub type HouseholdNo = u64;

/// The households of each cell, row by row; every row has as many cells.
pub type Table = Vec<Vec<BTreeSet<HouseholdNo>>>;

/// A cell or a sum: row and column, the one after the last is the sum over all of them.
pub type Place = (usize, usize);

struct Work<'t> {
    table: &'t Table,
    rows: usize,
    columns: usize,
    hidden: BTreeSet<Place>,
}

/// Every cell and sum that is hidden.
#[must_use]
pub fn hidden(table: &Table) -> BTreeSet<Place> {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let mut work = Work { table, rows: table.len(), columns, hidden: BTreeSet::new() };
    work.hidden = work.places().filter(|place| work.households(*place).len() < HOUSEHOLDS_MIN).collect();
    // Each turn hides one more, so it ends; where all is hidden, nothing can be computed.
    loop {
        let next = match (work.small_rest(), work.computable()) {
            (Some(next), _) => Some(next),
            (None, Some(target)) => work.beside(target),
            (None, None) => None,
        };
        let Some(next) = next else { return work.hidden };
        work.hidden.insert(next);
    }
}

impl Work<'_> {
    fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let columns = self.columns;
        (0..=self.rows).flat_map(move |row| (0..=columns).map(move |column| (row, column)))
    }

    /// The cells that a place is the sum of.
    fn cells(&self, (row, column): Place) -> Vec<Place> {
        let rows = if row == self.rows { 0..self.rows } else { row..row.saturating_add(1) };
        rows.flat_map(|row| {
            let columns = if column == self.columns { 0..self.columns } else { column..column.saturating_add(1) };
            columns.map(move |column| (row, column))
        })
        .collect()
    }

    fn households(&self, place: Place) -> BTreeSet<HouseholdNo> {
        let cells = self.cells(place);
        let found = cells.iter().filter_map(|(row, column)| self.table.get(*row)?.get(*column));
        found.flatten().copied().collect()
    }

    fn is_of_few(&self, place: Place) -> bool {
        (1..HOUSEHOLDS_MIN).contains(&self.households(place).len())
    }

    fn is_cell(&self, (row, column): Place) -> bool {
        row < self.rows && column < self.columns
    }

    fn is_shown(&self, place: Place) -> bool {
        !self.hidden.contains(&place)
    }

    /// Lines whose sum is known: the sum, and what it is the sum of. Those of the rows are known from elsewhere.
    fn known_lines(&self) -> Vec<Vec<Place>> {
        let (rows, columns) = (self.rows, self.columns);
        let across = |row: usize| (0..columns).map(move |column| (row, column)).collect::<Vec<_>>();
        let down = |column: usize| (0..rows).map(move |row| (row, column)).collect::<Vec<_>>();
        let mut lines: Vec<_> = (0..rows).map(across).collect();
        lines.extend((0..columns).filter(|column| self.is_shown((rows, *column))).map(down));
        if self.is_shown((rows, columns)) {
            lines.push(across(rows));
            lines.push(down(columns));
        }
        lines
    }

    /// What is to be hidden because the rest of its line is hidden and has too few households.
    fn small_rest(&self) -> Option<Place> {
        self.known_lines().into_iter().find_map(|line| {
            let (hidden, shown): (Vec<Place>, Vec<Place>) = line.into_iter().partition(|place| !self.is_shown(*place));
            let rest: BTreeSet<_> = hidden.iter().flat_map(|place| self.households(*place)).collect();
            let is_small = !hidden.is_empty() && rest.len() < HOUSEHOLDS_MIN;
            is_small.then(|| shown.into_iter().min_by_key(|place| (self.households(*place).len(), *place))).flatten()
        })
    }

    /// What is known by who knows the sums of the rows from elsewhere, and by who guesses which cells are empty.
    fn knowledge(&self) -> (Basis, Basis) {
        let shown = || self.places().filter(|place| self.is_shown(*place));
        let sums_of_rows = (0..=self.rows).map(|row| (row, self.columns));
        let empty = self.places().filter(|place| self.is_cell(*place) && self.households(*place).is_empty());
        (self.basis(shown().chain(sums_of_rows)), self.basis(shown().chain(empty)))
    }

    fn follows(&self, place: Place, (known, guessed): &(Basis, Basis)) -> bool {
        let is_sum_of_row = place.1 == self.columns;
        (!is_sum_of_row && known.spans(self.bits(place))) || (self.is_of_few(place) && guessed.spans(self.bits(place)))
    }

    /// A hidden place that follows from what is shown.
    fn computable(&self) -> Option<Place> {
        let knowledge = self.knowledge();
        self.hidden.iter().find(|place| self.follows(**place, &knowledge)).copied()
    }

    /// What is hidden next because a place can be computed: the smallest cell, else sum, without which it cannot; where
    /// one is not enough, the smallest of its own lines.
    fn beside(&mut self, target: Place) -> Option<Place> {
        let mut shown: Vec<_> = self.places().filter(|place| self.is_shown(*place)).collect();
        shown.sort_by_key(|place| (!self.is_cell(*place), self.households(*place).len(), *place));
        for place in &shown {
            self.hidden.insert(*place);
            let is_enough = !self.follows(target, &self.knowledge());
            self.hidden.remove(place);
            if is_enough {
                return Some(*place);
            }
        }
        let is_near = |place: &&Place| place.0 == target.0 || place.1 == target.1;
        shown.iter().find(is_near).or(shown.first()).copied()
    }

    fn bits(&self, place: Place) -> Bits {
        let mut bits = vec![0; self.rows.saturating_mul(self.columns).div_ceil(64)];
        for (row, column) in self.cells(place) {
            let bit = row.saturating_mul(self.columns).saturating_add(column);
            if let Some(word) = bits.get_mut(bit >> 6) {
                *word |= 1_u64 << (bit & 63);
            }
        }
        bits
    }

    fn basis(&self, places: impl Iterator<Item = Place>) -> Basis {
        let mut basis = Basis::default();
        for place in places {
            let rest = basis.reduce(self.bits(place));
            if let Some(first) = first_bit(&rest) {
                basis.0.push((first, rest));
            }
        }
        basis
    }
}

type Bits = Vec<u64>;

/// Independent sums, each with its first bit, in the order in which they were found.
#[derive(Default)]
struct Basis(Vec<(usize, Bits)>);

impl Basis {
    /// What is left of a sum after those of the basis.
    fn reduce(&self, mut bits: Bits) -> Bits {
        for (first, of_basis) in &self.0 {
            if bits.get(first >> 6).is_some_and(|word| word >> (first & 63) & 1 == 1) {
                bits.iter_mut().zip(of_basis).for_each(|(word, other)| *word ^= other);
            }
        }
        bits
    }

    fn spans(&self, bits: Bits) -> bool {
        first_bit(&self.reduce(bits)).is_none()
    }
}

fn first_bit(bits: &[u64]) -> Option<usize> {
    let (at, word) = bits.iter().enumerate().find(|(_, word)| **word != 0)?;
    let low = usize::try_from(word.trailing_zeros()).ok()?;
    Some(at.saturating_mul(64).saturating_add(low))
}

#[cfg(test)]
mod tests;
