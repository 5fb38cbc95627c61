import { Alert, Button, Input, Select, Table, Tag } from "antd";
import { useMemo, useState } from "react";
import { clock, word } from "../locale";
import { k } from "../locale/kb";
import { useSession } from "../session";
import { CURRENT, type TopicLine } from "./api";
import { useKb, useLoad } from "./context";
import { DraftDialog, newID } from "./drafts";
import { filterTopics, mayWrite, type Filter } from "./logic";
import { Loaded, StateTag, TopicLink } from "./parts";

/** What is in force, and why it may not be edited here. */
function OverviewBar() {
  const { overview: o, version, person, go } = useKb();
  if (!o) return <div className="facts" />;
  const w = k.overview;
  return (
    <>
      {version ? (
        <div className="facts">
          <b>{version.title}</b> <StateTag state={version.state} />
          <Button type="link" size="small" onClick={() => go({ tab: "versions", id: version.id })}>
            {k.version.open}
          </Button>
        </div>
      ) : (
        <div className="facts">
          <span>{w.topics} <b>{o.topics}</b></span>
          <span>{w.phrasings} <b>{o.phrasings}</b></span>
          <span>{w.source} <b>{word(w.sources, o.source)}</b></span>
          <span>{w.version} <b className="mono">{o.version.slice(0, 12)}</b></span>
          {o.published && <span>{w.published(o.published.title, person(o.published.by), clock(o.published.at))}</span>}
          <span>{w.open} <b>{o.open}</b></span>
          <span>{w.learn} <b>{o.learn_new}</b></span>
        </div>
      )}
      {!o.editable && <Alert type="info" showIcon title={w.notEditable} description={o.source === "directory" ? w.dir(o.dir) : o.why} />}
      {o.problem && <Alert type="error" showIcon title={w.trouble(o.source === "directory")} description={w.troubleHint(o.source === "directory")} />}
    </>
  );
}

export function Topics() {
  const { kb, route, version, overview, go } = useKb();
  const { me } = useSession();
  const items = useLoad(() => kb.topics(route.v), `${route.v} ${version?.revision ?? ""}`);
  const [filter, setFilter] = useState<Filter>({ text: "", category: "", kind: "", only: "" });
  const [asking, setAsking] = useState(false);
  const rows = useMemo(() => filterTopics(items.value ?? [], filter), [items.value, filter]);
  const categories = useMemo(() => [...new Set((items.value ?? []).map((x) => x.category))].sort(), [items.value]);
  const set = (f: Partial<Filter>) => setFilter({ ...filter, ...f });
  const w = k.list;
  const writes = mayWrite(me.user.roles) && overview?.editable;
  const add = () => {
    if (version?.state === "draft") go({ tab: "topics", id: newID });
    else setAsking(true);
  };

  return (
    <div className="kb-page">
      <OverviewBar />
      <div className="filters">
        <Input.Search allowClear placeholder={w.search} aria-label={w.search} value={filter.text} onChange={(ev) => set({ text: ev.target.value })} />
        <Select
          aria-label={w.category}
          value={filter.category}
          showSearch
          onChange={(category) => set({ category })}
          options={[{ value: "", label: `${k.all}${w.category}` }, ...categories.map((c) => ({ value: c, label: c }))]}
        />
        <Select
          aria-label={w.kind}
          value={filter.kind}
          onChange={(kind) => set({ kind })}
          options={[{ value: "", label: `${k.all}${w.kind}` }, ...Object.entries(k.kind).map(([value, label]) => ({ value, label }))]}
        />
        <Select
          aria-label={w.problems}
          value={filter.only}
          onChange={(only) => set({ only })}
          options={Object.entries(w.only).map(([value, label]) => ({ value: value as Filter["only"], label }))}
        />
        <span className="dim">{items.value && w.shown(rows.length, items.value.length)}</span>
        <span className="spring" />
        {writes && (
          <Button type="primary" onClick={add}>
            {w.add}
          </Button>
        )}
      </div>
      <Loaded of={items}>
        {() => (
          <Table<TopicLine>
            rowKey="id"
            size="small"
            dataSource={rows}
            locale={{ emptyText: w.empty }}
            pagination={{ defaultPageSize: 50, hideOnSinglePage: true, showSizeChanger: false }}
            columns={[
              {
                title: w.title,
                sorter: (a, b) => a.title.localeCompare(b.title, "zh"),
                render: (_, x) => (
                  <>
                    <TopicLink id={x.id} title={x.title} /> {x.changed && <Tag className="tag" color="blue">{word(w.change, x.changed)}</Tag>}
                    <div className="dim mono">{x.id}</div>
                  </>
                ),
              },
              { title: w.category, dataIndex: "category", width: 130, sorter: (a, b) => a.category.localeCompare(b.category, "zh") },
              { title: w.kind, width: 80, render: (_, x) => (x.kind === "answer" ? k.kind["answer"] : <Tag className="tag">{word(k.kind, x.kind)}</Tag>) },
              { title: w.phrasings, dataIndex: "phrasings", width: 80, align: "right", sorter: (a, b) => a.phrasings - b.phrasings },
              { title: w.owner, dataIndex: "owner", width: 100 },
              { title: w.review, width: 90, render: (_, x) => <span className={x.review === "reviewed" ? "" : "doubt"}>{word(k.review, x.review) || k.none}</span> },
              { title: w.until, width: 110, render: (_, x) => x.until || <span className="dim">{k.none}</span> },
              {
                title: w.problems,
                width: 80,
                align: "right",
                sorter: (a, b) => a.problems - b.problems,
                render: (_, x) => (x.problems ? <Tag className="tag" color="gold">{x.problems}</Tag> : <span className="dim">0</span>),
              },
            ]}
          />
        )}
      </Loaded>
      {asking && <DraftDialog from={route.v === CURRENT ? "" : route.v} onClose={() => setAsking(false)} onDraft={(v) => go({ tab: "topics", id: newID, v })} />}
    </div>
  );
}
