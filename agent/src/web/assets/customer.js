// The member's display in a window of its own.

import { $, follow, isOpen, start } from "/assets/page.js";
import { memberView } from "/assets/member.js";

const member = memberView($("member-side"));
const sales = follow(member.sale, (next) => { if (next) member.take(next); else member.none(); });

start(
  sales.heard,
  (status) => {
    document.title = status.terminal.shop_name || "Cabas";
    document.body.dataset.training = status.training ? "yes" : "no";
    member.status(status);
    if (status.sale) sales.heard(status.sale);
    else if (isOpen(member.sale())) sales.again();
  },
  () => {},
);

if (window.BroadcastChannel) {
  const channel = new BroadcastChannel("cabas-member");
  channel.addEventListener("message", ({ data }) => {
    if (data.ask === "balance") {
      channel.postMessage({ answer: "balance" });
      member.balance();
    } else if (data.ask === "neutral" && member.isPrivate()) member.neutral();
  });
}
