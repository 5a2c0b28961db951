//! Shops and the steps that brought them where they stand.

use crate::core::joining::{Stage, Step, step};

use super::super::error::StoreError;
use super::super::sql::col_opt;
use super::super::tx::Tx;
use super::{FindingKind, VerifyReport};
use crate::core::ledger::ShopNo;

impl Tx<'_> {
    /// Each shop stands where its steps lead; each shop has its steps; one that is not open has no code to enrol with.
    pub(super) fn check_joinings(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut steps = self.conn.prepare("SELECT step FROM joining_steps WHERE joining = ?1 ORDER BY id")?;
        let mut read = self.conn.prepare("SELECT id, code, stage, shop FROM joinings ORDER BY code")?;
        let mut rows = read.query([])?;
        while let Some(row) = rows.next()? {
            let (code, stored): (String, u8) = (row.get(1)?, row.get(2)?);
            let shop: Option<ShopNo> = col_opt(row, 3)?;
            let taken = steps.query_map([row.get::<_, i64>(0)?], |row| row.get(0))?.collect::<Result<Vec<u8>, _>>()?;
            let stage = replay(&taken);
            let subject = || format!("shop {code}");
            if stage.map(Stage::number) != Some(stored) {
                let led = stage.map_or("nowhere", Stage::name);
                report.add(FindingKind::Joining, subject(), format!("its steps lead to {led}, it stands at {stored}"));
            }
            let was_open = taken.contains(&Step::Open.number());
            if was_open != shop.is_some() {
                report.add(
                    FindingKind::Joining,
                    subject(),
                    "it has opened and is no shop, or is one without having opened",
                );
            }
        }
        let without =
            "SELECT code FROM shops WHERE NOT EXISTS (SELECT 1 FROM joinings WHERE joinings.shop = shops.number)";
        self.find_shops(without, "it has no steps", report)?;
        let codes = "SELECT DISTINCT joinings.code FROM enrolment_codes
             JOIN terminals ON terminals.number = enrolment_codes.terminal JOIN joinings ON joinings.shop = terminals.shop
             WHERE stage <> 8 AND void = 0 AND used_by IS NULL";
        self.find_shops(codes, "it is not open, and a terminal has a code to enrol with", report)
    }

    /// Nothing personal is left of an erased household, and it has left.
    pub(super) fn check_erasures(&self, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(
            "SELECT code FROM erasures JOIN households ON households.number = household
             WHERE left_at IS NULL OR contribution_cents IS NOT NULL
                OR EXISTS (SELECT 1 FROM members WHERE members.household = households.number) ORDER BY code",
        )?;
        for code in read.query_map([], |row| row.get::<_, String>(0))? {
            let detail = "it was erased, and has a name, a contribution, or has not left";
            report.add(FindingKind::Erasure, format!("household {}", code?), detail);
        }
        Ok(())
    }

    fn find_shops(&self, sql: &str, detail: &str, report: &mut VerifyReport) -> Result<(), StoreError> {
        let mut read = self.conn.prepare(sql)?;
        for code in read.query_map([], |row| row.get::<_, String>(0))? {
            report.add(FindingKind::Joining, format!("shop {}", code?), detail);
        }
        Ok(())
    }
}

/// Where steps lead. An imported shop begins by opening.
fn replay(steps: &[u8]) -> Option<Stage> {
    let mut steps = steps.iter().map(|number| Step::of_number(*number));
    let first = match steps.next()?? {
        Step::Propose => Stage::Proposed,
        Step::Open => Stage::Open,
        Step::Pair
        | Step::Visit
        | Step::Present
        | Step::Consent
        | Step::Object
        | Step::Amend
        | Step::Sign
        | Step::Suspend
        | Step::Close => return None,
    };
    steps.try_fold(first, |stage, by| step(stage, by?).ok())
}
