import { Alert, App as AntApp, Button, Input, Modal, Table, Tag } from "antd";
import { useState } from "react";
import { clock } from "../locale";
import { k } from "../locale/kb";
import { useSession } from "../session";
import { CURRENT, type BatchReport, type Finding, type Outcome, type SetLine } from "./api";
import { rowsOf, sayKb, useKb, useLoad, useRun, useTitles } from "./context";
import { formatOf, mayWrite, outcome } from "./logic";
import { FilePick, Findings, Loaded, RunBar } from "./parts";
import { Explanation } from "../parts/Evidence";

export function Tests() {
  const { route } = useKb();
  return route.id ? <One /> : <Sets />;
}

function Sets() {
  const { kb, go, attempt } = useKb();
  const { me } = useSession();
  const { modal } = AntApp.useApp();
  const sets = useLoad(() => kb.sets(), "");
  const [adding, setAdding] = useState(false);
  const writes = mayWrite(me.user.roles);
  const w = k.tests;
  return (
    <div className="kb-page">
      <div className="filters">
        <span className="dim">{w.uploadHint}</span>
        <span className="spring" />
        {writes && (
          <Button type="primary" onClick={() => setAdding(true)}>
            {w.upload}
          </Button>
        )}
      </div>
      <Loaded of={sets}>
        {(items) => (
          <Table<SetLine>
            rowKey="id"
            size="small"
            dataSource={items}
            locale={{ emptyText: w.empty }}
            pagination={false}
            columns={[
              {
                title: w.name,
                render: (_, s) => (
                  <>
                    <Button type="link" size="small" className="topic-link" onClick={() => go({ tab: "tests", id: s.id })}>
                      {s.name}
                    </Button>{" "}
                    {s.shipped && <Tag className="tag">{w.shipped}</Tag>}
                  </>
                ),
              },
              { title: w.cases, dataIndex: "cases", width: 90, align: "right" },
              {
                title: w.last,
                width: 260,
                render: (_, s) =>
                  s.last ? (
                    <span>
                      {k.gate.passed(s.last.passed, s.last.cases)} <span className="dim">{clock(s.last.at)}</span>
                    </span>
                  ) : (
                    <span className="dim">{w.never}</span>
                  ),
              },
              {
                title: "",
                width: 90,
                render: (_, s) =>
                  writes &&
                  !s.shipped && (
                    <Button
                      size="small"
                      danger
                      onClick={() =>
                        modal.confirm({
                          title: w.removeAsk,
                          okButtonProps: { danger: true },
                          onOk: async () => {
                            await attempt(kb.dropSet(s.id));
                            void sets.reload();
                          },
                        })
                      }
                    >
                      {w.remove}
                    </Button>
                  ),
              },
            ]}
          />
        )}
      </Loaded>
      {adding && (
        <Upload
          onClose={() => setAdding(false)}
          onDone={(id) => {
            setAdding(false);
            go({ tab: "tests", id });
          }}
        />
      )}
    </div>
  );
}

function Upload({ onClose, onDone }: { onClose: () => void; onDone: (id: string) => void }) {
  const { kb } = useKb();
  const [name, setName] = useState("");
  const [file, setFile] = useState<File | null>(null);
  const [error, setError] = useState("");
  const [rows, setRows] = useState<Finding[]>([]);
  const [busy, setBusy] = useState(false);
  const w = k.tests;
  const format = file ? formatOf(file.name) : undefined;
  const send = async () => {
    if (!file || format === undefined || format === "rasa") return setError(k.files.badType);
    setBusy(true);
    setError("");
    setRows([]);
    try {
      onDone((await kb.addSet(name.trim(), file, format)).id);
    } catch (err) {
      setError(sayKb(err));
      setRows(rowsOf(err));
    }
    setBusy(false);
  };
  return (
    <Modal open title={w.upload} confirmLoading={busy} okButtonProps={{ disabled: !name.trim() || !file }} onOk={() => void send()} onCancel={onClose}>
      <p className="dim">{w.uploadHint}</p>
      <label className="label" htmlFor="set-name">
        {w.name}
      </label>
      <Input id="set-name" maxLength={100} value={name} onChange={(ev) => setName(ev.target.value)} />
      <label className="label" htmlFor="set-file">
        {w.file}
      </label>
      <FilePick
        id="set-file"
        accept=".xlsx,.csv"
        file={file}
        onPick={(f) => {
          setFile(f);
          setError("");
          setRows([]);
          if (f && !name) setName(f.name.replace(/\.[^.]+$/, ""));
        }}
      />
      <div aria-live="polite" className="stack said-of-file">
        {error && <Alert type="error" title={error} />}
        {rows.length > 0 && <Findings items={rows} open={() => {}} limit={20} />}
      </div>
    </Modal>
  );
}

