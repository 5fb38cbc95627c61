import { Alert, App as AntApp, Button, Input, Radio, Select, Space, Tabs, Tag } from "antd";
import { useEffect, useMemo, useState } from "react";
import { Problem } from "../api";
import { t, word } from "../locale";
import { k } from "../locale/kb";
import { useSession } from "../session";
import { CURRENT, type Topic, type TopicLine } from "./api";
import { sayKb, useKb, useLoad } from "./context";
import { DraftDialog, newID } from "./drafts";
import { differ, emptyTopic, entry, fieldOf, limits, lines, marks, mayWrite, merge, size, topicID, twins, wording, type Field as FieldName } from "./logic";
import { Field, Findings, Loaded, StateTag } from "./parts";

const channels = ["web", "wechat", "sms"];
const maxFollowUps = 3;

export function TopicPage() {
  const { kb, route } = useKb();
  const isNew = route.id === newID;
  const topic = useLoad<Topic>(() => (isNew ? Promise.resolve(emptyTopic()) : kb.topic(route.v, route.id)), `${route.v} ${route.id}`);
  const all = useLoad(() => kb.topics(route.v), route.v);
  return (
    <div className="kb-page">
      <Loaded of={topic}>{(v) => <Editor key={route.id} loaded={v} isNew={isNew} all={all.value ?? []} />}</Loaded>
    </div>
  );
}

