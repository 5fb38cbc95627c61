// The desk: the workbench's state kept true by live events, by polling where
// an event may be lost, and by the heartbeat of the leases.

import { App as AntApp } from "antd";
import { createContext, useCallback, useContext, useEffect, useMemo, useReducer, useRef, useState, type ReactNode } from "react";
import { newCID, Problem, type Agent, type Lease } from "./api";
import { browserLive, type LiveEvent, type LiveStatus } from "./live";
import { say, t, reason } from "./locale";
import { useSession } from "./session";
import { beep } from "./sound";
import { draftKey, empty, reduce, totalUnread, type Outgoing, type State } from "./state";

export interface Desk {
  state: State;
  live: LiveStatus;
  offline: boolean;
  agents: Agent[];
  agentName: (id: string) => string;
  /** Opens a conversation: one's own, or a waiting one to look at. */
  open: (conv: string) => void;
  claim: (conv?: string) => Promise<void>;
  draft: (conv: string, note: boolean, text: string) => void;
  /** Sends, or sends again under the same cid. False: the text stays in the box. */
  send: (conv: string, text: string, note: boolean, again?: Outgoing) => Promise<boolean>;
  discard: (conv: string, cid: string) => void;
  act: (conv: string, verb: "release" | "transfer" | "hold" | "close", body?: Record<string, unknown>) => Promise<boolean>;
  typing: (conv: string) => void;
  reload: (conv: string) => void;
  loadAgents: () => void;
  /** Why an opened conversation cannot be shown. */
  failed: Record<string, string>;
}

const DeskContext = createContext<Desk | null>(null);

export function useDesk(): Desk {
  const d = useContext(DeskContext);
  if (!d) throw new Error("no desk");
  return d;
}

const pollEvery = 15_000;

