import { App as AntApp } from "antd";
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { Problem } from "../api";
import { say } from "../locale";
import { k } from "../locale/kb";
import { leaving, useSession } from "../session";
import { CURRENT, Kb, type Finding, type Overview, type Run, type Version } from "./api";
import { readRoute, writeRoute, type Route } from "./logic";

/** sayKb words a failure, the knowledge section's own codes first. */
export const sayKb = (err: unknown) => (err instanceof Problem ? k.error[err.code] : undefined) ?? say(err);

/** rowsOf are the rows of a file that a refusal finds fault with. */
export const rowsOf = (err: unknown): Finding[] =>
  err instanceof Problem && Array.isArray(err.body["problems"]) ? (err.body["problems"] as Finding[]) : [];

export interface Section {
  kb: Kb;
  overview: Overview | null;
  versions: Version[];
  /** The version looked at; undefined for what is in force. */
  version: Version | undefined;
  route: Route;
  go: (to: Partial<Route>) => void;
  /** Reads overview and versions again. */
  refresh: () => Promise<void>;
  /** Shows a failure and returns undefined, or the value. */
  attempt: <T>(p: Promise<T>, done?: string) => Promise<T | undefined>;
  /** Set while something is not saved: leaving asks first. */
  guard: (dirty: boolean) => void;
  person: (id: string) => string;
}

const Context = createContext<Section | null>(null);

export function useKb(): Section {
  const s = useContext(Context);
  if (!s) throw new Error("outside the knowledge section");
  return s;
}

export function KbProvider({ children }: { children: ReactNode }) {
  const { api, me } = useSession();
  const { message, modal } = AntApp.useApp();
  const kb = useMemo(() => new Kb(api), [api]);
  const [overview, setOverview] = useState<Overview | null>(null);
  const [versions, setVersions] = useState<Version[]>([]);
  const [route, setRoute] = useState(() => readRoute(location.pathname, location.search));
  const dirty = useRef(false);
  const at = useRef(route);
  at.current = route;

  const attempt = useCallback(
    async <T,>(p: Promise<T>, done?: string) => {
      try {
        const v = await p;
        if (done) message.success(done);
        return v;
      } catch (err) {
        message.error(sayKb(err));
        return undefined;
      }
    },
    [message],
  );

  const refresh = useCallback(async () => {
    const [o, vs] = await Promise.all([kb.overview(), kb.versions()]).catch((err: unknown) => {
      message.error(sayKb(err));
      return [null, null] as const;
    });
    if (o) setOverview(o);
    if (vs) setVersions(vs);
  }, [kb, message]);

  // Others work on the same versions: every page begins with what is so now.
  useEffect(() => {
    void refresh();
  }, [refresh, route.tab, route.id]);

  const leave = useCallback(
    (then: () => void) => {
      if (!dirty.current) return then();
      modal.confirm({
        title: k.unsaved,
        okText: k.leave,
        cancelText: k.stay,
        onOk: () => {
          dirty.current = false;
          then();
        },
      });
    },
    [modal],
  );

  const go = useCallback(
    (to: Partial<Route>) => {
      const next = { ...at.current, id: "", ...to };
      leave(() => {
        history.pushState(null, "", writeRoute(next));
        setRoute(next);
      });
    },
    [leave],
  );

  useEffect(() => {
    const back = () => {
      const inside = location.pathname.startsWith("/console/kb");
      if (!dirty.current) {
        if (inside) setRoute(readRoute(location.pathname, location.search));
        return;
      }
      // The address has changed already: it is put back until the person decides.
      const next = location.href;
      history.pushState(null, "", writeRoute(at.current));
      leave(() => {
        history.pushState(null, "", next);
        window.dispatchEvent(new PopStateEvent("popstate"));
      });
    };
    leaving.ask = leave;
    const unload = (ev: BeforeUnloadEvent) => {
      if (dirty.current) ev.preventDefault();
    };
    window.addEventListener("popstate", back);
    window.addEventListener("beforeunload", unload);
    return () => {
      window.removeEventListener("popstate", back);
      window.removeEventListener("beforeunload", unload);
      leaving.ask = null;
    };
  }, [leave]);

  const section = useMemo<Section>(
    () => ({
      kb,
      overview,
      versions,
      version: route.v === CURRENT ? undefined : versions.find((v) => v.id === route.v),
      route,
      go,
      refresh,
      attempt,
      guard: (d) => (dirty.current = d),
      person: (id) => (id === me.user.id ? me.user.name : (kb.names[id] ?? id)),
    }),
    [kb, overview, versions, route, go, refresh, attempt, me],
  );
  return <Context.Provider value={section}>{children}</Context.Provider>;
}

