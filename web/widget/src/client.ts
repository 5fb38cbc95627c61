// The protocol client: one conversation over WebSocket, subprotocol
// wensheng.v1. It owns the connection, the outbox and the transcript, knows
// nothing of the screen, and tells its listener after every change.
//
// What is promised: a message is shown as sent only after its ack; an unacked
// one goes out again with the same cid on every connection until it is acked
// or refused; the transcript is complete and in order of seq, whatever the
// network does.

export type Role = "contact" | "bot" | "agent" | "system";
export type State = "bot" | "waiting" | "serving" | "on_hold" | "closed";
export type Link = "idle" | "connecting" | "open" | "lost" | "stopped";

export interface Option {
  id: string;
  label: string;
}

export interface Item {
  key: string;
  id?: string;
  cid?: string;
  seq?: number;
  role: Role;
  name?: string;
  kind: string;
  text: string;
  options?: Option[];
  score?: number;
  at: number; // ms since 1970
  /** Of one's own messages only. */
  status?: "pending" | "sent" | "failed";
  /** Why it failed: a code of the protocol. */
  error?: string;
}

export interface Snapshot {
  link: Link;
  state: State;
  position: number;
  eta: [number, number] | null; // seconds
  items: Item[];
  typing: Role | null;
  /** Messages of others after the last one read. */
  unread: number;
  rated: boolean;
}

/** What a frame to the server holds besides t and cid. */
interface Out {
  cid: string;
  frame: Record<string, unknown>;
  tries: number;
  sentAt: number; // 0 when not on this connection
  notBefore: number;
}

interface Saved {
  session: string;
  epoch: string;
  identified: boolean;
  read: number;
  rated: string; // the conversation that was rated
  given: string; // the session the page brought, if it did
}

export interface Store {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface Timers {
  now(): number;
  set(fn: () => void, ms: number): unknown;
  clear(handle: unknown): void;
  random(): number;
}

export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((e: { data: unknown }) => void) | null;
  onclose: ((e: { code: number }) => void) | null;
  onerror: (() => void) | null;
  send(data: string): void;
  close(code?: number): void;
}

export interface ClientOptions {
  url: string;
  account: string;
  locale: string;
  identity?: string;
  /** A resume token of the page's own, for the conversation it was made for. */
  session?: string;
  /** Outlives the page: the resume token. Holds no message. */
  store: Store;
  /** Lives as long as the tab: what was written and not yet acked. */
  outbox: Store;
  connect: (url: string, protocol: string) => Socket;
  timers?: Timers;
  newID?: () => string;
  onChange?: (s: Snapshot) => void;
}

export const MAX_TEXT = 2000;

const BACKOFF_MIN = 500;
const BACKOFF_MAX = 30_000;
const PING_EVERY = 25_000;
const PONG_WITHIN = 10_000;
const WELCOME_WITHIN = 15_000;
const ACK_WITHIN = 15_000;
const GAP_WITHIN = 5_000;
const TYPING_EVERY = 3_000;
const TYPING_SHOWN = 6_000;
const MAX_TRIES = 6; // refusals of a store that cannot write, not lost connections

export function browserTimers(): Timers {
  return {
    now: () => Date.now(),
    set: (fn, ms) => setTimeout(fn, ms),
    clear: (h) => clearTimeout(h as number),
    random: () => Math.random(),
  };
}

export function randomID(): string {
  const b = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(b, (x) => x.toString(16).padStart(2, "0")).join("");
}

/** Full jitter between half a second and a ceiling that doubles up to 30 s. */
export function backoff(attempt: number, random: number): number {
  const ceiling = Math.min(BACKOFF_MAX, BACKOFF_MIN * 2 ** Math.min(attempt + 1, 16));
  return BACKOFF_MIN + random * (ceiling - BACKOFF_MIN);
}

export function countCharacters(s: string): number {
  let n = 0;
  for (const _ of s) n++;
  return n;
}

