// A small reader of MIME messages: enough for what phimail seals, with limits.

const decoderFor = (charset) => {
  try {
    return new TextDecoder(charset || "utf-8");
  } catch {
    return new TextDecoder("utf-8");
  }
};

const maxDepth = 20;
const maxParts = 500;

function ascii(bytes) {
  let s = "";
  for (let i = 0; i < bytes.length; i += 8192) s += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return s;
}

// headerEnd is where the blank line begins and the body.
function split(bytes) {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== 10) continue;
    if (bytes[i + 1] === 10) return [bytes.subarray(0, i + 1), bytes.subarray(i + 2)];
    if (bytes[i + 1] === 13 && bytes[i + 2] === 10) return [bytes.subarray(0, i + 1), bytes.subarray(i + 3)];
  }
  return [bytes, new Uint8Array()];
}

function fieldsOf(bytes) {
  const fields = [];
  const text = new TextDecoder("utf-8").decode(bytes);
  for (const line of text.split(/\r?\n(?![ \t])/)) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.push([line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).replace(/\r?\n/g, "").trim()]);
  }
  return fields;
}

const get = (fields, name) => (fields.find(([n]) => n === name) || [null, ""])[1];

// words decodes RFC 2047 encoded words.
export function words(text) {
  return text
    .replace(/(=\?[^?\s]+\?[bqBQ]\?[^?\s]*\?=)\s+(?==\?)/g, "$1")
    .replace(/=\?([^?\s*]+)(?:\*[^?\s]*)?\?([bqBQ])\?([^?\s]*)\?=/g, (all, charset, how, data) => {
      try {
        return decoderFor(charset).decode(how.toLowerCase() === "b" ? base64(data) : quoted(new TextEncoder().encode(data.replace(/_/g, " "))));
      } catch {
        return all;
      }
    });
}