function Editor({ loaded, isNew, all }: { loaded: Topic; isNew: boolean; all: TopicLine[] }) {
  const { kb, route, version, versions, overview, go, guard, refresh, attempt } = useKb();
  const { me, groups } = useSession();
  const { message, modal } = AntApp.useApp();
  const [base, setBase] = useState(loaded);
  const [topic, setTopic] = useState(loaded);
  const [asked, setAsked] = useState(loaded.phrasings.join("\n"));
  const [sources, setSources] = useState(loaded.sources.join("\n"));
  const [channel, setChannel] = useState("web");
  const [busy, setBusy] = useState(false);
  const [need, setNeed] = useState<string[]>([]);
  const [refused, setRefused] = useState("");
  const [clash, setClash] = useState<{ theirs: Topic; mine: Topic; fields: FieldName[]; revision: number } | null>(null);
  const [copying, setCopying] = useState(false);
  const problems = useLoad(() => kb.problems(route.v), `${route.v} ${version?.revision ?? ""}`);
  const w = k.topic;

  const writes = mayWrite(me.user.roles) && !!overview?.editable;
  const editable = writes && version?.state === "draft";
  const now = useMemo<Topic>(() => ({ ...topic, phrasings: lines(asked), sources: lines(sources) }), [topic, asked, sources]);
  const dirty = editable && (isNew ? !!(now.title || now.answer || now.phrasings.length) : differ(base, now).length > 0);
  useEffect(() => {
    guard(dirty);
    return () => guard(false);
  }, [dirty, guard]);

  const set = (f: Partial<Topic>) => setTopic((old) => ({ ...old, ...f }));
  const show = (x: Topic) => {
    setBase(x);
    setTopic(x);
    setAsked(x.phrasings.join("\n"));
    setSources(x.sources.join("\n"));
  };

  const missing = () => {
    const out: string[] = [];
    if (!topicID.test(now.id)) out.push("id");
    if (!now.title.trim()) out.push("title");
    if (!now.category.trim()) out.push("category");
    if (!now.phrasings.length) out.push("phrasings");
    if (!now.answer.trim()) out.push("answer");
    return out;
  };

  /**
   * A draft has one revision for all its Topics: when somebody changed another
   * one, this one is saved all the same; when the same, what both changed is asked.
   */
  const save = async (revision: number, mine: Topic, from: Topic): Promise<void> => {
    try {
      const done = await kb.save(route.v, revision, mine);
      guard(false);
      await refresh();
      message.success(w.saved);
      if (isNew) return go({ tab: "topics", id: mine.id });
      show(await kb.topic(done.version.id, mine.id));
      void problems.reload();
    } catch (err) {
      if (!(err instanceof Problem) || err.code !== "changed_meanwhile") {
        setRefused(err instanceof Problem && err.code === "not_a_topic" ? `${sayKb(err)}：${err.detail}` : sayKb(err));
        return;
      }
      const v = await kb.version(route.v);
      if (isNew) return save(v.revision, mine, from);
      const theirs = await kb.topic(route.v, mine.id);
      const both = merge(from, mine, theirs);
      if (both.clash.length) setClash({ theirs, mine: both.topic, fields: both.clash, revision: v.revision });
      else await save(v.revision, both.topic, theirs);
    }
  };
  const submit = (revision: number, mine: Topic, from: Topic) => {
    setBusy(true);
    setRefused("");
    save(revision, mine, from)
      .catch((err: unknown) => message.error(sayKb(err)))
      .finally(() => setBusy(false));
  };
  const onSave = () => {
    const gaps = missing();
    setNeed(gaps);
    if (gaps.length) return document.getElementById(gaps[0]!)?.focus();
    if (isNew && all.some((x) => x.id === now.id)) return setRefused(w.idTaken);
    if (version) submit(version.revision, now, base);
  };

  useEffect(() => {
    const keys = (ev: KeyboardEvent) => {
      if (!(ev.ctrlKey || ev.metaKey) || ev.key.toLowerCase() !== "s") return;
      ev.preventDefault();
      if (dirty && !busy) onSave();
    };
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  });

  const remove = () =>
    modal.confirm({
      title: w.remove,
      content: w.removeAsk(base.title),
      okText: w.remove,
      okButtonProps: { danger: true },
      onOk: async () => {
        if (!version || !(await attempt(kb.remove(version.id, version.revision, base.id), w.removed))) return;
        guard(false);
        await refresh();
        go({ tab: "topics" });
      },
    });

  const edit = () => {
    const drafts = versions.filter((v) => v.state === "draft");
    if (drafts.length === 1) go({ tab: "topics", id: base.id, v: drafts[0]!.id });
    else setCopying(true);
  };

  const list = lines(asked);
  const twin = twins(list);
  const disabled = !editable;
  const gap = (f: string) => need.includes(f) && <span className="late">{w.need[f]}</span>;
  const mine = (problems.value ?? []).filter((p) => p.topic === base.id);
  const categories = [...new Set(all.map((x) => x.category))].sort();
  const owners = [...new Set([...groups.map((g) => g.name), ...all.map((x) => x.owner)])].filter(Boolean);
  const focus = (rule: string) => {
    const f = fieldOf(rule);
    if (f === "answers") setChannel("sms");
    const el = document.getElementById(f === "answers" || f === "answer" ? "answer" : f);
    el?.scrollIntoView({ block: "center" });
    el?.focus();
  };

  return (
    <>
      <div className="topic-head">
        <Button onClick={() => go({ tab: "topics" })}>{k.back}</Button>
        <h2>{isNew ? k.list.add : base.title}</h2>
        {version && <StateTag state={version.state} />}
        <span className="spring" />
        {!isNew && <Button onClick={() => go({ tab: "try", id: "" })}>{w.try}</Button>}
        {editable && !isNew && (
          <Button danger onClick={remove}>
            {w.remove}
          </Button>
        )}
        {editable && (
          <Button type="primary" disabled={!dirty} loading={busy} onClick={onSave}>
            {k.save}
          </Button>
        )}
        {writes && !editable && (
          <Button type="primary" onClick={edit}>
            {w.edit}
          </Button>
        )}
      </div>
      {version && !editable && writes && <p className="dim">{w.locked}</p>}
      {!mayWrite(me.user.roles) && <p className="dim">{k.readonly}</p>}
      {refused && <Alert type="error" showIcon closable={{ onClose: () => setRefused("") }} title={refused} />}
      {clash && (
        <Alert
          type="warning"
          showIcon
          title={w.conflict}
          description={
            <>
              {w.conflictHint(clash.fields.map((f) => word(w.field, f)).join("、"))}
              <table className="plain clash">
                <thead>
                  <tr>{["", w.ours, w.other].map((h) => <th key={h} scope="col">{h}</th>)}</tr>
                </thead>
                <tbody>
                  {clash.fields.map((f) => (
                    <tr key={f}>
                      <th scope="row">{word(w.field, f)}</th>
                      <td>{entry(clash.mine[f])}</td>
                      <td>{entry(clash.theirs[f])}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </>
          }
          action={
            <Space>
              <Button
                size="small"
                onClick={() => {
                  setClash(null);
                  submit(clash.revision, clash.mine, clash.theirs);
                }}
              >
                {w.mine}
              </Button>
              <Button
                size="small"
                onClick={() => {
                  setClash(null);
                  show(clash.theirs);
                  void refresh();
                }}
              >
                {w.theirs}
              </Button>
            </Space>
          }
        />
      )}
      <div className="topic-edit">
        <div className="topic-form">
          {isNew && (
            <Field id="id" label={w.id} hint={w.idHint} extra={gap("id")}>
              <Input id="id" className="mono" value={topic.id} maxLength={64} onChange={(ev) => set({ id: ev.target.value.trim() })} />
            </Field>
          )}
          <Field id="title" label={w.title} extra={gap("title")}>
            <Input id="title" disabled={disabled} value={topic.title} maxLength={60} showCount onChange={(ev) => set({ title: ev.target.value })} />
          </Field>
          <div className="cols">
            <Field id="category" label={w.category} extra={gap("category")}>
              <Select
                id="category"
                mode="tags"
                maxCount={1}
                disabled={disabled}
                value={topic.category ? [topic.category] : []}
                onChange={(v: string[]) => set({ category: v[v.length - 1] ?? "" })}
                options={categories.map((c) => ({ value: c, label: c }))}
              />
            </Field>
            <Field id="kind" label={w.kind} hint={word(k.kindHint, topic.kind)}>
              <Select id="kind" disabled={disabled} value={topic.kind} onChange={(kind) => set({ kind })} options={Object.entries(k.kind).map(([value, label]) => ({ value, label }))} />
            </Field>
            <Field id="owner" label={w.owner}>
              <Select id="owner" disabled={disabled} allowClear value={topic.owner || undefined} onChange={(v) => set({ owner: v ?? "" })} options={owners.map((o) => ({ value: o, label: o }))} />
            </Field>
          </div>
          {topic.kind !== "answer" && (
            <div className="cols">
              <Field id="group" label={w.group}>
                <Select id="group" disabled={disabled} allowClear value={topic.group || undefined} onChange={(v) => set({ group: v ?? "" })} options={groups.map((g) => ({ value: g.id, label: g.name }))} />
              </Field>
              <Field id="priority" label={w.priority}>
                <Select id="priority" disabled={disabled} allowClear value={topic.priority || undefined} onChange={(v) => set({ priority: v ?? "" })} options={Object.entries(t.priority).map(([value, label]) => ({ value, label }))} />
              </Field>
              <Field id="form" label={w.form} hint={w.formHint}>
                <Input id="form" className="mono" disabled={disabled} value={topic.form} onChange={(ev) => set({ form: ev.target.value.trim() })} />
              </Field>
            </div>
          )}
          <Field
            id="phrasings"
            label={w.phrasings}
            hint={w.phrasingsHint}
            extra={
              <>
                {gap("phrasings")} {w.lines(list.length)}
                {editable && list.length > 0 && list.length < 10 && <span className="doubt">{w.few(10 - list.length)}</span>}
              </>
            }
          >
            <Input.TextArea id="phrasings" className="phrasings" disabled={disabled} autoSize={{ minRows: 8, maxRows: 18 }} value={asked} onChange={(ev) => setAsked(ev.target.value)} />
            <div className="twins" role="status">
              {twin.slice(0, 5).map((x) => (
                <span key={`${x.a}-${x.b}`} className="doubt">
                  {(x.same ? w.twin : w.near)(x.a, x.b)}：{list[x.b - 1]}
                </span>
              ))}
            </div>
          </Field>
          <Field id="answer" label={w.answers} extra={gap("answer")} hint={w.placeholders}>
            <Tabs
              size="small"
              activeKey={channel}
              onChange={setChannel}
              items={channels.map((c) => ({ key: c, label: <span>{word(w.channel, c)}{c !== "web" && topic.answers[c] ? " ●" : ""}</span> }))}
            />
            <Input.TextArea
              id="answer"
              disabled={disabled}
              aria-label={`${w.answers} ${word(w.channel, channel)}`}
              placeholder={channel === "web" ? "" : channel === "sms" ? `${w.smsNeeded}。${w.fallback}` : w.fallback}
              autoSize={{ minRows: 5, maxRows: 14 }}
              value={channel === "web" ? topic.answer : (topic.answers[channel] ?? "")}
              onChange={(ev) => (channel === "web" ? set({ answer: ev.target.value }) : set({ answers: { ...topic.answers, [channel]: ev.target.value } }))}
            />
            <Counter text={channel === "web" ? topic.answer : (topic.answers[channel] ?? topic.answer)} channel={channel} />
          </Field>
          <Field id="follow_ups" label={w.followUps} hint={w.followUpsHint}>
            <Select
              id="follow_ups"
              mode="multiple"
              maxCount={maxFollowUps}
              disabled={disabled}
              value={topic.follow_ups}
              optionFilterProp="label"
              onChange={(v: string[]) => set({ follow_ups: v })}
              options={all.filter((x) => x.id !== topic.id).map((x) => ({ value: x.id, label: x.title, title: x.id }))}
            />
          </Field>
          <Field id="sources" label={w.sources} hint={w.sourcesHint}>
            <Input.TextArea id="sources" disabled={disabled} autoSize={{ minRows: 2, maxRows: 6 }} value={sources} onChange={(ev) => setSources(ev.target.value)} />
          </Field>
          <div className="cols">
            <Field id="from" label={w.from}>
              <Input id="from" type="date" disabled={disabled} value={topic.from} onChange={(ev) => set({ from: ev.target.value })} />
            </Field>
            <Field id="until" label={w.until}>
              <Input id="until" type="date" disabled={disabled} value={topic.until} onChange={(ev) => set({ until: ev.target.value })} />
            </Field>
          </div>
          <div className="cols">
            <Field id="review" label={w.reviewState}>
              <Radio.Group
                id="review"
                disabled={disabled}
                value={topic.review.state}
                onChange={(ev) => set({ review: { ...topic.review, state: ev.target.value as string } })}
                options={Object.entries(k.review).map(([value, label]) => ({ value, label }))}
              />
            </Field>
            <Field id="review-by" label={w.reviewBy}>
              <Input id="review-by" disabled={disabled} value={topic.review.by} onChange={(ev) => set({ review: { ...topic.review, by: ev.target.value } })} />
            </Field>
            <Field id="review-on" label={w.reviewOn}>
              <Input id="review-on" type="date" disabled={disabled} value={topic.review.on} onChange={(ev) => set({ review: { ...topic.review, on: ev.target.value } })} />
            </Field>
          </div>
        </div>
        <aside className="topic-side">
          <section>
            <h3>{w.preview} · {word(w.channel, channel)}</h3>
            <Preview topic={now} channel={channel} all={all} />
          </section>
          {!isNew && (
            <section>
              <h3>{k.problem.title}</h3>
              <Loaded of={problems}>{() => <Findings items={mine} within={base.id} open={(p) => focus(p.rule)} />}</Loaded>
              <p className="dim mono">{base.id} {base.file && "· " + base.file}</p>
            </section>
          )}
        </aside>
      </div>
      {copying && <DraftDialog from={route.v === CURRENT ? "" : route.v} onClose={() => setCopying(false)} onDraft={(v) => go({ tab: "topics", id: base.id, v })} />}
    </>
  );
}

function Counter({ text, channel }: { text: string; channel: string }) {
  const n = size(text);
  const w = k.topic;
  const warn =
    channel === "sms"
      ? n.chars > limits.sms && w.smsOver
      : channel === "wechat"
        ? n.bytes > limits.wechat ? w.wechatOver : n.bytes > limits.wechatNice && w.wechatLong
        : n.chars > limits.web && w.webOver;
  return (
    <div className="counter" role="status">
      <span>{w.chars(n.chars)}</span>
      {channel === "wechat" && <span>{w.bytes(n.bytes)}</span>}
      {channel === "sms" && <span>{w.parts(n.parts)}</span>}
      {warn && <span className="doubt">{warn}</span>}
    </div>
  );
}

function Preview({ topic, channel, all }: { topic: Topic; channel: string; all: TopicLine[] }) {
  const text = wording(topic, channel).trim();
  const next = topic.follow_ups.map((id) => all.find((x) => x.id === id)?.title ?? id);
  return (
    <div className={"preview-" + channel + " preview-frame"}>
      <div className="asked">{topic.phrasings[0] || topic.title}</div>
      <div className="told">
        {text ? marks(text).map((m, i) => (m.mark ? <Tag key={i} className="tag">{m.text}</Tag> : <span key={i}>{m.text}</span>)) : <span className="dim">{k.topic.previewEmpty}</span>}
        {channel === "wechat" && next.map((x) => <div key={x} className="menu-link">{x}</div>)}
      </div>
      {channel === "web" && (
        <div className="options">
          {next.map((x) => (
            <span key={x}>{x}</span>
          ))}
        </div>
      )}
    </div>
  );
}
