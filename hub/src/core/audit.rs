//! The audit log's chain: each entry is bound to all before it.

use cabas_protocol::sign::sha256;
use cabas_protocol::{Hash, Timestamp};

/// Who stands in the log for what is done on the server, where nobody else is named. No user is called so.
pub const COMMAND_LINE: &str = "command line";
/// What the first entry builds on.
pub const GENESIS: Hash = Hash::new([0; 32]);
const LABEL: &[u8] = b"cabas audit 1";

macro_rules! deeds {
    ($($(#[$doc:meta])* $deed:ident => $name:literal),* $(,)?) => {
        /// What somebody did.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Deed {
            $($(#[$doc])* $deed,)*
        }

        impl Deed {
            /// Every deed: each has words on the page (`deed-…`).
            pub const ALL: &[Self] = &[$(Self::$deed),*];

            /// What it is called in the log.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$deed => $name,)*
                }
            }
        }
    };
}

deeds! {
    /// Somebody logged in.
    LoggedIn => "logged-in",
    /// Somebody logged out.
    LoggedOut => "logged-out",
    /// Too many wrong passwords or codes.
    Locked => "locked",
    /// A second factor was set up.
    TotpSet => "totp-set",
    /// A recovery code was used.
    RecoveryUsed => "recovery-used",
    /// Somebody chose a new password.
    PasswordChanged => "password-changed",
    /// A user was added.
    UserAdded => "user-added",
    /// A user was shut out.
    UserDisabled => "user-disabled",
    /// A user was given a new password, to set up everything again.
    UserRecovered => "user-recovered",
    /// Another admin, or the server's operator, confirmed that a login is held by its person.
    UserConfirmed => "user-confirmed",
    /// A program was given a token.
    TokenAdded => "token-added",
    /// A program's token was taken back.
    TokenRevoked => "token-revoked",
    /// A program for terminals was added.
    ReleaseAdded => "release-added",
    /// A program was offered to terminals.
    ReleaseOffered => "release-offered",
    /// A program was withdrawn.
    ReleaseWithdrawn => "release-withdrawn",
    /// A terminal was added to a shop.
    TerminalAdded => "terminal-added",
    /// A terminal was given an enrolment code.
    TerminalCode => "terminal-code",
    /// A terminal's right to sell was taken.
    TerminalRevoked => "terminal-revoked",
    /// The books are to be verified.
    VerifyAsked => "verify-asked",
    /// A household was added.
    HouseholdAdded => "household-added",
    /// A household's people or contribution changed.
    HouseholdChanged => "household-changed",
    /// A household left.
    HouseholdLeft => "household-left",
    /// A household came back.
    HouseholdReturned => "household-returned",
    /// A household's personal data were erased.
    HouseholdErased => "household-erased",
    /// A name was added to a household.
    MemberAdded => "member-added",
    /// A name was taken out of a household.
    MemberRemoved => "member-removed",
    /// A card was issued.
    CardIssued => "card-issued",
    /// A reader was allowed to do something with a card.
    CardAllowed => "card-allowed",
    /// A card was blocked.
    CardBlocked => "card-blocked",
    /// A card was taken off the hot list.
    CardUnblocked => "card-unblocked",
    /// A card was replaced by another.
    CardReplaced => "card-replaced",
    /// A file was uploaded for an import.
    ImportUploaded => "import-uploaded",
    /// An import was confirmed.
    ImportConfirmed => "import-confirmed",
    /// A file was put away.
    ImportPutAway => "import-put-away",
    /// A shop was proposed.
    ShopProposed => "shop-proposed",
    /// A step of a shop's joining, stopping or leaving.
    ShopStep => "shop-step",
    /// A document was kept by a program, for a step to come.
    DocumentKept => "document-kept",
    /// What households find at a shop without a network was set.
    ShopFloor => "shop-floor",
    /// A shop's key on purse cards was renewed.
    ShopSlot => "shop-slot",
    /// A grid was set.
    GridSet => "grid-set",
    /// It was asked to prepare a settlement.
    SettlementPrepareAsked => "settlement-prepare-asked",
    /// Another person asked to approve it.
    SettlementApproveAsked => "settlement-approve-asked",
    /// A settlement was prepared.
    SettlementPrepared => "settlement-prepared",
    /// Another person approved it.
    SettlementApproved => "settlement-approved",
    /// It was taken back.
    SettlementWithdrawn => "settlement-withdrawn",
    /// A payment file was made.
    PaymentFileMade => "payment-file-made",
    /// Somebody said that the bank did not make a payment.
    PayoutRefused => "payout-refused",
    /// Another person approved that.
    PayoutRefusalApproved => "payout-refusal-approved",
    /// It was taken back.
    PayoutRefusalWithdrawn => "payout-refusal-withdrawn",
    /// The fund's own account was set.
    FundAccountSet => "fund-account-set",
    /// A shop's account was set.
    ShopAccountSet => "shop-account-set",
    /// A bank's statement was imported.
    StatementImported => "statement-imported",
    /// Somebody said what an entry of the bank is.
    EntryMatched => "entry-matched",
    /// Somebody said that a credit of the bank is a payout that came back.
    ReturnProposed => "return-proposed",
    /// Another person agreed to that.
    ReturnBooked => "return-booked",
    /// It was refused, or taken back.
    ReturnWithdrawn => "return-withdrawn",
    /// An entry of the bank was set aside.
    EntrySetAside => "entry-set-aside",
    /// It was taken up again.
    EntryTakenUp => "entry-taken-up",
    /// The accounting export was made.
    FecMade => "fec-made",
    /// A rule that was voted was noted.
    RuleSet => "rule-set",
    /// A month is to be credited.
    CreditAsked => "credit-asked",
    /// What was not spent is to expire.
    ExpiryAsked => "expiry-asked",
    /// A correction was proposed.
    CorrectionProposed => "correction-proposed",
    /// A correction was booked by a second person.
    CorrectionBooked => "correction-booked",
    /// A correction was taken back.
    CorrectionWithdrawn => "correction-withdrawn",
    /// A repayment was proposed.
    RepaymentProposed => "repayment-proposed",
    /// A repayment was booked by a second person.
    RepaymentBooked => "repayment-booked",
    /// A repayment was taken back.
    RepaymentWithdrawn => "repayment-withdrawn",
    /// The closing of an enrolment was proposed.
    ClosingProposed => "closing-proposed",
    /// An enrolment was closed by a second person.
    ClosingDone => "closing-done",
    /// The closing of an enrolment was taken back.
    ClosingWithdrawn => "closing-withdrawn",
    /// A switch of goodwill was proposed.
    GoodwillProposed => "goodwill-proposed",
    /// Goodwill was switched by a second person.
    GoodwillApproved => "goodwill-approved",
    /// A switch of goodwill was taken back.
    GoodwillWithdrawn => "goodwill-withdrawn",
    /// A funder's budget of a year was set.
    BudgetSet => "budget-set",
    /// Somebody noted what a household or a funder paid.
    MoneyInNoted => "money-in-noted",
    /// What was paid in was taken back by a counter-entry.
    MoneyInTakenBack => "money-in-taken-back",
    /// A file of contributions was booked.
    ContributionsImported => "contributions-imported",
    /// The share of the budgets that contributions are to reach was set.
    SharePlanSet => "share-plan-set",
    /// Somebody said which payment a bank entry is.
    MoneyInMatched => "money-in-matched",
}

impl Deed {
    /// What only a login does that does not wait for a confirmation: what two people decide, and changes of users. No
    /// program does any of it.
    pub const OF_VOUCHED: &[Self] = &[
        Self::UserAdded,
        Self::UserDisabled,
        Self::UserRecovered,
        Self::UserConfirmed,
        Self::SettlementPrepareAsked,
        Self::SettlementApproveAsked,
        Self::SettlementPrepared,
        Self::SettlementApproved,
        Self::SettlementWithdrawn,
        Self::PayoutRefused,
        Self::PayoutRefusalApproved,
        Self::PayoutRefusalWithdrawn,
        Self::ReturnProposed,
        Self::ReturnBooked,
        Self::ReturnWithdrawn,
        Self::CorrectionProposed,
        Self::CorrectionBooked,
        Self::CorrectionWithdrawn,
        Self::RepaymentProposed,
        Self::RepaymentBooked,
        Self::RepaymentWithdrawn,
        Self::ClosingProposed,
        Self::ClosingDone,
        Self::ClosingWithdrawn,
        Self::GoodwillProposed,
        Self::GoodwillApproved,
        Self::GoodwillWithdrawn,
    ];
}

/// One entry, without its place in the chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEntry {
    /// Its number, from 1 on without a gap.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who: the name of a user, or the command line.
    pub who: String,
    /// What.
    pub what: String,
    /// To whom or what.
    pub subject: String,
    /// What else is to be known: no name of a member, no secret.
    pub detail: String,
}

