// The pages work without this file. It takes the keyboard to what must be corrected, and prints what is shown once.
"use strict";

const faults = document.getElementById("faults");
if (faults) faults.focus();

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
