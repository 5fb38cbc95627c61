import { Alert, Spin } from "antd";
import { useCallback, useEffect, useMemo, useState } from "react";
import { Api, type Group, type Me, type Readiness } from "./api";
import { DeskProvider } from "./desk";
import { t } from "./locale";
import { Audit } from "./pages/Audit";
import { Conversations } from "./pages/Conversations";
import { Login } from "./pages/Login";
import { Users } from "./pages/Users";
import { Work } from "./pages/Work";
import { Header } from "./parts/Header";
import { SessionContext } from "./session";

export type Page = "work" | "list" | "users" | "audit";

const pageOf = (): Page => {
  const p = location.pathname.replace(/^\/console\/?/, "").split("/")[0];
  return p === "list" || p === "users" || p === "audit" ? p : "work";
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
    const back = () => setPage(pageOf());
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
    history.pushState(null, "", "/console/" + (p === "work" ? "" : p));
    setPage(p);
  }, []);

  const session = useMemo(() => (me ? { api, me, setMe, groups } : null), [api, me, groups]);
  if (me === undefined) return <Spin fullscreen />;
  if (!session) return <Login api={api} onDone={setMe} />;

  const can = (...roles: string[]) => session.me.user.roles.some((r) => roles.includes(r));
  const pages: Page[] = [];
  if (can("agent", "supervisor", "admin")) pages.push("work");
  if (can("supervisor", "compliance", "admin")) pages.push("list");
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
            {shown === "users" && <Users />}
            {shown === "audit" && <Audit />}
            {!shown && <div className="hollow">{t.problem["forbidden"]}</div>}
          </main>
        </div>
      </DeskProvider>
    </SessionContext.Provider>
  );
}