export class Client {
  private readonly o: ClientOptions;
  private readonly t: Timers;
  private readonly newID: () => string;
  private ws: Socket | null = null;
  private link: Link = "idle";
  private welcomed = false;
  private wanted = false;
  private attempt = 0;
  private saved: Saved;
  private conv = "";
  private state: State = "bot";
  private position = 0;
  private eta: [number, number] | null = null;
  private items: Item[] = [];
  private seen = new Set<number>(); // seqs above whole
  private whole = 0; // every seq up to here is in items
  private out: Out[] = [];
  private typing: Role | null = null;
  private lastTyped = 0;
  private lastHeard = 0;
  private lastRead = 0;
  private watching = false;
  private handles: Record<string, unknown> = {};

  constructor(o: ClientOptions) {
    this.o = o;
    this.t = o.timers ?? browserTimers();
    this.newID = o.newID ?? randomID;
    this.saved = this.load();
    if (this.saved.identified && !o.identity) {
      // Whoever was logged in here has logged out: his chat is not for the next one.
      this.saved = blank();
      o.outbox.removeItem(this.outKey());
      this.save();
    }
    if (o.session && this.saved.given !== o.session) {
      // Another invitation than the one this tab had before, if any: nothing of
      // that may get into this conversation.
      this.saved = { ...blank(), session: o.session, given: o.session };
      o.outbox.removeItem(this.outKey());
      this.save();
    }
    this.restoreOutbox();
  }

  /** Whether this browser has talked to us before. */
  get known(): boolean {
    return this.saved.session !== "";
  }

  snapshot(): Snapshot {
    let unread = 0;
    for (const i of this.items) {
      if (i.seq && i.seq > this.saved.read && i.role !== "contact") unread++;
    }
    return {
      link: this.link,
      state: this.state,
      position: this.position,
      eta: this.eta,
      items: this.items,
      typing: this.typing,
      unread,
      rated: this.conv !== "" && this.saved.rated === this.conv,
    };
  }

  /** Opens the connection and keeps it open until stop. */
  start(): void {
    this.wanted = true;
    if (this.link === "idle" || this.link === "stopped") {
      this.attempt = 0;
      this.dial();
    }
  }

  stop(): void {
    this.wanted = false;
    for (const name of Object.keys(this.handles)) this.cancel(name);
    this.drop();
    this.link = "idle";
    this.changed();
  }

  /** The network is back, or the page is looked at again: do not wait. */
  nudge(): void {
    if (!this.wanted) return;
    if (this.link === "lost") {
      this.attempt = 0;
      this.dial();
    } else if (this.link === "open" && this.t.now() - this.lastHeard > PING_EVERY) {
      this.ping();
    }
  }

  /** Returns false when the text is empty or too long; nothing is sent then. */
  say(text: string): boolean {
    text = text.trim();
    if (!text || countCharacters(text) > MAX_TEXT) return false;
    const cid = this.newID();
    this.mine(cid, "text", text);
    this.push(cid, { t: "msg", text });
    return true;
  }

  pick(option: Option): void {
    const cid = this.newID();
    this.mine(cid, "pick", option.label);
    this.push(cid, { t: "pick", id: option.id });
  }

  rate(score: number, comment: string): void {
    this.saved.rated = this.conv;
    this.save();
    this.push(this.newID(), { t: "rate", score, comment });
  }

  end(): void {
    this.push(this.newID(), { t: "end" });
  }

  /** Sends a failed message again, with the cid it had. */
  retry(cid: string): void {
    const item = this.items.find((i) => i.cid === cid && i.status === "failed");
    const o = this.out.find((x) => x.cid === cid);
    if (!item || !o) return;
    item.status = "pending";
    item.error = undefined;
    o.tries = 0;
    o.sentAt = 0;
    o.notBefore = 0;
    this.start();
    this.flush();
    this.changed();
  }

  /** Takes a failed message out; returns its text for the composer. */
  discard(cid: string): string {
    const item = this.items.find((i) => i.cid === cid && i.status === "failed");
    if (!item) return "";
    this.items = this.items.filter((i) => i !== item);
    this.forget(cid);
    this.changed();
    return item.text;
  }

