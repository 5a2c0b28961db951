//! The shop's grid: which part of a sale the fund pays, line by line.

use cabas_protocol::objects::{Category, Grid};
use cabas_protocol::row::{LINES_MAX, Line};
use cabas_protocol::{CategoryId, Cents, MoneyError, Version};

/// What is asked for in one category.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AskedLine {
    /// The category.
    pub category: CategoryId,
    /// What the goods cost.
    pub requested: Cents,
}

impl From<&Line> for AskedLine {
    fn from(line: &Line) -> Self {
        Self { category: line.category, requested: line.requested }
    }
}

/// Why a sale cannot be split.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// No line.
    #[error("the sale has no line")]
    Empty,
    /// More lines than a row takes.
    #[error("the sale has more than {LINES_MAX} lines")]
    TooManyLines,
    /// The shop does not have the category.
    #[error("the shop has no category {0}")]
    UnknownCategory(CategoryId),
    /// The fund pays nothing of it.
    #[error("the fund covers nothing of this sale")]
    NothingCovered,
    /// A sum is too large.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl SplitError {
    /// The name of the message in `agent/locales`, and the code in the local API.
    #[must_use]
    pub const fn message_id(self) -> &'static str {
        match self {
            Self::Empty => "sale-empty",
            Self::TooManyLines => "sale-too-many-lines",
            Self::UnknownCategory(_) => "sale-unknown-category",
            Self::NothingCovered => "sale-nothing-covered",
            Self::Money(_) => "sale-too-large",
        }
    }
}

/// The categories that hold at a shop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Categories {
    /// The grid's version; 0 for the default.
    pub version: Version,
    /// At least one; the first is the default.
    pub categories: Vec<Category>,
}

/// Without a grid everything that the shop sells is covered: one category at 100 %.
impl Default for Categories {
    fn default() -> Self {
        let all = Category {
            id: CategoryId::new(0),
            share_percent: 100,
            label_fr: String::from("Alimentation"),
            label_en: String::from("Food"),
        };
        Self { version: Version::new(0), categories: vec![all] }
    }
}

impl Categories {
    /// The grid of the highest version that holds on a business day.
    #[must_use]
    pub fn on_day(grids: &[Grid], day: u32) -> Self {
        let held = grids.iter().filter(|grid| grid.valid_from_day <= day).max_by_key(|grid| grid.version);
        held.map_or_else(Self::default, |grid| Self { version: grid.version, categories: grid.categories.clone() })
    }

    /// A category by its id.
    #[must_use]
    pub fn get(&self, id: CategoryId) -> Option<&Category> {
        self.categories.iter().find(|category| category.id == id)
    }