/** useLoad reads something again whenever its key changes; a late answer for an old key is dropped. What reload returns ends when it is read. */
export function useLoad<T>(read: () => Promise<T>, key: string): { value: T | undefined; error: string; reload: () => Promise<void> } {
  const [state, set] = useState<{ key: string; value?: T; error: string }>({ key: "", error: "" });
  const [turn, setTurn] = useState(0);
  const reading = useRef(read);
  reading.current = read;
  const waiting = useRef<(() => void)[]>([]);
  useEffect(() => {
    let live = true;
    const asked = waiting.current.splice(0);
    void reading
      .current()
      .then(
        (value) => live && set({ key, value, error: "" }),
        (err: unknown) => live && set({ key, error: sayKb(err) }),
      )
      .then(() => asked.forEach((done) => done()));
    return () => {
      live = false;
    };
  }, [key, turn]);
  const reload = useCallback(
    () =>
      new Promise<void>((done) => {
        waiting.current.push(done);
        setTurn((n) => n + 1);
      }),
    [],
  );
  return state.key === key ? { value: state.value, error: state.error, reload } : { value: undefined, error: "", reload };
}

/**
 * useTitles names Topics by their ids: those of a version, and what it deletes of
 * what is in force. Others keep their id; until the titles are here, nobody has a name.
 */
export function useTitles(v: string): (id: string) => string {
  const { kb } = useKb();
  const topics = useLoad(async () => (await Promise.all([...new Set([CURRENT, v])].map(kb.topics))).flat(), v);
  return useMemo(() => {
    const names = new Map((topics.value ?? []).map((x) => [x.id, x.title]));
    const reading = !topics.value && !topics.error;
    return (id: string) => (reading ? "…" : (names.get(id) ?? id));
  }, [topics.value, topics.error]);
}

const askEvery = 1000;

/** useRun follows a run to its end; "" follows none. */
export function useRun<R>(id: string, onDone?: (run: Run<R>) => void): { run: Run<R> | undefined; error: string; running: boolean } {
  const { kb } = useKb();
  const [run, setRun] = useState<Run<R>>();
  const [error, setError] = useState("");
  const done = useRef(onDone);
  done.current = onDone;
  useEffect(() => {
    setRun(undefined);
    setError("");
    if (!id) return;
    let timer = 0;
    let live = true;
    const ask = () =>
      kb.run<R>(id).then(
        (r) => {
          if (!live) return;
          setRun(r);
          setError(r.state === "failed" ? (k.run.why[r.error] ?? k.run.failed) : "");
          if (r.state === "running") timer = window.setTimeout(ask, askEvery);
          else done.current?.(r);
        },
        (err: unknown) => {
          if (!live) return;
          setError(sayKb(err));
          if (err instanceof Problem && err.again) timer = window.setTimeout(ask, 3 * askEvery);
        },
      );
    void ask();
    return () => {
      live = false;
      window.clearTimeout(timer);
    };
  }, [kb, id]);
  const mine = run?.id === id ? run : undefined;
  return { run: mine, error, running: id !== "" && !error && (!mine || mine.state === "running") };
}