export function DeskProvider({ active, children }: { active: boolean; children: ReactNode }) {
  const { api, me, setMe } = useSession();
  const { message, notification } = AntApp.useApp();
  const [state, dispatch] = useReducer(reduce, empty);
  const [live, setLive] = useState<LiveStatus>("connecting");
  const [offline, setOffline] = useState(false);
  const [agents, setAgents] = useState<Agent[]>([]);
  const [failed, setFailed] = useState<Record<string, string>>({});
  const now = useRef(state);
  now.current = state;

  // One request a conversation at a time; what changes meanwhile asks again.
  const reading = useRef(new Map<string, boolean>());
  const reload = useCallback(
    (conv: string) => {
      if (reading.current.has(conv)) {
        reading.current.set(conv, true);
        return;
      }
      reading.current.set(conv, false);
      api
        .view(conv)
        .then(
          (view) => {
            setFailed(({ [conv]: _, ...rest }) => rest);
            dispatch({ t: "view", view });
          },
          (err: unknown) => {
            if (err instanceof Problem && !err.again && !(conv in now.current.views))
              setFailed((f) => ({ ...f, [conv]: say(err) }));
          },
        )
        .finally(() => {
          const more = reading.current.get(conv);
          reading.current.delete(conv);
          if (more) reload(conv);
        });
    },
    [api],
  );

  const loadQueue = useCallback(
    () =>
      api.queue().then(
        (items) => {
          setOffline(false);
          dispatch({ t: "queue", items, now: Date.now() });
        },
        (err: unknown) => setOffline(err instanceof Problem && err.status === 0),
      ),
    [api],
  );

  const loadAgents = useCallback(() => void api.agents().then(setAgents, () => {}), [api]);

  // What one takes oneself is no news. The event may come before the answer.
  const claiming = useRef<Promise<unknown>>(Promise.resolve());
  const own = useRef(new Set<string>());

  const taken = useCallback(
    (conv: string) => {
      if (conv === now.current.active) return; // told where it is read
      notification.warning({ key: "lost-" + conv, title: t.mine.lost, description: t.mine.lostHint, duration: 8 });
    },
    [notification],
  );

  const loadLeases = useCallback(
    async (news: boolean) => {
      const before = now.current;
      const leases = await api.leases();
      for (const conv of before.order) if (!leases.some((l) => l.conv === conv)) taken(conv);
      dispatch({ t: "leases", leases });
      for (const l of leases) {
        if (!(l.conv in before.mine)) {
          if (news && !own.current.delete(l.conv)) {
            beep();
            notification.info({ key: l.conv, title: t.mine.assigned, description: (l.reason && reason(l.reason)) || l.preview });
          }
          reload(l.conv);
        }
      }
    },
    [api, notification, reload, taken],
  );

  // Live events, and everything again whenever the line comes back.
  const socket = useMemo(() => browserLive(api.ticket), [api]);
  useEffect(() => {
    if (!active) return;
    let queueTimer = 0;
    socket.onStatus = (s) => {
      setLive(s);
      if (s === "open") {
        void loadQueue();
        void loadLeases(false).catch(() => {});
        if (now.current.active) reload(now.current.active);
        for (const conv of now.current.order) reload(conv);
        loadAgents();
      }
      if (s === "closed") setMe(null);
    };
    socket.onEvent = (ev: LiveEvent) => {
      const conv = ev.conv ?? "";
      switch (ev.t) {
        case "queue":
          // A burst of changes is one question.
          if (!queueTimer)
            queueTimer = window.setTimeout(() => {
              queueTimer = 0;
              void loadQueue();
            }, 200);
          break;
        case "assigned":
          if (ev.agent === me.user.id) {
            void claiming.current.then(() => (conv in now.current.mine ? undefined : loadLeases(true))).catch(() => {});
          }
          void loadQueue();
          break;
        case "msg":
        case "state":
          if (conv in now.current.mine || conv === now.current.active) reload(conv);
          break;
        case "typing":
          if (ev.role === "contact") dispatch({ t: "typing", conv, until: Date.now() + 4000 });
          break;
        case "lost":
          if (ev.agent === me.user.id && conv in now.current.mine) void loadLeases(false).catch(() => {});
          break;
        case "presence":
          loadAgents();
          break;
      }
    };
    socket.start();
    const online = () => {
      void loadQueue();
      socket.kick();
    };
    const gone = () => setOffline(true);
    window.addEventListener("online", online);
    window.addEventListener("offline", gone);
    return () => {
      window.removeEventListener("offline", gone);
      window.removeEventListener("online", online);
      window.clearTimeout(queueTimer);
      socket.stop();
    };
  }, [active, socket, api, me.user.id, setMe, loadQueue, loadLeases, loadAgents, reload]);

  // What is open but not held is heard of only when asked for.
  useEffect(() => {
    socket.watch([...new Set([state.active, ...state.order].filter(Boolean))]);
  }, [socket, state.active, state.order]);

  // The heartbeat. A lease the server no longer knows is lost; silence is not.
  useEffect(() => {
    if (!active) return;
    const beat = async () => {
      const held = now.current.order.map((c) => now.current.mine[c]!.lease);
      if (!held.length) return;
      let still: Lease[];
      try {
        still = await api.renew(held.map((l) => l.lease));
      } catch {
        return;
      }
      for (const l of held) {
        if (now.current.mine[l.conv]?.lease.lease === l.lease && !still.some((s) => s.lease === l.lease)) {
          taken(l.conv);
          dispatch({ t: "lost", conv: l.conv });
        }
      }
    };
    const renew = window.setInterval(() => void beat(), Math.max(5, me.renew_s) * 1000);
    const poll = window.setInterval(() => void loadQueue(), pollEvery);
    return () => {
      window.clearInterval(renew);
      window.clearInterval(poll);
    };
  }, [active, api, me.renew_s, loadQueue, taken]);

  // The title's badge; a new message of a contact rings.
  const unread = totalUnread(state);
  const rang = useRef(0);
  useEffect(() => {
    document.title = (unread ? `(${unread}) ` : "") + `${t.brand} · ${t.title}`;
    if (unread > rang.current) beep();
    rang.current = unread;
  }, [unread]);

  const lastTyping = useRef(0);
  const desk = useMemo<Desk>(() => {
    const open = (conv: string) => {
      dispatch({ t: "select", conv });
      if (conv) reload(conv);
    };
    return {
      state,
      live,
      offline,
      agents,
      failed,
      agentName: (id) => (id === me.user.id ? me.user.name : (agents.find((a) => a.id === id)?.name ?? id)),
      open,
      reload,
      loadAgents,
      claim: async (conv) => {
        try {
          const asked = api.claim(conv);
          claiming.current = asked.then((l) => l && own.current.add(l.conv), () => {});
          const lease = await asked;
          if (!lease) {
            message.info(t.queue.none);
            return;
          }
          dispatch({ t: "claimed", lease });
          reload(lease.conv);
        } catch (err) {
          message.warning(say(err));
        }
        void loadQueue();
      },
      draft: (conv, note, text) => dispatch({ t: "draft", conv: draftKey(conv, note), text }),
      discard: (conv, cid) => dispatch({ t: "drop", conv, cid }),
      send: async (conv, text, note, again) => {
        const lease = now.current.mine[conv]?.lease.lease ?? "";
        const out: Outgoing = again
          ? { ...again, status: "sending" }
          : { cid: newCID(), text, note, status: "sending", at: Date.now() };
        dispatch({ t: "send", conv, out });
        for (let attempt = 0; ; attempt++) {
          try {
            if (note) await api.note(conv, out.cid, text, lease);
            else {
              const r = await api.say(conv, out.cid, text, lease);
              if (r.warnings.length) message.warning(t.chat.warn);
            }
            dispatch({ t: "sent", conv, cid: out.cid });
            reload(conv);
            return true;
          } catch (err) {
            const p = err instanceof Problem ? err : new Problem(0, "network");
            if (p.again && attempt === 0) {
              // The same cid is the same message, so asking again is safe.
              await new Promise((r) => window.setTimeout(r, 800));
              continue;
            }
            if (p.code === "lease_lost") {
              taken(conv);
              dispatch({ t: "lost", conv });
            }
            if (p.code === "blocked_wording" || p.code === "too_long" || p.code === "empty") {
              dispatch({ t: "drop", conv, cid: out.cid });
              throw p;
            }
            dispatch({ t: "unsent", conv, cid: out.cid, code: p.code });
            return true;
          }
        }
      },
      act: async (conv, verb, body = {}) => {
        const lease = now.current.mine[conv]?.lease.lease ?? "";
        try {
          await api.act(conv, verb, { lease, ...body });
        } catch (err) {
          message.error(say(err));
          if (err instanceof Problem && err.code === "lease_lost") dispatch({ t: "lost", conv });
          return false;
        }
        if (verb === "hold") reload(conv);
        else {
          own.current.delete(conv);
          dispatch({ t: "given", conv });
          const next = now.current.order.find((c) => c !== conv);
          if (next) open(next);
          void loadQueue();
        }
        return true;
      },
      typing: (conv) => {
        if (Date.now() - lastTyping.current < 3000) return;
        lastTyping.current = Date.now();
        const lease = now.current.mine[conv]?.lease.lease;
        if (lease) void api.act(conv, "typing", { lease }).catch(() => {});
      },
    };
  }, [state, live, offline, agents, failed, api, me, message, reload, loadQueue, loadAgents, taken]);

  return <DeskContext.Provider value={desk}>{children}</DeskContext.Provider>;
}
