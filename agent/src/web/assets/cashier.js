// The cashier's page: an amount, a card, done.
"use strict";

let sale = null;
let busy = false;
let pending = null;
let lastSale = null;
// Who else wants to know how the terminal is.
const onStatus = [];
let status = null;

function age(seconds) {
  if (seconds === null || seconds === undefined) return word("page-never");
  if (seconds < 120) return seconds + " " + word("page-seconds");
  if (seconds < 7200) return Math.floor(seconds / 60) + " " + word("page-minutes");
  if (seconds < 172800) return Math.floor(seconds / 3600) + " " + word("page-hours");
  return Math.floor(seconds / 86400) + " " + word("page-days");
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function showSale(next) {
  sale = next;
  show("till", sale === null);
  show("sale", sale !== null);
  if (sale === null) { $("amount").focus(); return; }
  const open = OPEN.includes(sale.state);
  $("sale").className = sale.state === "accepted" ? (sale.proven ? "accepted" : "unproven") : open ? "open" : "stopped";
  setText("sale-amount", sale.cents === null ? "" : money(sale.cents));
  setText("sale-mark", sale.state === "accepted" ? "✓" : open ? "…" : "—");
  setText("sale-message", words(sale));
  setText("sale-notice", open ? words(sale.notice) : "");
  const parts = sale.member_cents > 0
    ? word("page-fund-part") + " " + money(sale.fund_cents) + " · " + word("page-member-part") + " " + money(sale.member_cents) : "";
  setText("sale-parts", parts);
  setText("reason", "");
  show("cancel", sale.state === "waiting" || sale.state === "offer");
  show("print", sale.state === "accepted");
  $("print").disabled = false;
  $("print").textContent = word("page-print");
  show("why", sale.state === "declined");
  show("reverse", sale.state === "accepted" && !sale.reversed && !sale.refunded_cents);
  setText("sale-class", sale.reversed ? word("undo-done-reversal") : words(sale.class));
  // A sale in doubt can be left for later, but not taken back.
  const doubt = sale.state === "in_doubt";
  show("next", !open || doubt);
  (open && !doubt ? $("cancel") : $("next")).focus();
}

const sales = follow(() => sale, showSale);

function failed(error) {
  setText("error", words(error) || word("page-agent-gone"));
}

async function charge() {
  if (busy || sale) return;
  const amount = $("amount").value.trim();
  busy = true;
  setText("error", "");
  // One id for one amount: pressed twice, or sent again after a break, it is one sale.
  const category = $("category").hidden ? undefined : $("category").value;
  if (!pending || pending.amount !== amount || pending.category !== category) pending = { id: newId(), amount, category };
  try {
    sales.take(await ask("POST", "/api/sales", { lines: [{ category, amount }], request_id: pending.id }));
    $("amount").value = "";
    pending = null;
  } catch (error) { failed(error); }
  busy = false;
}

function showStatus(next) {
  status = next;
  setText("shop", status.terminal.shop_name || "Cabas");
  const trouble = status.message_fr ? [words(status)] : [];
  for (const alarm of status.alarms) trouble.push(word("page-alarm") + " : " + alarm.text);
  setText("trouble", trouble.join(" — "));
  const rows = [
    ["page-network", words(status.hub), status.hub.reachable !== false],
    ["page-hub-seen", age(status.hub.last_seen_s), true],
    ["page-balances-age", age(status.balances.age_s), true],
    ["page-list-age", age(status.hot_list.age_s), true],
    ["page-unsynced", status.unsynced.count + " " + word("page-sales") + ", " + money(status.unsynced.cents), true],
    ["page-reader", words(status.reader), status.reader.state === "ready"],
    ["page-printer", words(status.printer), !["paper_out", "cover_open", "unreachable", "hanging", "off_line", "last_job_unsure"].includes(status.printer.state)],
    ["page-journal", words(status.journal), status.journal.state === "ok"],
    ["page-card-keys", word(status.sealed_by === "credential" ? "page-keys-credential" : "page-keys-file"), true],
  ];
  if (status.doubts.length > 0) {
    rows.push(["page-doubts", status.doubts.map((doubt) => "n° " + doubt.stan + " " + money(doubt.cents)).join(", "), false]);
  }
  $("state").replaceChildren(...rows.map(([name, text, well]) => {
    const line = document.createElement("div");
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    line.className = well ? "" : "bad";
    dt.textContent = word(name);
    dd.textContent = (well ? "" : "⚠ ") + text;
    line.append(dt, dd);
    return line;
  }));
  const categories = status.categories;
  const several = categories.length > 1;
  show("category", several);
  show("category-label", several);
  const shown = JSON.stringify([categories, page.language]);
  if ($("category").dataset.shown !== shown) {
    $("category").dataset.shown = shown;
    $("category").replaceChildren(...categories.map((category) => {
      const option = document.createElement("option");
      option.value = category.id;
      option.textContent = category["label_" + page.language] + " (" + category.share_percent + " %)";
      return option;
    }));
  }
  lastSale = status.last_sale;
  for (const tell of onStatus) tell(status);
  // The page comes back where it was: a sale under way is shown again after a reload.
  if (status.sale && (!sale || sale.id === status.sale.id)) sales.take(status.sale);
  else if (sale === null) showSale(null);
  else if (OPEN.includes(sale.state)) sales.again();
}

function makeKeys() {
  for (const key of ["7", "8", "9", "4", "5", "6", "1", "2", "3", "0", ",", "⌫"]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = key;
    if (key === "⌫") button.dataset.label = "page-erase";
    button.addEventListener("click", () => press(key));
    $("keys").append(button);
  }
}

function press(key) {
  const amount = $("amount");
  amount.value = key === "⌫" ? amount.value.slice(0, -1) : (amount.value + key).slice(0, 12);
}

async function print(id) {
  try {
    await ask("POST", "/api/sales/" + id + "/receipt", { language: page.language });
    return true;
  } catch (error) { failed(error); setText("sale-notice", words(error)); return false; }
}

makeKeys();
$("charge").addEventListener("click", charge);
$("next").addEventListener("click", async () => {
  if (sale.state === "in_doubt") {
    try { await ask("DELETE", "/api/sales/" + sale.id); } catch (error) { failed(error); }
  }
  showSale(null);
});
$("cancel").addEventListener("click", async () => {
  try { showSale(await ask("DELETE", "/api/sales/" + sale.id)); } catch (error) { setText("sale-notice", words(error)); }
});
$("print").addEventListener("click", async () => {
  if (await print(sale.id)) { $("print").disabled = true; $("print").textContent = word("page-printed"); }
});
$("reprint").addEventListener("click", async () => {
  try { await print(lastSale || (await ask("GET", "/api/sales/last")).id); } catch (error) { failed(error); }
});
$("why").addEventListener("click", async () => {
  try {
    const side = await ask("GET", "/api/sales/" + sale.id + "/member-side");
    const left = side.available_cents === undefined ? "" : " " + word("page-available") + " : " + money(side.available_cents);
    setText("reason", word("page-member-turn") + " " + words(side) + left);
  } catch (error) { setText("reason", words(error)); }
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape" && sale) { (OPEN.includes(sale.state) && sale.state !== "in_doubt" ? $("cancel") : $("next")).click(); return; }
  if (document.activeElement !== $("amount") && document.activeElement.tagName === "INPUT") return;
  if (sale || ["SELECT", "BUTTON"].includes(document.activeElement.tagName) && event.key !== "Enter") return;
  if (event.key === "Enter" && document.activeElement.tagName !== "BUTTON") { event.preventDefault(); if (!event.repeat) charge(); return; }
  if (document.activeElement !== $("amount") && /^[0-9.,]$/.test(event.key)) { event.preventDefault(); press(event.key); }
});

start(
  (changed) => { if (!sale || sale.id === changed.id) showSale(changed); },
  showStatus,
  () => setText("trouble", word("page-agent-gone")),
);
