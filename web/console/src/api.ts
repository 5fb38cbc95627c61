// The agent API, as openapi.yaml has it. One client for the whole console.

export type Role = "agent" | "supervisor" | "compliance" | "editor" | "admin";
export type ConvState = "bot" | "waiting" | "serving" | "on_hold" | "closed";
export type Status = "online" | "busy" | "away" | "offline";
export type Delivery = "pending" | "sent" | "failed" | "unknown";

export interface User {
  id: string;
  login: string;
  name: string;
  roles: Role[];
  groups: string[];
  capacity: number;
  disabled?: boolean;
}

export interface Me {
  user: User;
  csrf: string;
  expires: string;
  presence: { status: Status; capacity: number; load: number };
  version: string;
  renew_s: number;
}

export interface QueueItem {
  conv: string;
  account: string;
  channel: string;
  group: string;
  priority: string;
  reason: string;
  waited_s: number;
  preview: string;
  position: number;
  receipt?: string;
  signals: string[];
  at: string;
}

export interface Lease {
  conv: string;
  lease: string;
  expires: string;
  group?: string;
  auto?: boolean;
  account?: string;
  channel?: string;
  priority?: string;
  reason?: string;
  preview?: string;
}

export interface Message {
  t: "msg";
  id: string;
  seq?: number;
  pos: number;
  from: { role: "contact" | "bot" | "agent" | "system"; name?: string };
  kind: string;
  text: string;
  options?: { id: string; label: string }[];
  at: string;
  delivery?: Delivery;
  delivery_note?: string;
  agent?: string;
  cid?: string;
  hidden?: boolean;
  event?: string;
  event_key?: string;
  score?: number;
  media?: { type: string; size: number; kept: boolean; ref?: string };
  evidence?: Record<string, unknown>;
  masked?: boolean;
}

export interface Conversation {
  id: string;
  account: string;
  channel: string;
  state: ConvState;
  group: string;
  priority: string;
  agent: string;
  last_group?: string;
  last_agent?: string;
  seq: number;
  read_seq: number;
  opened_at: string;
  changed_at: string;
  active_at: string;
  score?: number;
  archived?: boolean;
  lease?: string;
}

export interface Handoff {
  reason: string;
  intent: string;
  topic: string;
  candidates: { topic: string; title?: string; confidence: number }[];
  entities: { kind: string; value: string }[];
  signals: string[];
  summary: string;
  group?: string;
  priority?: string;
  receipt?: string;
  at?: string;
  /** What a form has taken down already, masked, in the form's order. */
  form?: { id: string; title: string; slots: { label: string; value: string }[] };
}

/** ReplyWindow is what the vendor still takes; without until no window is known to be open. */
export interface ReplyWindow {
  left: number;
  until?: string;
}

export interface View {
  reply_window?: ReplyWindow;
  conversation: Conversation;
  contact: { account: string; id: string; name?: string; subject?: string; reveal: string[] };
  handoff: Handoff | null;
  messages: Message[];
}

export interface Agent {
  id: string;
  name: string;
  status: Status;
  groups: string[];
  capacity: number;
  load: number;
  seen: string;
}

export interface Group {
  id: string;
  name: string;
  auto: boolean;
  open: boolean;
  mine: boolean;
}

export interface AuditLine {
  id: number;
  at: string;
  user: string;
  action: string;
  object: string;
  detail: string;
  ip: string;
}

export interface Readiness {
  ready: boolean;
  redis: { ok: boolean; mode?: string };
}

