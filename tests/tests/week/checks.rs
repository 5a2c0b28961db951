//! What has to be true at the end of a week.

use std::collections::BTreeMap;

use cabas_tests::hub::payout;

use super::{Bought, CONNECTED, LONE, SHOPS, STALL, Week, spent, sum};

impl Week {
    /// Every debit at a shop that is there is one sale, and the hub owes it to the cent; the week was one worth its name.
    pub(crate) fn check_shops(&self) {
        let living = |bought: &Bought| bought.shop != STALL;
        let debits: BTreeMap<_, _> = self.debits.iter().filter(|(_, bought)| living(bought)).collect();
        let accepted: BTreeMap<_, _> = self.accepted.iter().map(|(request, (bought, _))| (request, bought)).collect();
        let accepted: BTreeMap<_, _> = accepted.into_iter().filter(|(_, bought)| living(bought)).collect();
        assert_eq!(debits, accepted);
        let preview = self.hub.ok(&["settlement", "preview"]).unwrap();
        for (shop, code) in SHOPS.into_iter().enumerate().filter(|(shop, _)| *shop != STALL) {
            self.shops[shop].as_ref().unwrap().verify().unwrap();
            assert_eq!(payout(&preview, code).unwrap(), sum(self.debits_at(shop)), "{code}");
        }
        let newer = self.accepted.values().filter(|(bought, record)| {
            bought.shop != CONNECTED && record.sale.serial > self.holders[bought.card].first_serial
        });
        assert!(newer.count() > 20, "shops off line honoured balances that only the cards brought");
        assert!(self.debits.len() > 200, "{}", self.debits.len());
    }

    /// What the cards tell of the stall, before and after two people closed it.
    pub(crate) fn check_stall(&self) {
        let known: Vec<_> = self.debits_at(STALL).filter(|bought| bought.card != LONE).collect();
        let (sales, cents) = (known.len(), sum(known.into_iter()));
        assert!(sales > 0, "the stall sold nothing");
        let terminal = (STALL + 1).to_string();
        let report = || self.hub.ok(&["terminal", "carried", &terminal]).unwrap();
        let waiting = report();
        assert_eq!((&waiting["provisional"], &waiting["provisional_cents"]), (&sales.into(), &cents.into()));
        assert_eq!((&waiting["unclaimed_cents"], &waiting["booked"]), (&cents.into(), &0.into()), "{waiting}");
        assert_eq!(self.hub.owed(SHOPS[STALL]).unwrap(), 0, "what a card proves is not that goods were given");
        for by in ["Ada", "Bo"] {
            self.hub.ok(&["terminal", "close", &terminal, "--by", by]).unwrap();
        }
        let booked = report();
        assert_eq!((&booked["booked"], &booked["booked_cents"]), (&sales.into(), &cents.into()), "{booked}");
        assert_eq!((&booked["provisional"], &booked["unclaimed_cents"]), (&0.into(), &0.into()), "{booked}");
        assert_eq!(booked["told"], 0);
        assert_eq!(self.hub.owed(SHOPS[STALL]).unwrap(), cents);
    }

    /// What each chip counted was paid, once, and the households' money adds up.
    pub(crate) fn check_cards(&self) {
        for (card, chip) in self.chips.iter().enumerate() {
            let (shown, counted) = (self.card(card), spent(chip));
            assert_eq!(counted, sum(self.debits_of(card)));
            // Of the card that never came back the fund knows nothing yet.
            let known = if card == LONE { 0 } else { counted };
            assert_eq!((&shown["spent_cents"], &shown["unclaimed_cents"]), (&known.into(), &0.into()), "{shown}");
            assert_eq!(shown["proofs_refuted"], 0, "{shown}");
        }
        let proofs = self.hub.ok(&["card", "proofs"]).unwrap();
        let proofs = proofs.as_array().unwrap();
        assert!(proofs.iter().all(|line| line["proof"] == "missing"), "{proofs:?}");
        let unanswered =
            self.accepted.values().filter(|(bought, record)| bought.shop != STALL && record.sale.card_mac.is_none());
        assert_eq!(proofs.len(), unanswered.count(), "sales that a later tap proved, and no others");
        for household in ["F001", "F002"] {
            let shown = self.household(household);
            let total = |list: &str, field: &str| -> u64 {
                shown[list].as_array().unwrap().iter().map(|line| line[field].as_u64().unwrap()).sum()
            };
            let lies =
                shown["free_cents"].as_u64().unwrap() + total("slices", "left_cents") + total("cards", "left_cents");
            assert_eq!(shown["credited_cents"], lies + total("cards", "spent_cents"), "{shown}");
        }
        self.hub.verify().unwrap();
    }
}