  writing(): void {
    const now = this.t.now();
    if (!this.welcomed || now - this.lastTyped < TYPING_EVERY) return;
    this.lastTyped = now;
    this.transmit({ t: "typing" });
  }

  /** Tells whether the visitor has the transcript before his eyes. */
  watch(on: boolean): void {
    this.watching = on;
    if (this.markRead()) this.changed();
  }

  // The connection.

  private dial(): void {
    this.cancel("redial");
    this.drop();
    this.link = "connecting";
    let ws: Socket;
    try {
      ws = this.o.connect(this.o.url, "wensheng.v1");
    } catch {
      this.lost(0);
      return;
    }
    this.ws = ws;
    ws.onopen = () => {
      if (this.ws !== ws) return;
      this.transmit({
        t: "hello",
        session: this.saved.session,
        epoch: this.saved.epoch,
        seq: this.whole,
        locale: this.o.locale,
        ...(this.o.identity ? { identity: this.o.identity } : {}),
      });
    };
    ws.onmessage = (e) => {
      if (this.ws === ws) this.receive(e.data);
    };
    ws.onclose = (e) => {
      if (this.ws === ws) this.lost(e.code);
    };
    ws.onerror = () => undefined; // a close follows
    this.after("welcome", WELCOME_WITHIN, () => this.redial());
    this.changed();
  }

  /** Lets go of a connection that may be dead and makes another. */
  private redial(): void {
    this.drop();
    this.lost(0);
  }

  private drop(): void {
    const ws = this.ws;
    this.ws = null;
    this.welcomed = false;
    for (const name of ["welcome", "ping", "pong", "ack", "gap", "flush"]) this.cancel(name);
    for (const o of this.out) o.sentAt = 0;
    if (ws) {
      ws.onopen = ws.onmessage = ws.onclose = ws.onerror = null;
      try {
        ws.close(1000);
      } catch {
        // It was not open.
      }
    }
  }

  private lost(code: number): void {
    this.drop();
    this.setTyping(null);
    if (!this.wanted) {
      this.link = "idle";
    } else if (code >= 4400 && code <= 4499) {
      this.link = "stopped"; // until the visitor does something
    } else {
      this.link = "lost";
      this.after("redial", backoff(this.attempt++, this.t.random()), () => this.dial());
    }
    this.changed();
  }

  private ping(): void {
    this.transmit({ t: "ping" });
    this.after("pong", PONG_WITHIN, () => this.redial());
  }

  private transmit(frame: Record<string, unknown>): boolean {
    try {
      this.ws?.send(JSON.stringify(frame));
      return this.ws !== null;
    } catch {
      return false; // closing: onclose follows
    }
  }

  private receive(data: unknown): void {
    let f: Record<string, any>;
    try {
      f = JSON.parse(String(data));
    } catch {
      return;
    }
    this.lastHeard = this.t.now();
    this.cancel("pong");
    this.after("ping", PING_EVERY, () => this.ping());
    switch (f.t) {
      case "welcome":
        this.onWelcome(f);
        break;
      case "resync":
        this.items = this.items.filter((i) => !i.seq);
        this.seen.clear();
        this.whole = 0;
        this.saved.read = 0;
        this.save();
        break;
      case "ack":
        this.onAck(String(f.cid), String(f.id), Number(f.seq) || 0);
        break;
      case "msg":
        this.onMessage(f);
        break;
      case "state":
        this.state = f.state;
        this.position = Number(f.position) || 0;
        this.eta = Array.isArray(f.eta) && f.eta.length === 2 ? [Number(f.eta[0]), Number(f.eta[1])] : null;
        if (this.state === "closed") this.setTyping(null);
        break;
      case "typing":
        this.setTyping(f.role);
        break;
      case "error":
        this.onError(String(f.code), f.cid ? String(f.cid) : "");
        break;
      default:
        return; // pong, and what a newer server may say
    }
    this.changed();
  }

