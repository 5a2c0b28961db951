//! What the hub keeps: one SQLite file, one writer at a time, every change in a transaction that is durable before it is
//! answered.
//!
//! [`Db`] is one connection and is used as it is by the command line; [`Store`] puts a `Db` on a thread of its own and
//! commits what waits together. All work happens on a [`Tx`]. Times come in as arguments; nothing here reads a clock,
//! makes randomness or sees a private key.

mod alerts;
mod audit;
mod backup;
mod bank_accounts;
mod bank_matches;
mod bank_money_in;
mod bank_refusal;
mod bank_site;
mod bank_texts;
mod card_proofs;
mod card_records;
mod card_releases;
mod card_repayments;
mod card_sessions;
mod cards;
mod claims;
mod closing;
mod corrections;
mod credit_runs;
mod credits;
mod db;
mod debts;
mod enrolment;
mod error;
mod expiries;
mod exposure;
mod fec;
mod figures;
mod fund;
mod goodwill_votes;
mod grids;
mod held;
mod households;
mod import;
mod ingest;
mod joinings;
mod key_exposure;
mod ledger;
mod locks;
mod model;
mod money_in;
mod money_report;
mod news;
mod once;
mod open_work;
mod payments;
mod payout_refusals;
mod payout_returns;
mod people;
mod places;
mod preparations;
mod purse_cards;
mod purses;
mod recalls;
mod receipts;
mod refunds;
mod register;
mod releases;
mod restore;
mod rules;
mod sessions;
mod set_asides;
mod settlements;
mod shop_statements;
mod shops;
mod slices;
mod slot_keys;
mod sources;
mod sql;
mod statements;
mod takeout;
mod taps;
mod terminals;
mod thread;
mod tx;
mod uploads;
mod users;
mod verify;
mod views;
mod voted_views;
mod vouching;
mod works;

pub use alerts::{
    ALERT_DELIVERIES_MAX, ALERT_MESSAGE_KEPT_S, ALERT_MESSAGES_MAX, ALERT_RETRY_S, ALERT_RETRY_S_MAX, Delivery, Way,
};
pub use audit::{AUDIT_PAGE_MAX, AUDIT_TEXT_BYTES_MAX, Note};
pub use bank_refusal::BankRefusal;
pub use bank_site::{
    BankEntryDetail, BankEntryPart, PayoutAccount, PayoutBack, SettlementOfShop, SettlementPeople, StatementKept,
};
pub use bank_texts::SEALED_PER_STEP_MAX;
pub use closing::{CloseOrder, Closing, ClosingRefusal, ClosingView, same_person};
pub use credit_runs::{RunView, STEP_HOUSEHOLDS_MAX};
pub use db::{Db, OpenMode, SCHEMA_VERSION};
pub use enrolment::NewCode;
pub use error::{CardSessionRefusal, CorrectionRefusal, EnrolRefusal, RepaymentRefusal, RuleRefusal, StoreError};
pub use exposure::{CardExposure, EpochExposure, Exposure, GoodwillRule};
pub use fec::FecReport;
pub use figures::Thresholds;
pub use goodwill_votes::{GoodwillProposal, GoodwillRefusal, PROPOSAL_VALID_S, ProposalState, SILENT_DAYS_MAX};
pub use held::HandBack;
pub use joinings::{
    DOCUMENTS_MAX, Joining, JoiningDocument, JoiningDone, JoiningRefusal, JoiningStep, JoiningView, StepView,
    WORDS_BYTES_MAX,
};
pub use key_exposure::KeyExposure;
pub use model::*;
pub use money_in::{DAY_MIN, MONEY_IN_LINES_MAX, MONEY_IN_LISTED_MAX, MoneyInRefusal, REFERENCE_BYTES_MAX};
pub use money_report::{MoneyForecast, PaceBy};
pub use once::ONCE_KEPT_S;
pub use open_work::{OpenSum, OpenWork};
pub use payout_refusals::PayoutRefusalView;
pub use payout_returns::{PayoutReturnView, WhoseWord};
pub use people::{ErasureRefusal, HISTORY_MAX, HouseholdEvent, HouseholdFigures, HouseholdFile};
pub use places::TerminalFile;
pub use preparations::OpenPreparation;
pub use receipts::{ReceiptCheck, SignedReceipt};
pub use register::{
    CODE_BYTES_MAX, CONTRIBUTION_CENTS_PER_PERSON_MIN, CardFile, CardLine, HOUSEHOLDS_SHOWN_MAX, HouseholdFilter,
    HouseholdLine, MEMBERS_MAX, NAMES_SEARCHED_MAX, RegisterRefusal, Unaware,
};
pub use releases::{AboutView, OfferedProgram, RELEASES_MAX, ReleaseRefusal, ReleaseView};
pub use restore::{BlockedAgain, Missing, RESTORE_GAP, RestorePlan, RestoreReport, RestoreView, restore};
pub use sessions::{
    SESSION_IDLE_S, SESSION_UNPROVEN_S, SESSION_WHOLE_S, SESSIONS_PER_USER_MAX, SessionView, TOKENS_MAX, TokenView,
};
pub use set_asides::SetAside;
pub use settlements::WorkedOut;
pub use slices::{AllocationStep, FREE_SHARE_PERCENT};
pub use sources::{BudgetRefusal, CONTRIBUTIONS, RUN_SOURCES_MAX, RunOrder};
pub use takeout::{LINES, PURCHASES, TABLES, Table};
pub use thread::{Lane, Store, WAKES_KEPT};
pub use tx::Tx;
pub use uploads::{SealedFile, UPLOAD_WAITS_S, UPLOADS_SHOWN_MAX, UPLOADS_WAITING_MAX, UploadState, UploadView};
pub use users::{
    FAILURES_MAX, GIVEN_PASSWORD_S, Giver, LOCK_S, NewUser, RECOVERY_CODES, USER_NAME_BYTES_MAX, USERS_MAX,
    UserRefusal, UserView,
};
pub use verify::{FINDINGS_MAX, Finding, FindingKind, VerifyReport};
pub use voted_views::{ClosableView, Exception, ExceptionLine, MonthBooked, RuleNote};
pub use works::{WORKS_SHOWN_MAX, WorkState, WorkView};

#[cfg(test)]
mod tests;
