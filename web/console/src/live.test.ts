import { describe, expect, it } from "vitest";
import { backoff, final, Live, type LiveEvent, type Socket } from "./live";

class Fake implements Socket {
  sent: string[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((ev: { data: unknown }) => void) | null = null;
  onclose: ((ev: { code: number }) => void) | null = null;
  send(d: string) {
    this.sent.push(d);
  }
  close() {
    this.closed = true;
  }
}

function rig() {
  const sockets: Fake[] = [];
  const timers: { fn: () => void; ms: number }[] = [];
  const status: string[] = [];
  const events: LiveEvent[] = [];
  const live = new Live({
    ticket: async () => "t" + sockets.length,
    open: () => {
      const s = new Fake();
      sockets.push(s);
      return s;
    },
    later: (fn, ms) => timers.push({ fn, ms }),
    cancel: () => {},
    random: () => 0.5,
  });
  live.onStatus = (s) => status.push(s);
  live.onEvent = (e) => events.push(e);
  const settle = async () => {
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  return { live, sockets, timers, status, events, settle };
}

describe("Live", () => {
  it("passes events on and ignores what it cannot read", async () => {
    const r = rig();
    r.live.start();
    await r.settle();
    r.sockets[0]!.onopen?.();
    r.sockets[0]!.onmessage?.({ data: "{" });
    r.sockets[0]!.onmessage?.({ data: '{"t":"queue"}' });
    expect(r.events).toEqual([{ t: "queue" }]);
    expect(r.status).toEqual(["connecting", "open"]);
  });

  it("comes back after a drain and watches the same conversations", async () => {
    const r = rig();
    r.live.start();
    await r.settle();
    r.sockets[0]!.onopen?.();
    r.live.watch(["c1"]);
    r.sockets[0]!.onclose?.({ code: 4000 });
    expect(r.timers).toHaveLength(1);
    r.timers[0]!.fn();
    await r.settle();
    r.sockets[1]!.onopen?.();
    expect(r.sockets[1]!.sent).toEqual(['{"t":"watch","convs":["c1"]}']);
  });

  it("stays away after a final code", async () => {
    const r = rig();
    r.live.start();
    await r.settle();
    r.sockets[0]!.onopen?.();
    r.sockets[0]!.onclose?.({ code: 4401 });
    expect(r.timers).toHaveLength(0);
    expect(r.status.at(-1)).toBe("closed");
  });

  it("waits longer and longer, with jitter, up to 30 s", () => {
    expect(backoff(0, () => 0)).toBe(500);
    expect(backoff(0, () => 1)).toBe(1000);
    expect(backoff(50, () => 1)).toBe(30_000);
    expect(backoff(50, () => 0)).toBe(500);
  });

  it("knows the final codes", () => {
    expect([4000, 4099, 1006, 4400, 4499, 4500].map(final)).toEqual([false, false, false, true, true, false]);
  });
});
