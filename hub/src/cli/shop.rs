//! `shop list`, `shop floor`: where households buy, and what they are to find where there is no network.

use std::fmt::Write as _;

use cabas_protocol::Cents;
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::fund::euros;
use crate::out::{plain, print};
use crate::store::{OpenMode, ShopAccountOrder, ShopView, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum Shop {
    /// List the shops
    List,
    /// Show the accounts that a shop has and had, or set the one that holds from here on
    Account {
        /// The shop's code
        #[arg(value_name = "CODE")]
        shop: String,
        /// Its IBAN
        #[arg(long, value_name = "IBAN", requires_all = ["name", "by"])]
        iban: Option<String>,
        /// Its legal name, as its bank knows it: banks compare it with the IBAN
        #[arg(long, value_name = "NAME", requires = "iban")]
        name: Option<String>,
        /// Who says so
        #[arg(long, value_name = "NAME", requires = "iban")]
        by: Option<String>,
    },
    /// Make a new key for the slot of a shop whose terminal was stolen: cards get it with `cabas-agent card renew`
    RenewSlot {
        /// The shop's code
        #[arg(value_name = "CODE")]
        shop: String,
    },
    /// Set what each household is to find at a shop without a network: it is laid there on market days and the day before
    Floor {
        /// The shop's code
        #[arg(value_name = "CODE")]
        shop: String,
        /// For each household; 0 for none
        #[arg(long, value_name = "CENTS")]
        cents: u64,
        /// Market days, such as `tue,sat`; without it every day
        #[arg(long, value_name = "DAYS", value_delimiter = ',')]
        days: Vec<Weekday>,
    },
}

/// A day of the week.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

const WEEK: [(Weekday, &str, u8); 7] = [
    (Weekday::Mon, "mon", 1),
    (Weekday::Tue, "tue", 2),
    (Weekday::Wed, "wed", 4),
    (Weekday::Thu, "thu", 8),
    (Weekday::Fri, "fri", 16),
    (Weekday::Sat, "sat", 32),
    (Weekday::Sun, "sun", 64),
];
const EVERY_DAY: u8 = 0b111_1111;

#[derive(Serialize)]
struct ShopLine {
    code: String,
    name: String,
    kind: String,
    expected_share_permille: u32,
    terminals: u32,
    /// The key slot on purse cards that its terminals use, and the newest version of its key.
    slot: Option<u8>,
    slot_version: Option<u8>,
    floor_cents: u64,
    market_days: Vec<&'static str>,
}

fn days_of(bits: u8) -> Vec<&'static str> {
    WEEK.iter().filter(|(_, _, bit)| bits & bit > 0).map(|(_, name, _)| *name).collect()
}

fn bits_of(days: &[Weekday]) -> u8 {
    if days.is_empty() {
        return EVERY_DAY;
    }
    WEEK.iter().filter(|(day, ..)| days.contains(day)).fold(0, |bits, (_, _, bit)| bits | bit)
}

#[derive(Serialize)]
struct AccountLine {
    name: String,
    iban: String,
    set_by: String,
    set_at: u64,
}

/// The accounts of a shop, the one that holds first.
fn account(context: &Context, shop: &str, order: Option<&ShopAccountOrder>) -> Result<(), Failure> {
    let now = context.clock.now();
    let mut db = context.open(OpenMode::Existing)?;
    if let Some(order) = order {
        db.write(|tx| tx.shop_account_set(order, now))?;
    }
    let accounts = db.read(|tx| tx.shop_accounts(shop))?.into_iter().map(|account| AccountLine {
        name: account.name,
        iban: account.iban,
        set_by: account.set_by,
        set_at: account.set_at.get(),
    });
    print(context.format, &accounts.collect::<Vec<_>>(), |accounts| {
        let line = |account: &AccountLine| {
            format!(
                "{} ({}), set by {} at {}\n",
                account.iban,
                plain(&account.name),
                plain(&account.set_by),
                account.set_at
            )
        };
        if accounts.is_empty() { "No account yet.\n".to_owned() } else { accounts.iter().map(line).collect() }
    })
    .map_err(Failure::Print)
}

pub(super) fn run(context: &Context, command: &Shop) -> Result<(), Failure> {
    if let Shop::Account { shop, iban, name, by } = command {
        let order = iban.clone().zip(name.clone()).zip(by.clone());
        let order = order.map(|((iban, name), by)| ShopAccountOrder { shop: shop.clone(), name, iban, by });
        return account(context, shop, order.as_ref());
    }
    if let Shop::Floor { shop, cents, days } = command {
        let now = context.clock.now();
        let floor = Cents::new(*cents).map_err(StoreError::from)?;
        let mut db = context.open(OpenMode::Existing)?;
        db.write(|tx| tx.shop_floor(shop, floor, bits_of(days)))?;
        while db.write(|tx| tx.allocate_pending(now))?.more {}
    }
    if let Shop::RenewSlot { shop } = command {
        context.open(OpenMode::Existing)?.write(|tx| tx.slot_renew(shop))?;
    }
    let shops = context.open(OpenMode::Existing)?.read(|tx| tx.shops())?;
    let line = |shop: ShopView| ShopLine {
        code: shop.code,
        name: shop.name,
        kind: shop.kind,
        expected_share_permille: shop.weight_permille,
        terminals: shop.terminals,
        slot: shop.slot.map(|(slot, _)| slot),
        slot_version: shop.slot.map(|(_, version)| version),
        floor_cents: shop.floor.get(),
        market_days: days_of(shop.market_days),
    };
    let shown: Vec<_> = shops.into_iter().map(line).collect();
    print(context.format, &shown, |shown| text(shown).unwrap_or_default()).map_err(Failure::Print)
}

fn text(shops: &[ShopLine]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for shop in shops {
        let (name, code) = (plain(&shop.name), plain(&shop.code));
        let (share, terminals) = (shop.expected_share_permille, shop.terminals);
        write!(text, "{code:<24} {name:<32} {share:>4} ‰ of purchases, {terminals} terminals")?;
        if shop.floor_cents > 0 {
            write!(text, ", floor {} € for {}", euros(shop.floor_cents), shop.market_days.join(" "))?;
        }
        writeln!(text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_bits_from_monday_on() {
        assert_eq!(bits_of(&[Weekday::Tue, Weekday::Sun]), 0b100_0010);
        assert_eq!(days_of(0b100_0010), ["tue", "sun"]);
        assert_eq!((bits_of(&[]), days_of(EVERY_DAY).len()), (EVERY_DAY, 7));
    }
}
