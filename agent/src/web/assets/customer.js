// The member's display: the amount, then thanks. Why something did not go through is shown here only, and only when asked.
"use strict";

let sale = null;

function showSale(next) {
  sale = next;
  const open = sale && OPEN.includes(sale.state);
  const offered = Boolean(sale) && sale.state === "offer";
  const accepted = sale && sale.state === "accepted";
  document.body.dataset.state = open ? "open" : accepted ? "accepted" : sale ? "stopped" : "idle";
  setText("amount", sale && sale.cents !== null && (open || accepted) ? money(sale.cents) : "");
  setText("mark", accepted ? "✓" : "");
  setText("message", offered ? word("page-welcome") : open ? word({ waiting: "page-approach", in_doubt: "sale-in-doubt" }[sale.state] || "sale-authorizing")
    : accepted ? word("page-thanks") : sale ? word("sale-declined") : word("page-welcome"));
  setText("reason", "");
  show("why", Boolean(sale) && sale.state === "declined");
  show("offer", offered);
  if (offered) showOffer(sale.id);
}

const sales = follow(() => sale, showSale);

// Only a part can be paid: the member alone sees how much, and chooses.
async function showOffer(id) {
  try {
    const side = await ask("GET", "/api/sales/" + id + "/member-side");
    if (!sale || sale.id !== id || sale.state !== "offer") return;
    setText("message", words(side));
    setText("offer-part", word("page-offer-part") + " : " + money(side.offer_cents));
    setText("offer-rest", word("page-offer-rest") + " : " + money(side.rest_cents));
  } catch (error) { setText("reason", words(error)); }
}

async function choose(method, path) {
  try { sales.take(await ask(method, "/api/sales/" + sale.id + path)); } catch (error) { setText("reason", words(error)); }
}

$("accept").addEventListener("click", () => choose("POST", "/accept-part"));
$("decline").addEventListener("click", () => choose("DELETE", ""));

$("why").addEventListener("click", async () => {
  try {
    const side = await ask("GET", "/api/sales/" + sale.id + "/member-side");
    const left = side.available_cents === undefined ? "" : " " + word("page-available") + " : " + money(side.available_cents);
    setText("reason", words(side) + left);
    show("why", false);
  } catch (error) { setText("reason", words(error)); }
});

start(
  showSale,
  (status) => {
    setText("shop", status.terminal.shop_name || "");
    if (status.sale) sales.take(status.sale);
    else if (!sale) showSale(null);
    else if (OPEN.includes(sale.state)) sales.again();
  },
  () => {},
);
