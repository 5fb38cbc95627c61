import { Alert, App as AntApp, Button, Segmented, Steps, Tabs, Tooltip } from "antd";
import { useState } from "react";
import { Problem } from "../api";
import { clock } from "../locale";
import { k } from "../locale/kb";
import { useSession } from "../session";
import { CURRENT, type Gate, type Version } from "./api";
import { sayKb, useKb, useLoad, useRun, useTitles } from "./context";
import { DiffView } from "./Diff";
import { gateState, mayOverride, mayPublish, mayWrite, outcome, own, split } from "./logic";
import { Findings, Loaded, ReasonDialog, RunBar, StateTag } from "./parts";

const step: Record<Version["state"], number> = { draft: 0, rejected: 1, review: 1, approved: 2, published: 3, replaced: 3 };

type Ask = "" | "submit" | "approve" | "reject" | "override" | "rollback";

/** One version on its way: what changed, what is wrong, what the tests say, and the next step. */
export function VersionPage() {
  const { kb, route, go, refresh } = useKb();
  const read = useLoad(() => kb.version(route.id), route.id);
  const reload = async () => {
    await Promise.all([read.reload(), refresh()]);
  };
  return (
    <div className="kb-page">
      <div className="topic-head">
        <Button onClick={() => go({ tab: "versions" })}>{k.back}</Button>
        {read.value && <h2>{read.value.title}</h2>}
        {read.value && <StateTag state={read.value.state} />}
      </div>
      <Loaded of={read}>{(v) => <Whole v={v} reload={reload} />}</Loaded>
    </div>
  );
}