impl AuditEntry {
    /// Its hash, over everything before it too.
    #[must_use]
    pub fn hash(&self, prev: &Hash) -> Hash {
        let [who, what, subject, detail] = [&self.who, &self.what, &self.subject, &self.detail].map(|text| {
            let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
            (length.to_be_bytes(), text.as_bytes())
        });
        let texts = [who, what, subject, detail];
        let (seq, at) = (self.seq.to_be_bytes(), self.at.get().to_be_bytes());
        let mut parts: Vec<&[u8]> = vec![LABEL, &seq, &at];
        for (length, text) in &texts {
            parts.extend([length.as_slice(), text]);
        }
        parts.push(prev.as_bytes());
        sha256(&parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_entry_and_what_was_before_it_moves_its_hash() {
        let text = |text: &str| text.to_owned();
        let entry = AuditEntry {
            seq: 1,
            at: Timestamp::new(5),
            who: text("a"),
            what: text("b"),
            subject: text("c"),
            detail: text("d"),
        };
        let hash = entry.hash(&GENESIS);
        let others = [
            AuditEntry { seq: 2, ..entry.clone() },
            AuditEntry { at: Timestamp::new(6), ..entry.clone() },
            AuditEntry { who: text("x"), ..entry.clone() },
            AuditEntry { what: text("x"), ..entry.clone() },
            AuditEntry { subject: text("x"), ..entry.clone() },
            AuditEntry { detail: text("x"), ..entry.clone() },
            // The same letters, cut elsewhere.
            AuditEntry { who: text("ab"), what: text(""), ..entry.clone() },
        ];
        assert!(others.iter().all(|other| other.hash(&GENESIS) != hash));
        assert_ne!(entry.hash(&hash), hash);
        assert_eq!(entry.hash(&GENESIS), hash);
    }

    #[test]
    fn no_deed_is_called_like_another() {
        let names: std::collections::BTreeSet<_> = Deed::ALL.iter().map(|deed| deed.name()).collect();
        assert_eq!(names.len(), Deed::ALL.len());
    }
}
