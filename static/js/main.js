// Small behaviours of every page. Each has a plain HTML way that works without this file.

// A form is sent once. The flag goes when the page comes back from the back/forward cache.
const release = (form) => {
  delete form.dataset.sent;
  for (const b of form.querySelectorAll("[aria-disabled=true]")) b.removeAttribute("aria-disabled");
};
document.addEventListener("submit", (e) => {
  const form = e.target;
  if (e.defaultPrevented || form.method !== "post" || form.dataset.guard === "off") return;
  if (form.dataset.sent) return e.preventDefault();
  form.dataset.sent = "1";
  const b = e.submitter || form.querySelector(".btn.primary");
  if (b) b.setAttribute("aria-disabled", "true");
});
addEventListener("pageshow", (e) => {
  if (e.persisted) document.querySelectorAll("form[data-sent]").forEach(release);
});

// A failed form: the focus goes to its summary; a link of the summary focuses its field.
document.querySelector("[data-errors]")?.focus();
document.addEventListener("click", (e) => {
  const link = e.target.closest("[data-errors] a[href^='#']");
  const field = link && document.getElementById(link.hash.slice(1));
  if (!field) return;
  const control = field.matches("input,select,textarea") ? field : field.querySelector("input,select,textarea");
  if (!control) return;
  e.preventDefault();
  control.focus({ preventScroll: true });
  (control.closest(".field") || control).scrollIntoView({ block: "center" });
});

// Menus close on Escape (the focus returns to their word) and on a press elsewhere.
const menus = () => document.querySelectorAll("details.menu[open]");
document.addEventListener("click", (e) => {
  for (const m of menus()) if (!m.contains(e.target)) m.open = false;
});
document.addEventListener("focusin", (e) => {
  for (const m of menus()) if (!m.contains(e.target)) m.open = false;
});

// The current tab is in sight even where the row of tabs is wider than the screen.
const tab = document.querySelector(".tabs [aria-current]");
if (tab) tab.closest(".tabs").scrollLeft = tab.offsetLeft - 48;

// Keys: "/" to the search, "n" to the page's new thing, Ctrl or Cmd + Enter saves.
const typing = (t) => t.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(t.tagName);
document.addEventListener("keydown", (e) => {
  if (e.isComposing) return;
  if (e.key === "Escape") {
    for (const m of menus()) {
      m.open = false;
      m.querySelector("summary").focus();
    }
    return;
  }
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
    const form = e.target.form || document.querySelector("form:has([data-save])");
    const b = form?.querySelector("[data-save]");
    if (b) {
      e.preventDefault();
      form.requestSubmit(b);
    }
    return;
  }
  if (e.ctrlKey || e.metaKey || e.altKey || typing(e.target) || document.documentElement.dataset.shortcuts === "off") return;
  const to = document.querySelector(e.key === "/" ? "[data-search]" : `[data-key="${CSS.escape(e.key)}"]`);
  if (!to || !to.checkVisibility?.()) return;
  e.preventDefault();
  if (to.matches("input")) to.select(), to.focus();
  else to.click();
});

// A choice that filters at once: the form's own button stays for those without script.
document.addEventListener("change", (e) => {
  if (e.target.matches("[data-autosubmit]")) e.target.form.requestSubmit();
});

// A number field gives up its content to the first key.
document.addEventListener("focusin", (e) => {
  if (e.target.matches?.("input[data-select]")) e.target.select();
});

// Counters get a button to either side; without them the number is typed.
for (const box of document.querySelectorAll(".stepper[data-less]")) {
  const input = box.querySelector("input");
  const button = (sign, label, step) => {
    const b = document.createElement("button");
    b.type = "button";
    b.className = "btn";
    b.textContent = sign;
    b.setAttribute("aria-label", label);
    b.addEventListener("click", () => {
      const now = parseInt(input.value, 10);
      input.value = Math.max(0, (now || 0) + step);
      input.dispatchEvent(new Event("input", { bubbles: true }));
      document.getElementById("live")?.replaceChildren(input.value);
    });
    return b;
  };
  input.before(button("−", box.dataset.less, -1));
  input.after(button("+", box.dataset.more, 1));
}

// After a part of the page was exchanged: say it, and keep the focus on something with a name.
document.addEventListener("htmx:after:swap", (e) => {
  const at = e.detail?.ctx?.target || e.target;
  const root = at?.isConnected === false ? document : at || document;
  const live = document.getElementById("live");
  const said = root.querySelector?.("[data-announce]") || root.closest?.("[data-announce]");
  if (live && said) live.textContent = said.dataset.announce || said.textContent.trim();
  if (document.activeElement === document.body) {
    const h = root.querySelector?.("[data-errors],h2,h3,caption");
    if (h) {
      h.tabIndex = -1;
      h.focus();
    }
  }
});
document.addEventListener("htmx:after:request", (e) => {
  const form = (e.detail?.ctx?.sourceElement || e.target)?.closest?.("form");
  if (form) release(form);
});

// A page that confirms a saved record names the draft that is no longer needed.
for (const el of document.querySelectorAll("[data-draft-clear]")) {
  try {
    localStorage.removeItem("draft:" + el.dataset.draftClear);
  } catch {}
}
// Signing out on a shared phone leaves no drafts behind.
document.addEventListener("submit", (e) => {
  if (!e.target.matches("[data-signout]")) return;
  try {
    for (const k of Object.keys(localStorage)) if (k.startsWith("draft:")) localStorage.removeItem(k);
  } catch {}
});
