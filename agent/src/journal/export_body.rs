//! What a row says, as JSON: for people, programs and the archive.

use super::close::period_name;
use super::verify::hex;
use cabas_protocol::row::{Line, RowBody, Tier};
use cabas_protocol::{Cents, Seq};
use serde_json::{Value, json};

pub(super) const fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Purse => "T1",
        Tier::Identity => "T2",
        Tier::Plain => "T3",
    }
}

fn lines(lines: &[Line]) -> Value {
    let shown = lines.iter().map(|line| {
        json!({
            "category": line.category.get(),
            "requested_cents": line.requested.get(),
            "fund_cents": line.fund.get(),
            "member_cents": line.member.get(),
        })
    });
    shown.collect()
}

/// What a row says, by kind. Kinds that this version does not know stay as their bytes.
pub(super) fn body(body: &RowBody) -> Value {
    match body {
        RowBody::Start(start) => json!({ "program": start.program }),
        RowBody::Sale(sale) => json!({
            "stan": sale.stan.to_string(),
            "card": sale.card.to_string(),
            "tier": tier(sale.tier),
            "purse": sale.purse.to_string(),
            "spent_after_cents": sale.spent_after.get(),
            "serial": sale.serial.get(),
            "lines": lines(&sale.lines),
            "hot_list": sale.hot_list.get(),
            "grid": sale.grid.get(),
            "policy": sale.policy.get(),
            "request_id": sale.request.map(|request| request.to_string()),
            "asked_cents": sale.asked.map(Cents::get),
            "intent_seq": sale.intent.map(Seq::get),
            "card_counter": sale.card_counter,
            "card_mac": sale.card_mac.as_ref().map(|mac| hex(mac)),
        }),
        RowBody::Intent(_)
        | RowBody::InDoubt(_)
        | RowBody::DoubtResolved(_)
        | RowBody::Courier(_)
        | RowBody::CardWritten(_) => card_body(body),
        RowBody::Close(close) => json!({
            "period": period_name(close.period),
            "number": close.number,
            "from_seq": close.from.get(),
            "sales": close.sales,
            "fund_cents": close.fund.get(),
            "member_cents": close.member.get(),
            "reversed_cents": close.reversed.get(),
            "refunds_cents": close.refunds.get(),
            "perpetual_cents": close.perpetual.get(),
        }),
        RowBody::ListApplied(list) => json!({ "version": list.version.get() }),
        RowBody::Configured(configured) => json!({
            "config": configured.config.get(),
            "grid": configured.grid.get(),
            "policy": configured.policy.get(),
        }),
        RowBody::ClockSet(set) => json!({ "before": set.before.get(), "after": set.after.get() }),
        RowBody::Unknown { kind, body } => json!({ "kind": kind, "cbor": hex(body.as_bytes()) }),
        RowBody::RefundRequest(refund) => json!({
            "stan": refund.stan.to_string(),
            "sale_terminal": refund.original.terminal.get(),
            "sale_epoch": refund.original.epoch.get(),
            "sale_seq": refund.original.seq.get(),
            "purse": refund.purse.to_string(),
            "lines": lines(&refund.lines),
            "request_id": refund.request.to_string(),
        }),
        RowBody::Reversal(reversal) => json!({
            "stan": reversal.stan.to_string(),
            "sale_seq": reversal.sale.get(),
            "purse": reversal.purse.to_string(),
            "cents": reversal.cents.get(),
            "reversed_after_cents": reversal.reversed_after.get(),
        }),
        RowBody::Return(returned) => json!({
            "purse": returned.purse.to_string(),
            "cents": returned.cents.get(),
            "spent_after_cents": returned.spent_after.get(),
            "serial": returned.serial.get(),
            "request_id": returned.request.map(|request| request.to_string()),
        }),
        RowBody::CashierChange(change) => json!({ "cashier": change.cashier }),
        RowBody::Training(training) => json!({ "on": training.on }),
    }
}

/// What a row says of a card that counts for itself.
fn card_body(body: &RowBody) -> Value {
    match body {
        RowBody::Intent(debit) | RowBody::InDoubt(debit) => json!({
            "stan": debit.stan.to_string(),
            "card": debit.card.to_string(),
            "purse": debit.purse.to_string(),
            "cents": debit.cents.get(),
            "spent_before_cents": debit.spent_before.get(),
        }),
        RowBody::DoubtResolved(resolved) => {
            json!({ "doubt_seq": resolved.doubt.seq.get(), "debited": resolved.debited })
        }
        RowBody::Courier(courier) => json!({
            "terminal": courier.origin.terminal.get(),
            "epoch": courier.origin.epoch.get(),
            "seq": courier.origin.seq.get(),
            "card": courier.card.to_string(),
            "purse": courier.purse.to_string(),
            "record": hex(&courier.record),
        }),
        RowBody::CardWritten(written) => json!({
            "card": written.card.to_string(),
            "purse": written.purse.to_string(),
            "serial": written.serial.get(),
            "card_counter": written.card_counter,
            "card_mac": hex(&written.card_mac),
        }),
        RowBody::Start(_)
        | RowBody::Sale(_)
        | RowBody::RefundRequest(_)
        | RowBody::Reversal(_)
        | RowBody::Return(_)
        | RowBody::ListApplied(_)
        | RowBody::Close(_)
        | RowBody::CashierChange(_)
        | RowBody::Training(_)
        | RowBody::ClockSet(_)
        | RowBody::Configured(_)
        | RowBody::Unknown { .. } => Value::Null,
    }
}
