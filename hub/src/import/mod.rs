//! CSV files of households, cards and shops: read whole, every line checked, nothing taken unless all of it is good.
//!
//! A UID goes no further than this module: what leaves it is a card reference.

mod contributions;
mod fields;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use cabas_protocol::CardRef;
use cabas_protocol::keys::CardKey;
use cabas_protocol::row::Tier;

use crate::core::household_rules::{Household, PEOPLE_MAX};
use crate::store::{ImportCard, ImportHousehold, ImportMember, ImportPlan, ImportShop};

pub use contributions::{PaidLine, contributions, refused};
use fields::Fields;
pub use fields::{Wrong, card_uid};
pub use table::{FILE_BYTES_MAX, Kind, ROWS_MAX};

/// A household contributes at least this for each person, in cents a month.
pub const CONTRIBUTION_CENTS_PER_PERSON_MIN: u64 = 100;
/// Problems that are kept; what comes after them is only counted.
pub const PROBLEMS_MAX: usize = 100;

/// One file as it was read.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name, for what is said about it.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What is wrong with a line.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub problem: String,
    /// The same, for who says it in other words.
    #[serde(skip)]
    pub wrong: Wrong,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, line {}: {}", self.file, self.line, self.problem)
    }
}

/// Everything that is wrong with an import.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Problems {
    /// The first [`PROBLEMS_MAX`].
    pub shown: Vec<Problem>,
    /// How many there are in all.
    pub count: usize,
}

impl Problems {
    fn push(&mut self, file: &str, line: u64, wrong: &Wrong) {
        self.count = self.count.saturating_add(1);
        if self.shown.len() < PROBLEMS_MAX {
            let problem = crate::out::plain(&wrong.to_string());
            self.shown.push(Problem { file: crate::out::plain(file), line, problem, wrong: wrong.clone() });
        }
    }
}

/// What was read of one file.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct FileRead {
    /// Its name.
    pub file: String,
    /// What its header says it holds.
    pub kind: Kind,
    /// Its rows, the header not counted.
    pub rows: usize,
}

/// Reads all files of one import.
///
/// # Errors
/// [`Problems`]: every line that is not good, of every file.
pub fn read(inputs: &[Input], card_key: &CardKey) -> Result<(ImportPlan, Vec<FileRead>), Problems> {
    read_sealing(inputs, card_key, &|_, _| None)
}

/// Reads all files of one import, names among them: `seal` gets a household's code and a name, which goes no further.
///
/// # Errors
/// As [`read`].
pub fn read_sealing(
    inputs: &[Input],
    card_key: &CardKey,
    seal: &dyn Fn(&str, &str) -> Option<Vec<u8>>,
) -> Result<(ImportPlan, Vec<FileRead>), Problems> {
    let mut reader = Reader::new(card_key, seal);
    let mut files = Vec::new();
    for input in inputs {
        if let Some(read) = reader.file(input) {
            files.push(read);
        }
    }
    if reader.problems.count == 0 { Ok((reader.plan, files)) } else { Err(reader.problems) }
}

/// Where something stood first.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Place {
    file: String,
    line: u64,
}

struct Reader<'k> {
    card_key: &'k CardKey,
    seal: &'k dyn Fn(&str, &str) -> Option<Vec<u8>>,
    members: BTreeMap<(String, Vec<u8>), Place>,
    plan: ImportPlan,
    problems: Problems,
    households: BTreeMap<String, Place>,
    card_numbers: BTreeMap<u32, Place>,
    cards: BTreeMap<CardRef, Place>,
    shops: BTreeMap<String, Place>,
    kinds: BTreeSet<Kind>,
}

impl<'k> Reader<'k> {
    fn new(card_key: &'k CardKey, seal: &'k dyn Fn(&str, &str) -> Option<Vec<u8>>) -> Self {
        Self {
            card_key,
            seal,
            members: BTreeMap::new(),
            plan: ImportPlan::default(),
            problems: Problems::default(),
            households: BTreeMap::new(),
            card_numbers: BTreeMap::new(),
            cards: BTreeMap::new(),
            shops: BTreeMap::new(),
            kinds: BTreeSet::new(),
        }
    }

