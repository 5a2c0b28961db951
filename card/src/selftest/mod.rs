//! The whole sequence with a blank card: what a card of silicon does otherwise than this host expects. It needs no hub:
//! its keys are made for the one run and forgotten.
//!
//! The application that it makes keeps the factory's hub key from beginning to end. So one that was left behind is known
//! for what it is, an application that was never issued, and taken away at the next run; one whose hub key is another is
//! a member's, and is never touched.

mod bench;
mod forms;
mod trials;

pub use forms::{Done, Form};

use crate::commands::{SUCCESS, select};
use crate::crypto::Block;
use crate::exchange::{Answer, CardError, Exchange, LinkLost};
use crate::session::send;
use crate::tmac::UID_BYTES;
use bench::Bench;
use trials::TRIALS;

/// What a purchase of the self-test is called: its APDUs are worth a look one by one.
pub const PURCHASE: &str = "a purchase";
/// The status of an answer that goes on.
const MORE: u16 = 0x91af;

/// What one step came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// What was tried.
    pub name: &'static str,
    /// False where the card does otherwise than is expected.
    pub is_as_expected: bool,
    /// What was found.
    pub found: String,
    /// How many APDUs went before it.
    pub first_apdu: usize,
    /// How many it took.
    pub apdus: usize,
}

/// What became of the card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Left {
    /// It is as it was: it was not written to.
    Untouched,
    /// What was made on it was taken away again.
    Blank,
    /// Something of this run lies on it still: the next run takes it away.
    Begun,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Each step, in order.
    pub steps: Vec<Step>,
    /// Memory of the card, as it says itself: all of it, free before, free with the application, free in the end.
    pub memory_bytes: [Option<u32>; 4],
    /// How many records it kept.
    pub records: Option<usize>,
    /// The forms of the MAC's input that fit every transaction; none where no transaction was made.
    pub forms: Vec<Form>,
    /// What became of the card.
    pub left: Left,
}

impl Report {
    /// How many steps differ.
    #[must_use]
    pub fn differing(&self) -> usize {
        self.steps.iter().filter(|step| !step.is_as_expected).count()
    }
}

/// Why a step is not as expected.
enum Unlike {
    /// The card went away, or said what it should not have.
    Card(CardError),
    /// It did something else.
    Found(String),
}

impl From<CardError> for Unlike {
    fn from(error: CardError) -> Self {
        Self::Card(error)
    }
}

type Found = Result<String, Unlike>;

/// Counts what goes to the card.
struct Counted<'c> {
    card: &'c mut dyn Exchange,
    apdus: usize,
}

impl Exchange for Counted<'_> {
    fn exchange(&mut self, apdu: &[u8]) -> Result<Answer, LinkLost> {
        self.apdus = self.apdus.saturating_add(1);
        self.card.exchange(apdu)
    }
}

/// Plays everything with a blank card, and makes it blank again. `random` must be unpredictable: it makes the keys.
pub fn run(card: &mut dyn Exchange, uid: [u8; UID_BYTES], random: &mut dyn FnMut() -> Block) -> Report {
    let mut card = Counted { card, apdus: 0 };
    let (memory, before) = (memory_of(&mut card), free_memory(&mut card));
    let mut left = Left::Untouched;
    let mut bench = Bench::new(card, uid, random);
    let mut memory_bytes = [memory, before, None, None];
    if bench.step("the card is blank", Bench::made_blank) {
        left = Left::Begun;
        if bench.step("the application is made", Bench::made) {
            memory_bytes = [memory, before, free_memory(&mut bench.card), None];
            for (name, trial) in TRIALS {
                if !bench.step(name, *trial) && bench.is_gone {
                    break;
                }
            }
        }
        if bench.step("the application is taken away", Bench::taken_away) {
            left = Left::Blank;
            let [.., after] = &mut memory_bytes;
            *after = free_memory(&mut bench.card);
        }
    }
    let forms = bench.forms();
    Report { steps: bench.steps, memory_bytes, records: bench.records, forms, left }
}

/// The card's memory, by GetVersion; nothing where it does not say.
fn memory_of(card: &mut dyn Exchange) -> Option<u32> {
    let mut answer = send(card, 0x60, &[]).ok()?;
    // Twice the exponent of two.
    let size = *answer.data.get(5)?;
    // Three frames tell of the chip.
    for _ in 0..2 {
        if answer.status == MORE {
            answer = send(card, 0xaf, &[]).ok()?;
        }
    }
    if answer.status == SUCCESS { 1_u32.checked_shl(u32::from(size >> 1)) } else { None }
}

/// What is free of it; nothing where it does not say.
fn free_memory(card: &mut dyn Exchange) -> Option<u32> {
    select(card, [0; 3]).ok()?;
    let answer = send(card, 0x6e, &[]).ok()?;
    match answer.data.as_slice() {
        [a, b, c, ..] if answer.status == SUCCESS => Some(u32::from_le_bytes([*a, *b, *c, 0])),
        _ => None,
    }
}
