// The forms to sign in and register work without this; it spares a sign-in, a look at the keyboard and a double click.

const form = document.querySelector("form[data-guard]");

/** Who was signed in here a while ago still holds a refresh token: try that before asking for a password. */
async function resume(next) {
  if (!localStorage.getItem("parley.person") || document.querySelector("[role=alert]")) return;
  document.documentElement.classList.add("resuming");
  const turn = () =>
    fetch("/api/v1/auth/refresh", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
      signal: AbortSignal.timeout(3_000),
    });
  try {
    const answer = await (navigator.locks ? navigator.locks.request("parley.refresh", turn) : turn());
    if (answer.ok) {
      localStorage.setItem("parley.refreshed", String(Date.now()));
      location.replace(next.startsWith("/") && !next.startsWith("//") ? next : "/chat");
      return;
    }
    if (answer.status === 401) localStorage.removeItem("parley.person");
  } catch {
    // No answer: the form is still there.
  }
  document.documentElement.classList.remove("resuming");
  document.querySelector("[autofocus]")?.focus();
}

function addReveal(input) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "reveal";
  button.textContent = "Show";
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.textContent = shown ? "Show" : "Hide";
    button.setAttribute("aria-pressed", String(!shown));
    input.focus();
  });
  input.parentElement.append(button);
}

for (const input of document.querySelectorAll(".secret .input")) addReveal(input);

if (form) {
  const button = form.querySelector("[type=submit]");
  form.addEventListener("submit", () => {
    for (const input of form.querySelectorAll(".secret .input")) input.type = "password";
    button.disabled = true;
    // When it works, the page after this one knows how old its token is.
    localStorage.setItem("parley.refreshed", String(Date.now()));
  });
  // Back from the next page, the form must work again.
  addEventListener("pageshow", () => {
    button.disabled = false;
  });
  if (form.dataset.resume) resume(form.dataset.resume);
}
