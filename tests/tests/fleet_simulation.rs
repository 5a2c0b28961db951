//! A few seeds of the fleet simulation; `deploy/simulate` plays many.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is the test's failure")]

use std::path::{Path, PathBuf};

use cabas_tests::fleet::figures::Figures;
use cabas_tests::fleet::plan::{HARD_LIFE, events};
use cabas_tests::fleet::policies::{Judged, chart, policies, table};
use cabas_tests::fleet::run::play;
use cabas_tests::fleet::shape::Shape;
use cabas_tests::fleet::template::Template;

/// In memory, where it can be.
fn parent() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

const SMALL: Shape = Shape { shops: 4, households: 6, ..Shape::fund(9) };

fn run(template: &Template, shape: Shape, seed: u64) -> Figures {
    play(template, &parent(), shape, &events(seed, shape))
        .unwrap_or_else(|(place, broken)| panic!("seed {seed}, event {place}: {}: {}", broken.rule, broken.detail))
}

#[test]
fn a_seed_holds_every_rule_and_plays_the_same_each_time() {
    let template = Template::make(&parent(), SMALL).unwrap();
    let first: Vec<_> = (1..=4).map(|seed| run(&template, SMALL, seed)).collect();
    let again: Vec<_> = (1..=4).map(|seed| run(&template, SMALL, seed)).collect();
    assert_eq!(first, again);
    let accepted: u64 = first.iter().map(|figures| figures.accepted).sum();
    assert!(accepted > 20, "somebody bought something: {first:?}");
}

#[test]
fn policies_are_compared_as_a_table_and_a_chart() {
    let all = policies(Shape::fund(30));
    assert!(all.len() > 10 && all.iter().all(|policy| policy.shape.kinds == Some(HARD_LIFE)));
    let figures =
        Figures { tried: 200, refused_funded: 3, accepted_cents: 1_000, over_right_cents: 20, ..Figures::default() };
    let judged = [Judged { name: "as it is".to_owned(), figures }];
    assert!(table(&judged).contains("| as it is | 200 | 3 (15 ‰) | 20 cents (20 ‰) |"), "{}", table(&judged));
    let chart = chart(&judged);
    assert!(chart.starts_with("<svg") && chart.contains("as it is") && chart.trim_end().ends_with("</svg>"), "{chart}");
}
