import { Alert, Spin } from "antd";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { Api, type Group, type Me, type Readiness } from "./api";
import { DeskProvider } from "./desk";
import { t } from "./locale";
import { Audit } from "./pages/Audit";
import { Conversations } from "./pages/Conversations";
import { Login } from "./pages/Login";
import { Users } from "./pages/Users";
import { Work } from "./pages/Work";
import { Boundary } from "./parts/Boundary";
import { Header } from "./parts/Header";
import { leaving, SessionContext } from "./session";

// Most people at work never open it: it is loaded when somebody does.
const Knowledge = lazy(() => import("./kb/Knowledge"));

export type Page = "work" | "list" | "kb" | "users" | "audit";

const pageOf = (): Page => {
  const p = location.pathname.replace(/^\/console\/?/, "").split("/")[0];
  return p === "list" || p === "kb" || p === "users" || p === "audit" ? p : "work";
};

export function App() {
  const api = useMemo(() => new Api(), []);
  const [me, setMe] = useState<Me | null>();
  const [groups, setGroups] = useState<Group[]>([]);
  const [page, setPage] = useState<Page>(pageOf);
  const [trial, setTrial] = useState(false);

  useEffect(() => {
    api.onGone = () => setMe(null);
    api.me().then(setMe, () => setMe(null));
    // A section that is being left may put the address back first.
    const back = () => window.setTimeout(() => setPage(pageOf()));
    window.addEventListener("popstate", back);
    return () => window.removeEventListener("popstate", back);
  }, [api]);

  const known = me?.user.id;
  useEffect(() => {
    if (!known) return;
    api.groups().then(setGroups, () => {});
    fetch("/readyz")
      .then((r) => r.json() as Promise<Readiness>)
      .then((r) => setTrial(r.redis.mode === "trial"), () => {});
  }, [api, known]);

  const go = useCallback((p: Page) => {
    const then = () => {
      history.pushState(null, "", "/console/" + (p === "work" ? "" : p));
      setPage(p);
      // A section with pages of its own reads the address again.
      window.dispatchEvent(new PopStateEvent("popstate"));
    };
    if (leaving.ask) leaving.ask(then);
    else then();
  }, []);

  const session = useMemo(() => (me ? { api, me, setMe, groups } : null), [api, me, groups]);
  if (me === undefined) return <Spin fullscreen />;
  if (!session) return <Login api={api} onDone={setMe} />;

  const can = (...roles: string[]) => session.me.user.roles.some((r) => roles.includes(r));
  const pages: Page[] = [];
  if (can("agent", "supervisor", "admin")) pages.push("work");
  if (can("supervisor", "compliance", "admin")) pages.push("list");
  if (can("editor", "supervisor", "compliance", "admin")) pages.push("kb");
  if (can("admin")) pages.push("users");
  if (can("compliance", "admin")) pages.push("audit");
  const shown = pages.includes(page) ? page : pages[0];

  return (
    <SessionContext.Provider value={session}>
      <DeskProvider active={can("agent", "supervisor", "admin")}>
        <div className="app">
          <Header page={shown} pages={pages} go={go} />
          {trial && <Alert banner type="warning" title={t.trial} />}
          <main className="main">
            {shown === "work" && <Work />}
            {shown === "list" && <Conversations />}
            {shown === "kb" && (
              <Boundary>
                <Suspense fallback={<div className="hollow"><Spin /></div>}>
                  <Knowledge />
                </Suspense>
              </Boundary>
            )}
            {shown === "users" && <Users />}
            {shown === "audit" && <Audit />}
            {!shown && <div className="hollow">{t.problem["forbidden"]}</div>}
          </main>
        </div>
      </DeskProvider>
    </SessionContext.Provider>
  );
}
