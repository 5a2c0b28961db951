//! What is tried with a card, one after the other.

use super::bench::{BALANCE, Bench, NEWER};
use super::forms::Done;
use super::{Found, PURCHASE, Unlike};
use crate::commands::{DEBIT, WRITE_DATA, WRONG_KEY, select};
use crate::exchange::CardError;
use crate::layout::{
    APPLICATION, BALANCE_BYTES, BALANCE_FILE, HUB_KEY, RECORD_FILE, RECORDS_KEPT, Record, SLOTS, SPENT_FILE,
    VALUE_START,
};
use crate::purse::{DebitError, Purse, balance_file};
use crate::session::{Comm, Command, Session};

/// A step of the run.
type Trial = (&'static str, fn(&mut Bench<'_>) -> Found);

/// All, in order: each transaction adds to the one before what is not proven yet.
pub(super) const TRIALS: &[Trial] = &[
    ("the first balance", first_balance),
    ("a record alone", record_alone),
    ("debit and record", debit_and_record),
    ("value, debit and record", value_debit_and_record),
    (PURCHASE, purchase),
    ("a newer balance", newer_balance),
    ("what is not committed is not done", not_committed),
    ("credit is refused", credit_is_refused),
    ("more than there is is refused", too_much_is_refused),
    ("a slot's key opens no other slot", wrong_slot),
    ("a slot's key makes and deletes no files", no_files),
    ("every slot pays", every_slot),
    ("the newest records are kept", records_kept),
];

fn first_balance(bench: &mut Bench<'_>) -> Found {
    bench.first_balance()
}

fn record_alone(bench: &mut Bench<'_>) -> Found {
    let (mut session, record) = (bench.open(1)?, bench.record(1));
    session.write_record(&mut bench.card, RECORD_FILE, &record)?;
    let committed = session.commit(&mut bench.card)?;
    bench.fit(&committed, &[bench.written_record(&record)?])
}

fn debited(cents: u32) -> Done {
    Done::Value { code: DEBIT, file: SPENT_FILE, value: cents, is_read: false }
}

/// Pays by the bare commands, with the value read before where that is asked for.
fn pay(bench: &mut Bench<'_>, slot: u8, cents: u32, reads: bool) -> Found {
    let (mut session, record) = (bench.open(slot)?, bench.record(cents));
    let mut done = Vec::new();
    if reads {
        let value = session.value(&mut bench.card, SPENT_FILE)?;
        if value != bench.value() {
            return Err(Unlike::Found(format!("the value is {value}, and should be {}", bench.value())));
        }
        done.push(bench.read_value());
    }
    session.debit(&mut bench.card, SPENT_FILE, cents)?;
    session.write_record(&mut bench.card, RECORD_FILE, &record)?;
    let committed = session.commit(&mut bench.card)?;
    bench.count(cents);
    done.extend([debited(cents), bench.written_record(&record)?]);
    bench.fit(&committed, &done)
}

fn debit_and_record(bench: &mut Bench<'_>) -> Found {
    pay(bench, 1, 100, false)
}

fn value_debit_and_record(bench: &mut Bench<'_>) -> Found {
    pay(bench, 2, 200, true)
}

/// As a terminal pays, by the same code.
fn purchase(bench: &mut Bench<'_>) -> Found {
    let (cents, record, key) = (1_250, bench.record(1_250), bench.slot_key(3)?);
    let done = [Bench::read_balance(&BALANCE)?, bench.read_value(), debited(cents), bench.written_record(&record)?];
    let mut purse = Purse::open(&mut bench.card, 3, &key, (bench.random)())?;
    let (balance, spent) = (purse.balance()?, purse.spent()?);
    let committed = purse.debit(cents, &record).map_err(|error| match error {
        DebitError::NotDebited(error) | DebitError::InDoubt(error) => error,
    })?;
    let was_right = balance == BALANCE && spent == bench.spent;
    bench.count(cents);
    let found = bench.fit(&committed, &done)?;
    if was_right { Ok(found) } else { Err(Unlike::Found(String::from("balance or value are not what was written"))) }
}

fn newer_balance(bench: &mut Bench<'_>) -> Found {
    let mut session = bench.open(4)?;
    let file = balance_file(&NEWER)?;
    session.write_data(&mut bench.card, BALANCE_FILE, &file)?;
    let committed = session.commit(&mut bench.card)?;
    let found = bench.fit(&committed, &[bench.written(WRITE_DATA, BALANCE_FILE, &file)?])?;
    let read = bench.open(5)?.read_data(&mut bench.card, BALANCE_FILE, BALANCE_BYTES)?;
    if read.as_slice() == file { Ok(found) } else { Err(Unlike::Found(String::from("the file holds something else"))) }
}

