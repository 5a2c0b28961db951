// What tills ask that only a person can say: whether a request that came again is the one that was paid, and what was seen to.

import { $, age, ask, button, make, money, page, show, word, words } from "/assets/page.js";
import { app, attempt, whenStatus } from "/assets/app.js";

let shown = "";

const what = (done) => money(done.cents) + " · " + word("page-number") + " " + done.stan + " · " + word("page-till-ago") + " " + age(done.ago_s);

const answer = (question, name) => () => attempt(async () => { await ask("POST", "/api/till/answer", { question, answer: name }); app.refresh(); });

function asked(question) {
  // A card is waited for, which names the sale: a person can only take it back.
  if (question.kind === "card") {
    return [make("p", { className: "words", textContent: money(question.cents) + " · " + words(question) }),
      make("div", { className: "choices" }, button("page-till-cancel", answer(question.question, "cancel")))];
  }
  const one = (id, name, className) => button(id, answer(question.question, name), className);
  return [make("p", { className: "words", textContent: words(question) }), make("p", { textContent: what(question) }),
    make("div", { className: "choices" }, one("page-till-resend", "resend", "main"), one("page-till-new", "new"), one("page-till-cancel", "cancel"))];
}

function unconfirmed(done) {
  const settle = () => attempt(async () => { await ask("DELETE", "/api/till/unconfirmed/" + done.id); app.refresh(); });
  return make("li", {}, make("span", { textContent: word("page-till-unconfirmed") + " · " + what(done) + " " }), button("page-till-settled", settle));
}

/// What its till is told no end of: only this screen says it.
function blind(one) {
  const words = word("page-till-blind-" + one.state.replace("_", "-"));
  return make("p", { className: one.state === "paid" ? "blind" : "blind words", textContent: money(one.cents) + " · " + words });
}

/// A question stands alone; what was not confirmed stands there until somebody says that it is settled.
export function startTills() {
  whenStatus((status) => {
    const till = status.till || { question: null, unconfirmed: [], blind: [] };
    // Built anew only where it is another: a button is not taken from under a finger.
    const now = JSON.stringify([page.language, till.question?.question, till.unconfirmed.map((done) => done.id), till.blind]);
    if (now === shown) return;
    shown = now;
    show("tills", Boolean(till.question) || till.unconfirmed.length > 0 || till.blind.length > 0);
    const list = () => make("ul", { className: "list" }, ...till.unconfirmed.map(unconfirmed));
    $("tills").replaceChildren(...till.blind.map(blind), ...(till.question ? asked(till.question) : [list()]));
  });
}