    /// A category as a till names it: nothing for the default, its number, or its name in either language.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<CategoryId> {
        let name = name.trim();
        if name.is_empty() {
            return self.categories.first().map(|category| category.id);
        }
        let number = name.parse().ok().map(CategoryId::new);
        let fits = |category: &&Category| {
            number == Some(category.id)
                || category.label_fr.to_lowercase() == name.to_lowercase()
                || category.label_en.to_lowercase() == name.to_lowercase()
        };
        self.categories.iter().find(fits).map(|category| category.id)
    }

    /// Splits a sale: the fund's part is the category's share, half a cent up; the member's part is the rest.
    ///
    /// # Errors
    /// [`SplitError`].
    pub fn split(&self, asked: &[AskedLine]) -> Result<Vec<Line>, SplitError> {
        if asked.is_empty() {
            return Err(SplitError::Empty);
        }
        if asked.len() > LINES_MAX {
            return Err(SplitError::TooManyLines);
        }
        let mut lines = Vec::with_capacity(asked.len());
        for &AskedLine { category, requested } in asked {
            let share = self.get(category).ok_or(SplitError::UnknownCategory(category))?.share_percent;
            let fund = requested.share(share)?;
            lines.push(Line { category, requested, fund, member: requested.minus(fund)? });
        }
        Cents::sum(lines.iter().map(|line| line.requested))?;
        let covered = Cents::sum(lines.iter().map(|line| line.fund))?;
        if covered.is_zero() { Err(SplitError::NothingCovered) } else { Ok(lines) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a failed unwrap is the test's failure")]
    use super::*;
    use cabas_protocol::head::{HeadContext, ObjectType};
    use cabas_protocol::{FundId, Incarnation, TerminalId, TimeEpoch};
    use proptest::prelude::*;

    fn category(id: u16, share_percent: u8) -> Category {
        let label_fr = format!("Catégorie {id}");
        Category { id: CategoryId::new(id), share_percent, label_fr, label_en: format!("Category {id}") }
    }

    fn asked(category: u16, cents: u64) -> AskedLine {
        AskedLine { category: CategoryId::new(category), requested: Cents::new(cents).unwrap() }
    }

    fn three() -> Categories {
        Categories { version: Version::new(4), categories: vec![category(1, 100), category(2, 70), category(3, 30)] }
    }

    #[test]
    fn each_line_is_split_by_its_share_half_a_cent_up() {
        for (id, cents, fund, member) in
            [(1, 1250, 1250, 0), (2, 1001, 701, 300), (3, 5, 2, 3), (3, 999, 300, 699), (2, 1, 1, 0)]
        {
            let lines = three().split(&[asked(id, cents)]).unwrap();
            let line = lines.first().unwrap();
            assert_eq!((line.fund.get(), line.member.get()), (fund, member), "{cents} in {id}");
        }
    }

    #[test]
    fn what_cannot_be_split_says_why() {
        let unknown = SplitError::UnknownCategory(CategoryId::new(9));
        let mut none = three();
        none.categories.push(category(4, 0));
        let huge = [asked(1, Cents::MAX), asked(1, Cents::MAX)];
        for (lines, error) in [
            (&[][..], SplitError::Empty),
            (&[asked(1, 1); LINES_MAX + 1], SplitError::TooManyLines),
            (&[asked(9, 100)], unknown),
            (&[asked(4, 100)], SplitError::NothingCovered),
            (&huge, SplitError::Money(MoneyError::TooLarge)),
        ] {
            assert_eq!(none.split(lines), Err(error));
        }
    }

    #[test]
    fn a_grid_holds_from_its_day_on() {
        let head =
            HeadContext { fund: FundId::new(1), incarnation: Incarnation::new(1), time_epoch: TimeEpoch::new(1) };
        let grid = |version, valid_from_day| Grid {
            head: head.head(ObjectType::Grid),
            terminal: TerminalId::new(1),
            version: Version::new(version),
            valid_from_day,
            categories: vec![category(1, 50)],
        };
        let grids = [grid(1, 100), grid(2, 200)];
        for (day, version) in [(99, 0), (100, 1), (199, 1), (200, 2), (9999, 2)] {
            assert_eq!(Categories::on_day(&grids, day).version.get(), version, "day {day}");
        }
    }

    #[test]
    fn a_till_names_a_category_by_number_or_name() {
        let all = three();
        for (name, id) in
            [("", Some(1)), ("2", Some(2)), ("catégorie 3", Some(3)), ("CATEGORY 1", Some(1)), ("x", None)]
        {
            assert_eq!(all.named(name).map(CategoryId::get), id, "{name}");
        }
    }

    #[test]
    fn each_reason_against_a_split_has_a_message_of_its_own() {
        for (error, id) in [
            (SplitError::Empty, "sale-empty"),
            (SplitError::TooManyLines, "sale-too-many-lines"),
            (SplitError::UnknownCategory(CategoryId::new(1)), "sale-unknown-category"),
            (SplitError::NothingCovered, "sale-nothing-covered"),
            (SplitError::Money(MoneyError::TooLarge), "sale-too-large"),
        ] {
            assert_eq!(error.message_id(), id);
        }
    }

    proptest! {
        #[test]
        fn the_parts_of_a_sale_add_up(amounts in prop::collection::vec((1u16..=3, 1u64..=1_000_000), 1..=16)) {
            let asked: Vec<_> = amounts.iter().map(|(id, cents)| asked(*id, *cents)).collect();
            let lines = three().split(&asked).unwrap();
            let parts: u64 = lines.iter().map(|line| line.fund.get() + line.member.get()).sum();
            prop_assert_eq!(parts, amounts.iter().map(|(_, cents)| cents).sum::<u64>());
        }
    }
}
