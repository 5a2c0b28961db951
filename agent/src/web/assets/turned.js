// The cashier's screen turned to the member, and the member's display in another window of this browser, where there is one.

import { $, page } from "/assets/page.js";
import { app } from "/assets/app.js";
import { memberView } from "/assets/member.js";

// How long another window may take to say that it is there.
const ANSWER_MS = 250;
const channel = window.BroadcastChannel ? new BroadcastChannel("cabas-member") : null;
let member = null;

/// Asks the member's display to show something; false where there is none.
export function atDisplay(what) {
  return new Promise((answer) => {
    if (!channel) { answer(false); return; }
    const late = setTimeout(() => { channel.onmessage = null; answer(false); }, ANSWER_MS);
    channel.onmessage = (event) => {
      if (event.data.answer !== what) return;
      clearTimeout(late);
      channel.onmessage = null;
      answer(true);
    };
    channel.postMessage({ ask: what });
  });
}

/// A member who looks at the balance gives way to a sale.
export async function makeWay() {
  if (member) member.neutral();
  if (channel) channel.postMessage({ ask: "neutral" });
  await new Promise((go) => setTimeout(go, ANSWER_MS));
}

function back() {
  if ($("member").open) $("member").close();
}

/// Turns the screen: nothing of the cashier's is on it until it is given back.
export function turn(what = {}) {
  member = memberView($("member-side"), back);
  member.speaks(page.language);
  member.status(app.status);
  if (app.sale) member.take(app.sale);
  $("member").showModal();
  if (what.slip) member.slip(what.slip);
  if (what.balance) { member.none(); member.balance(); }
}

export function tellMember(sale) {
  if (member && $("member").open && sale) member.take(sale);
}

/// The balance is the member's: on the display, or here with the screen turned.
export async function balance() {
  if (await atDisplay("balance")) return true;
  turn({ balance: true });
  return false;
}

export function startTurned() {
  $("member-back").addEventListener("click", back);
  $("member").addEventListener("close", () => { if (member) member.neutral(); member = null; $("member-side").replaceChildren(); });
}
