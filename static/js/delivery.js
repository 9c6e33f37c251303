// The delivery form: keeps what is typed, fills in the open quantity, follows it with "more will follow".
// All texts are in the page; this file only shows and hides them.

const whole = (text) => {
  const digits = text.normalize("NFKC").replace(/[\s'.,\u00a0\u202f]/g, "");
  return /^\d+$/.test(digits) ? Number(digits) : null;
};

for (const form of document.querySelectorAll("form[data-draft]")) {
  const key = "draft:" + form.dataset.draft;
  const skip = /^(csrfmiddlewaretoken|idem|seen|do|next)$/;
  const fields = () => [...form.elements].filter((f) => f.name && !skip.test(f.name) && !/^(hidden|file|submit|button|password)$/.test(f.type));
  const state = () => {
    const out = {};
    for (const f of fields()) {
      if (f.type === "checkbox") (out[f.name] ||= []).push(...(f.checked ? [f.value] : []));
      else if (f.type === "radio") f.checked && (out[f.name] = f.value);
      else out[f.name] = f.value;
    }
    return out;
  };
  const restore = (kept) => {
    for (const f of fields()) {
      if (!(f.name in kept)) continue;
      if (f.type === "checkbox") f.checked = kept[f.name].includes(f.value);
      else if (f.type === "radio") f.checked = kept[f.name] === f.value;
      else f.value = kept[f.name];
    }
  };
  const store = {
    get: () => {
      try {
        return JSON.parse(localStorage.getItem(key));
      } catch {
        return null;
      }
    },
    set: (v) => {
      try {
        localStorage.setItem(key, JSON.stringify({ at: Date.now(), v }));
      } catch {}
    },
    drop: () => {
      try {
        localStorage.removeItem(key);
      } catch {}
    },
  };

  const first = JSON.stringify(state());
  const old = store.get();
  const week = 7 * 24 * 3600e3;
  const note = form.querySelector("[data-draft-note]") || document.querySelector("[data-draft-note]");
  if (old && Date.now() - old.at > week) store.drop();
  else if (old && note && JSON.stringify(old.v) !== first && !document.querySelector("[data-errors]")) {
    note.hidden = false;
    note.querySelector("[data-draft-use]")?.addEventListener("click", () => {
      restore(old.v);
      note.hidden = true;
      form.dispatchEvent(new Event("draft:used"));
      fields()[0]?.focus();
    });
    note.querySelector("[data-draft-discard]")?.addEventListener("click", () => {
      store.drop();
      note.hidden = true;
      fields()[0]?.focus();
    });
  }

  const keep = () => {
    const now = state();
    if (JSON.stringify(now) === first) store.drop();
    else store.set(now);
  };
  form.addEventListener("input", keep);
  form.addEventListener("change", keep);
  // Opening the camera may end the page: keep before the picker opens.
  form.addEventListener("click", (e) => e.target.matches("[type=file]") && keep());
}

// "All n" fills the quantity named in data-fill; without script its own value is posted.
document.addEventListener("click", (e) => {
  const b = e.target.closest("[data-fill]");
  const field = b && document.getElementById(b.dataset.fill);
  if (!field) return;
  e.preventDefault();
  field.value = b.dataset.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
});

// <input data-expected="780" data-follow="more" data-yes="yes" data-no="no">: less than expected means more will follow,
// until the person has answered by hand. data-over names a box that appears when the quantity is larger.
for (const q of document.querySelectorAll("input[data-expected]")) {
  const radios = [...(q.form?.elements || [])].filter((f) => f.type === "radio" && f.name === q.dataset.follow);
  let byHand = false;
  for (const r of radios) r.addEventListener("click", () => (byHand = true));
  const over = q.dataset.over && document.getElementById(q.dataset.over);
  const follow = () => {
    const n = whole(q.value);
    const open = Number(q.dataset.expected);
    if (over) over.hidden = !(n !== null && n > open);
    if (n === null || byHand) return;
    const want = n < open ? q.dataset.yes || "yes" : q.dataset.no || "no";
    for (const r of radios) r.checked = r.value === want;
  };
  q.addEventListener("input", follow);
  if (over) follow();
}
