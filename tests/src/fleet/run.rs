//! Runs: a list of events against a fresh fund.

use std::path::Path;

use super::auditor::{Broken, Checked};
use super::event::Event;
use super::figures::Figures;
use super::shape::Shape;
use super::template::Template;

/// What a run came to: its figures, or the place of the event after which a rule did not hold.
pub type Outcome = Result<Figures, (usize, Broken)>;

/// Plays events; the end comes after the last.
///
/// # Errors
/// The place of the event, or of the end, and the rule.
pub fn play(template: &Template, parent: &Path, shape: Shape, events: &[Event]) -> Outcome {
    let begin = || -> Checked<_> {
        let folder = tempfile::Builder::new().prefix("cabas-run-").tempdir_in(parent)?;
        let world = template.world(folder.path())?;
        Ok((folder, world))
    };
    let (_folder, mut world) = begin().map_err(|broken| (0, broken))?;
    for (place, event) in events.iter().enumerate() {
        world.apply(event).map_err(|broken| (place, broken))?;
    }
    world.finish().map_err(|broken| (events.len(), broken))?;
    let mut figures = world.figures();
    figures.terminal_days = u64::from(shape.tills()).saturating_mul(shape.days.into());
    Ok(figures)
}