    fn file(&mut self, input: &Input) -> Option<FileRead> {
        let table = match table::Table::open(&input.bytes) {
            Ok(table) => table,
            Err(wrong) => {
                self.problems.push(&input.name, 1, &wrong);
                return None;
            }
        };
        let kind = table.kind();
        if !self.kinds.insert(kind) {
            self.problems.push(&input.name, 1, &Wrong::SecondFile(kind));
            return None;
        }
        if kind == Kind::Contributions {
            self.problems.push(&input.name, 1, &Wrong::Contributions);
            return None;
        }
        let mut rows = 0_usize;
        let mut shares = 0_u64;
        for record in table {
            rows = rows.saturating_add(1);
            let place = Place { file: input.name.clone(), line: record.line };
            let taken = record.fields.and_then(|fields| match kind {
                Kind::Households => self.household(&fields, &place),
                Kind::Cards => self.card(&fields, &place),
                Kind::Shops => self.shop(&fields, &place, &mut shares),
                Kind::Members => self.member(&fields, &place),
                Kind::Contributions => Err(Wrong::Contributions),
            });
            if let Err(wrong) = taken {
                self.problems.push(&input.name, record.line, &wrong);
            }
        }
        if rows == 0 {
            self.problems.push(&input.name, 1, &Wrong::NoRows);
        }
        Some(FileRead { file: input.name.clone(), kind, rows })
    }

    fn household(&mut self, fields: &Fields, place: &Place) -> Result<(), Wrong> {
        let code = fields.code("household")?;
        let size = fields.number("size", 1, PEOPLE_MAX)?;
        let children = fields.number("children_under_14", 0, PEOPLE_MAX)?;
        let people = Household::new(size, children).map_err(|_| Wrong::OnlyChildren { size, children })?;
        let contribution = fields.cents("contribution_cents")?;
        let least = u64::from(size).saturating_mul(CONTRIBUTION_CENTS_PER_PERSON_MIN);
        if contribution.get() < least {
            return Err(Wrong::ContributionTooLow { cents: contribution.get(), least });
        }
        once(&mut self.households, code.clone(), place, "household")?;
        self.plan.households.push(ImportHousehold { code, people, contribution: Some(contribution) });
        Ok(())
    }

    fn card(&mut self, fields: &Fields, place: &Place) -> Result<(), Wrong> {
        let number = fields.number("card_number", 1, u32::MAX)?;
        let card = self.card_key.card_ref(&fields.uid("uid_hex")?);
        let household = fields.code("household")?;
        once(&mut self.card_numbers, number, place, "card_number")?;
        once(&mut self.cards, card, place, "uid_hex")?;
        self.plan.cards.push(ImportCard { number, card, tier: Tier::Plain, household });
        Ok(())
    }

    fn member(&mut self, fields: &Fields, place: &Place) -> Result<(), Wrong> {
        let household = fields.code("household")?;
        let sealed = (self.seal)(&household, &fields.name("member")?).ok_or(Wrong::NotSealed)?;
        once(&mut self.members, (household.clone(), sealed.clone()), place, "member")?;
        self.plan.members.push(ImportMember { household, sealed });
        Ok(())
    }

    fn shop(&mut self, fields: &Fields, place: &Place, shares: &mut u64) -> Result<(), Wrong> {
        let code = fields.code("shop")?;
        let name = fields.name("name")?;
        let kind = fields.code("kind")?;
        let weight_permille = fields.number("expected_share_permille", 0, 1000)?;
        once(&mut self.shops, code.clone(), place, "shop")?;
        *shares = shares.saturating_add(u64::from(weight_permille));
        if *shares > 1000 {
            return Err(Wrong::SharesOver1000(*shares));
        }
        self.plan.shops.push(ImportShop { code, name, kind, weight_permille });
        Ok(())
    }
}

fn once<K: Ord>(seen: &mut BTreeMap<K, Place>, key: K, place: &Place, field: &'static str) -> Result<(), Wrong> {
    match seen.get(&key) {
        Some(first) => Err(Wrong::Twice { field, file: first.file.clone(), line: first.line }),
        None => {
            seen.insert(key, place.clone());
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
