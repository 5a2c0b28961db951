// The pages work without this file. It takes the keyboard to what must be corrected, prints what is shown once, and
// follows work that is under way.
"use strict";

const faults = document.getElementById("faults");
if (faults) faults.focus();

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

const LOOK_EVERY_MS = 1000;

async function look() {
  const live = document.getElementById("live");
  if (!live || !("live" in live.dataset)) return;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const newer = page.getElementById("live");
    if (newer && newer.innerHTML !== live.innerHTML) {
      live.replaceChildren(...newer.childNodes);
      if (!("live" in newer.dataset)) delete live.dataset.live;
    }
  } catch {
    // The hub restarts: it is asked again.
  }
  setTimeout(look, LOOK_EVERY_MS);
}
setTimeout(look, LOOK_EVERY_MS);

// A receipt stands behind the `#` of its address, where no server sees it: it is asked about from here. The address then
// goes out of the history, so that the way back leads back.
const RECEIPT_CHARS_MIN = 100;
const receipt = document.querySelector("[data-receipt]");

function checkReceipt() {
  if (!receipt || location.hash.length < RECEIPT_CHARS_MIN) return;
  receipt.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
  receipt.form.submit();
}
checkReceipt();
addEventListener("hashchange", checkReceipt);
