// The member's display: the amount, then thanks. Why something did not go through is shown here only, and only when asked.
"use strict";

let sale = null;

function showSale(next) {
  sale = next;
  const open = sale && ["waiting", "authorizing"].includes(sale.state);
  const accepted = sale && sale.state === "accepted";
  document.body.dataset.state = open ? "open" : accepted ? "accepted" : sale ? "stopped" : "idle";
  setText("amount", sale && sale.cents !== null && (open || accepted) ? money(sale.cents) : "");
  setText("mark", accepted ? "✓" : "");
  setText("message", open ? word(sale.state === "waiting" ? "page-approach" : "sale-authorizing")
    : accepted ? word("page-thanks") : sale ? word("sale-declined") : word("page-welcome"));
  setText("reason", "");
  show("why", Boolean(sale) && sale.state === "declined");
}

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
    if (status.sale) showSale(status.sale);
    else if (!sale) showSale(null);
  },
  () => {},
);
