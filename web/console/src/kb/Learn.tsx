import { Alert, App as AntApp, Button, Checkbox, Input, Modal, Segmented, Select, Tag } from "antd";
import { useMemo, useState } from "react";
import { percent } from "../explain";
import { clock, t, word } from "../locale";
import { k } from "../locale/kb";
import { Explanation } from "../parts/Evidence";
import { useSession } from "../session";
import { CURRENT, type Cluster, type Deal, type Decision, type LearnState, type ReplayReport, type TopicLine, type Verdicts } from "./api";
import { sayKb, useKb, useLoad, useRun, useTitles } from "./context";
import { mayWrite, outcome } from "./logic";
import { Loaded, ReasonDialog, RunBar } from "./parts";

const states: LearnState[] = ["new", "pending", "applied", "dismissed"];
const maxShown = 8;
// What is less likely than this is no suggestion.
const likely = 0.05;
const suggested = (c: Cluster) => (c.suggest && c.suggest.confidence >= likely ? c.suggest : null);

/** What contacts said that the bot did not serve well, and what to do about it. */
export function Learn() {
  const { kb, refresh, route } = useKb();
  const [state, setState] = useState<LearnState>("new");
  const read = useLoad(() => kb.learn(state), state);
  const topics = useLoad(() => kb.topics(route.v), route.v);
  const [counts, setCounts] = useState<Record<string, number>>({});
  const shown = read.value?.counts ?? counts;
  if (read.value && read.value.counts !== counts) setCounts(read.value.counts);
  const reload = () => {
    void read.reload();
    void refresh();
  };
  const w = k.learn;
  return (
    <div className="kb-page">
      <p className="dim">{w.about}</p>
      <div className="filters">
        <Segmented value={state} onChange={setState} options={states.map((s) => ({ value: s, label: `${w.state[s]} ${shown[s] ?? ""}` }))} />
      </div>
      <Loaded of={read}>
        {(r) =>
          r.items?.length ? (
            <div className="clusters">
              {r.items.map((c) => (
                <Card key={c.id} c={c} topics={topics.value ?? []} reload={reload} />
              ))}
            </div>
          ) : (
            <div className="hollow kb-loading">{w.empty[state]}</div>
          )
        }
      </Loaded>
      <Replay />
    </div>
  );
}

function Card({ c, topics, reload }: { c: Cluster; topics: TopicLine[]; reload: () => void }) {
  const { kb, go, attempt, person, versions, overview } = useKb();
  const { me } = useSession();
  const { message } = AntApp.useApp();
  const [dialog, setDialog] = useState<"" | "add" | "topic" | "dismiss" | "why">("");
  const [all, setAll] = useState(false);
  const w = k.learn;
  const messages = c.messages ?? [];
  const title = (id: string) => topics.find((x) => x.id === id)?.title ?? id;
  const writes = mayWrite(me.user.roles);
  const near = suggested(c);
  const draft = versions.find((v) => v.id === c.version);
  const deal = async (d: Deal) => {
    const done = await attempt(kb.deal(c.id, d));
    if (!done) return;
    if (done.version) message.success(w.done(done.version.title));
    setDialog("");
    reload();
  };
  return (
    <article className="cluster">
      <header>
        <b>{c.example}</b>
        <span className="dim">{w.times(c.count)}</span>
        {Object.entries(c.sources).map(([s, n]) => (n ? <Tag key={s} className="tag">{word(w.source, s)} {n}</Tag> : null))}
        <span className="spring" />
        {c.by && <span className="dim">{w.dealt(person(c.by), c.at ? clock(c.at) : "")}</span>}
      </header>
      <p className={near ? "" : "dim"}>{near ? w.suggest(near.title || title(near.topic), percent(near.confidence)) : w.noSuggest}</p>
      {c.reason && <p className="dim">{c.reason}</p>}
      <ul className="heard-list">
        {messages.slice(0, all ? messages.length : maxShown).map((m, i) => (
          <li key={i}>
            <span>{m.text}</span>
            <span className="dim">
              {(m.count ?? 1) > 1 && w.times(m.count!)} {word(t.channel, m.channel)} · {word(w.source, m.source)} · {clock(m.at)}
              {m.topic && ` · ${m.source === "picked" || m.source === "up" ? w.labelled : w.answered}「${title(m.topic)}」`}
            </span>
          </li>
        ))}
      </ul>
      {!all && messages.length > maxShown && (
        <Button type="link" size="small" onClick={() => setAll(true)}>
          {k.more(messages.length - maxShown)}
        </Button>
      )}
      <div className="actions">
        {writes && c.state === "new" && (
          <>
            <Button size="small" type="primary" disabled={!overview?.editable} onClick={() => setDialog("add")}>{w.add}</Button>
            <Button size="small" disabled={!overview?.editable} onClick={() => setDialog("topic")}>{w.start}</Button>
            <Button size="small" onClick={() => setDialog("dismiss")}>{w.dismiss}</Button>
          </>
        )}
        {writes && c.state === "dismissed" && <Button size="small" onClick={() => void deal({ do: "restore" })}>{w.restore}</Button>}
        {draft && <Button size="small" onClick={() => go({ tab: "versions", id: draft.id })}>{draft.title}</Button>}
        <Button size="small" type="link" onClick={() => setDialog("why")}>{w.why}</Button>
      </div>
      {(dialog === "add" || dialog === "topic") && <Teach c={c} make={dialog === "topic"} topics={topics} onClose={() => setDialog("")} onDeal={deal} />}
      {dialog === "dismiss" && <ReasonDialog title={w.dismiss} label={w.dismissWhy} need={false} ok={w.dismiss} presets={w.dismissPresets} onOk={(reason) => deal({ do: "dismiss", reason })} onClose={() => setDialog("")} />}
      {dialog === "why" && <Why text={c.example} channel={messages[0]?.channel ?? "web"} onClose={() => setDialog("")} />}
    </article>
  );
}

