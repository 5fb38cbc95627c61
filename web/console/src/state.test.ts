import { describe, expect, it } from "vitest";
import type { Lease, Message, QueueItem, View } from "./api";
import { empty, reduce, totalUnread, type Action, type State } from "./state";

const lease = (conv: string, token = "l-" + conv): Lease => ({ conv, lease: token, expires: "" });
const msg = (pos: number, role: Message["from"]["role"], cid?: string): Message => ({
  t: "msg", id: "m" + pos, pos, seq: pos, from: { role }, kind: "text", text: "x", at: "", ...(cid ? { cid } : {}),
});
const view = (conv: string, ...messages: Message[]): View => ({
  conversation: {
    id: conv, account: "web", channel: "web", state: "serving", group: "kf", priority: "P2", agent: "me",
    seq: 0, read_seq: 0, opened_at: "", changed_at: "", active_at: "",
  },
  contact: { account: "web", id: "v***", reveal: [] },
  handoff: null,
  messages,
});
const item = (conv: string): QueueItem => ({
  conv, account: "web", channel: "web", group: "kf", priority: "P2", reason: "human", waited_s: 1, preview: "", position: 1, signals: [], at: "",
});
const run = (s: State, ...as: Action[]) => as.reduce(reduce, s);

describe("the workbench's state", () => {
  it("moves a claimed conversation from the queue to mine and opens it", () => {
    const s = run(empty, { t: "queue", items: [item("a"), item("b")], now: 1 }, { t: "claimed", lease: lease("a") });
    expect(s.queue.map((q) => q.conv)).toEqual(["b"]);
    expect(s.order).toEqual(["a"]);
    expect(s.active).toBe("a");
  });

  it("does not show in the queue what is already mine", () => {
    const s = run(empty, { t: "claimed", lease: lease("a") }, { t: "queue", items: [item("a")], now: 1 });
    expect(s.queue).toEqual([]);
  });

  it("counts what the contact wrote while another conversation was open", () => {
    let s = run(empty, { t: "claimed", lease: lease("a") }, { t: "view", view: view("a", msg(1, "contact")) }, { t: "claimed", lease: lease("b") });
    expect(totalUnread(s)).toBe(0);
    s = run(s, { t: "view", view: view("a", msg(1, "contact"), msg(2, "agent"), msg(3, "contact"), msg(4, "contact")) });
    expect(s.mine["a"]!.unread).toBe(2);
    s = run(s, { t: "select", conv: "a" });
    expect(totalUnread(s)).toBe(0);
    s = run(s, { t: "select", conv: "b" }, { t: "view", view: view("a", msg(1, "contact"), msg(3, "contact"), msg(4, "contact")) });
    expect(totalUnread(s)).toBe(0);
  });

  it("tells a lost lease and keeps the conversation in sight", () => {
    const s = run(empty, { t: "claimed", lease: lease("a") }, { t: "view", view: view("a", msg(1, "contact")) }, { t: "leases", leases: [] });
    expect(s.mine).toEqual({});
    expect(s.lost["a"]).toBe(true);
    expect(s.active).toBe("a");
    expect(s.views["a"]).toBeDefined();
  });

  it("forgets that it was lost when it is claimed again", () => {
    const s = run(empty, { t: "claimed", lease: lease("a") }, { t: "lost", conv: "a" }, { t: "claimed", lease: lease("a", "new") });
    expect(s.lost["a"]).toBeUndefined();
    expect(s.mine["a"]!.lease.lease).toBe("new");
  });

  it("shows an outgoing message until the transcript has it, once", () => {
    const out = { cid: "1", text: "hi", note: false, status: "sending" as const, at: 1 };
    let s = run(empty, { t: "claimed", lease: lease("a") }, { t: "send", conv: "a", out });
    expect(s.outgoing["a"]).toHaveLength(1);
    s = run(s, { t: "sent", conv: "a", cid: "1" });
    expect(s.outgoing["a"]).toHaveLength(1);
    s = run(s, { t: "view", view: view("a", msg(1, "agent", "1")) });
    expect(s.outgoing["a"]).toBeUndefined();
  });

  it("sends again under the same cid without doubling the line", () => {
    const out = { cid: "1", text: "hi", note: false, status: "sending" as const, at: 1 };
    const s = run(empty, { t: "send", conv: "a", out }, { t: "unsent", conv: "a", cid: "1", code: "network" }, { t: "send", conv: "a", out });
    expect(s.outgoing["a"]).toEqual([out]);
  });

  it("keeps a draft for each conversation", () => {
    let s = run(empty, { t: "draft", conv: "a", text: "one" }, { t: "draft", conv: "b", text: "two" });
    s = run(s, { t: "select", conv: "b" }, { t: "select", conv: "a" });
    expect(s.drafts).toEqual({ a: "one", b: "two" });
    expect(run(s, { t: "draft", conv: "a", text: "" }).drafts).toEqual({ b: "two" });
  });

  it("ignores a view that is older than what it shows", () => {
    const s = run(empty, { t: "view", view: view("a", msg(1, "contact"), msg(2, "bot")) }, { t: "view", view: view("a", msg(1, "contact")) });
    expect(s.views["a"]!.messages).toHaveLength(2);
  });

  it("opens the next conversation when one is closed", () => {
    const s = run(empty, { t: "claimed", lease: lease("a") }, { t: "claimed", lease: lease("b") }, { t: "given", conv: "b" });
    expect(s.active).toBe("a");
    expect(s.views["b"]).toBeUndefined();
  });
});
