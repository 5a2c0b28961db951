//! `card selftest`: everything that a purse card has to do, with a blank one on this machine's reader, and what it does
//! otherwise. No hub and no enrolment is asked for: the keys are made for the one run. The card is blank again at the end.

use super::Context;
use super::card::LOOKS;
use super::failure::Failure;
use super::lock;
use crate::card::purse::exchange_over;
use crate::card::{Card, NoCard, Uid, with_card};
use crate::clock::Stopwatch;
use crate::journal::FILE;
use crate::out::print;
use cabas_card::layout::LAYOUT;
use cabas_card::selftest::{self, Left, PURCHASE, Report};
use cabas_card::tmac::{INPUT_LAYOUT, UID_BYTES};
use cabas_card::{Answer, Exchange, Key, LinkLost};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use zeroize::Zeroizing;

/// What a run found.
#[derive(Debug, Serialize)]
struct Found {
    /// The layout of application, files and records (`card/card.md`).
    card_layout: u8,
    /// The form of the transaction MAC's input that the hub computes.
    mac_input_layout: u8,
    as_expected: bool,
    steps: Vec<Step>,
    /// In what the form that fits all transactions differs from that layout; nothing where none does.
    mac_form: Option<Vec<&'static str>>,
    memory_bytes: Option<u32>,
    free_bytes_before: Option<u32>,
    free_bytes_with_application: Option<u32>,
    free_bytes_after: Option<u32>,
    records_kept: Option<usize>,
    /// The APDUs of one purchase.
    purchase: Vec<Apdu>,
    total_us: u64,
    /// What became of the card.
    card_is: &'static str,
}

#[derive(Debug, Serialize)]
struct Step {
    name: &'static str,
    is_as_expected: bool,
    found: String,
    apdus: usize,
    us: u64,
}

/// One APDU, without what was in it.
#[derive(Clone, Debug, Serialize)]
struct Apdu {
    /// The command's code, as it is written in `card/card.md`.
    code: String,
    up_bytes: usize,
    down_bytes: usize,
    us: u64,
}

/// Takes the time of each APDU.
struct Timed<E> {
    card: E,
    apdus: Vec<Apdu>,
}

impl<E: Exchange> Exchange for Timed<E> {
    fn exchange(&mut self, apdu: &[u8]) -> Result<Answer, LinkLost> {
        let watch = Stopwatch::start();
        let answer = self.card.exchange(apdu);
        let us = u64::try_from(watch.elapsed().as_micros()).unwrap_or(u64::MAX);
        let code = apdu.get(1).map(|code| format!("{code:02X}")).unwrap_or_default();
        // The status is not among the data.
        let down_bytes = answer.as_ref().map_or(0, |answer| answer.data.len().saturating_add(2));
        self.apdus.push(Apdu { code, up_bytes: apdu.len(), down_bytes, us });
        answer
    }
}

pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let dir = &context.config.data_dir;
    // A terminal that runs has the reader.
    let _lock = if dir.join(FILE).exists() { Some(lock::take(dir)?) } else { None };
    let mut seed = Zeroizing::new([0; 16]);
    SystemRandom::new().fill(seed.as_mut_slice()).map_err(|_| Failure::NoRandomness)?;
    let found = with_card(&context.config.reader(), LOOKS, |card, uid: &Uid| play(card, uid, &seed));
    let found = found.map_err(Failure::NoCard)??;
    print(context.format, &found, text).map_err(Failure::Print)?;
    if found.as_expected {
        return Ok(());
    }
    let differing = found.steps.iter().filter(|step| !step.is_as_expected).count();
    Err(Failure::CardDiffers { differing, card_is: found.card_is })
}

fn play(card: &mut dyn Card, uid: &Uid, seed: &[u8; 16]) -> Result<Found, Failure> {
    let uid = <[u8; UID_BYTES]>::try_from(uid.as_bytes()).map_err(|_| Failure::NoCard(NoCard::NotDesfire))?;
    let (key, mut next) = (Key::new(*seed), 0_u64);
    let mut random = || {
        next = next.wrapping_add(1);
        key.cmac(&[b"cabas selftest", &next.to_be_bytes()])
    };
    let mut timed = Timed { card: exchange_over(card), apdus: Vec::new() };
    let report = selftest::run(&mut timed, uid, &mut random);
    Ok(found(report, &timed.apdus))
}

