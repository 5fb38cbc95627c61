import { beforeEach, describe, expect, test } from "vitest";
import { backoff, Client, type ClientOptions, type Snapshot, type Socket, type Store } from "../src/client";

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((e: { data: unknown }) => void) | null = null;
  onclose: ((e: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  sent: Record<string, any>[] = [];
  open = false;
  send(data: string) {
    if (!this.open) throw new Error("not open");
    this.sent.push(JSON.parse(data));
  }
  close() {
    this.open = false;
  }
  // The server's side.
  accept() {
    this.open = true;
    this.onopen?.();
  }
  say(f: Record<string, unknown>) {
    this.onmessage?.({ data: JSON.stringify(f) });
  }
  fall(code = 1006) {
    this.open = false;
    this.onclose?.({ code });
  }
  last(t: string) {
    return this.sent.filter((f) => f.t === t).at(-1);
  }
  all(t: string) {
    return this.sent.filter((f) => f.t === t);
  }
}

class Memory implements Store {
  m = new Map<string, string>();
  getItem = (k: string) => this.m.get(k) ?? null;
  setItem = (k: string, v: string) => void this.m.set(k, v);
  removeItem = (k: string) => void this.m.delete(k);
}

class Clock {
  t = 1_000_000;
  private next = 1;
  private due = new Map<number, { at: number; fn: () => void }>();
  now = () => this.t;
  random = () => 0.5;
  set = (fn: () => void, ms: number) => {
    this.due.set(this.next, { at: this.t + ms, fn });
    return this.next++;
  };
  clear = (h: unknown) => void this.due.delete(h as number);
  pass(ms: number) {
    const end = this.t + ms;
    for (;;) {
      const first = [...this.due].filter(([, d]) => d.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!first) break;
      this.due.delete(first[0]);
      this.t = Math.max(this.t, first[1].at);
      first[1].fn();
    }
    this.t = end;
  }
}

let sockets: FakeSocket[], clock: Clock, store: Memory, outbox: Memory, snap: Snapshot, ids: number;

beforeEach(() => {
  sockets = [];
  clock = new Clock();
  store = new Memory();
  outbox = new Memory();
  ids = 0;
});

const make = (o: Partial<ClientOptions> = {}) =>
  new Client({
    url: "ws://x/", account: "web", locale: "zh-CN", store, outbox, timers: clock,
    newID: () => "c" + ++ids,
    connect: () => {
      const s = new FakeSocket();
      sockets.push(s);
      return s;
    },
    onChange: (s) => (snap = s),
    ...o,
  });

const socket = () => sockets.at(-1)!;
const welcome = (o: Record<string, unknown> = {}) =>
  socket().say({ t: "welcome", session: "S", conv: "C", epoch: "E", seq: 0, state: "bot", ...o });
const msg = (seq: number, role = "bot", more: Record<string, unknown> = {}) =>
  socket().say({ t: "msg", id: "m" + seq, seq, from: { role }, text: "text " + seq, at: "2026-11-21T01:00:00Z", ...more });
const enter = (c: Client) => {
  c.start();
  socket().accept();
  welcome();
};
const texts = () => snap.items.map((i) => i.text);

describe("sending", () => {
  test("a message is sent only after the ack, and keeps its place", () => {
    const c = make();
    enter(c);
    expect(c.say("  提前还款  ")).toBe(true);
    expect(socket().last("msg")).toEqual({ t: "msg", cid: "c1", text: "提前还款" });
    expect(snap.items[0].status).toBe("pending");
    socket().say({ t: "ack", cid: "c1", id: "m1", seq: 1 });
    expect(snap.items[0]).toMatchObject({ status: "sent", seq: 1, id: "m1" });
    msg(2);
    expect(texts()).toEqual(["提前还款", "text 2"]);
  });

  test("what was not acked goes out again with the same cid", () => {
    const c = make();
    enter(c);
    c.say("one");
    c.say("two");
    socket().say({ t: "ack", cid: "c1", id: "m1", seq: 1 });
    socket().fall();
    c.say("three");
    clock.pass(30_000);
    socket().accept();
    expect(socket().last("hello")).toMatchObject({ session: "S", epoch: "E", seq: 1 });
    expect(socket().all("msg")).toEqual([]); // not before the welcome
    welcome({ seq: 1 });
    expect(socket().all("msg").map((f) => [f.cid, f.text])).toEqual([["c2", "two"], ["c3", "three"]]);
  });

  test("a message that had arrived although its ack was lost is not shown twice", () => {
    const c = make();
    enter(c);
    c.say("one");
    socket().fall();
    clock.pass(30_000);
    socket().accept();
    welcome({ seq: 1 });
    msg(1, "contact", { text: "one", cid: "c1" });
    socket().say({ t: "ack", cid: "c1", id: "m1", seq: 1 });
    expect(texts()).toEqual(["one"]);
    expect(snap.items[0].status).toBe("sent");
    socket().fall();
    clock.pass(30_000);
    socket().accept();
    welcome({ seq: 1 });
    expect(socket().all("msg")).toEqual([]);
  });

  test("a missing ack means a dead connection", () => {
    const c = make();
    enter(c);
    c.say("one");
    const dead = socket();
    clock.pass(16_000);
    clock.pass(30_000);
    expect(socket()).not.toBe(dead);
    expect(dead.open).toBe(false);
  });

  test("refused for good is failed and can be edited; busy is tried again first", () => {
    const c = make();
    enter(c);
    c.say("one");
    socket().say({ t: "error", code: "too_long", cid: "c1" });
    expect(snap.items[0]).toMatchObject({ status: "failed", error: "too_long" });
    expect(c.discard("c1")).toBe("one");
    expect(snap.items).toEqual([]);
    c.say("two");
    for (let i = 0; i < 5; i++) {
      socket().say({ t: "error", code: "unavailable", cid: "c2" });
      expect(snap.items[0].status).toBe("pending");
      const before = socket().all("msg").length;
      while (socket().all("msg").length === before) clock.pass(500);
      expect(socket().last("msg")).toEqual({ t: "msg", cid: "c2", text: "two" });
    }
    expect(sockets.length).toBe(1);
    socket().say({ t: "error", code: "unavailable", cid: "c2" });
    expect(snap.items[0].status).toBe("failed");
    const before = socket().all("msg").length;
    c.retry("c2");
    expect(socket().all("msg").slice(before)).toEqual([{ t: "msg", cid: "c2", text: "two" }]);
  });

  test("a limited rate delays and keeps the order", () => {
    const c = make();
    enter(c);
    c.say("one");
    socket().say({ t: "error", code: "rate_limited", cid: "c1" });
    c.say("two");
    expect(socket().all("msg").length).toBe(1);
    clock.pass(4000);
    expect(socket().all("msg").map((f) => f.cid)).toEqual(["c1", "c1", "c2"]);
  });

  test("2,000 characters are sent, 2,001 are not", () => {
    const c = make();
    enter(c);
    expect(c.say("𠮷".repeat(2000))).toBe(true);
    expect(c.say("𠮷".repeat(2001))).toBe(false);
    expect(c.say("   ")).toBe(false);
  });

  test("a choice shows its label", () => {
    const c = make();
    enter(c);
    msg(1, "bot", { options: [{ id: "human", label: "转人工" }] });
    c.pick({ id: "human", label: "转人工" });
    expect(socket().last("pick")).toEqual({ t: "pick", cid: "c1", id: "human" });
    msg(2, "contact", { kind: "pick", text: "human", cid: "c1" });
    expect(texts()).toEqual(["text 1", "转人工"]);
    msg(3, "contact", { kind: "pick", text: "human" }); // from another tab
    expect(texts()[2]).toBe("转人工");
  });
});

describe("the transcript", () => {
  test("survives a reload: the next page asks for all of it", () => {
    enter(make());
    msg(1);
    msg(2);
    const c = make();
    expect(c.known).toBe(true);
    c.start();
    socket().accept();
    expect(socket().last("hello")).toMatchObject({ session: "S", epoch: "E", seq: 0 });
    expect(JSON.stringify([...store.m])).not.toContain("text 1");
  });

  test("unsent words survive a reload in the tab", () => {
    const a = make();
    enter(a);
    a.say("one");
    const c = make();
    c.start();
    socket().accept();
    welcome();
    expect(socket().all("msg")).toEqual([{ t: "msg", cid: "c1", text: "one" }]);
    socket().say({ t: "ack", cid: "c1", id: "m1", seq: 1 });
    expect(outbox.m.size).toBe(0);
  });

  test("is ordered and complete whatever comes first", () => {
    const c = make();
    enter(c);
    c.say("mine");
    socket().say({ t: "ack", cid: "c1", id: "m3", seq: 3 });
    msg(1);
    msg(2);
    msg(2);
    expect(texts()).toEqual(["text 1", "text 2", "mine"]);
    socket().fall();
    clock.pass(30_000);
    socket().accept();
    expect(socket().last("hello")!.seq).toBe(3);
  });

  test("a gap that stays is asked for again", () => {
    enter(make());
    msg(1);
    msg(3);
    clock.pass(5_000);
    clock.pass(30_000);
    socket().accept();
    expect(socket().last("hello")!.seq).toBe(1);
  });

  test("resync starts again from seq 1 and keeps what is not sent", () => {
    const c = make();
    enter(c);
    msg(1);
    msg(2);
    c.say("mine");
    socket().say({ t: "resync" });
    welcome({ conv: "D", epoch: "F" });
    expect(texts()).toEqual(["mine"]);
    socket().say({ t: "ack", cid: "c1", id: "n1", seq: 1 });
    msg(2);
    expect(texts()).toEqual(["mine", "text 2"]);
  });

  test("counts what was not read", () => {
    const c = make();
    enter(c);
    msg(1);
    msg(2, "agent");
    expect(snap.unread).toBe(2);
    c.watch(true);
    expect(snap.unread).toBe(0);
    expect(socket().last("read")).toEqual({ t: "read", seq: 2 });
    c.watch(false);
    msg(3);
    expect(snap.unread).toBe(1);
  });
});

describe("the connection", () => {
  test("comes back with jitter between half a second and thirty", () => {
    expect(backoff(0, 0)).toBe(500);
    expect(backoff(0, 1)).toBe(1000);
    expect(backoff(50, 1)).toBe(30_000);
    expect(backoff(50, 0)).toBe(500);
  });

  test("4000 means come back, 4400 means stay away until the visitor acts", () => {
    const c = make();
    enter(c);
    socket().fall(4000);
    expect(snap.link).toBe("lost");
    clock.pass(1_000);
    expect(sockets.length).toBe(2);
    socket().accept();
    socket().fall(4413);
    expect(snap.link).toBe("stopped");
    clock.pass(120_000);
    expect(sockets.length).toBe(2);
    c.say("hello?");
    expect(sockets.length).toBe(3);
  });

  test("silence is asked about, and no answer is a lost connection", () => {
    enter(make());
    const first = socket();
    clock.pass(25_000);
    expect(first.last("ping")).toBeTruthy();
    first.say({ t: "pong" });
    clock.pass(20_000);
    expect(snap.link).toBe("open");
    clock.pass(20_000);
    expect(socket()).not.toBe(first);
  });

  test("a server that never welcomes is left", () => {
    make().start();
    socket().accept();
    const first = socket();
    clock.pass(15_000);
    clock.pass(30_000);
    expect(socket()).not.toBe(first);
  });

  test("nudge does not wait", () => {
    const c = make();
    enter(c);
    for (let i = 0; i < 6; i++) {
      socket().fall();
      clock.pass(30_000);
    }
    socket().fall();
    const n = sockets.length;
    c.nudge();
    expect(sockets.length).toBe(n + 1);
  });

  test("stop leaves no timer and no socket", () => {
    const c = make();
    enter(c);
    c.say("one");
    c.stop();
    const n = sockets.length;
    clock.pass(300_000);
    expect(sockets.length).toBe(n);
    expect(snap.link).toBe("idle");
  });

  test("who has logged out leaves nothing to the next one", () => {
    enter(make({ identity: "jwt" }));
    expect(socket().last("hello")!.identity).toBe("jwt");
    make().start();
    socket().accept();
    expect(socket().last("hello")!.session).toBe("");
  });

  test("rubbish from the server is ignored", () => {
    enter(make());
    socket().onmessage?.({ data: "{" });
    socket().say({ t: "tomorrow" });
    socket().say({ t: "error", code: "bad_frame" });
    expect(snap.link).toBe("open");
  });
});

describe("state", () => {
  test("place in the queue, typing, rating", () => {
    const c = make();
    enter(c);
    socket().say({ t: "state", state: "waiting", position: 3, eta: [180, 300] });
    expect(snap).toMatchObject({ state: "waiting", position: 3, eta: [180, 300] });
    socket().say({ t: "typing", role: "agent" });
    expect(snap.typing).toBe("agent");
    clock.pass(6_000);
    expect(snap.typing).toBe(null);
    socket().say({ t: "state", state: "closed" });
    expect(snap.rated).toBe(false);
    c.rate(5, "好");
    expect(socket().last("rate")).toEqual({ t: "rate", cid: "c1", score: 5, comment: "好" });
    expect(snap.rated).toBe(true);
    c.writing();
    c.writing();
    expect(socket().all("typing").length).toBe(1);
  });
});

describe("a session the page brings", () => {
  test("goes on there, and leaves this browser's own chat alone", () => {
    enter(make());
    const own = store.getItem("wensheng:web");
    const c = make({ session: "INVITED" });
    expect(c.known).toBe(true);
    c.start();
    socket().accept();
    expect(socket().last("hello")).toMatchObject({ session: "INVITED", epoch: "", seq: 0 });
    welcome({ session: "NEXT", conv: "D", epoch: "F" });
    expect(store.getItem("wensheng:web")).toBe(own);

    // Loaded again: the same page, so the newest token of it.
    const again = make({ session: "INVITED" });
    again.start();
    socket().accept();
    expect(socket().last("hello")).toMatchObject({ session: "NEXT", epoch: "F" });
  });

  test("another invitation in the same tab gets nothing of the first", () => {
    const c = make({ session: "ONE" });
    c.start(); // no welcome: what is written stays in the outbox
    c.say("不要给别人看");
    c.stop();
    const other = make({ session: "TWO" });
    other.start();
    socket().accept();
    expect(socket().last("hello")).toMatchObject({ session: "TWO" });
    welcome({ session: "S2" });
    expect(socket().all("msg")).toEqual([]);
    expect(other.snapshot().items).toEqual([]);
  });
});
