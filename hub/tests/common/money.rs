//! Money that comes in: a bank statement, and a fund in which each page of money in has something to show.

use super::{Fund, write};

/// A statement of two payments that came in, of 25.00 and 500.00.
pub fn statement() -> String {
    let balance = |code: &str, euros: &str| {
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">{euros}</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
             <Dt><Dt>2024-03-30</Dt></Dt></Bal>"
        )
    };
    let entry = |euros: &str, who: &str, text: &str| {
        format!(
            "<Ntry><Amt Ccy=\"EUR\">{euros}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt>\
             <Dt>2024-03-05</Dt></BookgDt><BkTxCd/><NtryDtls><TxDtls><RltdPties><Dbtr><Pty><Nm>{who}</Nm></Pty></Dbtr>\
             </RltdPties><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
        )
    };
    format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId>\
         <CreDtTm>2024-03-30T20:00:00</CreDtTm></GrpHdr><Stmt><Id>S1</Id><Acct><Id><IBAN>FR7630006000011234567890189\
         </IBAN></Id></Acct>{}{}{}{}</Stmt></BkToCstmrStmt></Document>",
        balance("OPBD", "0.00"),
        balance("CLBD", "525.00"),
        entry("25.00", "Madame Dupont", "Cotisation F007 mars"),
        entry("500.00", "VILLE DE LYON", "subvention 2024")
    )
}

/// Notes a contribution and a funder's payment, and imports the statement: its entries are 1 and 2.
pub fn sample(fund: &Fund, year: &str) {
    let set = ["source", "set", "--name", "Ville de Lyon", "--year", year, "--budget-cents", "50000000", "--by", "Ada"];
    fund.json(&set);
    let add = ["contribution", "add", "--household", "F001", "--cents", "2500", "--on", "2024-03-05", "--by", "Ada"];
    fund.json(&add);
    let paid = ["source", "paid", "--name", "Ville de Lyon", "--cents", "90000", "--on", "2024-01-02", "--by", "Ada"];
    fund.json(&paid);
    import(fund);
}

/// Imports the statement.
pub fn import(fund: &Fund) {
    let iban = "FR7630006000011234567890189";
    fund.json(&["bank", "account", "--iban", iban, "--name", "Caisse", "--by", "Ada"]);
    let file = fund.dir.path().join("camt.xml");
    write(&file, &statement());
    fund.json(&["bank", "import", &file.display().to_string(), "--by", "Ada"]);
}
