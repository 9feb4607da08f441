// The reader's half of package escrow, for browsers and for tests: reading links,
// showing the keys, opening the sealed form. WebCrypto only.

const encoder = new TextEncoder();
const prefix = "s1.";
const magic = "phimail escrow 1";
const headerSize = 76;
const chunkSize = 65536;
const overhead = 28;

// Damaged: what was read is not what was sealed, or was sealed for another key.
export class Damaged extends Error {}

export function decode(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  let raw;
  try {
    raw = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  } catch {
    return null;
  }
  const bytes = Uint8Array.from(raw, (c) => c.charCodeAt(0));
  return encode(bytes) === text ? bytes : null;
}

export function encode(bytes) {
  let raw = "";
  for (const b of bytes) raw += String.fromCharCode(b);
  return btoa(raw).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function fromHex(text) {
  return Uint8Array.from(text.match(/../g), (h) => parseInt(h, 16));
}

function unescapeOnce(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// parseLink reads a link as people have it: also with a fragment that was
// percent-encoded (into the path, too), with a query or slash that was added, or
// wrapped as the value of a query parameter. It returns {id, secret}, or null.
export function parseLink(text) {
  for (let depth = 0, inner = text; inner && depth < 4; depth++) {
    let flat = inner;
    for (let i = 0; i < 3; i++) {
      const found = flat.match(/\/([0-9a-f]{32})\/?(?:[?&;][^#]*)?#s1\.([A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])/);
      if (found) {
        const secret = decode(found[2]);
        if (secret && secret.length === 32) return { id: found[1], secret };
      }
      flat = unescapeOnce(flat);
    }
    let next = null;
    try {
      const url = new URL(inner);
      for (const value of url.searchParams.values()) {
        if (/^https?:\/\//.test(value)) next = value.includes("#") ? value : value + url.hash;
      }
    } catch {
      return null;
    }
    inner = next;
  }
  return null;
}

async function derive(secret, salt, info) {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const bits = await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info: encoder.encode(info) }, key, 256);
  return new Uint8Array(bits);
}

function concat(...parts) {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

export function access(link) {
  return derive(link.secret, fromHex(link.id), "phimail escrow 1 access");
}

// normalPasscode does as the Go function of that name.
export function normalPasscode(text) {
  return text
    .replace(/[a-z]/g, (c) => c.toUpperCase())
    .replace(/[ \-\t\u00a0\u2010\u2011\u2013]/g, "")
    .replace(/O/g, "0")
    .replace(/[IL]/g, "1");
}

// stretch is P, which proof and openSealed need.
export async function stretch(link, salt, iterations, passcode) {
  const pepper = await derive(link.secret, salt, "phimail escrow 1 passcode");
  const password = concat(pepper, encoder.encode(normalPasscode(passcode)));
  const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  const bits = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, key, 256);
  return new Uint8Array(bits);
}

export function proof(stretched, salt) {
  return derive(stretched, salt, "phimail escrow 1 proof");
}

// Pull reads exact lengths from a ReadableStream of bytes.
class Pull {
  constructor(stream) {
    this.reader = stream.getReader();
    this.parts = [];
    this.have = 0;
    this.total = 0;
  }

  // read resolves to n bytes, or to fewer at the end of the stream.
  async read(n) {
    while (this.have < n) {
      const { done, value } = await this.reader.read();
      if (done) break;
      this.parts.push(value);
      this.have += value.length;
      this.total += value.length;
    }
    const out = new Uint8Array(Math.min(n, this.have));
    let at = 0;
    while (at < out.length) {
      const part = this.parts[0];
      const take = Math.min(part.length, out.length - at);
      out.set(part.subarray(0, take), at);
      at += take;
      if (take === part.length) this.parts.shift();
      else this.parts[0] = part.subarray(take);
    }
    this.have -= out.length;
    return out;
  }
}

function parseHeader(header, link) {
  const text = String.fromCharCode(...header.subarray(0, 16));
  const id = [...header.subarray(16, 32)].map((b) => b.toString(16).padStart(2, "0")).join("");
  if (header.length !== headerSize || text !== magic || id !== link.id) throw new Damaged("header");
  const view = new DataView(header.buffer, header.byteOffset);
  const size = Number(view.getBigUint64(68));
  if (size > 2 ** 30) throw new Damaged("size");
  return { salt: header.slice(32, 64), iterations: view.getUint32(64), size };
}

// openSealed opens what the server sent: its share, then the sealed form. It
// resolves to the message's bytes once all of them were verified, and calls
// progress with a number from 0 to 1 meanwhile. stretched is null where no
// passcode is in the key.
export async function openSealed(link, stretched, stream, progress) {
  const pull = new Pull(stream);
  const share = await pull.read(32);
  const header = await pull.read(headerSize);
  if (share.length !== 32) throw new Damaged("share");
  const { salt, iterations, size } = parseHeader(header, link);
  if (iterations > 0 !== Boolean(stretched)) throw new Damaged("factor");
  const secret = concat(link.secret, share, stretched || new Uint8Array());
  const raw = await derive(secret, salt, "phimail escrow 1 content");
  const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["decrypt"]);
  const plain = new Uint8Array(size);
  const count = Math.max(1, Math.ceil(size / chunkSize));
  const aad = concat(header, new Uint8Array(9));
  const view = new DataView(aad.buffer);
  for (let i = 0; i < count; i++) {
    const length = Math.min(chunkSize, size - i * chunkSize);
    const chunk = await pull.read(length + overhead);
    view.setBigUint64(headerSize, BigInt(i));
    aad[aad.length - 1] = i === count - 1 ? 1 : 0;
    let part;
    try {
      part = await crypto.subtle.decrypt({ name: "AES-GCM", iv: chunk.subarray(0, 12), additionalData: aad }, key, chunk.subarray(12));
    } catch {
      throw new Damaged("chunk " + i);
    }
    if (part.byteLength !== length) throw new Damaged("chunk " + i);
    plain.set(new Uint8Array(part), i * chunkSize);
    if (progress) progress((i + 1) / count);
  }
  if ((await pull.read(1)).length > 0) throw new Damaged("more");
  return plain;
}