fn found(report: Report, apdus: &[Apdu]) -> Found {
    let as_expected = report.differing() == 0;
    let sum = |apdus: &[Apdu]| apdus.iter().fold(0_u64, |sum, apdu| sum.saturating_add(apdu.us));
    let mut purchase = Vec::new();
    let mut steps = Vec::new();
    for step in report.steps {
        let its = apdus.get(step.first_apdu..step.first_apdu.saturating_add(step.apdus)).unwrap_or_default();
        if step.name == PURCHASE {
            purchase = its.to_vec();
        }
        let selftest::Step { name, is_as_expected, found, apdus, .. } = step;
        steps.push(Step { name, is_as_expected, found, apdus, us: sum(its) });
    }
    let [memory_bytes, free_bytes_before, free_bytes_with_application, free_bytes_after] = report.memory_bytes;
    Found {
        card_layout: LAYOUT,
        mac_input_layout: INPUT_LAYOUT,
        as_expected,
        steps,
        mac_form: report.forms.first().map(selftest::Form::differences),
        memory_bytes,
        free_bytes_before,
        free_bytes_with_application,
        free_bytes_after,
        records_kept: report.records,
        purchase,
        total_us: sum(apdus),
        card_is: match report.left {
            Left::Untouched => "as it was",
            Left::Blank => "blank again",
            Left::Begun => "not blank: present it to another selftest, which takes away what is left",
        },
    }
}

fn text(found: &Found) -> String {
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        out.push_str(&text.to_string());
        out.push('\n');
    };
    line(format_args!("card layout {}, transaction MAC input layout {}", found.card_layout, found.mac_input_layout));
    for Step { name, is_as_expected, found, apdus, us } in &found.steps {
        let verdict = if *is_as_expected { "ok" } else { "DIFFERS" };
        line(format_args!("{verdict:<8} {name:<40} {apdus:>4} APDUs {:>9} ms  {found}", millis(*us)));
    }
    match found.mac_form.as_deref() {
        Some([]) => line(format_args!("every transaction MAC is of layout {}", found.mac_input_layout)),
        Some(differences) => {
            line(format_args!("the form that fits every transaction MAC: {}", differences.join("; ")));
        }
        None if found.steps.len() > 2 => line(format_args!("no form that is known here fits every transaction MAC")),
        None => {}
    }
    let bytes = |bytes: Option<u32>| bytes.map_or_else(|| String::from("?"), |bytes| bytes.to_string());
    line(format_args!(
        "memory: {} bytes; free {}, with the application {}, after it {}; records kept: {}",
        bytes(found.memory_bytes),
        bytes(found.free_bytes_before),
        bytes(found.free_bytes_with_application),
        bytes(found.free_bytes_after),
        found.records_kept.map_or_else(|| String::from("?"), |records| records.to_string()),
    ));
    let (up, down) = found.purchase.iter().fold((0_usize, 0_usize), |(up, down), apdu| {
        (up.saturating_add(apdu.up_bytes), down.saturating_add(apdu.down_bytes))
    });
    let us = found.purchase.iter().fold(0_u64, |sum, apdu| sum.saturating_add(apdu.us));
    line(format_args!("a purchase: {} APDUs, {up} bytes up, {down} down, {} ms", found.purchase.len(), millis(us)));
    for Apdu { code, up_bytes, down_bytes, us } in &found.purchase {
        line(format_args!("  {code}  {up_bytes:>4} up {down_bytes:>4} down {:>9} ms", millis(*us)));
    }
    line(format_args!("in total {} ms; the card is {}", millis(found.total_us), found.card_is));
    out
}

/// Microseconds as milliseconds with three decimals.
fn millis(us: u64) -> String {
    let (whole, rest) = (us.checked_div(1000).unwrap_or(0), us.checked_rem(1000).unwrap_or(0));
    format!("{whole}.{rest:03}")
}
