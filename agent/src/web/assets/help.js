// The one page of help: whom to call, as the terminal knows it, and printing.

const print = document.getElementById("print");
print.hidden = false;
print.addEventListener("click", () => window.print());
// The language of the page is the till's from here on.
localStorage.setItem("language", document.documentElement.lang);
try {
  const { terminal } = await (await fetch("/api/status")).json();
  if (terminal.helpline) document.getElementById("helpline").textContent = terminal.helpline;
} catch { /* The page says where the number stands. */ }
