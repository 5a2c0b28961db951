//! What is hidden, by examples, and by an independent solver over random tables.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a failed unwrap is the test's failure"
)]

use proptest::prelude::*;

use super::*;

/// A table with so many households in each cell, nobody in two of them.
fn table(counts: &[&[u64]]) -> Table {
    let mut next = 0;
    let mut cell = |count: &u64| {
        let first = next;
        next += count;
        (first..next).collect()
    };
    counts.iter().map(|row| row.iter().map(&mut cell).collect()).collect()
}

fn shown(counts: &[&[u64]]) -> Vec<String> {
    let hidden = hidden(&table(counts));
    let columns = counts[0].len();
    (0..=counts.len())
        .map(|row| (0..=columns).map(|column| if hidden.contains(&(row, column)) { '-' } else { 'x' }).collect())
        .collect()
}

#[test]
fn a_table_of_many_is_shown_whole() {
    assert_eq!(shown(&[&[5, 9], &[7, 5]]), ["xxx", "xxx", "xxx"]);
}

#[test]
fn a_cell_of_few_takes_a_square_with_it() {
    assert_eq!(shown(&[&[4, 9, 20], &[7, 8, 30], &[40, 50, 60]]), ["--xx", "--xx", "xxxx", "xxxx"]);
}

#[test]
fn a_cell_of_none_looks_like_one_of_few() {
    assert_eq!(shown(&[&[0, 9, 20], &[7, 8, 30], &[40, 50, 60]]), ["--xx", "--xx", "xxxx", "xxxx"]);
}

#[test]
fn a_rest_of_few_is_no_hiding_place() {
    // The two hidden cells of the first row have 3 households together: a third is hidden with them.
    assert_eq!(shown(&[&[1, 2, 20], &[7, 8, 30], &[40, 50, 60]])[0], "---x");
}

#[test]
fn where_all_are_few_nothing_is_shown() {
    assert_eq!(shown(&[&[1, 1], &[1, 1]]), ["---", "---", "---"]);
    assert_eq!(shown(&[&[0, 0], &[0, 0]]), ["---", "---", "---"]);
    assert_eq!(hidden(&Vec::new()), BTreeSet::from([(0, 0)]));
}

const PRIME: i128 = 1_000_000_007;

/// The rank of rows of numbers, by elimination among the numbers modulo a prime.
fn rank(mut rows: Vec<Vec<i128>>) -> usize {
    let columns = rows.first().map_or(0, Vec::len);
    let mut done = 0;
    for column in 0..columns {
        let Some(at) = (done..rows.len()).find(|row| rows[*row][column] != 0) else { continue };
        rows.swap(done, at);
        let (mut power, mut inverse, mut base) = (PRIME - 2, 1, rows[done][column]);
        while power > 0 {
            if power & 1 == 1 {
                inverse = inverse * base % PRIME;
            }
            base = base * base % PRIME;
            power >>= 1;
        }
        let pivot = rows[done].clone();
        for row in rows.iter_mut().skip(done + 1) {
            let times = row[column] * inverse % PRIME;
            for (number, of_pivot) in row.iter_mut().zip(&pivot) {
                *number = (*number + PRIME - times * of_pivot % PRIME) % PRIME;
            }
        }
        done += 1;
    }
    done
}

/// A cell or sum as the numbers by which the cells are added.
fn sum(rows: usize, columns: usize, (row, column): Place) -> Vec<i128> {
    let is_in = |r: usize, c: usize| (row == rows || row == r) && (column == columns || column == c);
    (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).map(|(r, c)| i128::from(is_in(r, c))).collect()
}

fn follows(known: &[Vec<i128>], asked: Vec<i128>) -> bool {
    let with = known.iter().cloned().chain([asked]).collect();
    rank(known.to_vec()) == rank(with)
}

fn union(table: &Table, places: &[Place]) -> usize {
    places.iter().flat_map(|(row, column)| &table[*row][*column]).collect::<BTreeSet<_>>().len()
}

fn tables() -> impl Strategy<Value = Table> {
    let cell = prop_oneof![
        2 => Just(BTreeSet::new()),
        3 => proptest::collection::btree_set(0_u64..200, 0..5),
        3 => proptest::collection::btree_set(0_u64..200, 5..14),
    ];
    (1_usize..5, 1_usize..6).prop_flat_map(move |(rows, columns)| {
        proptest::collection::vec(proptest::collection::vec(cell.clone(), columns), rows)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_of_few_is_shown_and_nothing_hidden_can_be_computed(table in tables()) {
        let (rows, columns) = (table.len(), table[0].len());
        let hidden = hidden(&table);
        let places: Vec<Place> = (0..=rows).flat_map(|row| (0..=columns).map(move |column| (row, column))).collect();
        let cells = |(row, column): Place| -> Vec<Place> {
            let all = (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c)));
            all.filter(|(r, c)| (row == rows || row == *r) && (column == columns || column == *c)).collect()
        };
        let (shown, kept): (Vec<Place>, Vec<Place>) = places.iter().partition(|place| !hidden.contains(*place));
        for place in &shown {
            prop_assert!(union(&table, &cells(*place)) >= HOUSEHOLDS_MIN, "{place:?} is shown");
        }
        // The sums of the rows stand on the dashboard.
        let as_numbers = |place: Place| sum(rows, columns, place);
        let known: Vec<_> = shown.iter().copied().chain((0..=rows).map(|row| (row, columns))).map(as_numbers).collect();
        let guessed: Vec<_> = shown
            .iter()
            .copied()
            .chain(cells((rows, columns)).into_iter().filter(|(row, column)| table[*row][*column].is_empty()))
            .map(as_numbers)
            .collect();
        for place in kept {
            if place.1 < columns && columns > 1 {
                prop_assert!(!follows(&known, as_numbers(place)), "{place:?} follows");
            }
            if (1..HOUSEHOLDS_MIN).contains(&union(&table, &cells(place))) {
                prop_assert!(!follows(&guessed, as_numbers(place)), "{place:?} follows for who knows what is empty");
            }
        }
        // What a shown sum leaves for the hidden cells of its line.
        for place in shown.iter().filter(|place| (place.0 == rows) != (place.1 == columns)) {
            let rest: Vec<_> = cells(*place).into_iter().filter(|cell| hidden.contains(cell)).collect();
            prop_assert!(rest.is_empty() || union(&table, &rest) >= HOUSEHOLDS_MIN, "the rest of {place:?}");
        }
    }

    #[test]
    fn a_table_where_no_cell_is_of_few_is_shown_whole(
        counts in proptest::collection::vec(proptest::collection::vec(5_u64..40, 4), 1..5)
    ) {
        let rows: Vec<&[u64]> = counts.iter().map(Vec::as_slice).collect();
        prop_assert!(hidden(&table(&rows)).is_empty());
    }
}
