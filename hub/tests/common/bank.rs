//! From sales to the bank: what shops sold, a settlement, a payment file, the bank's answer.

use cabas_protocol::SignedBalance;
use cabas_protocol::objects::Binding;

use super::terminal::Terminal;
use super::{Fund, Hub};

/// The first card of the example fund.
const UID: &str = "04856e8a295022";
/// Shop, IBAN, what it sold in cents.
pub const SHOPS: [(&str, &str, u64); 2] =
    [("biocoop-bachut", "FR1420041010050500013M02606", 100), ("maraicher-combe", "DE89370400440532013000", 40)];
/// The fund's own account.
pub const OWN: &str = "FR7630006000011234567890189";

/// A sale at a new terminal of a shop; `seed` is its key.
pub fn sell(fund: &Fund, hub: &Hub, shop: &str, seed: u8, cents: u64) {
    let mut terminal = Terminal::enrol(hub, &fund.code(shop), seed);
    let (card, mut objects, mut found) = (fund.card(UID), Vec::new(), None);
    for _ in 0..20 {
        objects.extend(terminal.sync(hub, 1_000).objects.iter().map(|object| object.to_vec()));
        let binding = terminal.of_type::<Binding>(&objects).into_iter().find(|binding| binding.card == card);
        let Some(binding) = binding else { continue };
        // Most of the money may lie at other terminals: it is asked for.
        let more = terminal.extend(hub, binding.purse, cents);
        objects.extend(more.ok().and_then(|answer| answer.balance).map(|object| object.to_vec()));
        let balances = terminal.of_type::<SignedBalance>(&objects).into_iter();
        let of_card = balances.filter(|balance| balance.purse == binding.purse);
        found = of_card.max_by_key(|balance| balance.serial).filter(|balance| balance.allowed.get() >= cents);
        if found.is_some() {
            break;
        }
    }
    terminal.write_sale(card, &found.unwrap(), cents, cents);
    terminal.sync(hub, 0);
}

/// Households are credited, two shops sold 1.40 €.
pub fn sold(fund: &Fund, hub: &Hub) {
    fund.json(&["credit", "run", "--period", "2026-11", "--source", "Ville de Lyon", "--book"]);
    for ((shop, _, cents), seed) in SHOPS.into_iter().zip(101..) {
        sell(fund, hub, shop, seed, cents);
    }
}

/// The fund and the two shops have accounts.
pub fn accounts(fund: &Fund) {
    fund.json(&["bank", "account", "--iban", OWN, "--name", "Caisse d'essai", "--by", "Ada"]);
    for (shop, iban, _) in SHOPS {
        fund.json(&["shop", "account", shop, "--iban", iban, "--name", "Ferme d'Été & Cie", "--by", "Ada"]);
    }
}

/// Settlement 1 is closed: 1.40 € to two shops with accounts.
pub fn settled(fund: &Fund, hub: &Hub) {
    sold(fund, hub);
    accounts(fund);
    fund.json(&["settlement", "close", "--by", "Ada", "--approved-by", "Bo"]);
}

/// Its payment file was made, the bank paid it, and 15.00 € came in.
pub fn paid(fund: &Fund, hub: &Hub) {
    settled(fund, hub);
    let folder = fund.dir.path();
    let (order, answer) =
        (folder.join("order.xml").display().to_string(), folder.join("answer.xml").display().to_string());
    fund.json(&["settlement", "payment-file", "1", "--out", &order, "--by", "Bo"]);
    let file = std::fs::read_to_string(&order).unwrap();
    let message = file.split("<PmtInfId>").nth(1).unwrap().split('<').next().unwrap();
    let entries = [(-140, batch(message)), (1_500, "<TxDtls><Refs/></TxDtls>".to_owned())];
    super::write(std::path::Path::new(&answer), &statement(OWN, "EUR", &entries));
    fund.json(&["bank", "import", &answer, "--by", "Bo"]);
}

/// What a bank tells of a payment file that it booked as one.
pub fn batch(message: &str) -> String {
    format!("<Btch><PmtInfId>{message}</PmtInfId></Btch>")
}

/// What a bank tells of one payment.
pub fn part(end_to_end: &str) -> String {
    format!("<TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId></Refs></TxDtls>")
}

/// A statement (camt.053) from 1,000.00 € on; each entry is its sign and cents, and what stands inside.
pub fn statement(iban: &str, currency: &str, entries: &[(i64, String)]) -> String {
    let euros = |cents: i64| format!("{}.{:02}", cents.abs().div_euclid(100), cents.abs() % 100);
    let side = |cents: i64| if cents < 0 { "DBIT" } else { "CRDT" };
    let amount = |cents: i64, currency: &str| {
        format!("<Amt Ccy=\"{currency}\">{}</Amt><CdtDbtInd>{}</CdtDbtInd>", euros(cents), side(cents))
    };
    let balance = |code: &str, cents: i64| {
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{}<Dt><Dt>2026-12-01</Dt></Dt></Bal>",
            amount(cents, "EUR")
        )
    };
    let lines: String = entries
        .iter()
        .map(|(cents, inside)| {
            format!(
                "<Ntry>{}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-12-01</Dt></BookgDt><BkTxCd/>\
                 <NtryDtls>{inside}</NtryDtls></Ntry>",
                amount(*cents, currency)
            )
        })
        .collect();
    let closing = 100_000 + entries.iter().map(|(cents, _)| cents).sum::<i64>();
    format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId>\
         <CreDtTm>2026-12-01T20:00:00</CreDtTm></GrpHdr><Stmt><Id>S1</Id><Acct><Id><IBAN>{iban}</IBAN></Id></Acct>{}{}\
         {lines}</Stmt></BkToCstmrStmt></Document>",
        balance("OPBD", 100_000),
        balance("CLBD", closing)
    )
}