// parameters reads a structured value: RFC 2045, RFC 2231.
function parameters(value) {
  const [kind] = value.split(";", 1);
  const params = {};
  const pieces = {};
  const re = /;\s*([^=;\s]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))/g;
  for (let m; (m = re.exec(value)); ) {
    const name = m[1].toLowerCase();
    const v = m[2] !== undefined ? m[2].replace(/\\(.)/g, "$1") : m[3].trim();
    const star = name.match(/^([^*]+)(?:\*(\d+))?(\*)?$/);
    if (star && (star[2] || star[3])) (pieces[star[1]] ||= []).push({ n: Number(star[2] || 0), ext: Boolean(star[3]), v });
    else params[name] = v;
  }
  for (const [name, list] of Object.entries(pieces)) {
    list.sort((a, b) => a.n - b.n);
    let charset = "utf-8";
    const bytes = [];
    list.forEach(({ ext, v }, i) => {
      if (ext && i === 0) {
        const m = v.match(/^([^']*)'[^']*'(.*)$/);
        if (m) [charset, v] = [m[1] || "utf-8", m[2]];
      }
      if (!ext) bytes.push(...new TextEncoder().encode(v));
      else v.replace(/%([0-9A-Fa-f]{2})|[^%]/g, (c, hex) => bytes.push(hex ? parseInt(hex, 16) : c.charCodeAt(0) & 255));
    });
    params[name] = decoderFor(charset).decode(Uint8Array.from(bytes));
  }
  return [kind.trim().toLowerCase(), params];
}

function base64(text) {
  const digits = text.replace(/[^A-Za-z0-9+/]/g, "");
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(digits);
  const raw = atob(digits);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

function quoted(bytes) {
  const out = new Uint8Array(bytes.length);
  let n = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== 61) {
      out[n++] = bytes[i];
      continue;
    }
    const pair = String.fromCharCode(bytes[i + 1], bytes[i + 2]);
    if (/^[0-9A-Fa-f]{2}$/.test(pair)) {
      out[n++] = parseInt(pair, 16);
      i += 2;
    } else {
      while (bytes[i + 1] === 32 || bytes[i + 1] === 9) i++;
      if (bytes[i + 1] === 13) i++;
      if (bytes[i + 1] === 10) i++;
    }
  }
  return out.subarray(0, n);
}

function transfer(bytes, encoding) {
  switch (encoding.toLowerCase()) {
    case "base64":
      return base64(ascii(bytes));
    case "quoted-printable":
      return quoted(bytes);
  }
  return bytes;
}

function indexOf(bytes, pattern, from) {
  outer: for (let i = bytes.indexOf(pattern[0], from); i >= 0; i = bytes.indexOf(pattern[0], i + 1)) {
    for (let j = 1; j < pattern.length; j++) if (bytes[i + j] !== pattern[j]) continue outer;
    return i;
  }
  return -1;
}

// delimiter reads what follows a boundary at at: where the next part begins, and
// whether it is the last; null if this is no delimiter line (RFC 2046 section
// 5.1.1), as where one boundary begins with another.
function delimiter(bytes, at) {
  const last = bytes[at] === 45 && bytes[at + 1] === 45;
  if (last) at += 2;
  while (bytes[at] === 32 || bytes[at] === 9) at++;
  if (bytes[at] === 13) at++;
  if (at < bytes.length && bytes[at] !== 10) return null;
  return { next: at + 1, last };
}

function partsOf(bytes, boundary) {
  const mark = new TextEncoder().encode("--" + boundary);
  const parts = [];
  let start = -1;
  for (let at = indexOf(bytes, mark, 0); at >= 0; at = indexOf(bytes, mark, at + mark.length)) {
    const line = at === 0 || bytes[at - 1] === 10 ? delimiter(bytes, at + mark.length) : null;
    if (!line) continue;
    if (start >= 0) {
      let end = at;
      if (bytes[end - 1] === 10) end--;
      if (bytes[end - 1] === 13) end--;
      parts.push(bytes.subarray(start, Math.max(start, end)));
    }
    if (line.last) return parts;
    start = line.next;
  }
  if (start >= 0) parts.push(bytes.subarray(start));
  return parts;
}

// safeName is a file name without directories, control and direction characters.
export function safeName(name, fallback) {
  const clean = name
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, "")
    .split(/[\\/]/)
    .pop()
    .replace(/[<>:"|?*]/g, "_")
    .replace(/^[.\s]+|[.\s]+$/g, "")
    .slice(-120);
  return clean || fallback;
}

// readMessage takes a message apart: its subject, sender and date, the text and
// HTML to show, and the files beside it.
export function readMessage(bytes) {
  const message = { subject: "", from: "", to: "", date: "", text: null, html: null, inline: Object.create(null), files: [] };
  let count = 0;
  const walk = (part, depth) => {
    if (depth > maxDepth || ++count > maxParts) return;
    const [head, body] = split(part);
    const fields = fieldsOf(head);
    if (depth === 0) {
      message.subject = words(get(fields, "subject"));
      message.from = words(get(fields, "from"));
      message.to = words(get(fields, "to"));
      message.date = get(fields, "date");
    }
    const [kind, params] = parameters(get(fields, "content-type") || "text/plain");
    if (kind.startsWith("multipart/") && params.boundary) {
      for (const inner of partsOf(body, params.boundary)) walk(inner, depth + 1);
      return;
    }
    const [disposition, names] = parameters(get(fields, "content-disposition"));
    const content = transfer(body, get(fields, "content-transfer-encoding"));
    const id = get(fields, "content-id").replace(/^<|>$/g, "");
    const shown = disposition !== "attachment" && !names.filename;
    if (shown && kind === "text/plain" && message.text === null) message.text = decoderFor(params.charset).decode(content);
    else if (shown && kind === "text/html" && message.html === null) message.html = decoderFor(params.charset).decode(content);
    else {
      const name = safeName(words(names.filename || params.name || ""), "file-" + (message.files.length + 1));
      const file = { name, type: kind, content, id };
      if (id && /^image\/(?:png|jpeg|gif|webp)$/.test(kind)) message.inline[id] = file;
      message.files.push(file);
    }
  };
  walk(bytes, 0);
  // A picture that the HTML shows is no file beside it.
  for (const [id, file] of Object.entries(message.inline)) {
    const names = [id, encodeURIComponent(id)];
    file.shown = message.html !== null && names.some((name) => message.html.includes("cid:" + name));
  }
  return message;
}