/** Problem is an RFC 9457 answer; code "network" means that none came. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail = "",
    readonly retryAfter = 0,
    readonly wording = "",
    readonly phrase = "",
    /** The whole problem document, for what belongs to one code only. */
    readonly body: Record<string, unknown> = {},
  ) {
    super(code);
  }
  /** Worth another try with the same cid: nothing is certain. */
  get again(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Extra is what few requests need: headers, a file for a body, more time. */
export interface Extra {
  headers?: Record<string, string>;
  file?: Blob;
  /** Milliseconds to wait for the answer; 15 seconds when absent. */
  timeout?: number;
}

type Fetch = (input: string, init: RequestInit) => Promise<Response>;

export class Api {
  csrf = "";
  /** Called when the session is over. */
  onGone: () => void = () => {};

  constructor(private readonly fetcher: Fetch = (u, i) => fetch(u, i)) {}

  async call<T>(method: string, path: string, body?: unknown, extra: Extra = {}): Promise<T> {
    const res = await this.ask(method, path, body, extra);
    if (res.status === 204) return undefined as T;
    try {
      return (await res.json()) as T;
    } catch {
      throw new Problem(0, "network");
    }
  }

  /** ask returns a good answer, its body unread; any other is a Problem. */
  private async ask(method: string, path: string, body?: unknown, extra: Extra = {}): Promise<Response> {
    const headers: Record<string, string> = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (extra.file) headers["Content-Type"] = extra.file.type;
    Object.assign(headers, extra.headers);
    if (method !== "GET") headers["X-CSRF-Token"] = this.csrf;
    let res: Response;
    try {
      res = await this.fetcher("/api/v1" + path, {
        method,
        headers,
        credentials: "same-origin",
        cache: "no-store",
        signal: AbortSignal.timeout(extra.timeout ?? 15_000),
        ...(extra.file ? { body: extra.file } : body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch {
      throw new Problem(0, "network");
    }
    if (res.ok) return res;
    let p: { code?: string; detail?: string; class?: string; phrase?: string } & Record<string, unknown>;
    try {
      p = (await res.json()) as typeof p;
    } catch {
      throw new Problem(res.status, "http_" + res.status);
    }
    if (res.status === 401 && path !== "/login") this.onGone();
    throw new Problem(
      res.status,
      p.code ?? "http_" + res.status,
      p.detail,
      Number(res.headers.get("Retry-After") ?? 0),
      p.class,
      p.phrase,
      p,
    );
  }

  async login(login: string, password: string): Promise<Me> {
    const r = await this.call<{ csrf: string }>("POST", "/login", { login, password });
    this.csrf = r.csrf;
    return this.me();
  }
  async me(): Promise<Me> {
    const me = await this.call<Me>("GET", "/me");
    this.csrf = me.csrf;
    return me;
  }
  logout = () => this.call("POST", "/logout");
  presence = (status: Status, capacity: number) => this.call("PUT", "/me/presence", { status, capacity });
  async password(old: string, next: string) {
    const r = await this.call<{ csrf: string }>("PUT", "/me/password", { old, new: next });
    this.csrf = r.csrf;
  }

  queue = async () => (await this.call<{ items: QueueItem[] }>("GET", "/queue")).items;
  /** Undefined when nothing is waiting. */
  claim = (conv?: string) => this.call<Lease | undefined>("POST", "/queue/claim", conv ? { conv } : {});
  leases = async () => (await this.call<{ items: Lease[] }>("GET", "/leases")).items;
  renew = async (leases: string[]) => (await this.call<{ held: Lease[] }>("POST", "/leases/renew", { leases })).held;

  /** A file to keep, with the name the server gives it. */
  async file(path: string): Promise<{ blob: Blob; name: string }> {
    const res = await this.ask("GET", path, undefined, { timeout: 60_000 });
    try {
      return { blob: await res.blob(), name: /filename="?([^";]+)/.exec(res.headers.get("Content-Disposition") ?? "")?.[1] ?? "" };
    } catch {
      throw new Problem(0, "network");
    }
  }
  /** A file the contact sent. Its type is the server's word, which only lets harmless ones be shown. */
  async media(conv: string, ref: string): Promise<Blob> {
    const res = await this.ask("GET", `/conversations/${conv}/media/${ref}`);
    try {
      return await res.blob();
    } catch {
      throw new Problem(0, "network");
    }
  }
  view = (conv: string) => this.call<View>("GET", "/conversations/" + conv);
  list = async (state: ConvState) =>
    (await this.call<{ items: Conversation[] }>("GET", "/conversations?limit=200&state=" + state)).items;
  say = (conv: string, cid: string, text: string, lease: string) =>
    this.call<{ id: string; seq: number; warnings: string[] }>("POST", `/conversations/${conv}/messages`, { cid, text, lease });
  note = (conv: string, cid: string, text: string, lease: string) =>
    this.call("POST", `/conversations/${conv}/notes`, { cid, text, lease });
  act = (conv: string, verb: "release" | "transfer" | "hold" | "close" | "typing", body: { lease: string } & Record<string, unknown>) =>
    this.call("POST", `/conversations/${conv}/${verb}`, body);
  reveal = async (conv: string, field: string, reason: string) =>
    (await this.call<{ value: string }>("POST", `/conversations/${conv}/reveal`, { field, reason })).value;

  ticket = async () => (await this.call<{ ticket: string }>("POST", "/ws/ticket")).ticket;
  agents = async () => (await this.call<{ items: Agent[] }>("GET", "/agents")).items;
  groups = async () => (await this.call<{ items: Group[] }>("GET", "/groups")).items;
  users = async () => (await this.call<{ items: User[] }>("GET", "/users")).items;
  createUser = (u: Record<string, unknown>) => this.call<User>("POST", "/users", u);
  patchUser = (id: string, u: Record<string, unknown>) => this.call<User>("PATCH", "/users/" + encodeURIComponent(id), u);
  audit = async (q: { object?: string; user?: string; before?: number }) => {
    const p = new URLSearchParams({ limit: "100" });
    if (q.object) p.set("object", q.object);
    if (q.user) p.set("user", q.user);
    if (q.before) p.set("before", String(q.before));
    return (await this.call<{ items: AuditLine[] }>("GET", "/audit?" + p)).items;
  };
}

/** newCID is the sender's own id of a message; the same one again is the same message. */
export const newCID = () => crypto.getRandomValues(new Uint8Array(12)).reduce((s, b) => s + b.toString(16).padStart(2, "0"), "");