/** What would be decided now, by what is in force. */
function Why({ text, channel, onClose }: { text: string; channel: string; onClose: () => void }) {
  const { kb } = useKb();
  const read = useLoad<Decision>(async () => (await kb.try(text, channel, CURRENT, null)).decision, text);
  return (
    <Modal open title={k.learn.why} footer={null} width={640} onCancel={onClose}>
      <Loaded of={read}>{(d) => <Explanation ev={d.evidence} raw={d} />}</Loaded>
    </Modal>
  );
}

function Teach({ c, make, topics, onClose, onDeal }: { c: Cluster; make: boolean; topics: TopicLine[]; onClose: () => void; onDeal: (d: Deal) => Promise<void> }) {
  const { versions } = useKb();
  const heard = useMemo(() => [...new Set((c.messages ?? []).map((m) => m.text))].slice(0, 20), [c]);
  const [texts, setTexts] = useState(heard);
  const [on, setOn] = useState<boolean[]>(heard.map((_, i) => i < 5));
  const [topic, setTopic] = useState(suggested(c)?.topic);
  const [title, setTitle] = useState("");
  const [category, setCategory] = useState<string>();
  const [version, setVersion] = useState("");
  const [busy, setBusy] = useState(false);
  const w = k.learn;
  const chosen = texts.filter((s, i) => on[i] && s.trim()).map((s) => s.trim());
  const why = !chosen.length ? w.needTexts : make ? (title.trim() ? "" : w.needTitle) : topic ? "" : w.needTopic;
  const categories = [...new Set(topics.map((x) => x.category))].sort();
  return (
    <Modal
      open
      width={640}
      title={make ? w.start : w.add}
      okText={make ? w.start : w.add}
      okButtonProps={{ disabled: !!why }}
      confirmLoading={busy}
      onCancel={onClose}
      onOk={async () => {
        setBusy(true);
        await onDeal(make ? { do: "topic", title: title.trim(), ...(category ? { category } : {}), texts: chosen, version } : { do: "add", topic: topic!, texts: chosen, version });
        setBusy(false);
      }}
    >
      {make ? (
        <div className="cols">
          <div>
            <label className="label" htmlFor="learn-title">{w.startTitle}</label>
            <Input id="learn-title" maxLength={60} value={title} onChange={(ev) => setTitle(ev.target.value)} />
          </div>
          <div>
            <label className="label" htmlFor="learn-category">{w.category}</label>
            <Select id="learn-category" style={{ width: "100%" }} allowClear showSearch value={category} onChange={setCategory} options={categories.map((x) => ({ value: x, label: x }))} />
          </div>
        </div>
      ) : (
        <>
          <label className="label" htmlFor="learn-topic">{w.pick}</label>
          <Select
            id="learn-topic"
            style={{ width: "100%" }}
            showSearch
            optionFilterProp="label"
            placeholder={w.pickHint}
            value={topic}
            onChange={setTopic}
            options={topics.map((x) => ({ value: x.id, label: `${x.title}（${x.category}）` }))}
          />
        </>
      )}
      <span className="label">{w.texts} <span className="dim">{w.textsHint}</span></span>
      <div className="teach">
        {texts.map((s, i) => (
          <div key={i} className="row">
            <Checkbox checked={on[i] ?? false} aria-label={s} onChange={(ev) => setOn(on.map((x, j) => (j === i ? ev.target.checked : x)))} />
            <Input size="small" value={s} disabled={!on[i]} aria-label={w.texts} onChange={(ev) => setTexts(texts.map((x, j) => (j === i ? ev.target.value : x)))} />
          </div>
        ))}
      </div>
      <label className="label" htmlFor="learn-version">{w.into}</label>
      <Select
        id="learn-version"
        style={{ width: "100%" }}
        value={version}
        onChange={setVersion}
        options={[{ value: "", label: w.intoNew }, ...versions.filter((v) => v.state === "draft").map((v) => ({ value: v.id, label: v.title }))]}
      />
      <div className="dim">{why || "\u00a0"}</div>
    </Modal>
  );
}