  private onWelcome(f: Record<string, any>): void {
    this.cancel("welcome");
    this.welcomed = true;
    this.attempt = 0;
    this.link = "open";
    this.conv = String(f.conv);
    this.state = f.state;
    this.position = 0;
    this.eta = null;
    this.saved.session = String(f.session);
    this.saved.epoch = String(f.epoch);
    this.saved.identified = Boolean(this.o.identity);
    this.save();
    this.lastRead = 0;
    this.flush();
  }

  private onMessage(f: Record<string, any>): void {
    const seq = Number(f.seq);
    const id = String(f.id);
    const role: Role = f.from?.role ?? "system";
    if (role !== "contact") this.setTyping(null);
    const cid = f.cid ? String(f.cid) : undefined;
    let item = this.items.find((i) => i.id === id || (cid !== undefined && i.cid === cid));
    if (!item) {
      item = { key: id, role, kind: "text", text: "", at: 0 };
      this.items.push(item);
    }
    item.id = id;
    item.seq = seq;
    item.role = role;
    item.name = f.from?.name;
    item.kind = f.kind ?? "text";
    // The label the visitor clicked says more than the option's id.
    if (item.kind !== "pick" || !item.text) item.text = this.label(item.kind, String(f.text ?? ""));
    item.options = Array.isArray(f.options) ? f.options : undefined;
    item.score = f.score;
    item.at = Date.parse(f.at) || this.t.now();
    if (role === "contact") {
      item.status = "sent";
      if (cid) this.forget(cid);
    }
    if (item.kind === "rating") {
      this.saved.rated = this.conv;
      this.save();
    }
    this.arrived(seq);
    this.markRead();
  }

  private label(kind: string, text: string): string {
    if (kind !== "pick") return text;
    for (let n = this.items.length - 1; n >= 0; n--) {
      const o = this.items[n].options?.find((o) => o.id === text);
      if (o) return o.label;
    }
    return text;
  }

  private onAck(cid: string, id: string, seq: number): void {
    this.forget(cid);
    const item = this.items.find((i) => i.cid === cid);
    if (item) {
      item.id = id;
      item.status = "sent";
      item.error = undefined;
      if (seq > 0) item.seq = seq;
    }
    if (seq > 0) this.arrived(seq);
    this.waitForAcks();
  }

  private onError(code: string, cid: string): void {
    const o = this.out.find((x) => x.cid === cid);
    if (!o) return;
    const item = this.items.find((i) => i.cid === cid);
    o.sentAt = 0;
    if (code === "rate_limited" || (code === "unavailable" && ++o.tries < MAX_TRIES)) {
      // Not the visitor's business yet: the same again, a little later.
      o.notBefore = this.t.now() + (code === "rate_limited" ? 2000 + this.t.random() * 1000 : backoff(o.tries, this.t.random()));
      this.scheduleFlush();
      this.waitForAcks();
      return;
    }
    if (item) {
      item.status = "failed";
      item.error = code;
    } else {
      this.forget(cid);
    }
    this.waitForAcks();
  }

