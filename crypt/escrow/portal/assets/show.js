// Showing a message that was decrypted: text as text, HTML as far as it is
// harmless, files as downloads.

const allowed = new Set(
  ("a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn div dl dt em " +
    "figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q rp rt ruby s samp section " +
    "small span strike strong style sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr").split(" "),
);

// Their content goes with them; other elements that are not allowed leave it.
const dropped = new Set(
  ("applet audio base canvas dialog embed frame frameset head iframe link math meta noembed noframes noscript object param picture " +
    "script select source svg template textarea title track video").split(" "),
);

const attributes = new Set(
  ("abbr align alt bgcolor border cellpadding cellspacing char charoff class clear color colspan datetime dir face headers height " +
    "hspace lang nowrap open reversed role rowspan scope size span start style summary title type valign value vspace width").split(" "),
);

const picture = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]*$/i;

// harmless copies node's children below target. It keeps what shows text and
// pictures, and nothing that loads, runs or submits anything. It returns how many
// pictures from elsewhere it left out.
export function harmless(node, target, pictures) {
  let remote = 0;
  // Not by recursion: a hostile message nests deeper than a stack reaches.
  const queue = [[node, target, 0]];
  const deepest = 200;
  for (let item; (item = queue.pop()); ) {
    const [from, to, depth] = item;
    for (const child of from.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) to.append(child.data);
      if (child.nodeType !== Node.ELEMENT_NODE) continue;
      const name = child.localName;
      if (dropped.has(name)) continue;
      if (!allowed.has(name) || depth >= deepest) {
        const place = to.ownerDocument.createElement("div");
        to.append(place);
        queue.push([child, place, depth]);
        continue;
      }
      const copy = to.ownerDocument.createElement(name);
      for (const { name: key, value } of child.attributes) if (attributes.has(key)) copy.setAttribute(key, value);
      if (name === "a") keepLink(child, copy);
      if (name === "img" && !keepPicture(child, copy, pictures)) remote++;
      to.append(copy);
      queue.push([child, copy, depth + 1]);
    }
  }
  return remote;
}

function keepLink(from, to) {
  const href = (from.getAttribute("href") || "").trim();
  if (!/^(?:https?|mailto|tel):/i.test(href)) return;
  to.setAttribute("href", href);
  to.setAttribute("target", "_blank");
  to.setAttribute("rel", "noopener noreferrer");
}

function keepPicture(from, to, pictures) {
  const src = (from.getAttribute("src") || "").trim();
  const own = /^cid:/i.test(src) && pictures[unescaped(src.slice(4))];
  if (own) to.setAttribute("src", own);
  else if (picture.test(src)) to.setAttribute("src", src);
  else return src === "";
  return true;
}

function unescaped(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// linked puts text below target, with its web addresses as links.
export function linked(text, target) {
  const address = /\bhttps?:\/\/[^\s<>"'()[\]{}]+[^\s<>"'()[\]{}.,;:!?]/g;
  let at = 0;
  for (const found of text.matchAll(address)) {
    const a = document.createElement("a");
    a.href = found[0];
    a.target = "_blank";
    a.rel = "noopener noreferrer";
    a.textContent = found[0];
    target.append(text.slice(at, found.index), a);
    at = found.index + found[0].length;
  }
  target.append(text.slice(at));
}

// fitFrame makes the frame as high as what is in it. It measures in a low frame:
// what takes its height from the frame's (height: 100%, 100vh) would else make it
// higher each time.
function fitFrame(frame, inside) {
  const margins = 26; // the body's, and the frame's border
  const [root, at] = [inside.documentElement, window.scrollY];
  frame.style.height = "0";
  root.style.overflowY = "hidden"; // no bar, which would take from the width
  const height = inside.body.scrollHeight + margins;
  root.style.overflowY = "";
  frame.style.height = `${height}px`;
  if (window.scrollY !== at) window.scrollTo(window.scrollX, at);
}

// Shown is a message on the page. It holds what has to be given back.
export class Shown {
  constructor(view, language) {
    this.view = view;
    this.language = language;
    this.urls = [];
  }

  part(name) {
    return this.view.querySelector(`[data-${name}]`);
  }

  url(content, type) {
    const url = URL.createObjectURL(new Blob([content], { type }));
    this.urls.push(url);
    return url;
  }

  // header shows who, when and about what.
  header(message) {
    const subject = this.part("subject");
    subject.textContent = message.subject || subject.dataset.empty;
    for (const name of ["from", "to", "date"]) {
      const value = name === "date" ? this.date(message.date) : message[name];
      this.part(name).textContent = value;
      this.part(name).parentElement.hidden = !value;
    }
  }

  date(text) {
    const when = new Date(text);
    if (Number.isNaN(when.getTime())) return text;
    return new Intl.DateTimeFormat(this.language, { dateStyle: "full", timeStyle: "short" }).format(when);
  }

  // body shows the HTML if there is some, else the text.
  async body(message, frameURL) {
    const text = this.part("text");
    const frame = this.view.querySelector("iframe");
    text.hidden = message.html !== null;
    frame.hidden = message.html === null;
    if (message.html === null) {
      linked(message.text || "", text);
      return;
    }
    await new Promise((loaded) => {
      frame.addEventListener("load", loaded, { once: true });
      frame.src = frameURL;
    });
    const inside = frame.contentDocument;
    const pictures = {};
    for (const [id, file] of Object.entries(message.inline)) pictures[id] = this.url(file.content, file.type);
    inside.documentElement.lang = document.documentElement.lang;
    const parsed = new DOMParser().parseFromString(message.html, "text/html");
    for (const style of parsed.head.querySelectorAll("style")) parsed.body.prepend(style);
    this.part("remote").hidden = harmless(parsed.body, inside.body, pictures) === 0;
    const fit = () => fitFrame(frame, inside);
    for (const img of inside.images) img.addEventListener("load", fit);
    this.sizes = new ResizeObserver(fit);
    this.sizes.observe(inside.body);
    fit();
  }

  // files offers the files, and the message itself.
  files(message, bytes) {
    const list = this.part("files");
    for (const file of message.files) {
      if (file.shown) continue;
      const item = document.createElement("li");
      const a = this.download(document.createElement("a"), file.content, file.name);
      a.textContent = file.name;
      const size = document.createElement("span");
      size.textContent = this.size(file.content.length);
      item.append(a, size);
      list.append(item);
    }
    this.part("attachments").hidden = list.childElementCount === 0;
    this.download(this.part("eml"), bytes, "message.eml");
  }

  // download never lets the browser show a file in this page's origin.
  download(a, content, name) {
    a.href = this.url(content, "application/octet-stream");
    a.download = name;
    return a;
  }

  size(n) {
    const units = ["byte", "kilobyte", "megabyte"];
    let i = 0;
    for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
    return new Intl.NumberFormat(this.language, { style: "unit", unit: units[i], unitDisplay: i ? "short" : "long", maximumFractionDigits: 1 }).format(n);
  }

  // clear takes everything off the page.
  clear() {
    if (this.sizes) this.sizes.disconnect();
    for (const url of this.urls) URL.revokeObjectURL(url);
    this.urls = [];
    for (const name of ["subject", "from", "to", "date", "text", "files"]) this.part(name).replaceChildren();
    this.part("eml").removeAttribute("href");
    this.part("remote").hidden = true;
    const frame = this.view.querySelector("iframe");
    frame.replaceWith(Object.assign(frame.cloneNode(false), { hidden: true, src: "about:blank" }));
  }
}
