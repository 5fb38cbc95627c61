// What the workbench knows, as one reducer without effects.

import type { Lease, QueueItem, View } from "./api";

/** Outgoing is a message of ours that the transcript does not show yet. */
export interface Outgoing {
  cid: string;
  text: string;
  note: boolean;
  status: "sending" | "failed";
  /** Why it failed: a problem's code. */
  code?: string;
  at: number;
}

export interface Mine {
  lease: Lease;
  unread: number;
  /** The last position the agent has had before his eyes. */
  seen: number;
}

export interface State {
  queue: QueueItem[];
  /** When the queue was read, ms; waiting times count on from there. */
  queueAt: number;
  mine: Record<string, Mine>;
  order: string[];
  active: string;
  views: Record<string, View>;
  outgoing: Record<string, Outgoing[]>;
  drafts: Record<string, string>;
  /** Until when somebody is typing, ms. */
  typing: Record<string, number>;
  /** Conversations taken away while they were open here. */
  lost: Record<string, true>;
}

export const empty: State = {
  queue: [],
  queueAt: 0,
  mine: {},
  order: [],
  active: "",
  views: {},
  outgoing: {},
  drafts: {},
  typing: {},
  lost: {},
};

export type Action =
  | { t: "queue"; items: QueueItem[]; now: number }
  | { t: "leases"; leases: Lease[] }
  | { t: "claimed"; lease: Lease }
  | { t: "given"; conv: string }
  | { t: "lost"; conv: string }
  | { t: "view"; view: View }
  | { t: "select"; conv: string }
  | { t: "draft"; conv: string; text: string }
  | { t: "send"; conv: string; out: Outgoing }
  | { t: "sent"; conv: string; cid: string }
  | { t: "unsent"; conv: string; cid: string; code: string }
  | { t: "drop"; conv: string; cid: string }
  | { t: "typing"; conv: string; until: number };

const without = <T>(m: Record<string, T>, key: string): Record<string, T> => {
  if (!(key in m)) return m;
  const { [key]: _, ...rest } = m;
  return rest;
};

const last = (v: View | undefined) => v?.messages[v.messages.length - 1]?.pos ?? 0;

/** unread counts the contact's messages after a position. */
export const unread = (v: View, seen: number) =>
  v.messages.filter((m) => m.from.role === "contact" && m.pos > seen).length;

/** draftKey keeps a note's draft apart from a reply's. */
export const draftKey = (conv: string, note: boolean) => (note ? "note:" : "") + conv;

function hold(s: State, lease: Lease): State {
  const old = s.mine[lease.conv];
  return {
    ...s,
    queue: s.queue.filter((q) => q.conv !== lease.conv),
    mine: {
      ...s.mine,
      [lease.conv]: old
        ? { ...old, lease: { ...old.lease, ...lease } }
        : { lease, unread: lease.conv === s.active ? 0 : 1, seen: last(s.views[lease.conv]) },
    },
    order: old ? s.order : [lease.conv, ...s.order.filter((c) => c !== lease.conv)],
    lost: without(s.lost, lease.conv),
  };
}

function drop(s: State, conv: string): State {
  return { ...s, mine: without(s.mine, conv), order: s.order.filter((c) => c !== conv) };
}

export function reduce(s: State, a: Action): State {
  switch (a.t) {
    case "queue":
      return { ...s, queue: a.items.filter((q) => !(q.conv in s.mine)), queueAt: a.now };
    case "leases": {
      // The whole truth about what is held: what is missing is lost.
      const held = new Set(a.leases.map((l) => l.conv));
      let next = s;
      for (const conv of s.order) if (!held.has(conv)) next = reduce(next, { t: "lost", conv });
      for (const l of [...a.leases].reverse()) next = hold(next, l);
      return next;
    }
    case "claimed":
      return hold({ ...s, active: a.lease.conv }, a.lease);
    case "given":
      return {
        ...drop(s, a.conv),
        active: s.active === a.conv ? (s.order.find((c) => c !== a.conv) ?? "") : s.active,
        views: without(s.views, a.conv),
        drafts: without(without(s.drafts, a.conv), draftKey(a.conv, true)),
        outgoing: without(s.outgoing, a.conv),
      };
    case "lost":
      if (!(a.conv in s.mine)) return s;
      return { ...drop(s, a.conv), lost: { ...s.lost, [a.conv]: true } };
    case "view": {
      const conv = a.view.conversation.id;
      if (last(s.views[conv]) > last(a.view)) return s; // an older answer came late
      const known = new Set(a.view.messages.map((m) => m.cid).filter(Boolean));
      const mine = s.mine[conv];
      const out = (s.outgoing[conv] ?? []).filter((o) => !known.has(o.cid));
      // After a reload what came before the agents' last word counts as seen.
      const answered = a.view.messages.findLast((m) => m.from.role === "agent" && m.kind !== "note")?.pos ?? 0;
      const seen = conv === s.active ? last(a.view) : mine?.seen || answered;
      return {
        ...s,
        views: { ...s.views, [conv]: a.view },
        outgoing: out.length ? { ...s.outgoing, [conv]: out } : without(s.outgoing, conv),
        mine: mine ? { ...s.mine, [conv]: { ...mine, seen, unread: unread(a.view, seen) } } : s.mine,
        typing: without(s.typing, conv),
      };
    }
    case "select": {
      const mine = s.mine[a.conv];
      return {
        ...s,
        active: a.conv,
        lost: s.active !== a.conv ? without(s.lost, s.active) : s.lost,
        mine: mine ? { ...s.mine, [a.conv]: { ...mine, unread: 0, seen: Math.max(mine.seen, last(s.views[a.conv])) } } : s.mine,
      };
    }
    case "draft":
      return { ...s, drafts: a.text ? { ...s.drafts, [a.conv]: a.text } : without(s.drafts, a.conv) };
    case "send": {
      const others = (s.outgoing[a.conv] ?? []).filter((o) => o.cid !== a.out.cid);
      return { ...s, outgoing: { ...s.outgoing, [a.conv]: [...others, a.out] } };
    }
    case "sent":
      return s; // it leaves when the transcript shows it
    case "unsent":
      return {
        ...s,
        outgoing: {
          ...s.outgoing,
          [a.conv]: (s.outgoing[a.conv] ?? []).map((o) => (o.cid === a.cid ? { ...o, status: "failed", code: a.code } : o)),
        },
      };
    case "drop":
      return { ...s, outgoing: { ...s.outgoing, [a.conv]: (s.outgoing[a.conv] ?? []).filter((o) => o.cid !== a.cid) } };
    case "typing":
      return { ...s, typing: { ...s.typing, [a.conv]: a.until } };
  }
}

/** totalUnread is what the title's badge shows. */
export const totalUnread = (s: State) => Object.values(s.mine).reduce((n, m) => n + m.unread, 0);