fn not_committed(bench: &mut Bench<'_>) -> Found {
    let (mut session, record) = (bench.open(1)?, bench.record(77));
    session.debit(&mut bench.card, SPENT_FILE, 77)?;
    session.write_record(&mut bench.card, RECORD_FILE, &record)?;
    let value = bench.open(1)?.value(&mut bench.card, SPENT_FILE)?;
    if value == bench.value() {
        Ok(String::from("the value stands where it stood"))
    } else {
        Err(Unlike::Found(format!("the value is {value}, and should be {}", bench.value())))
    }
}

/// A command that must be refused.
fn refused(bench: &mut Bench<'_>, mut session: Session, command: Command<'_>, comm: Comm) -> Result<(), Unlike> {
    match session.done(&mut bench.card, command, comm) {
        Err(CardError::Refused { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Err(Unlike::Found(format!("{} was done", command.name))),
    }
}

fn credit_is_refused(bench: &mut Bench<'_>) -> Found {
    for number in [1, HUB_KEY] {
        for (name, code) in [("credit", 0x0c), ("limited credit", 0x1c)] {
            let session = bench.open(number)?;
            let command = Command { name, code, header: &[SPENT_FILE], data: &1_u32.to_le_bytes() };
            refused(bench, session, command, Comm::Mac)?;
        }
    }
    Ok(String::from("to a slot and to the hub"))
}

fn too_much_is_refused(bench: &mut Bench<'_>) -> Found {
    let session = bench.open(1)?;
    let command =
        Command { name: "a debit of too much", code: DEBIT, header: &[SPENT_FILE], data: &VALUE_START.to_le_bytes() };
    refused(bench, session, command, Comm::Mac)?;
    Ok(String::from("and the session is over"))
}

fn wrong_slot(bench: &mut Bench<'_>) -> Found {
    let key = bench.slot_key(1)?;
    for number in [2, HUB_KEY] {
        select(&mut bench.card, APPLICATION)?;
        match Session::authenticate(&mut bench.card, number, &key, (bench.random)()) {
            Err(CardError::Refused { status: WRONG_KEY, .. } | CardError::NotAuthentic(_)) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err(Unlike::Found(format!("the key of slot 1 opens key {number}"))),
        }
    }
    Ok(String::from("neither the hub's"))
}

fn no_files(bench: &mut Bench<'_>) -> Found {
    let [a, b, c] = APPLICATION;
    let trials: [(&'static str, u8, &[u8]); 3] = [
        ("deleting a file", 0xdf, &[BALANCE_FILE]),
        ("making a file", 0xcb, &[9, 1, 0, 0, 16, 0, 0]),
        ("deleting the application", 0xda, &[a, b, c]),
    ];
    for (name, code, header) in trials {
        let session = bench.open(1)?;
        refused(bench, session, Command { name, code, header, data: &[] }, Comm::Mac)?;
    }
    Ok(String::from("refused"))
}

fn every_slot(bench: &mut Bench<'_>) -> Found {
    let mut found = Ok(String::new());
    for slot in SLOTS {
        let paid = pay(bench, slot, 10, true);
        if let Err(Unlike::Card(_)) = paid {
            return paid;
        }
        found = found.and(paid);
    }
    found
}

/// More purchases than there is room for.
fn records_kept(bench: &mut Bench<'_>) -> Found {
    for _ in 0..=RECORDS_KEPT {
        if let Err(Unlike::Card(error)) = pay(bench, 1, 1, false) {
            return Err(error.into());
        }
    }
    let records = bench.open(1)?.records(&mut bench.card, RECORD_FILE)?;
    bench.records = Some(records.len());
    let seqs: Vec<u32> =
        records.iter().filter_map(|record| Record::parse(record).ok()).map(|record| record.seq).collect();
    let newest: Vec<u32> = (1..=bench.bought).rev().take(records.len()).collect();
    if !seqs.iter().rev().eq(&newest) {
        return Err(Unlike::Found(String::from("they are not the newest, or not the oldest first")));
    }
    if records.len() == usize::from(RECORDS_KEPT) {
        Ok(format!("{}", records.len()))
    } else {
        Err(Unlike::Found(format!("{}, and should be {RECORDS_KEPT}", records.len())))
    }
}
