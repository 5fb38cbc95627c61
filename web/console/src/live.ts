// Live events: a ticket, a socket, and coming back with full jitter. An event
// only says that something changed; the caller reads it through the API.

export interface LiveEvent {
  t: "hello" | "queue" | "assigned" | "msg" | "state" | "presence" | "lost" | "typing";
  conv?: string;
  group?: string;
  agent?: string;
  pos?: number;
  state?: string;
  role?: string;
}

export interface Socket {
  send(data: string): void;
  close(): void;
  onopen: (() => void) | null;
  onmessage: ((ev: { data: unknown }) => void) | null;
  onclose: ((ev: { code: number }) => void) | null;
}

export interface LiveDeps {
  ticket: () => Promise<string>;
  open: (ticket: string) => Socket;
  later: (fn: () => void, ms: number) => unknown;
  cancel: (handle: unknown) => void;
  random: () => number;
}

export type LiveStatus = "connecting" | "open" | "closed";

/** backoff is full jitter: anything between 0.5 s and a bound that doubles to 30 s. */
export const backoff = (attempt: number, random: () => number) =>
  500 + random() * (Math.min(30_000, 1000 * 2 ** Math.min(attempt, 5)) - 500);

/** final says whether a close code means: do not come back. */
export const final = (code: number) => code >= 4400 && code <= 4499;

export class Live {
  onEvent: (ev: LiveEvent) => void = () => {};
  onStatus: (s: LiveStatus) => void = () => {};
  private ws: Socket | null = null;
  private attempt = 0;
  private timer: unknown = null;
  private stopped = true;
  private watched: string[] = [];

  constructor(private readonly d: LiveDeps) {}

  start() {
    this.stopped = false;
    void this.connect();
  }

  stop() {
    this.stopped = true;
    if (this.timer !== null) this.d.cancel(this.timer);
    this.timer = null;
    const ws = this.ws;
    this.ws = null;
    ws?.close();
  }

  /** watch names conversations to hear of besides those held. */
  watch(convs: string[]) {
    this.watched = convs.slice(0, 64);
    if (this.ws) this.ws.send(JSON.stringify({ t: "watch", convs: this.watched }));
  }

  /** kick comes back at once, when the browser says that it is online again. */
  kick() {
    if (this.stopped || this.ws || this.timer === null) return;
    this.d.cancel(this.timer);
    this.timer = null;
    void this.connect();
  }

  private async connect() {
    this.timer = null;
    this.onStatus("connecting");
    let ticket: string;
    try {
      ticket = await this.d.ticket();
    } catch {
      this.retry();
      return;
    }
    if (this.stopped) return;
    const ws = this.d.open(ticket);
    let opened = false;
    ws.onopen = () => {
      if (this.stopped) return ws.close();
      opened = true;
      this.ws = ws;
      this.attempt = 0;
      this.onStatus("open");
      if (this.watched.length) ws.send(JSON.stringify({ t: "watch", convs: this.watched }));
    };
    ws.onmessage = (ev) => {
      try {
        this.onEvent(JSON.parse(String(ev.data)) as LiveEvent);
      } catch {
        // not ours; the next poll tells the truth anyway
      }
    };
    ws.onclose = (ev) => {
      if (opened && this.ws !== ws) return;
      this.ws = null;
      if (this.stopped) return;
      if (final(ev.code)) {
        this.stopped = true;
        this.onStatus("closed");
        return;
      }
      this.retry();
    };
  }

  private retry() {
    if (this.stopped) return;
    this.onStatus("connecting");
    this.timer = this.d.later(() => void this.connect(), backoff(this.attempt++, this.d.random));
  }
}

/** browserLive is Live over the browser's own socket and timers. */
export const browserLive = (ticket: () => Promise<string>) =>
  new Live({
    ticket,
    open: (t) =>
      new WebSocket(
        `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/ws?ticket=${encodeURIComponent(t)}`,
      ) as unknown as Socket,
    later: (fn, ms) => window.setTimeout(fn, ms),
    cancel: (h) => window.clearTimeout(h as number),
    random: Math.random,
  });
