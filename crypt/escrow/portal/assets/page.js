// The page: from the reader's click to the message, and to its end.

const settings = document.body.dataset;
const language = document.documentElement.lang;
const say = JSON.parse(settings.say);
const find = (selector) => document.querySelector(selector);
const viewOf = (name) => find(`[data-view="${name}"]`);

let escrow; // the modules, once they are here
let messages;
let shower;
let link = null;
let challenge = null;
let shown = null;

function show(name) {
  const view = viewOf(name) || viewOf("failed");
  for (const other of document.querySelectorAll("[data-view]")) other.hidden = other !== view;
  const heading = view.querySelector("h1");
  document.title = heading.textContent ? `${heading.textContent} – ${settings.title}` : settings.title;
  // Where there is something to type, that is where the reader wants to be.
  const input = view.querySelector("input");
  if (input) input.focus();
  else heading.focus();
}

function tell(text) {
  find("[data-status]").textContent = text;
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, key) => (key in values ? values[key] : all));

// ---- the link ---------------------------------------------------------------

// The link's secret goes from the address bar, and so from the browser's history,
// into the tab's own memory, where a reload or a detour to a login finds it.
function keepLink(found) {
  const path = `${settings.prefix}/${found.id}`;
  const fragment = `#s1.${escrow.encode(found.secret)}`;
  try {
    sessionStorage.setItem(path, fragment);
    history.replaceState(null, "", path + langQuery());
  } catch {
    history.replaceState(null, "", path + langQuery() + fragment);
  }
  return found;
}

function findLink() {
  const found = escrow.parseLink(location.href);
  if (found) return keepLink(found);
  try {
    const fragment = sessionStorage.getItem(location.pathname);
    return fragment ? escrow.parseLink(location.origin + location.pathname + fragment) : null;
  } catch {
    return null;
  }
}

function langQuery() {
  const lang = new URLSearchParams(location.search).get("lang");
  return lang ? `?lang=${encodeURIComponent(lang)}` : "";
}

// ---- the server -------------------------------------------------------------

class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