function One() {
  const { kb, route, go, attempt, versions, version } = useKb();
  const set = useLoad(() => kb.set(route.id), route.id);
  const title = useTitles(route.v);
  const [id, setID] = useState("");
  const { run, error, running } = useRun<BatchReport>(id, set.reload);
  const w = k.tests;
  const start = async () => {
    const r = await attempt(kb.batch(route.id, route.v));
    if (r) setID(r);
  };
  const versionName = (o: Outcome) => (!o.version || o.version === CURRENT ? k.current : (versions.find((v) => v.id === o.version)?.title ?? o.version.slice(0, 12)));
  return (
    <div className="kb-page">
      <div className="topic-head">
        <Button onClick={() => go({ tab: "tests" })}>{k.back}</Button>
        <h2>{set.value?.name}</h2>
        <span className="spring" />
        <span className="dim">{version ? version.title : k.current}</span>
        <Button type="primary" loading={running} onClick={() => void start()}>
          {w.run}
        </Button>
      </div>
      <RunBar run={run} error={error} />
      {run?.state === "done" && run.report && <BatchResult r={run.report} />}
      <Loaded of={set}>
        {(s) => (
          <div className="two">
            <section>
              <h3>{w.casesOf} <span className="dim">{(s.cases ?? []).length}</span></h3>
              <Table
                rowKey={(_, i) => String(i)}
                size="small"
                pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
                dataSource={s.cases ?? []}
                columns={[
                  { title: w.text, dataIndex: "text" },
                  { title: w.want, width: 200, render: (_, c) => <span title={c.topic}>{outcome(`${c.topic} ${c.action}`.trim(), title)}</span> },
                ]}
              />
            </section>
            <section>
              <h3>{w.history}</h3>
              <Table<Outcome>
                rowKey="run"
                size="small"
                pagination={{ pageSize: 20, hideOnSinglePage: true }}
                dataSource={s.history ?? []}
                locale={{ emptyText: w.historyNone }}
                columns={[
                  { title: w.at, width: 120, render: (_, o) => clock(o.at) },
                  { title: w.version, render: (_, o) => versionName(o) },
                  { title: w.result, width: 150, render: (_, o) => k.gate.passed(o.passed, o.cases) },
                  { title: "", width: 70, render: (_, o) => <Button size="small" onClick={() => setID(o.run)}>{w.see}</Button> },
                ]}
              />
            </section>
          </div>
        )}
      </Loaded>
    </div>
  );
}

function BatchResult({ r }: { r: BatchReport }) {
  const { route } = useKb();
  const title = useTitles(route.v);
  const w = k.tests;
  const failed = r.failed ?? [];
  return (
    <section className="batch">
      <div className={"verdict " + (r.passed === r.cases ? "ok" : "bad")}>
        <b>{k.gate.passed(r.passed, r.cases)}</b>
        {r.passed === r.cases && <span>{w.allPassed}</span>}
      </div>
      {failed.length > 0 && (
        <>
          <h3>{w.failed}</h3>
          <Table
            rowKey={(x) => x.text + x.want}
            size="small"
            dataSource={failed}
            pagination={{ pageSize: 20, hideOnSinglePage: true, showSizeChanger: false }}
            expandable={{ expandedRowRender: (x) => <Explanation ev={x.decision.evidence} raw={x.decision} />, columnTitle: w.why, columnWidth: 80 }}
            columns={[
              { title: w.text, dataIndex: "text" },
              { title: w.want, width: 220, render: (_, x) => <span title={x.want}>{outcome(x.want, title)}</span> },
              { title: w.got, width: 220, render: (_, x) => <span title={x.got} className="late">{outcome(x.got, title)}</span> },
            ]}
          />
          {!!r.more && <p className="dim">{k.more(r.more)}</p>}
        </>
      )}
    </section>
  );
}
