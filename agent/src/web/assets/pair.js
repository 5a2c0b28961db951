// Lets this telephone in. The code may come with the picture that the camera read, behind the address's #.

const $ = (id) => document.getElementById(id);

if (/^#[0-9]{6}$/.test(location.hash)) {
  $("code").value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
}

$("pair").addEventListener("submit", async (event) => {
  event.preventDefault();
  let error;
  try {
    const body = JSON.stringify({ code: $("code").value, name: $("name").value });
    const answer = await fetch("/api/pair", { method: "POST", headers: { "content-type": "application/json" }, body });
    if (answer.ok) { location.replace("/"); return; }
    error = (await answer.json()).error;
  } catch { error = { message_fr: "Le terminal ne répond pas.", message_en: "The terminal does not answer." }; }
  $("said").textContent = error.message_fr;
  $("said-en").textContent = error.message_en;
});