function Whole({ v, reload }: { v: Version; reload: () => Promise<void> }) {
  const { kb, go, attempt, overview, person, refresh } = useKb();
  const { me } = useSession();
  const { message, modal } = AntApp.useApp();
  const [ask, setAsk] = useState<Ask>("");
  const [busy, setBusy] = useState("");
  const [conflicts, setConflicts] = useState<string[]>([]);
  const [stale, setStale] = useState(false);
  const [tab, setTab] = useState("diff");
  const [checking, setChecking] = useState("");
  const problems = useLoad(() => kb.problems(v.id), `${v.id} ${v.revision}`);
  const title = useTitles(v.id);
  const w = k.version;
  const roles = me.user.roles;
  const writes = mayWrite(roles) && !!overview?.editable;
  const errors = problems.value ? split(problems.value).errors.length : 0;
  const gate = gateState(v);

  // Handing in starts the check; what it says comes by itself.
  const check = useRun<Gate>(checking || (gate === "none" ? v.check : ""), () => void reload());
  const behind = stale || (!!overview?.published && v.base !== overview.published.id && (v.state === "draft" || v.state === "review" || v.state === "approved"));

  /** Runs one step, whose dialog stays until the page shows what came of it; a refusal that has a way out shows it. */
  const run = async (name: string, p: () => Promise<unknown>, then: () => Promise<void> = reload) => {
    setBusy(name);
    try {
      await p();
      await then();
      message.success(w.done[name] ?? k.topic.saved);
      setAsk("");
      setStale(false);
    } catch (err) {
      if (err instanceof Problem && err.code === "stale_base") setStale(true);
      if (err instanceof Problem && err.code === "check_running") setChecking(String(err.body["run"] ?? ""));
      if (err instanceof Problem && (err.code === "check_running" || err.code === "gate_failed")) setTab("gate");
      message.error(sayKb(err));
      if (err instanceof Problem && (err.code === "gate_failed" || err.code === "bad_state" || err.code === "changed_meanwhile")) await reload();
    }
    setBusy("");
  };
  const confirm = (title: string, name: string, p: () => Promise<unknown>, danger = false, then?: () => Promise<void>) =>
    modal.confirm({ title, okButtonProps: { danger }, onOk: () => run(name, p, then) });

  const rebase = async () => {
    const done = await attempt(kb.rebase(v));
    if (!done) return;
    await reload();
    setConflicts(done.conflicts ?? []);
    setStale(false);
    message.success(w.rebased);
  };

  /** A button that says why it cannot be pressed. */
  const act = (name: string, label: string, why: string, onClick: () => void, primary = false, danger = false) => (
    <Tooltip key={name} title={why}>
      <span>
        <Button type={primary ? "primary" : "default"} danger={danger} disabled={!!why} loading={busy === name} onClick={onClick}>
          {label}
        </Button>
      </span>
    </Tooltip>
  );
  const mine = own(v, me.user.id);
  const reviewWhy = mine ? w.own : "";
  const publishWhy = !mayPublish(roles) ? w.noRole : gate === "worse" ? w.gateBad : "";

  return (
    <>
      <Steps
        className="steps"
        size="small"
        current={step[v.state]}
        status={v.state === "rejected" ? "error" : v.state === "published" || v.state === "replaced" ? "finish" : "process"}
        items={w.steps.map((title, i) => ({
          title,
          content: [
            `${person(v.created_by)} ${clock(v.created_at)}`,
            v.state === "rejected" ? w.rejectedBy(person(v.reviewed_by)) : v.submitted_by && w.submittedBy(person(v.submitted_by)),
            v.state !== "rejected" && v.reviewed_by && w.reviewedBy(person(v.reviewed_by)),
            v.published_by && `${person(v.published_by)} ${v.published_at ? clock(v.published_at) : ""}`,
          ][i] || "\u00a0",
        }))}
      />
      <div className="actions">
        <Button onClick={() => go({ tab: "topics", v: v.id })}>{w.browse}</Button>
        {v.state === "draft" && writes && act("submit", w.submit, errors ? w.hasErrors : "", () => setAsk("submit"), true)}
        {v.state === "review" && (
          <>
            {act("approve", w.approve, reviewWhy, () => setAsk("approve"), true)}
            {act("reject", w.reject, reviewWhy, () => setAsk("reject"), false, true)}
          </>
        )}
        {v.state === "approved" && act("publish", w.publish, publishWhy, () => confirm(w.publishAsk, "publish", () => kb.publish(v.id)), true)}
        {v.state === "approved" && gate === "worse" && mayOverride(roles) && act("override", w.override, "", () => setAsk("override"), false, true)}
        {(v.state === "review" || v.state === "approved" || v.state === "rejected") && writes && act("reopen", w.reopen, "", () => confirm(w.reopenAsk, "reopen", () => kb.reopen(v.id)))}
        {v.state === "replaced" && act("rollback", w.rollback, mayPublish(roles) ? "" : w.noRole, () => setAsk("rollback"), false, true)}
        {behind && writes && v.state === "draft" && act("rebase", w.rebase, "", () => void rebase())}
        {(v.state === "draft" || v.state === "rejected") && writes && act("remove", w.remove, "", () => confirm(w.removeAsk, "remove", () => kb.drop(v.id), true, async () => {
          await refresh();
          go({ tab: "versions" });
        }), false, true)}
        {v.state === "review" && mine && <span className="dim">{w.own}</span>}
        {v.state === "approved" && publishWhy && <span className="dim">{publishWhy}</span>}
      </div>
      {behind && <Alert type="warning" showIcon title={w.rebaseHint} />}
      {conflicts.length > 0 && <Alert type="warning" showIcon title={w.rebasedConflicts(conflicts.map(title).join("、"))} />}
      {v.note && <p className="dim">{w.submitLine}：{v.note}</p>}
      {v.review_note && <Alert type={v.state === "rejected" ? "error" : "info"} title={`${w.noteLine}：${v.review_note}`} />}
      {v.override && <Alert type="warning" title={w.overrideLine(v.override)} />}
      <Tabs
        activeKey={tab}
        onChange={setTab}
        items={[
          { key: "diff", label: w.diff, children: <DiffTab v={v} /> },
          {
            key: "problems",
            label: problems.value ? `${k.problem.title} ${problems.value.length}` : k.problem.title,
            children: <Loaded of={problems}>{(items) => <Findings items={items} title={title} open={(p) => p.topic && go({ tab: "topics", id: p.topic, v: v.id })} />}</Loaded>,
          },
          { key: "gate", label: w.gate, children: <GateTab v={v} check={check} setID={setChecking} /> },
        ]}
      />
      {ask === "submit" && <ReasonDialog title={w.submit} hint={w.submitHint} label={w.note} need={false} ok={w.submit} onOk={(s) => run("submit", () => kb.submit(v.id, s))} onClose={() => setAsk("")} />}
      {ask === "approve" && <ReasonDialog title={w.approve} label={w.noteLine} need={false} ok={w.approve} onOk={(s) => run("approve", () => kb.review(v.id, "approve", s))} onClose={() => setAsk("")} />}
      {ask === "reject" && <ReasonDialog title={w.reject} hint={w.rejectNeed} label={w.noteLine} need danger ok={w.reject} onOk={(s) => run("reject", () => kb.review(v.id, "reject", s))} onClose={() => setAsk("")} />}
      {ask === "override" && <ReasonDialog title={w.override} hint={w.overrideHint} label={w.reason} need danger ok={w.publish} onOk={(s) => run("publish", () => kb.publish(v.id, s))} onClose={() => setAsk("")} />}
      {ask === "rollback" && <ReasonDialog title={w.rollback} hint={w.rollbackHint} label={w.reason} need danger ok={w.rollback} onOk={(s) => run("rollback", () => kb.rollback(v.id, s))} onClose={() => setAsk("")} />}
    </>
  );
}