async function post(action, body) {
  let answer;
  try {
    answer = await fetch(`${settings.prefix}/${link.id}/${action}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ access: escrow.encode(await escrow.access(link)), ...body }),
      cache: "no-store",
      redirect: "error",
      referrerPolicy: "no-referrer",
    });
  } catch {
    throw new Refused("failed"); // no network
  }
  if (answer.ok) return answer;
  let code = "failed";
  try {
    code = (await answer.json()).error;
  } catch {
    // what a proxy says is no answer of ours
  }
  throw new Refused(code);
}

async function ask() {
  challenge = await (await post("ask", {})).json();
  for (const left of document.querySelectorAll("[data-left]")) left.textContent = fill(say.left, { left: challenge.attempts_left });
}

// ---- opening ----------------------------------------------------------------

async function begin() {
  await ask();
  switch (challenge.factor) {
    case "passcode":
      note("passcode", "");
      return show("passcode");
    case "code":
      await post("code", {});
      note("code", "");
      return show("code");
    default:
      return attempt("");
  }
}

// note shows one of a view's notes, and marks what was typed as wrong.
function note(view, name) {
  const input = viewOf(view).querySelector("input");
  for (const one of viewOf(view).querySelectorAll("[data-note]")) {
    one.hidden = one.dataset.note !== name;
    if (one.hidden) continue;
    one.id = `${view}-note`;
    tell(one.textContent);
  }
  const wrong = name === "wrong" || name === "no-code";
  input.toggleAttribute("aria-invalid", wrong);
  if (wrong) input.setAttribute("aria-invalid", "true");
  const hint = `${view}-hint`;
  input.setAttribute("aria-describedby", name ? `${view}-note ${hint}` : hint);
}

async function attempt(secret) {
  const body = { token: challenge.token };
  let stretched = null;
  if (challenge.factor === "passcode") {
    tell(say.checking);
    const salt = escrow.decode(challenge.salt);
    stretched = await escrow.stretch(link, salt, challenge.iterations, secret);
    body.proof = escrow.encode(await escrow.proof(stretched, salt));
  } else if (challenge.factor === "code") {
    body.code = secret.replace(/\D/g, "");
  }
  const answer = await post("open", body);
  show("opening");
  const bytes = await escrow.openSealed(link, stretched, answer.body, progress());
  await render(bytes);
}

function progress() {
  const bar = find("progress");
  const text = find("[data-percent]");
  let last = -1;
  return (part) => {
    const percent = Math.floor(part * 100);
    if (percent === last) return;
    last = percent;
    bar.value = part;
    text.textContent = fill(say.percent, { percent });
  };
}

async function render(bytes) {
  const message = messages.readMessage(bytes);
  close();
  shown = new shower.Shown(viewOf("message"), language);
  shown.header(message);
  shown.files(message, bytes);
  const until = new Intl.DateTimeFormat(language, { dateStyle: "long" }).format(new Date(challenge.expires));
  shown.part("until").textContent = fill(say.until, { date: until });
  show("message");
  await shown.body(message, settings.frame);
  tell("");
  idle.start();
}

function close() {
  idle.stop();
  if (shown) shown.clear();
  shown = null;
}

// refused shows why there is no message, and lets the reader try again where that
// makes sense.
async function refused(error) {
  close();
  if (error instanceof escrow.Damaged) return show("damaged");
  const code = error.code || "failed";
  if (code === "login") return login();
  const again = challenge && (challenge.factor === "passcode" || challenge.factor === "code");
  if (!again || !["wrong", "token", "no-code"].includes(code)) return show(code === "token" ? "failed" : code);
  const view = challenge.factor;
  try {
    await ask();
    note(view, code === "token" ? "" : code);
    show(view);
  } catch (then) {
    challenge = null;
    await refused(then);
  }
}

function login() {
  const a = find("[data-login]");
  const url = challenge && challenge.login_url;
  if (url) {
    a.href = url.replace("{return}", encodeURIComponent(location.pathname));
    a.hidden = false;
  }
  show("login");
}

// ---- idling -----------------------------------------------------------------

const idle = {
  limit: Number(settings.idle),
  timers: [],
  begin() {
    this.end();
    this.until = Date.now() + this.limit;
    find("[data-idle-soon]").hidden = true;
    this.timers = [
      setTimeout(() => this.warn(), Math.max(this.limit - 60000, this.limit / 2)),
      setTimeout(() => this.lock(), this.limit),
    ];
  },
  end() {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers = [];
  },
  warn() {
    const soon = find("[data-idle-soon]");
    soon.hidden = false;
    tell(soon.textContent);
  },
  lock() {
    close();
    show("idle");
  },
  // Timers stand still while the device sleeps: what wakes it comes too late.
  late: () => shown !== null && idle.timers.length > 0 && Date.now() >= idle.until,
  touch: () => (idle.late() ? idle.lock() : idle.begin()),
  places() {
    const inside = find("iframe").contentDocument;
    return inside ? [document, inside] : [document];
  },
  start() {
    this.begin();
    for (const place of this.places())
      for (const kind of ["pointerdown", "pointermove", "keydown", "scroll", "touchstart"])
        place.addEventListener(kind, this.touch, { passive: true, capture: true });
  },
  stop() {
    this.end();
    for (const kind of ["pointerdown", "pointermove", "keydown", "scroll", "touchstart"])
      document.removeEventListener(kind, this.touch, { capture: true });
  },
};

// ---- what the reader does ---------------------------------------------------

// busy lets one thing happen at a time, and shows what goes wrong.
async function busy(work) {
  const buttons = [...document.querySelectorAll("button")].filter((button) => !button.disabled);
  for (const button of buttons) button.disabled = true;
  try {
    await work();
  } catch (error) {
    await refused(error);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

const acts = {
  begin: () => busy(begin),
  "again-code": () =>
    busy(async () => {
      await post("code", {});
      note("code", "sent");
      show("code");
    }),
  print: () => window.print(),
  close: () => {
    close();
    show("closed");
  },
};

function submitted(view, value) {
  if (view === "broken") {
    const found = escrow.parseLink(value);
    if (!found) {
      note("broken", "wrong");
      return show("broken");
    }
    link = keepLink(found);
    return show("start");
  }
  if (view === "code" && !/\d/.test(value)) {
    note("code", "wrong"); // the server need not be asked
    return show("code");
  }
  return busy(() => attempt(value));
}

function listen() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    // A script's click is no person's.
    if (button && event.isTrusted) acts[button.dataset.do]();
  });
  for (const form of document.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const input = form.querySelector("input");
      const value = input.value.trim();
      if (!event.isTrusted || !value) return input.focus();
      input.value = "";
      submitted(form.closest("[data-view]").dataset.view, value);
    });
  }
  for (const a of document.querySelectorAll("[data-language]")) {
    a.addEventListener("click", () => {
      a.href = `?lang=${a.dataset.language}${location.hash}`;
    });
  }
  document.addEventListener("visibilitychange", () => {
    if (idle.late()) idle.lock();
  });
  // A page that the browser keeps to come back to holds no message.
  window.addEventListener("pagehide", () => {
    if (shown) {
      close();
      show("closed");
    }
  });
  window.addEventListener("hashchange", () => {
    const found = escrow.parseLink(location.href);
    if (!found) return;
    close();
    link = keepLink(found);
    show("start");
  });
}

try {
  if (!crypto.subtle || !window.ReadableStream || !window.ResizeObserver) throw new Error("too old");
  [escrow, messages, shower] = await Promise.all([import(settings.escrow), import(settings.message), import(settings.show)]);
  listen();
  link = findLink();
  show(link ? "start" : "broken");
} catch {
  show("old");
}
