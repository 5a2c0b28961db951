//! What the hub decides: ledger rules, claims, slices, credits, settlement. Values in, values out: no clock, no socket,
//! no SQL, no randomness.

pub mod accounts;
pub mod alerts;
pub mod audit;
pub mod bank_text;
pub mod card_proof;
pub mod checks;
pub mod claims;
pub mod effect;
pub mod evaluation;
pub mod exposure;
pub mod figures;
pub mod forecast;
pub mod household_rules;
pub mod ingest;
pub mod joining;
pub mod ledger;
pub mod period;
pub mod receipts;
pub mod refunds;
pub mod roles;
pub mod settlement;
pub mod signing;
pub mod slices;
pub mod split;
pub mod split_cards;
pub mod suppression;
pub mod thresholds;
