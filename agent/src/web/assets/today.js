// What was done, today or another day: a receipt again, a sale undone, a refund of all or of a part.

import { $, ask, button, make, money, newId, page, setText, show, why, word, words } from "/assets/page.js";
import { app, attempt, closeDialog, confirmed, label, openDialog, pairs, say, view, whenOpened, whenStatus } from "/assets/app.js";

const KINDS = { sale: "page-kind-sale", reversal: "page-kind-reversal", refund: "page-kind-refund" };
// The refund that is being asked for: the same id until it is answered, so that twice is once.
let asking = null;
const refunds = new Map();
let looked = null;
// The page of a long list: rows before this one.
let before = null;
let oldest = null;

/// What a list of another day, or of a number, is asked for with.
const query = () => ($("stan").value.trim() ? "stan=" + encodeURIComponent($("stan").value.trim())
  : $("date").value ? "day=" + encodeURIComponent($("date").value) + (before ? "&before=" + before : "") : null);

function anew() {
  before = null;
  showToday();
}

async function print(entry) {
  await attempt(async () => {
    await ask("POST", "/api/today/" + entry.seq + "/receipt", { language: page.language });
    say(word("page-printed"));
  });
}

async function reverse(entry) {
  const sure = await confirmed(word("page-reverse"), what(entry), "page-reverse");
  if (!sure) return;
  await attempt(async () => say(words(await ask("POST", "/api/sales/" + entry.sale_id + "/reversal", { request_id: "reversal-" + entry.sale_id }))));
  await showToday();
}

async function refund(entry, lines, tell) {
  const body = { sale: entry.sale_id, ...(lines ? { lines } : {}) };
  const asked = JSON.stringify(body);
  if (!asking || asking.asked !== asked) asking = { asked, id: newId() };
  try {
    const done = await ask("POST", "/api/refunds", { ...body, request_id: asking.id });
    refunds.set(done.id, done.state);
    asking = null;
    closeDialog();
    say(words(done));
    await showToday();
  } catch (error) { tell(why(error)); }
}

/// Asks how much of each category goes back; nothing written is all that is left.
function askRefund(entry) {
  const problem = make("p", { className: "problem", role: "alert", hidden: true });
  const inputs = entry.lines.map((line) => {
    const input = make("input", { inputMode: "decimal", maxLength: 12, autocomplete: "off", placeholder: money(line.cents) });
    return { line, input, row: make("label", {}, label(line) || word("page-amount"), input) };
  });
  const go = (part) => () => {
    const lines = inputs.filter(({ input }) => input.value.trim() !== "").map(({ line, input }) => ({ category: line.category, amount: input.value.trim() }));
    if (part && lines.length === 0) { setText(problem, word("page-refund-which")); return; }
    refund(entry, part ? lines : null, (text) => setText(problem, text));
  };
  openDialog(word("page-refund"), [make("p", { textContent: what(entry) }), ...inputs.map(({ row }) => row), problem],
    [button("page-refund-part", go(true), "main"), button("page-refund-all", go(false)), button("page-back", closeDialog)]);
}

const what = (entry) => [word(KINDS[entry.kind]), word("page-number") + " " + entry.stan, entry.at, money(entry.cents)].join(" · ");

function marks(entry) {
  const found = [];
  if (entry.reversed) found.push(word("page-is-reversed"));
  if (entry.refunded_cents > 0) found.push(word("page-is-refunded") + " " + money(entry.refunded_cents));
  if (entry.kind === "refund") found.push(words(entry));
  return found;
}

function openEntry(entry) {
  const open = entry.kind === "sale" && !entry.reversed;
  const rows = entry.lines.map((line) => [label(line) || word("page-amount"), money(line.cents)]);
  rows.push([word("page-fund-part"), money(entry.fund_cents)]);
  if (entry.member_cents > 0) rows.push([word("page-member-part"), money(entry.member_cents)]);
  const buttons = [button("page-print", () => { closeDialog(); print(entry); }, "main")];
  if (open && entry.refunded_cents < entry.cents) buttons.push(button("page-refund", () => askRefund(entry)));
  if (open && !entry.refunded_cents) buttons.push(button("page-reverse", () => reverse(entry)));
  openDialog(what(entry), [pairs(rows), ...marks(entry).map((text) => make("p", { textContent: text }))], [...buttons, button("page-back", closeDialog)]);
}

function entryLine(entry) {
  const text = [entry.at.slice(-5), word("page-number") + " " + entry.stan, word(KINDS[entry.kind]), ...marks(entry)].join(" · ");
  const line = make("button", { type: "button", className: "entry " + entry.kind }, make("span", { textContent: text }), make("b", { textContent: (entry.kind === "sale" ? "" : "−") + money(entry.cents) }));
  line.addEventListener("click", () => openEntry(entry));
  return make("li", {}, line);
}

export async function showToday() {
  const asked = query();
  let answer;
  try { answer = await ask("GET", asked ? "/api/history?" + asked : "/api/today"); } catch (error) { say(why(error)); return; }
  const { entries } = answer;
  const shown = JSON.stringify([entries, page.language]);
  // What somebody is about to touch does not move.
  if (shown !== looked) {
    looked = shown;
    const none = make("li", { textContent: word(asked ? "page-nothing-found" : "page-today-empty") });
    $("today").replaceChildren(...(entries.length > 0 ? entries.map(entryLine) : [none]));
  }
  show("today-older", Boolean(answer.truncated));
  oldest = entries.at(-1)?.seq;
  for (const entry of entries) {
    // A refund that was asked for here is followed until it is done.
    if (entry.kind === "refund" && refunds.has(entry.id) && refunds.get(entry.id) !== entry.state) {
      refunds.set(entry.id, entry.state);
      say(words(entry));
    }
  }
}

async function kept(action) {
  await attempt(() => ask("POST", "/api/printer/kept", { action }));
}

export function startToday() {
  $("kept-print").addEventListener("click", () => kept("print"));
  $("kept-discard").addEventListener("click", () => kept("discard"));
  $("search").addEventListener("submit", (event) => { event.preventDefault(); anew(); });
  $("date").addEventListener("change", () => { $("stan").value = ""; anew(); });
  $("search-today").addEventListener("click", () => { $("stan").value = ""; $("date").value = ""; anew(); });
  $("today-older").addEventListener("click", () => { before = oldest; showToday(); });
  whenOpened("today", anew);
  whenStatus((status) => {
    show("kept", status.printer.kept > 0);
    $("kept-count").textContent = status.printer.kept + " " + word("page-kept");
    show("search", status.closing !== undefined);
    if (view() === "today") showToday();
  });
}