function Replay() {
  const { kb, route, version } = useKb();
  const [id, setID] = useState("");
  const [refused, setRefused] = useState("");
  const title = useTitles(route.v);
  const { run, error, running } = useRun<ReplayReport>(id);
  const w = k.learn;
  const start = async () => {
    setRefused("");
    try {
      setID(await kb.replay(route.v));
    } catch (err) {
      setRefused(sayKb(err));
    }
  };
  const r = run?.state === "done" ? run.report : null;
  return (
    <section className="panel replay">
      <h3>{w.replay} <span className="dim">{w.replayHint}</span></h3>
      <div className="row-line">
        <Button disabled={!version} loading={running} onClick={() => void start()}>
          {w.replayRun}
        </Button>
        <span className="dim">{version ? version.title : w.same}</span>
        <RunBar run={run} error={error} />
      </div>
      {refused && <Alert type="error" title={refused} />}
      {r && r.n === 0 && <p className="dim">{w.replayNone}</p>}
      {r && r.n > 0 && (
        <>
          <table className="plain">
            <thead>
              <tr>{["", ...Object.values(w.verdict)].map((h) => <th key={h} scope="col">{h}</th>)}</tr>
            </thead>
            <tbody>
              {([[w.was, r.before], [w.now, r.after]] as [string, Verdicts][]).map(([name, v]) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  {(Object.keys(w.verdict) as (keyof Verdicts)[]).map((x) => <td key={x}>{v[x]}</td>)}
                </tr>
              ))}
            </tbody>
          </table>
          {([[w.worse(r.worse?.length ?? 0), r.worse], [w.better(r.better?.length ?? 0), r.better]] as const).map(([name, list]) => (
            <details key={name} open={(list ?? []).length > 0 && (list ?? []).length < 20}>
              <summary>{name}</summary>
              <table className="plain">
                <thead>
                  <tr>{[k.gate.text, k.gate.want, w.was, w.now].map((h) => <th key={h} scope="col">{h}</th>)}</tr>
                </thead>
                <tbody>
                  {(list ?? []).map((x, i) => (
                    <tr key={i}>
                      <td>{x.text}</td>
                      <td title={x.want}>{outcome(x.want, title)}</td>
                      <td title={x.before}>{outcome(x.before, title)}</td>
                      <td title={x.after}>{outcome(x.after, title)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </details>
          ))}
        </>
      )}
    </section>
  );
}
