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
