// The page: from the reader's click to the message.
const settings = document.body.dataset;
const { parseLink, access, stretch, proof, openSealed, encode, decode } = await import(settings.escrow);
const { readMessage } = await import(settings.message);

const show = (name) => {
  for (const section of document.querySelectorAll("[data-view]")) section.hidden = section.dataset.view !== name;
  const view = document.querySelector(`[data-view="${name}"]`);
  const heading = view && view.querySelector("h1, h2");
  if (heading) heading.focus();
};

const link = parseLink(location.href);
let challenge = null;

async function post(action, body) {
  const answer = await fetch(`${settings.prefix}/${link.id}/${action}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ access: encode(await access(link)), ...body }),
    cache: "no-store",
    redirect: "error",
  });
  if (answer.ok) return answer;
  let code = "failed";
  try {
    code = (await answer.json()).error;
  } catch {
    // what a proxy says
  }
  throw Object.assign(new Error(code), { code });
}

function refused(error) {
  const code = error.code || "failed";
  const view = document.querySelector(`[data-view="${code}"]`) ? code : "failed";
  show(view);
}

async function ask() {
  challenge = await (await post("ask", {})).json();
  document.querySelector("[data-left]").textContent = challenge.attempts_left;
}

async function begin() {
  await ask();
  if (challenge.factor === "none" || challenge.factor === "login") await attempt("");
  else {
    if (challenge.factor === "code") await post("code", {});
    show(challenge.factor);
  }
}

async function attempt(secret) {
  const body = { token: challenge.token };
  let stretched = null;
  show("opening");
  if (challenge.factor === "passcode") {
    const salt = decode(challenge.salt);
    stretched = await stretch(link, salt, challenge.iterations, secret);
    body.proof = encode(await proof(stretched, salt));
  } else if (challenge.factor === "code") body.code = secret;
  const answer = await post("open", body);
  const bar = document.querySelector("progress");
  const bytes = await openSealed(link, stretched, answer.body, (part) => (bar.value = part));
  render(bytes);
}

function render(bytes) {
  const message = readMessage(bytes);
  document.querySelector("[data-subject]").textContent = message.subject;
  document.querySelector("[data-from]").textContent = message.from;
  document.querySelector("[data-date]").textContent = message.date;
  const text = document.querySelector("[data-text]");
  const frame = document.querySelector("iframe");
  frame.hidden = message.html === null;
  text.hidden = message.html !== null;
  if (message.html === null) text.textContent = message.text || "";
  else frame.srcdoc = message.html;
  const list = document.querySelector("[data-files]");
  list.replaceChildren();
  for (const file of message.files) add(list, file.name, file.content);
  add(list, "message.eml", bytes);
  show("message");
}

function add(list, name, content) {
  const item = document.createElement("li");
  const a = document.createElement("a");
  a.href = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  a.download = name;
  a.textContent = name;
  item.append(a);
  list.append(item);
}

async function wrong(error) {
  if (error.code !== "wrong" && error.code !== "token" && error.code !== "no-code") return refused(error);
  try {
    await ask();
    show(challenge.factor);
    for (const note of document.querySelectorAll("[data-wrong]")) note.hidden = error.code === "token";
  } catch (again) {
    refused(again);
  }
}

document.querySelector("[data-begin]").addEventListener("click", () => begin().catch(refused));
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const input = form.querySelector("input");
    attempt(input.value).catch(wrong);
    input.value = "";
  });
}
show(link ? "start" : "broken");
