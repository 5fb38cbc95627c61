// The knowledge section. It is loaded when it is opened.

import { Badge, Select, Tabs } from "antd";
import { clock } from "../locale";
import { k } from "../locale/kb";
import { CURRENT } from "./api";
import { KbProvider, useKb } from "./context";
import { Evaluate } from "./Evaluate";
import { Files } from "./Files";
import "./kb.css";
import { Learn } from "./Learn";
import { tabs, type Tab } from "./logic";
import { Tests } from "./Tests";
import { TopicPage } from "./Topic";
import { Topics } from "./Topics";
import { Try } from "./Try";
import { VersionPage } from "./Version";
import { Versions } from "./Versions";

export default function Knowledge() {
  return (
    <KbProvider>
      <Section />
    </KbProvider>
  );
}

/** What can be looked at: what is in force, and every version; an old one last. */
function VersionPicker() {
  const { versions, route, go } = useKb();
  const live = versions.filter((v) => v.state !== "replaced");
  const old = versions.filter((v) => v.state === "replaced");
  const option = (v: (typeof versions)[number]) => ({
    value: v.id,
    label: `${k.version.state[v.state]} · ${v.title}`,
    title: `${v.title} ${clock(v.changed_at)}`,
  });
  return (
    <label className="picker">
      <span>{k.looking}</span>
      <Select
        value={route.v}
        popupMatchSelectWidth={320}
        aria-label={k.looking}
        onChange={(v) => go({ v, ...(route.tab === "topics" ? { id: route.id } : {}) })}
        options={[{ value: CURRENT, label: k.current }, ...live.map(option), ...old.map(option)]}
      />
    </label>
  );
}

/** Pages that look at a version of the picker's; the others name their own. */
const versioned: Tab[] = ["topics", "files", "eval", "tests", "try", "learn"];

function Section() {
  const { route, go, overview } = useKb();
  return (
    <div className="kb">
      <Tabs
        className="kb-tabs"
        activeKey={route.tab}
        onTabClick={(key) => go({ tab: key as Tab })}
        tabBarExtraContent={versioned.includes(route.tab) ? <VersionPicker /> : null}
        items={tabs.map((key) => ({
          key,
          label: (
            <span>
              {k.tab[key]} {key === "learn" && overview ? <Badge count={overview.learn_new} size="small" /> : null}
              {key === "versions" && overview ? <Badge count={overview.open} size="small" color="#0f5ea8" /> : null}
            </span>
          ),
        }))}
      />
      <div className="kb-body">
        {route.tab === "topics" && (route.id ? <TopicPage key={route.v + "/" + route.id} /> : <Topics key={route.v} />)}
        {route.tab === "versions" && (route.id ? <VersionPage key={route.id} /> : <Versions />)}
        {route.tab === "files" && <Files />}
        {route.tab === "eval" && <Evaluate key={route.v} />}
        {route.tab === "tests" && <Tests key={route.v + "/" + route.id} />}
        {route.tab === "try" && <Try key={route.v} />}
        {route.tab === "learn" && <Learn />}
      </div>
    </div>
  );
}
