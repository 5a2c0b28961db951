// What was done today: a receipt again, a sale reversed, a refund. Loaded after cashier.js, whose names it uses.
"use strict";

// The refund that is being asked for: the same id until it is answered, so that twice is once.
let asking = null;
const refunds = new Map();
const KINDS = { sale: "page-kind-sale", reversal: "page-kind-reversal", refund: "page-kind-refund" };

async function undo(work) {
  try { setText("undone", words(await work())); } catch (error) { setText("undone", words(error) || word("page-agent-gone")); }
  await showToday();
}

async function reverse(id) {
  await undo(() => ask("POST", "/api/sales/" + id + "/reversal", { request_id: "reversal-" + id }));
}

function button(name, press) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = "small";
  element.textContent = word(name);
  element.addEventListener("click", press);
  return element;
}

async function refund(entry, amount) {
  if (!asking || asking.seq !== entry.seq || asking.amount !== amount) asking = { seq: entry.seq, amount, id: newId() };
  const body = { sale: entry.sale_id, request_id: asking.id };
  if (amount !== "") body.lines = [{ category: entry.lines[0].category, amount }];
  await undo(async () => {
    const done = await ask("POST", "/api/refunds", body);
    refunds.set(done.id, done.state);
    asking = null;
    return done;
  });
}

function askRefund(entry, line) {
  if (line.querySelector("input")) return;
  const amount = document.createElement("input");
  amount.inputMode = "decimal";
  amount.maxLength = 12;
  amount.setAttribute("aria-label", word("page-refund-amount"));
  amount.placeholder = word("page-refund-all");
  // A part is asked for where the sale has one category; of several the whole rest.
  amount.hidden = entry.lines.length > 1;
  line.append(amount, button("page-refund", () => refund(entry, amount.hidden ? "" : amount.value.trim())));
  amount.focus();
}

function entryLine(entry) {
  const line = document.createElement("li");
  const text = document.createElement("span");
  const marks = [];
  if (entry.reversed) marks.push(word("page-is-reversed"));
  if (entry.refunded_cents > 0) marks.push(word("page-is-refunded") + " " + money(entry.refunded_cents));
  if (entry.kind === "refund") marks.push(words(entry));
  text.textContent = [word(KINDS[entry.kind]), entry.stan, entry.at.slice(-5), money(entry.cents), ...marks].join(" · ");
  line.append(text, button("page-print", () => undo(async () => {
    await ask("POST", "/api/today/" + entry.seq + "/receipt", { language: page.language });
    return { message_fr: page.texts.fr["page-printed"], message_en: page.texts.en["page-printed"] };
  })));
  const open = entry.kind === "sale" && !entry.reversed && entry.refunded_cents < entry.cents;
  if (open) line.append(button("page-refund", () => askRefund(entry, line)));
  return line;
}

async function showToday() {
  // What somebody is typing is not thrown away.
  if ($("today").contains(document.activeElement) && document.activeElement.tagName === "INPUT") return;
  let entries = [];
  try { entries = (await ask("GET", "/api/today")).entries; } catch { return; }
  const none = document.createElement("li");
  none.textContent = word("page-today-empty");
  $("today").replaceChildren(...(entries.length > 0 ? entries.map(entryLine) : [none]));
  for (const entry of entries) {
    // A refund that was asked for here is followed until it is done.
    if (entry.kind === "refund" && refunds.has(entry.id) && refunds.get(entry.id) !== entry.state) {
      refunds.set(entry.id, entry.state);
      setText("undone", words(entry));
    }
  }
}

function showKept(status) {
  const kept = status.printer.kept;
  show("kept", kept > 0);
  $("kept-count").textContent = kept + " " + word("page-kept");
}

async function keptAction(action) {
  try { await ask("POST", "/api/printer/kept", { action }); } catch (error) { setText("undone", words(error)); }
}

$("reverse").addEventListener("click", async () => {
  const id = sale.id;
  await reverse(id);
  try { showSale(await ask("GET", "/api/sales/" + id)); } catch (error) { failed(error); }
});
$("kept-print").addEventListener("click", () => keptAction("print"));
$("kept-discard").addEventListener("click", () => keptAction("discard"));
onStatus.push((status) => { showKept(status); showToday(); });