function DiffTab({ v }: { v: Version }) {
  const { kb } = useKb();
  const [with_, setWith] = useState(v.base && (v.state === "published" || v.state === "replaced") ? v.base : CURRENT);
  const diff = useLoad(() => kb.diff(v.id, with_), `${v.id} ${v.revision} ${with_}`);
  return (
    <>
      <div className="filters">
        <span className="dim">{k.version.diffWith}</span>
        <Segmented
          value={with_}
          onChange={setWith}
          options={[{ value: CURRENT, label: k.current }, ...(v.base ? [{ value: v.base, label: k.version.diffBase }] : [])]}
        />
      </div>
      <Loaded of={diff}>{(d) => <DiffView diff={d} v={v.id} />}</Loaded>
    </>
  );
}

function GateTab({ v, check, setID }: { v: Version; check: ReturnType<typeof useRun<Gate>>; setID: (id: string) => void }) {
  const { kb, attempt } = useKb();
  const { run, error, running } = check;
  const start = async () => {
    const r = await attempt(kb.check(v.id));
    if (r) setID(r);
  };
  const w = k.gate;
  const open = v.state !== "published" && v.state !== "replaced";
  return (
    <div className="gate">
      <p className="dim">{w.about}</p>
      <div className="row-line">
        {open && (
          <Button onClick={() => void start()} loading={running}>
            {v.gate || error ? w.rerun : w.run}
          </Button>
        )}
        <RunBar run={run} error={error} />
      </div>
      {v.gate ? <GateResult gate={v.gate} v={v.id} /> : !running && <p className="dim">{error ? w.missed : w.none}</p>}
    </div>
  );
}

function GateResult({ gate, v }: { gate: Gate; v: string }) {
  const title = useTitles(v);
  const w = k.gate;
  const worse = gate.worse ?? [];
  return (
    <>
      <div className={"verdict " + (gate.ok ? "ok" : "bad")}>
        <b>{gate.ok ? w.ok : w.worse}</b>
        <span>{w.was} {w.passed(gate.before.passed, gate.before.cases)}</span>
        <span>{w.now} {w.passed(gate.after.passed, gate.after.cases)}</span>
        <span>{w.better(gate.better)}</span>
        <span>{w.worseN(worse.length)}</span>
        <span className="dim">{clock(gate.at)}</span>
      </div>
      <p className="dim">{w.stale}</p>
      {worse.length > 0 && (
        <table className="plain">
          <thead>
            <tr>
              {[w.set, w.text, w.want, w.gotBefore, w.gotAfter].map((h) => (
                <th key={h} scope="col">{h}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {worse.map((x, i) => (
              <tr key={i}>
                <td>{x.set}</td>
                <td>{x.text}</td>
                <td title={x.want}>{outcome(x.want, title)}</td>
                <td title={x.got_before}>{outcome(x.got_before, title)}</td>
                <td title={x.got_after} className="late">{outcome(x.got_after, title)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}