  /** Keeps account of what is complete, so that a resume asks for the rest. */
  private arrived(seq: number): void {
    if (seq > this.whole) this.seen.add(seq);
    while (this.seen.delete(this.whole + 1)) this.whole++;
    this.items.sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || 0);
    if (this.seen.size === 0) {
      this.cancel("gap");
    } else if (!this.handles.gap) {
      this.after("gap", GAP_WITHIN, () => this.redial());
    }
  }

  private markRead(): boolean {
    if (!this.watching || !this.welcomed) return false;
    const news = this.whole > this.saved.read;
    if (news) {
      this.saved.read = this.whole;
      this.save();
    }
    if (this.whole > this.lastRead) {
      this.lastRead = this.whole;
      this.transmit({ t: "read", seq: this.whole });
    }
    return news;
  }

  private setTyping(role: Role | null): void {
    this.typing = role;
    this.cancel("typing");
    if (role) {
      this.after("typing", TYPING_SHOWN, () => {
        this.typing = null;
        this.changed();
      });
    }
  }

  // The outbox.

  private mine(cid: string, kind: string, text: string): void {
    this.items.push({ key: cid, cid, role: "contact", kind, text, at: this.t.now(), status: "pending" });
  }

  private push(cid: string, frame: Record<string, unknown>): void {
    this.out.push({ cid, frame, tries: 0, sentAt: 0, notBefore: 0 });
    this.saveOutbox();
    this.start();
    this.flush();
    this.changed();
  }

  private forget(cid: string): void {
    const before = this.out.length;
    this.out = this.out.filter((x) => x.cid !== cid);
    if (this.out.length !== before) this.saveOutbox();
  }

  private flush(): void {
    if (!this.welcomed) return;
    const now = this.t.now();
    for (const o of this.out) {
      if (o.sentAt || this.failed(o)) continue;
      // In the order they were written: what is behind waits too.
      if (o.notBefore > now) break;
      if (!this.transmit({ ...o.frame, cid: o.cid })) break;
      o.sentAt = now;
    }
    this.scheduleFlush();
    this.waitForAcks();
  }

  private failed(o: Out): boolean {
    return this.items.some((i) => i.cid === o.cid && i.status === "failed");
  }

  private scheduleFlush(): void {
    this.cancel("flush");
    const next = this.out.find((o) => !o.sentAt && !this.failed(o));
    if (next && this.welcomed) this.after("flush", Math.max(200, next.notBefore - this.t.now()), () => this.flush());
  }

  /** An ack that stays out means that the connection is dead in one direction. */
  private waitForAcks(): void {
    this.cancel("ack");
    const sent = this.out.filter((o) => o.sentAt).map((o) => o.sentAt);
    if (sent.length) this.after("ack", Math.max(0, Math.min(...sent) + ACK_WITHIN - this.t.now()), () => this.redial());
  }

  // What outlives the page.

  private key(): string {
    return "wensheng:" + this.o.account + (this.o.session ? ":given" : "");
  }

  private outKey(): string {
    return this.key() + ":out";
  }

  private load(): Saved {
    try {
      const v = JSON.parse(this.o.store.getItem(this.key()) ?? "");
      return {
        session: String(v.session ?? ""),
        epoch: String(v.epoch ?? ""),
        identified: Boolean(v.identified),
        read: Number(v.read) || 0,
        rated: String(v.rated ?? ""),
        given: String(v.given ?? ""),
      };
    } catch {
      return blank();
    }
  }

  private save(): void {
    try {
      this.o.store.setItem(this.key(), JSON.stringify(this.saved));
    } catch {
      // Private mode, or full: the chat lives as long as the page.
    }
  }

  private saveOutbox(): void {
    try {
      const rows = this.out.map((o) => {
        const item = this.items.find((i) => i.cid === o.cid);
        return { cid: o.cid, frame: o.frame, kind: item?.kind, text: item?.text, at: item?.at };
      });
      if (rows.length) this.o.outbox.setItem(this.outKey(), JSON.stringify(rows));
      else this.o.outbox.removeItem(this.outKey());
    } catch {
      // As in save.
    }
  }

  private restoreOutbox(): void {
    try {
      for (const r of JSON.parse(this.o.outbox.getItem(this.outKey()) ?? "[]")) {
        this.out.push({ cid: String(r.cid), frame: r.frame, tries: 0, sentAt: 0, notBefore: 0 });
        if (r.kind) {
          this.items.push({
            key: String(r.cid), cid: String(r.cid), role: "contact", kind: String(r.kind),
            text: String(r.text), at: Number(r.at) || this.t.now(), status: "pending",
          });
        }
      }
    } catch {
      // Somebody else's entry under our name.
    }
  }

  // Timers, one per purpose.

  private after(name: string, ms: number, fn: () => void): void {
    this.cancel(name);
    this.handles[name] = this.t.set(() => {
      delete this.handles[name];
      fn();
    }, ms);
  }

  private cancel(name: string): void {
    if (name in this.handles) {
      this.t.clear(this.handles[name]);
      delete this.handles[name];
    }
  }

  private changed(): void {
    this.o.onChange?.(this.snapshot());
  }
}

function blank(): Saved {
  return { session: "", epoch: "", identified: false, read: 0, rated: "", given: "" };
}
